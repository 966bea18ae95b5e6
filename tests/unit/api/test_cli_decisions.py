"""`undrop decision`, `backtest`, `policy test`: what was decided, shown and tried at a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from desk import POLICY, Desk
from review_desk import TOO_LATE_DAYS, decide, waiting
from sqlmodel import update
from terminals import Terminal

from returns.tables import DecisionRow
from returns.words import LineState
from settlement.commands import training
from settlement.commands.training import TrainingReport
from triage.model import Model, Steps

CALM = Model((Steps("hold_days", (), (0,), 0, 0.0, 45.0, 1),), -3_000_000, {})

#: Words that stand for a file of the test's own folder.
FILES = {"missing", "missing.yaml", "missing.json", "missing.csv", "none.yaml", "model.json.txt"}


@pytest.fixture
def terminal(desk: Desk, tmp_path: Path) -> Terminal:
    (tmp_path / "none.yaml").write_text(POLICY.replace("window_days: 30", "window_days: 0"))
    (tmp_path / "model.json.txt").write_text(CALM.to_json())
    return Terminal(desk, tmp_path)


@pytest.fixture
def history(terminal: Terminal) -> list[str]:
    """Settled as approved, denied as too late, denied by a person, and one still under way."""
    desk = terminal.desk
    settled = desk.ask(desk.buy(customer="ann"))["rma"]
    desk.sign(settled)
    desk.run()
    assert desk.line(settled).state is LineState.SETTLED
    looked_at = waiting(desk, customer="bob")
    decide(desk, looked_at, "deny")
    late = desk.buy(customer="eve")
    desk.clock.move(days=TOO_LATE_DAYS)
    too_late = desk.ask(late)["rma"]
    desk.clock.move(days=1)
    under_way = desk.ask(desk.buy(customer="joe"))["rma"]
    return [settled, looked_at, too_late, under_way]


def report(said: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(said)
    for name in ("latency_p50_ms", "latency_p99_ms", "cases_per_second"):
        assert content.pop(name) >= 0
    return content


def test_a_case_is_replayed(terminal: Terminal, history: list[str]) -> None:
    line = terminal.desk.line(history[0])
    said = terminal.done("decision", "replay", history[0])
    assert said == f"Line {line.id}: the same bytes.\n"


def test_a_decision_that_was_changed_ends_with_exit_code_1(
    terminal: Terminal, history: list[str]
) -> None:
    line = terminal.desk.line(history[0])
    (row,) = terminal.desk.rows(DecisionRow, DecisionRow.line_id == line.id)
    body = json.dumps(json.loads(row.body) | {"amount": "1"})
    with terminal.desk.runtime.database.write() as session:
        session.connection().execute(
            update(DecisionRow).where(DecisionRow.id == row.id).values(body=body)
        )
    result = terminal.run("decision", "replay", history[0])
    assert (result.exit_code, result.stdout) == (1, f"Line {line.id}: differs in amount.\n")


def test_the_policy_in_force_gives_what_it_gave(terminal: Terminal, history: list[str]) -> None:
    assert report(terminal.done("backtest", "--explain")) == {
        "cases": 4,
        "verdicts": {"approve": 2, "deny": 1, "review": 1},
        "automation_rate": 0.75,
        "eligibility_accuracy": 1.0,
        "amount_accuracy": 1.0,
        "out_of_policy_flag_rate": 0.0,
        "duplicate_recall": None,
        "duplicates": 0,
        "approved_over_cap": 0,
        "approved_outside_policy": 0,
        "changed": 0,
        "changes": [],
    }


def test_another_policy_is_held_against_the_past_and_stores_nothing(
    terminal: Terminal, history: list[str], tmp_path: Path
) -> None:
    before = terminal.desk.count_all()
    whole = POLICY.replace("window_days: 30", "window_days: 31")
    (tmp_path / "longer.yaml").write_text(whole)
    said = report(terminal.done("policy", "test", str(tmp_path / "longer.yaml"), "--explain"))
    assert said["verdicts"] == {"approve": 3, "deny": 0, "review": 1}
    # Approved and settled, and approved although it ended denied; one of both is right.
    assert (said["eligibility_accuracy"], said["automation_rate"]) == (0.5, 0.75)
    token = terminal.desk.rows(DecisionRow)[-2]
    [change] = said["changes"]
    assert change == {
        "name": f"{history[2]} token {json.loads(token.facts)['token_id']}",
        "before": "deny",
        "after": "approve",
        "offered_before": "0.00 USD",
        "offered_after": "10.00 USD",
        "reasons": [],
    }
    assert terminal.desk.count_all() == before


def test_changes_are_counted_and_listed_only_where_it_is_asked_for(
    terminal: Terminal, history: list[str], tmp_path: Path
) -> None:
    (tmp_path / "longer.yaml").write_text(POLICY.replace("window_days: 30", "window_days: 31"))
    said = report(terminal.done("backtest", "--policy", str(tmp_path / "longer.yaml")))
    assert (said["changed"], "changes" in said) == (1, False)


def test_a_time_begins_with_its_first_day_and_ends_before_its_last(
    terminal: Terminal, history: list[str]
) -> None:
    assert report(terminal.done("backtest", "--from", "2026-04-02"))["cases"] == 2
    assert report(terminal.done("backtest", "--to", "2026-04-02"))["cases"] == 2
    both = ("--from", "2026-04-02T12:00:00", "--to", "2026-04-03T12:00:00")
    assert report(terminal.done("backtest", *both))["cases"] == 1


def test_a_model_is_tried_on_the_past(
    terminal: Terminal, history: list[str], tmp_path: Path
) -> None:
    model = ("--model", str(tmp_path / "model.json.txt"))
    assert report(terminal.done("backtest", *model))["verdicts"]["approve"] == 2


def test_training_says_what_it_learned_from_and_where_it_lies(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path | None] = []

    def learn(_: object, data: Path | None) -> TrainingReport:
        asked.append(data)
        return TrainingReport("ab" * 32, 1_200, 3, tmp_path / "m.json", {"source": "A table."})

    monkeypatch.setattr(training, "train_model", learn)
    monkeypatch.setattr(training, "train_reader", learn)
    for option in ("--data", "--messages"):
        said = terminal.done("train", option, str(tmp_path / "given"))
        first, second, third = said.splitlines()
        assert first == "abababababab trained on 1,200 rows: A table."
        assert second == "3 rows without a label were left out."
        assert third.startswith(f"It is stored in {tmp_path / 'm.json'}")
    assert asked == [tmp_path / "given"] * 2


def test_an_evaluation_is_one_json_document(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "evaluate", lambda *_: {"model": {"auc": 0.9}})
    assert json.loads(terminal.done("evaluate")) == {"model": {"auc": 0.9}}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["backtest", "--to", "2020-01-01"], "no request was decided in this time"),
        (["backtest", "--merchant", "none"], "There is no such merchant"),
        (["backtest", "--policy", "missing.yaml"], "there is no such file"),
        (["backtest", "--model", "missing.json"], "A file cannot be used"),
        (["backtest", "--model", "none.yaml"], "The model cannot be used: it is not JSON"),
        (["policy", "test", "missing.yaml"], "there is no such file"),
        (["policy", "test", "model.json.txt"], "The policy"),
        (["decision", "replay", "RMA-0000-0000-0"], "There is no such"),
        (["train", "--data", "missing.csv"], "there is no such file"),
        (["evaluate", "--data", "missing.csv"], "A file cannot be used"),
        (["train", "--messages", "missing"], "missing"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_nothing_is_written(
    terminal: Terminal, tmp_path: Path, words: list[str], sentence: str
) -> None:
    terminal.desk.ask(terminal.desk.buy())
    files = (
        "missing.yaml",
        "missing.json",
        "missing.csv",
        "none.yaml",
        "model.json.txt",
        "missing",
    )
    placed = [str(tmp_path / word) if word in files else word for word in words]
    assert sentence in terminal.refused(*placed)
    assert not (tmp_path / "model.json").exists()
