"""A payout whose end nobody told is asked about until it is known; what is stuck can be seen."""

from __future__ import annotations

from uuid import uuid4

import pytest
from desk import Desk
from sqlmodel import col, update

from returns import work
from returns.errors import MoveNotAllowed, NotFound
from returns.tables import AuditRow, InboxItem, OutboxItem
from returns.words import LegKind, LegState, LineState
from settlement import janitor
from settlement.commands import dead_letters


@pytest.fixture
def rma(desk: Desk) -> str:
    """A line whose payout's answer was lost, and whose row was closed all the same."""
    desk.processor.mode = "lost"
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    desk.run()
    with desk.runtime.database.write() as session:
        closed = update(OutboxItem).values(done_at=desk.clock())
        session.connection().execute(closed)
    desk.processor.mode = "ok"
    assert desk.leg(rma, LegKind.PROCESSOR_REFUND).state is LegState.UNKNOWN
    return str(rma)


def sweep(desk: Desk) -> int:
    return janitor.ask_again(desk.runtime.database, desk.runtime.clock)


def test_unknown_payout_without_a_row_is_asked_about_and_paid_once(desk: Desk, rma: str) -> None:
    desk.clock.move(hours=1)
    assert (sweep(desk), sweep(desk)) == (1, 0)
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert len(desk.processor.log) == len(desk.processor.asked) == 1


def test_payout_that_was_touched_just_now_is_left_alone(desk: Desk, rma: str) -> None:
    assert sweep(desk) == 0


def test_payout_with_a_row_is_left_alone(desk: Desk) -> None:
    desk.processor.mode = "down"
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    desk.run()
    desk.clock.move(hours=1)
    assert sweep(desk) == 0
    assert len(desk.rows(OutboxItem)) == 1


@pytest.fixture
def stuck(desk: Desk) -> InboxItem:
    """A fact that nobody can take in, tried too often."""
    with desk.runtime.database.write() as session:
        work.receive(
            session,
            source="test",
            external_id="1",
            kind="nobody.knows",
            payload="{}",
            now=desk.clock(),
        )
    for _ in range(work.PATIENCE + 1):
        desk.work()
        desk.clock.move(hours=2)
    (row,) = desk.rows(InboxItem)
    return row


def test_work_that_failed_too_often_is_shown_with_why(desk: Desk, stuck: InboxItem) -> None:
    (shown,) = dead_letters.dead_letters(desk.runtime)
    assert (shown["queue"], shown["id"], shown["kind"]) == ("inbox", str(stuck.id), "nobody.knows")
    assert shown["attempts"] == work.PATIENCE + 1
    assert "KeyError" in shown["last_error"]


def test_closed_fact_is_not_tried_again_and_says_by_whom(desk: Desk, stuck: InboxItem) -> None:
    dead_letters.close(desk.runtime, desk.staff, stuck.id, "sent by a test")
    assert dead_letters.dead_letters(desk.runtime) == []
    desk.clock.move(days=1)
    assert desk.work() == 0
    (row,) = desk.rows(AuditRow, AuditRow.action == "work.close")
    assert (row.actor, row.reason) == ("key:staff", "sent by a test")
    with pytest.raises(MoveNotAllowed):
        dead_letters.close(desk.runtime, desk.staff, stuck.id, "once more")


def test_retry_makes_a_row_due_at_once(desk: Desk, stuck: InboxItem) -> None:
    with desk.runtime.database.write() as session:
        later = update(InboxItem).where(col(InboxItem.id) == stuck.id)
        session.connection().execute(later.values(due_at=desk.clock.now.replace(year=2030)))
    assert desk.work() == 0
    dead_letters.retry(desk.runtime, desk.staff, "inbox", stuck.id)
    assert desk.work() == 1


@pytest.mark.parametrize("queue", ["inbox", "outbox"])
def test_unknown_row_is_not_found(desk: Desk, queue: str) -> None:
    with pytest.raises(NotFound):
        dead_letters.retry(desk.runtime, desk.staff, queue, uuid4())
