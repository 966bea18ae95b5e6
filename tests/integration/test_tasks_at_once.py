"""Every task, run by twenty workers at the same moment over much work, has the effect of one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from desk import ADDRESSES, POLICY, Desk
from sqlmodel import col, update

from returns.tables import Event, InboxItem, JournalEntry, Leg, OutboxItem, ReturnCase, ReturnLine
from returns.words import LegKind, LegState, LineState
from settlement import janitor
from settlement.commands import cases, reviews
from settlement.drain import drain_inbox, drain_outbox

AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]
WORKERS = 20
#: Nobody returns too often here, and what is bought is kept.
FREE = POLICY.replace("most: 6", "most: 600").replace("most: 3", "most: 600")
KEPT = FREE.replace("fiat_refund: vault", "fiat_refund: keep")


def all_at_once(at_once: AtOnce, task: Callable[[], int]) -> int:
    """Run a task in every worker; the sum of what they did. None of them may fail."""
    results = at_once(WORKERS, lambda _: task())
    assert [one for one in results if not isinstance(one, int)] == []
    return sum(results)


def many(desk: Desk, count: int, policy: str = FREE, **asked: Any) -> list[str]:
    """So many returns of one token each."""
    desk.use_policy(policy)
    return [str(desk.ask(desk.buy(), **asked)["rma"]) for _ in range(count)]


def states(desk: Desk) -> Counter[LineState]:
    return Counter(line.state for line in desk.rows(ReturnLine))


def kinds(desk: Desk) -> Counter[str]:
    return Counter(entry.kind for entry in desk.rows(JournalEntry))


def no_gaps(desk: Desk) -> None:
    """The events of every case are numbered from 1 to its last one."""
    for case in desk.rows(ReturnCase):
        numbers = [one.sequence for one in desk.rows(Event, Event.case_id == case.id)]
        assert sorted(numbers) == list(range(1, case.sequence + 1))


def test_twenty_payouts_are_paid_by_twenty_workers_once_each(desk: Desk, at_once: AtOnce) -> None:
    many(desk, 20, KEPT)
    assert len(desk.rows(OutboxItem)) == 20
    assert all_at_once(at_once, lambda: drain_outbox(desk.runtime)) == 20
    legs = [leg.id for leg in desk.rows(Leg)]
    assert Counter(desk.processor.asked) == Counter(legs)
    assert [one.amount for one in desk.processor.log] == [1000] * 20
    assert {one.attempts for one in desk.rows(OutboxItem)} == {1}
    assert all_at_once(at_once, lambda: drain_inbox(desk.runtime)) == 20
    assert states(desk) == {LineState.SETTLED: 20}
    assert kinds(desk) == {"grant": 20, "processor_refund": 20}
    no_gaps(desk)


def test_payouts_whose_answers_were_lost_are_looked_up_once_each(
    desk: Desk, at_once: AtOnce
) -> None:
    many(desk, 20, KEPT)
    desk.processor.mode = "lost"
    all_at_once(at_once, lambda: drain_outbox(desk.runtime))
    desk.processor.mode = "ok"
    desk.clock.move(minutes=2)
    assert all_at_once(at_once, lambda: drain_outbox(desk.runtime)) == 20
    legs = Counter(leg.id for leg in desk.rows(Leg))
    assert Counter(desk.processor.asked) == Counter(desk.processor.looked_up) == legs
    assert len(desk.processor.log) == 20


def test_fifty_facts_are_taken_in_by_twenty_workers_once_each(desk: Desk, at_once: AtOnce) -> None:
    for rma in many(desk, 25):
        desk.sign(rma)
    desk.relay()
    desk.tell()
    assert len(desk.rows(InboxItem)) == 50  # each deposit is confirmed, and final
    assert all_at_once(at_once, lambda: drain_inbox(desk.runtime)) == 50
    assert states(desk) == {LineState.COMMITTING: 25}
    assert kinds(desk) == {"grant": 25, "deposit": 25}
    legs = Counter((leg.kind, leg.state) for leg in desk.rows(Leg))
    assert legs == {
        (LegKind.DEPOSIT, LegState.FINAL): 25,
        (LegKind.COMMIT, LegState.PLANNED): 25,
    }
    assert {one.attempts for one in desk.rows(InboxItem)} == {1}
    no_gaps(desk)


def test_more_than_one_wake_up_takes_in_is_taken_in_by_the_others(
    desk: Desk, at_once: AtOnce
) -> None:
    """One worker handles 200 rows and leaves the rest: nothing is left, nothing is done twice."""
    (rma,) = many(desk, 1, KEPT)
    desk.run()
    (leg,) = desk.rows(Leg)
    told = desk.processor.log[0].to_payload()
    with desk.runtime.database.write() as session:
        for number in range(250):
            session.add(_told_again(desk, told, number))
    assert all_at_once(at_once, lambda: drain_inbox(desk.runtime)) == 250
    assert desk.line(rma).state is LineState.SETTLED
    assert kinds(desk) == {"grant": 1, "processor_refund": 1}
    assert desk.rows(InboxItem, col(InboxItem.done_at).is_(None)) == []
    assert leg.state is LegState.FINAL


def _told_again(desk: Desk, told: dict[str, str], number: int) -> InboxItem:
    return InboxItem(
        source="processor:sandbox",
        external_id=f"again:{number}",
        kind="processor.refund",
        payload=json.dumps(told),
        due_at=desk.clock(),
    )


def test_lines_that_nobody_signed_expire_once_each(desk: Desk, at_once: AtOnce) -> None:
    many(desk, 30)
    desk.clock.move(days=30)
    assert all_at_once(at_once, lambda: cases.expire(desk.runtime)) == 30
    assert states(desk) == {LineState.EXPIRED: 30}
    assert kinds(desk) == {"grant": 30, "grant.reversed": 30}
    assert Counter(one.kind for one in desk.rows(Event))["return.line.expired"] == 30
    assert desk.balances() == {}
    no_gaps(desk)


def test_expiry_and_signatures_at_once_leave_each_line_in_one_state(
    desk: Desk, at_once: AtOnce
) -> None:
    """The last moment: half of the workers expire, the others cancel."""
    rmas = many(desk, 10)
    desk.clock.move(days=30)
    results = at_once(
        WORKERS,
        lambda n: cases.expire(desk.runtime) if n % 2 else desk.cancel(rmas[n // 2]),
    )
    ended = states(desk)
    assert ended[LineState.EXPIRED] + ended[LineState.CANCELED] == 10
    assert ended[LineState.CANCELED] == len([one for one in results if isinstance(one, dict)])
    assert kinds(desk) == {"grant": 10, "grant.reversed": 10}
    no_gaps(desk)


def test_questions_that_nobody_answered_are_recalled_once_each(desk: Desk, at_once: AtOnce) -> None:
    for rma in many(desk, 15, recipient=ADDRESSES[2]):
        desk.review(rma, "ask", question="Why?", days=3)
    desk.clock.move(days=4)
    assert all_at_once(at_once, lambda: reviews.recall(desk.runtime)) == 15
    assert states(desk) == {LineState.IN_REVIEW: 15}
    recalled = [one for one in desk.audit() if one.reason.startswith("no answer by")]
    assert len(recalled) == 15
    no_gaps(desk)


def test_forgotten_payouts_are_given_one_row_each(desk: Desk, at_once: AtOnce) -> None:
    many(desk, 20, KEPT)
    desk.processor.mode = "lost"
    desk.work()
    with desk.runtime.database.write() as session:
        session.connection().execute(update(OutboxItem).values(done_at=desk.clock()))
    desk.processor.mode = "ok"
    desk.clock.move(hours=1)

    def sweep() -> int:
        return janitor.ask_again(desk.runtime.database, desk.runtime.clock)

    assert all_at_once(at_once, sweep) == 20
    waiting = desk.rows(OutboxItem, col(OutboxItem.done_at).is_(None))
    assert Counter(one.subject_id for one in waiting) == Counter(leg.id for leg in desk.rows(Leg))
    assert all_at_once(at_once, lambda: drain_outbox(desk.runtime)) == 20
    assert len(desk.processor.asked) == len(desk.processor.log) == 20
