"""Works off the queues: claims rows that are due, handles each, gives back what fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from sqlmodel import Session, col, select

from returns import work
from returns.errors import LeaseLost, UndropError
from returns.tables import InboxItem, Leg, OutboxItem, Payment
from settlement import inbox, payouts
from settlement.runtime import Runtime

log = logging.getLogger(__name__)

#: Rows claimed at once; small, so that a killed worker's rows wait for few leases.
BATCH = 10
#: Rows handled by one wake-up; the next one goes on.
PER_WAKE_UP = 200

Item = TypeVar("Item", OutboxItem, InboxItem)


def drain_inbox(runtime: Runtime) -> int:
    """Handle what came in, oldest first; returns how many rows were finished."""
    return _drain(runtime, InboxItem, _take_in)


def drain_outbox(runtime: Runtime) -> int:
    """Do what must be done, oldest first; returns how many rows were handled."""
    return _drain(runtime, OutboxItem, _send_out)


def _drain(runtime: Runtime, table: type[Item], handle: Callable[[Runtime, Item], None]) -> int:
    done = 0
    while done < PER_WAKE_UP:
        with runtime.database.write() as session:
            items = work.claim(session, table, runtime.clock(), runtime.settings.lease, BATCH)
        for item in items:
            _guarded(runtime, item, handle)
        done += len(items)
        if len(items) < BATCH:
            break
    return done


def _guarded(runtime: Runtime, item: Item, handle: Callable[[Runtime, Item], None]) -> None:
    """Whatever goes wrong with one row is noted on it; the others go on."""
    try:
        handle(runtime, item)
    except LeaseLost as lost:
        log.warning("work.lease_lost row=%s problem=%s", item.id, lost)
    except Exception as fault:
        expected = isinstance(fault, UndropError)
        log.log(
            logging.WARNING if expected else logging.ERROR,
            "work.failed kind=%s row=%s attempt=%d problem=%s",
            item.kind,
            item.id,
            item.attempts,
            fault,
            exc_info=not expected,
        )
        _give_back(runtime, item, f"{type(fault).__name__}: {fault}")


def _give_back(runtime: Runtime, item: Item, problem: str) -> None:
    try:
        with runtime.database.write() as session:
            work.postpone(session, item, runtime.clock(), problem)
    except LeaseLost as lost:
        log.warning("work.lease_lost row=%s problem=%s", item.id, lost)


def _take_in(runtime: Runtime, item: InboxItem) -> None:
    now = runtime.clock()
    with runtime.database.write() as session:
        work.finish(session, item, now)
        inbox.handle(session, runtime.terms, item, now)


def _send_out(runtime: Runtime, item: OutboxItem) -> None:
    if item.kind != "leg.pay":
        raise ValueError(f"nobody handles {item.kind}")
    with runtime.database.read() as session:
        name = _processor_of(session, item)
    payouts.pay(runtime.database, runtime.clock, runtime.terms, runtime.processor(name), item)


def _processor_of(session: Session, item: OutboxItem) -> str:
    """The processor that took the payment gives it back."""
    query = select(Payment.processor).join(Leg, col(Leg.payment_id) == Payment.id)
    return session.exec(query.where(Leg.id == item.subject_id)).one()
