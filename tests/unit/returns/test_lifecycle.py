"""The table of moves: every one that is there works, no other does, and each leaves one trace."""

from __future__ import annotations

import itertools

import pytest
from desk import Desk
from sqlmodel import update

from returns import cases, lifecycle
from returns.errors import MoveNotAllowed
from returns.tables import AuditRow, Event, ReturnLine
from returns.words import LineState

PAIRS = list(itertools.product(LineState, LineState))


@pytest.fixture
def line(desk: Desk) -> ReturnLine:
    return desk.line(desk.ask(desk.buy())["rma"])


def put(desk: Desk, line: ReturnLine, state: LineState) -> None:
    with desk.runtime.database.write() as session:
        open_ = state not in lifecycle.REOPENABLE
        session.connection().execute(update(ReturnLine).values(state=state, open=open_))


def move(desk: Desk, line: ReturnLine, to: LineState) -> None:
    with desk.runtime.database.write() as session:
        cases.advance(session, line.id, to, actor="a", reason="r", now=desk.clock())


def test_every_move_leaves_one_audit_row_and_one_event(desk: Desk, line: ReturnLine) -> None:
    for state, to in [pair for pair in PAIRS if pair[1] in lifecycle.MOVES[pair[0]]]:
        put(desk, line, state)
        before = desk.count_all()
        move(desk, line, to)
        assert desk.count_all() == before | {
            "audit": before["audit"] + 1, "event": before["event"] + 1,
        }  # fmt: skip
        (row,) = desk.rows(ReturnLine)
        assert (row.state, row.open) == (to, to not in lifecycle.REOPENABLE)
        newest = max(desk.rows(Event), key=lambda event: event.sequence)
        assert newest.kind == f"return.line.{to.value}"
    audit = desk.rows(AuditRow)
    assert [event.sequence for event in desk.rows(Event)] == list(range(1, len(audit) + 1))


def test_every_other_move_is_refused_and_changes_nothing(desk: Desk, line: ReturnLine) -> None:
    for state, to in [pair for pair in PAIRS if pair[1] not in lifecycle.MOVES[pair[0]]]:
        put(desk, line, state)
        before = desk.count_all(), desk.rows(ReturnLine)
        with pytest.raises(MoveNotAllowed):
            move(desk, line, to)
        assert (desk.count_all(), desk.rows(ReturnLine)) == before


def test_every_state_can_be_reached_from_a_request() -> None:
    reached, todo = set(), [LineState.REQUESTED]
    while todo:
        state = todo.pop()
        reached.add(state)
        todo += [to for to in lifecycle.MOVES[state] if to not in reached]
    assert reached == set(LineState) == set(lifecycle.MOVES)


def test_a_line_is_never_both_granted_and_free_to_be_asked_for_again() -> None:
    assert not lifecycle.GRANTED & lifecycle.REOPENABLE
    assert set(LineState) - lifecycle.GRANTED - lifecycle.REOPENABLE == {
        LineState.REQUESTED, LineState.IN_REVIEW,
    }  # fmt: skip
    assert all(
        {LineState.CANCELED, LineState.RETURNING} & lifecycle.MOVES[state]
        for state in lifecycle.CANCELABLE
    )


def test_every_state_has_its_place_in_the_state_of_a_case() -> None:
    for state in LineState:
        assert lifecycle.case_state([state]) is state
        assert lifecycle.case_state([state, LineState.NEEDS_ATTENTION]) is LineState.NEEDS_ATTENTION
