"""The table of moves: every one that is there works, no other does, and each leaves one trace."""

from __future__ import annotations

import itertools

import pytest
from desk import Desk
from sqlmodel import update

from returns import cases, lifecycle
from returns.errors import MoveNotAllowed
from returns.review_terms import ANSWER_WITHIN, REVIEW_WITHIN
from returns.tables import Event, ReturnLine
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
    audit = desk.audit()
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
    assert set(LineState) - lifecycle.GRANTED - lifecycle.REOPENABLE == lifecycle.UNDECIDED == {
        LineState.REQUESTED, LineState.IN_REVIEW, LineState.AWAITING_EVIDENCE, LineState.APPEALED,
    }  # fmt: skip
    assert all(
        {LineState.CANCELED, LineState.RETURNING} & lifecycle.MOVES[state]
        for state in lifecycle.CANCELABLE
    )


@pytest.mark.parametrize("state", LineState)
def test_what_is_on_the_desk_and_nothing_else_gets_a_deadline(
    desk: Desk, line: ReturnLine, state: LineState
) -> None:
    before = next(one for one in LineState if state in lifecycle.MOVES[one] or one is state)
    if before is state:
        return  # nothing becomes a request
    put(desk, line, before)
    move(desk, line, state)
    terms = {LineState.IN_REVIEW: REVIEW_WITHIN, LineState.NEEDS_ATTENTION: REVIEW_WITHIN,
             LineState.AWAITING_EVIDENCE: ANSWER_WITHIN}  # fmt: skip
    due = desk.clock() + terms[state] if state in lifecycle.ON_THE_DESK else None
    assert desk.rows(ReturnLine)[0].due_at == due


def test_every_state_has_its_place_in_the_state_of_a_case() -> None:
    for state in LineState:
        assert lifecycle.case_state([state]) is state
        assert lifecycle.case_state([state, LineState.NEEDS_ATTENTION]) is LineState.NEEDS_ATTENTION
