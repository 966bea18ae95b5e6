"""Events: exactly one for each move, none for what did not happen, no gap in a case's numbers."""

from __future__ import annotations

from desk import Desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from returns import cases, lifecycle
from returns.errors import MoveNotAllowed
from returns.event_kinds import PING, all_kinds, kind_of, state_of
from returns.tables import Event
from returns.words import LineState


def told(desk: Desk, case_id: object) -> list[tuple[int, str]]:
    found = desk.rows(Event, Event.case_id == case_id)
    return sorted((event.sequence, event.kind) for event in found)


def test_there_is_one_kind_for_each_state_that_a_line_can_enter() -> None:
    entered = {LineState.REQUESTED} | set().union(*lifecycle.MOVES.values())
    assert set(all_kinds()) == {kind_of(state) for state in entered}
    assert len(all_kinds()) == len(set(all_kinds())) == len(LineState)
    assert [state_of(kind) for kind in all_kinds()] == [state.value for state in LineState]
    assert PING not in all_kinds()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(st.sampled_from(LineState), min_size=1, max_size=25))
def test_a_move_emits_one_event_of_its_kind_and_a_refused_one_none(
    desk: Desk, asked: list[LineState]
) -> None:
    line = desk.line(desk.ask(desk.buy())["rma"])
    state, expected = line.state, told(desk, line.case_id)
    assert [kind for _, kind in expected][-1] == kind_of(state)
    for to in asked:
        allowed = to in lifecycle.MOVES[state]
        with desk.runtime.database.write() as session:
            try:
                cases.advance(session, line.id, to, actor="a", reason="r", now=desk.clock())
                moved = True
            except MoveNotAllowed:
                moved = False
        assert moved is allowed
        if moved:
            state = to
            expected.append((len(expected) + 1, kind_of(to)))
        assert told(desk, line.case_id) == expected
    assert [sequence for sequence, _ in expected] == list(range(1, len(expected) + 1))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(picks=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=20))
def test_lines_of_one_case_share_one_row_of_numbers(
    desk: Desk, picks: list[tuple[int, int]]
) -> None:
    rma = desk.ask(desk.buy(tokens=3))["rma"]
    case_id = desk.line(rma).case_id
    with desk.runtime.database.read() as session:
        lines = [(line.id, line.state) for line in cases.lines_of(session, case_id)]
    before = told(desk, case_id)
    moves = 0
    for which, choice in picks:
        line_id, state = lines[which]
        ways = sorted(lifecycle.MOVES[state])
        if ways:
            to = ways[choice % len(ways)]
            with desk.runtime.database.write() as session:
                cases.advance(session, line_id, to, actor="a", reason="r", now=desk.clock())
            lines[which], moves = (line_id, to), moves + 1
    numbers = [sequence for sequence, _ in told(desk, case_id)]
    assert numbers == list(range(1, len(before) + moves + 1))
