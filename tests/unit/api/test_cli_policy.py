"""`undrop policy`: every step of a policy's life, and one sentence for what cannot be done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from desk import POLICY, Desk
from terminals import Terminal

from returns.tables import PolicyActivation
from triage.policy import parse_policy

SHORTER = POLICY.replace("window_days: 30", "window_days: 14")


@pytest.fixture
def terminal(desk: Desk, tmp_path: Path) -> Terminal:
    (tmp_path / "shorter.yaml").write_text(SHORTER)
    (tmp_path / "wrong.yaml").write_text(POLICY.replace("window_days: 30", "window_days: soon"))
    return Terminal(desk, tmp_path)


@pytest.fixture
def shorter(terminal: Terminal, tmp_path: Path) -> Path:
    return tmp_path / "shorter.yaml"


def in_force(terminal: Terminal) -> int:
    rows = json.loads(terminal.done("policy", "versions", "--json"))
    [version] = [row["version"] for row in rows if row["in_force"]]
    return int(version)


def test_a_policy_is_drafted_compared_activated_and_taken_back(
    terminal: Terminal, shorter: Path
) -> None:
    said = terminal.done("policy", "draft", str(shorter), "--as", "ada")
    assert said.startswith("Version 2 (")
    assert "undrop policy activate 2 --as NAME" in said
    assert in_force(terminal) == 1
    assert "window_days" in terminal.done("policy", "diff", "1", "2")
    said = terminal.done("policy", "activate", "2", "--as", "bob", "--reason", "agreed")
    assert said.startswith("Version 2 is in force from 20")
    assert in_force(terminal) == 2
    assert terminal.done("policy", "show") == SHORTER
    assert terminal.done("policy", "show", "1") == POLICY
    said = terminal.done("policy", "rollback", "--as", "eve", "--reason", "too short")
    assert said == "Version 1 is in force again.\n"
    assert in_force(terminal) == 1
    assert terminal.done("policy", "versions").count("rollback from") == 1


def test_a_day_that_is_named_is_one_in_utc(terminal: Terminal, shorter: Path) -> None:
    terminal.done("policy", "draft", str(shorter), "--as", "ada")
    terminal.done("policy", "activate", "2", "--as", "bob", "--from", "2999-03-01")
    assert in_force(terminal) == 1
    begins = terminal.desk.rows(PolicyActivation)[-1].effective_from
    assert begins.isoformat() == "2999-03-01T00:00:00+00:00"


def test_a_file_and_a_version_can_be_compared(terminal: Terminal, shorter: Path) -> None:
    [change] = json.loads(terminal.done("policy", "diff", "1", str(shorter), "--json"))
    assert change == {
        "path": "window_days",
        "old": 30,
        "new": 14,
        "effect": "stricter",
        "sentence": "window_days: 30 becomes 14, which is stricter",
    }
    assert "They say the same." in terminal.done("policy", "diff", "1", "1")


def test_a_file_is_checked_without_a_database(terminal: Terminal, shorter: Path) -> None:
    result = terminal.run(
        "policy", "check", str(shorter), UNDROP_DATABASE_URL="sqlite:////no/where"
    )
    policy_hash = parse_policy(SHORTER).policy_hash
    said = f"Policy standard is well-formed ({policy_hash[:12]}).\n"
    assert (result.exit_code, result.stdout) == (0, said)


def test_the_schema_is_one_json_document(terminal: Terminal) -> None:
    assert json.loads(terminal.done("policy", "schema"))["title"] == "Policy"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["check", "wrong.yaml"], "line 16: window_days"),
        (["draft", "wrong.yaml", "--as", "ada"], "line 16: window_days"),
        (["draft", "missing.yaml", "--as", "ada"], "there is no such file"),
        (["draft", "shorter.yaml", "--as", ""], "write 1 to 100 printable characters"),
        (["activate", "1", "--as", "test"], "drafted version 1 of the policy"),
        (["activate", "9", "--as", "bob"], "There is no such version 9 of the policy"),
        (["activate", "1", "--as", "bob", "--from", "2020-01-01"], "has passed"),
        (["rollback", "--as", "eve", "--reason", "wrong"], "version 1 is the first"),
        (["rollback", "--as", "eve", "--reason", " "], "write 1 to 1000 characters"),
        (["show", "7"], "There is no such version 7 of the policy"),
        (["diff", "1", "7"], "There is no such version 7 of the policy"),
        (["diff", "1", "none.yaml"], "there is no such file"),
        (["versions", "--merchant", "none"], "There is no such merchant"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_nothing_is_written(
    terminal: Terminal, tmp_path: Path, words: list[str], sentence: str
) -> None:
    placed = [str(tmp_path / word) if word.endswith(".yaml") else word for word in words]
    said = terminal.refused("policy", *placed)
    assert sentence in said
    assert "\n" not in said
