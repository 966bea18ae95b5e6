"""`undrop labels`: what people decided, as JSON lines for the next training."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from desk import Desk
from review_desk import decide, waiting
from terminals import Terminal

from returns.tables import ReviewLabel


@pytest.fixture
def terminal(desk: Desk, tmp_path: Path) -> Terminal:
    return Terminal(desk, tmp_path)


def test_every_decision_is_one_line_in_order(terminal: Terminal, tmp_path: Path) -> None:
    desk = terminal.desk
    decide(desk, waiting(desk), "approve", abuse=False)
    decide(desk, waiting(desk), "deny", abuse=True)
    decide(desk, waiting(desk), "deny")
    file = tmp_path / "labels.jsonl"
    assert terminal.done("labels", "export", str(file)) == f"3 labels are in {file}.\n"
    lines = [json.loads(text) for text in file.read_text().splitlines()]
    assert [one["label"] for one in lines] == [False, True, None]
    assert [one["verdict_after"] for one in lines] == ["approve", "deny", "deny"]
    assert {one["verdict_before"] for one in lines} == {"review"}
    assert {frozenset(one) for one in lines} == {
        frozenset({"facts", "label", "verdict_before", "verdict_after", "reason", "at"})
    }
    assert lines[0]["facts"]["requested"] == "1000"
    assert lines[0]["at"] == desk.rows(ReviewLabel)[0].at.isoformat()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_labels_of_another_merchant_stay_where_they_are(terminal: Terminal, tmp_path: Path) -> None:
    desk = terminal.desk
    decide(desk, waiting(desk), "deny")
    Desk(desk.runtime, "other")
    file = tmp_path / "labels.jsonl"
    terminal.done("labels", "export", str(file), "--merchant", "other")
    assert file.read_text() == ""


def test_refuses_a_file_that_cannot_be_written(terminal: Terminal, tmp_path: Path) -> None:
    said = terminal.refused("labels", "export", str(tmp_path / "no" / "such.jsonl"))
    assert "cannot be used" in said


def test_refuses_an_unknown_merchant(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    assert "merchant" in terminal.refused("labels", "export", str(file), "--merchant", "nobody")
    assert not file.exists()
