"""A decision is made once more from what is kept: the same bytes, or it is said what differs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from desk import POLICY, Desk
from sqlmodel import update

from returns.errors import ModelInvalid, NotFound
from returns.tables import DecisionRow
from settlement import model_store
from settlement.commands import opinions
from settlement.commands.opinions import Replay
from triage.model import Model, Steps

HOLD = Steps("hold_days", (1.0, 10.0), (-500_000, 0, 1_000_000), 0, 0.0, 45.0, 3)
CALM = Model((HOLD,), -3_000_000, {})


def put_in_force(desk: Desk, model: Model) -> None:
    settings = desk.runtime.settings
    model_store.put(settings, settings.model_file, model.to_json(), model.model_hash)
    desk.runtime.model = model


@pytest.fixture
def rma(desk: Desk) -> str:
    """A case of two lines that was decided with a model."""
    put_in_force(desk, CALM)
    rma: str = desk.ask(desk.buy(tokens=2))["rma"]
    assert {json.loads(row.body)["model_hash"] for row in desk.rows(DecisionRow)} == {
        CALM.model_hash
    }
    return rma


def replay(desk: Desk, rma: str) -> list[Replay]:
    return opinions.replay(desk.runtime, desk.merchant.id, rma)


def tamper(desk: Desk, **values: Any) -> DecisionRow:
    row: DecisionRow = desk.rows(DecisionRow)[0]
    with desk.runtime.database.write() as session:
        changed = update(DecisionRow).where(DecisionRow.id == row.id).values(**values)
        session.connection().execute(changed)
    return row


def test_gives_the_same_bytes_for_every_line_and_stores_nothing(desk: Desk, rma: str) -> None:
    before = desk.count_all()
    lines = [row.line_id for row in desk.rows(DecisionRow)]
    assert replay(desk, rma) == [Replay(line, same=True, differs=()) for line in lines]
    assert desk.count_all() == before


def test_gives_them_after_policy_and_model_in_force_have_changed(desk: Desk, rma: str) -> None:
    desk.use_policy(POLICY.replace("window_days: 30", "window_days: 0"))
    put_in_force(desk, Model((HOLD,), 9_000_000, {}))
    desk.clock.move(days=400)
    assert [one.same for one in replay(desk, rma)] == [True, True]


def test_gives_them_where_no_model_was_asked(desk: Desk) -> None:
    rma = desk.ask(desk.buy())["rma"]
    put_in_force(desk, CALM)
    assert [one.same for one in replay(desk, rma)] == [True]


@pytest.mark.parametrize(
    ("name", "value"), [("amount", "9999"), ("verdict", "deny"), ("policy_hash", "0" * 64)]
)
def test_names_what_was_tampered_with(desk: Desk, rma: str, name: str, value: str) -> None:
    body = json.loads(desk.rows(DecisionRow)[0].body) | {name: value}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    row = tamper(desk, body=text)
    bad, good = replay(desk, rma)
    assert bad == Replay(row.line_id, same=False, differs=(name,))
    assert good.same


def test_names_facts_that_were_tampered_with(desk: Desk, rma: str) -> None:
    facts = json.loads(desk.rows(DecisionRow)[0].facts) | {"requested": "999"}
    tamper(desk, facts=json.dumps(facts))
    differs = replay(desk, rma)[0].differs
    assert {"amount", "facts_hash"} <= set(differs)


def test_names_what_was_added_and_what_is_only_spelled_otherwise(desk: Desk, rma: str) -> None:
    body = desk.rows(DecisionRow)[0].body
    tamper(desk, body=body + " ")
    assert replay(desk, rma)[0].differs == ("spelling",)
    tamper(desk, body=json.dumps({**json.loads(body), "note": 1}))
    assert replay(desk, rma)[0].differs == ("note",)


@pytest.mark.parametrize("body", ["", "{", "[]", "null"])
def test_of_what_cannot_be_read_everything_differs(desk: Desk, rma: str, body: str) -> None:
    tamper(desk, body=body)
    bad, good = replay(desk, rma)
    assert (bad.same, good.same) == (False, True)
    assert {"amount", "verdict", "facts_hash"} <= set(bad.differs)


def test_refuses_without_the_model_that_decided(desk: Desk, rma: str) -> None:
    (desk.runtime.settings.models_folder / f"{CALM.model_hash}.json").unlink()
    with pytest.raises(NotFound, match="no such model"):
        replay(desk, rma)


def test_refuses_another_model_under_its_name(desk: Desk, rma: str) -> None:
    other = Model((HOLD,), 0, {}).to_json()
    (desk.runtime.settings.models_folder / f"{CALM.model_hash}.json").write_text(other)
    with pytest.raises(ModelInvalid, match="holds another model"):
        replay(desk, rma)


def test_refuses_a_hash_that_is_a_path(desk: Desk, rma: str) -> None:
    body = json.loads(desk.rows(DecisionRow)[0].body) | {"model_hash": "../model"}
    tamper(desk, body=json.dumps(body))
    with pytest.raises(NotFound, match="no such model"):
        replay(desk, rma)


def test_refuses_a_case_of_somebody_else(desk: Desk, rma: str) -> None:
    with pytest.raises(NotFound):
        replay(Desk(desk.runtime, "other"), rma)
