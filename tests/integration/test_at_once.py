"""The same thing done many times at the same moment has the effect of one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from desk import Desk, request_body, signature
from doors import is_problem, open_door
from sqlmodel import col, select

from returns import cases, work
from returns.errors import LeaseLost
from returns.ids import new_id
from returns.tables import (
    Event,
    IdempotencyRecord,
    InboxItem,
    JournalEntry,
    Leg,
    OutboxItem,
    ReturnCase,
    ReturnLine,
)
from returns.words import LineState
from settlement.commands import authorizations
from settlement.commands.inputs import SignatureIn
from settlement.drain import drain_inbox, drain_outbox
from settlement.processors.base import RefundRequest

AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]
LEASE = timedelta(seconds=10)


def put(desk: Desk, count: int) -> None:
    with desk.runtime.database.write() as session:
        for _ in range(count):
            work.put(session, desk.merchant.id, "test", new_id(), desk.clock())


def claim(desk: Desk, limit: int = 100) -> list[OutboxItem]:
    with desk.runtime.database.write() as session:
        return work.claim(session, OutboxItem, desk.clock(), LEASE, limit)


def test_twenty_claimers_get_each_row_once(desk: Desk, at_once: AtOnce) -> None:
    put(desk, 50)
    claimed = at_once(20, lambda _: claim(desk, 5))
    assert Counter(item.id for items in claimed for item in items).most_common(1)[0][1] == 1
    assert sum(len(items) for items in claimed) == 50
    assert {item.fence for item in desk.rows(OutboxItem)} == {1}


def test_worker_that_overslept_cannot_finish_or_postpone(desk: Desk) -> None:
    put(desk, 1)
    (mine,) = claim(desk)
    assert claim(desk) == []
    desk.clock.move(seconds=11)
    (theirs,) = claim(desk)
    for late in (
        lambda s: work.finish(s, mine, desk.clock()),
        lambda s: work.postpone(s, mine, desk.clock(), "x"),
    ):
        with pytest.raises(LeaseLost), desk.runtime.database.write() as session:
            late(session)
    with desk.runtime.database.write() as session:
        work.finish(session, theirs, desk.clock())
    with pytest.raises(LeaseLost), desk.runtime.database.write() as session:
        work.finish(session, theirs, desk.clock())
    assert desk.rows(OutboxItem)[0].done_at == desk.clock()


def test_row_that_fails_waits_longer_each_time_and_in_the_end_an_hour(desk: Desk) -> None:
    put(desk, 1)
    waits = []
    for _ in range(14):
        (item,) = claim(desk)
        with desk.runtime.database.write() as session:
            work.postpone(session, item, desk.clock(), "no")
        due = desk.rows(OutboxItem)[0].due_at
        waits.append(int((due - desk.clock()).total_seconds()))
        desk.clock.now = due - timedelta(seconds=1)
        assert claim(desk) == []
        desk.clock.now = due
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60, 3600, 3600]


@pytest.mark.parametrize("tender", ["card", "wallet"])
@pytest.mark.parametrize("lost", [False, True], ids=["answered", "answer lost"])
def test_every_queue_drained_twenty_times_at_once_has_the_effect_of_one(
    desk: Desk, at_once: AtOnce, tender: str, lost: bool
) -> None:
    rma = desk.ask(desk.buy(tender=tender))["rma"]
    desk.sign(rma)
    for step in range(8):
        desk.relay()
        desk.tell()
        desk.processor.mode = "lost" if lost and step < 4 else "ok"
        assert not [
            r for r in at_once(20, lambda _: drain_inbox(desk.runtime)) if isinstance(r, Exception)
        ]
        assert not [
            r for r in at_once(20, lambda _: drain_outbox(desk.runtime)) if isinstance(r, Exception)
        ]
        desk.clock.move(minutes=2)
    assert desk.line(rma).state is LineState.SETTLED
    assert len(desk.processor.log) == (tender == "card")
    kinds = Counter(entry.kind for entry in desk.rows(JournalEntry))
    assert set(kinds.values()) == {1}
    assert Counter(leg.kind for leg in desk.rows(Leg)).most_common(1)[0][1] == 1
    events = [event.sequence for event in desk.rows(Event)]
    assert sorted(events) == list(range(1, len(events) + 1))


def test_lines_of_a_case_moved_at_once_number_their_events_without_gaps(
    desk: Desk, at_once: AtOnce
) -> None:
    rma = desk.ask(desk.buy(tokens=6))["rma"]
    with desk.runtime.database.read() as session:
        lines = [line.id for line in session.exec(select(ReturnLine))]

    def cancel(index: int) -> None:
        with desk.runtime.database.write() as session:
            to, now = LineState.CANCELED, desk.clock()
            cases.advance(session, lines[index], to, actor="a", reason="r", now=now)

    assert at_once(6, cancel) == [None] * 6
    (case,) = desk.rows(ReturnCase, ReturnCase.rma == rma)
    assert sorted(e.sequence for e in desk.rows(Event)) == list(range(1, case.sequence + 1))
    assert case.sequence == 3 * 4 + 3 * 3  # the last three wait for a person


def test_one_line_moved_by_eight_threads_moves_once(desk: Desk, at_once: AtOnce) -> None:
    rma = desk.ask(desk.buy())["rma"]
    results = at_once(8, lambda _: desk.cancel(rma))
    assert len([r for r in results if isinstance(r, dict)]) == 1
    assert desk.states(rma)[-1:] == ["canceled"]
    assert desk.balances() == {}


def test_same_request_at_once_opens_one_case_and_gets_one_answer(
    desk: Desk, at_once: AtOnce
) -> None:
    body = request_body(desk.buy())
    answers = at_once(8, lambda _: desk.ask_as(desk.shop, body, "same"))
    assert not [a for a in answers if isinstance(a, Exception)]
    assert len({json.dumps(answer) for answer in answers}) == 1
    assert len(desk.rows(ReturnCase)) == len(desk.rows(IdempotencyRecord)) == 1


def test_another_body_under_one_key_at_once_is_refused(desk: Desk, at_once: AtOnce) -> None:
    bodies = [request_body(desk.buy()) for _ in range(4)]
    answers = at_once(4, lambda i: desk.ask_as(desk.shop, bodies[i], "same"))
    assert len([a for a in answers if isinstance(a, dict)]) == 1
    assert len(desk.rows(ReturnCase)) == len(desk.rows(IdempotencyRecord)) == 1


def test_one_purchase_asked_for_at_once_under_many_keys_opens_one_case(
    desk: Desk, at_once: AtOnce
) -> None:
    body = request_body(desk.buy())
    answers = at_once(8, lambda i: desk.ask_as(desk.shop, body, f"key-{i}"))
    assert len([a for a in answers if isinstance(a, dict)]) == 1
    assert len(desk.rows(ReturnCase)) == 1


def test_same_signature_at_once_is_accepted_each_time_and_moves_the_token_once(
    desk: Desk, at_once: AtOnce
) -> None:
    rma = desk.ask(desk.buy())["rma"]
    (offer,) = authorizations.offered(desk.runtime, desk.shop, rma)["authorizations"]
    given = SignatureIn(line=offer["line"], signature=signature(offer))
    answers = at_once(8, lambda _: authorizations.sign(desk.runtime, desk.shop, rma, given))
    assert not [a for a in answers if isinstance(a, Exception)]
    assert len(desk.rows(Leg)) == 1


def test_webhook_told_at_once_is_stored_once(desk: Desk, at_once: AtOnce) -> None:
    desk.processor._pay(RefundRequest(desk.merchant.id, "ch", 5, "USD"))
    leg = type("L", (), {"id": desk.merchant.id})
    assert sorted(at_once(8, lambda _: desk.webhook(leg, "succeeded"))) == [False] * 7 + [True]
    assert len(desk.rows(InboxItem, col(InboxItem.done_at).is_(None))) == 1


def test_nul_characters_in_a_query_reach_no_database(desk: Desk) -> None:
    door = open_door(desk)
    query = "merchant=%00&collection=0x" + "c0" * 20
    is_problem(door.send("GET", f"/v1/returnability?{query}", None), 422)


def test_requests_of_one_customer_at_once_are_counted_one_after_the_other(
    desk: Desk, at_once: AtOnce
) -> None:
    """The policy of the desk looks at the fourth return in 90 days and denies the seventh."""
    bought = [desk.buy(customer="one") for _ in range(9)]
    answers = at_once(9, lambda index: desk.ask(bought[index]))
    states = Counter(answer["state"] for answer in answers)
    assert states == {"awaiting_signature": 3, "in_review": 3, "denied": 3}
