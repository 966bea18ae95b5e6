"""Every event gets one position and one delivery for each endpoint that wants it."""

from __future__ import annotations

import hooks
import pytest
import sqlalchemy as sa
from desk import Desk

from returns import fan_out
from returns.event_kinds import kind_of
from returns.ids import new_id
from returns.tables import Event, WebhookDelivery
from returns.words import LineState


def place(desk: Desk, limit: int = fan_out.AT_ONCE) -> int:
    with desk.runtime.database.write() as session:
        return fan_out.fan_out(session, desk.clock(), limit)


def positions(desk: Desk) -> list[int | None]:
    return sorted(event.position for event in desk.rows(Event))


@pytest.fixture
def open_desk(desk: Desk) -> Desk:
    hooks.with_post(desk)
    return desk


def test_positions_have_no_gaps_and_keep_the_order_of_each_case(open_desk: Desk) -> None:
    for _ in range(3):
        open_desk.ask(open_desk.buy(tokens=2))
    events = open_desk.rows(Event)
    assert place(open_desk) == len(events)
    assert positions(open_desk) == list(range(1, len(events) + 1))
    placed = sorted(open_desk.rows(Event), key=lambda one: one.position)
    for case_id in {one.case_id for one in placed}:
        numbers = [one.sequence for one in placed if one.case_id == case_id]
        assert numbers == sorted(numbers)
    assert place(open_desk) == 0


def test_a_later_event_with_a_smaller_id_is_placed_behind_the_earlier_one(open_desk: Desk) -> None:
    """Two processes whose clocks differ."""
    open_desk.ask(open_desk.buy())
    events = sorted(open_desk.rows(Event), key=lambda one: one.sequence)
    assert len(events) >= 2
    ids = sorted((new_id() for _ in events), reverse=True)
    with open_desk.runtime.database.write() as session:
        for event, other in zip(events, ids, strict=True):
            session.connection().execute(
                sa.update(Event).where(Event.id == event.id).values(id=other)
            )
    assert place(open_desk, limit=1) == len(events)
    placed = {event.sequence: event.position for event in open_desk.rows(Event)}
    assert placed == {number: number for number in range(1, len(events) + 1)}


def test_goes_on_where_it_stopped(open_desk: Desk) -> None:
    hooks.register(open_desk)
    for _ in range(5):
        open_desk.ask(open_desk.buy())
    total, done = len(open_desk.rows(Event)), 0
    while found := place(open_desk, limit=2):
        done += found
    assert done == total == len(hooks.rows(open_desk))
    assert positions(open_desk) == list(range(1, total + 1))


def test_each_merchant_has_positions_and_deliveries_of_its_own(open_desk: Desk) -> None:
    other = Desk(open_desk.runtime, "other")
    hooks.register(open_desk)
    for desk in (open_desk, other, open_desk):
        desk.ask(desk.buy())
    place(open_desk)
    for desk in (open_desk, other):
        mine = desk.rows(Event, Event.merchant_id == desk.merchant.id)
        assert sorted(one.position for one in mine) == list(range(1, len(mine) + 1))
    assert {row.merchant_id for row in hooks.rows(open_desk)} == {open_desk.merchant.id}


def test_an_endpoint_gets_the_kinds_that_it_asked_for(open_desk: Desk) -> None:
    wanted = kind_of(LineState.REQUESTED)
    some = hooks.register(open_desk, kinds=[wanted])
    every = hooks.register(open_desk, hooks.URL + "/all")
    open_desk.ask(open_desk.buy(tokens=2))
    place(open_desk)
    kinds: dict[str, list[str]] = {some["id"]: [], every["id"]: []}
    for row in hooks.rows(open_desk):
        kinds[str(row.endpoint_id)].append(row.kind)
    assert kinds[some["id"]] == [wanted] * 2
    assert len(kinds[every["id"]]) == len(open_desk.rows(Event)) > 2


def test_without_endpoints_events_are_placed_all_the_same(open_desk: Desk) -> None:
    open_desk.ask(open_desk.buy())
    assert place(open_desk) == len(open_desk.rows(Event))
    assert open_desk.rows(WebhookDelivery) == []


def test_the_writer_of_an_event_sends_no_statement_more(open_desk: Desk) -> None:
    """Placing is the worker's: a case costs the same with endpoints as without."""

    def statements() -> int:
        seen: list[str] = []
        engine = open_desk.runtime.database.engine
        sa.event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
        open_desk.ask(open_desk.buy())
        return len(seen)

    without = statements()
    hooks.register(open_desk)
    # The listener of the first count still listens to a list of its own.
    assert statements() == without


def test_placing_costs_few_statements_however_many_events_there_are(open_desk: Desk) -> None:
    hooks.register(open_desk)
    for _ in range(10):
        open_desk.ask(open_desk.buy())
    seen: list[str] = []
    engine = open_desk.runtime.database.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    assert place(open_desk) == len(open_desk.rows(Event))
    changes = [one for one in seen if one.startswith(("INSERT", "UPDATE"))]
    assert len(changes) == 2
