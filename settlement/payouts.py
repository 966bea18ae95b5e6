"""Pays a refund through a processor: intent first, key made of the leg's id, the rest looked up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, select

from returns import locks, work
from returns.clock import Clock
from returns.db import Database
from returns.errors import ProcessorUnavailable
from returns.tables import Leg, OutboxItem, Payment, ReturnCase, ReturnLine
from returns.words import LegState
from settlement import legs
from settlement.guards import payout_obstacle
from settlement.plans import Terms
from settlement.processors.base import (
    Fact,
    Processor,
    ProcessorRefund,
    RefundDeclined,
    RefundRequest,
)


@dataclass(frozen=True, slots=True)
class _Intent:
    """A payout that was said to be made; `obstacle` is why it must not start (any more)."""

    leg: Leg
    charge: str
    obstacle: str | None


#: How long asking a processor may take at the most: a look-up and a request, time-outs included.
_ASKING = timedelta(seconds=30)
_OVER = (LegState.CONFIRMED, LegState.FINAL, LegState.FAILED)


def pay(
    database: Database, clock: Clock, terms: Terms, processor: Processor, item: OutboxItem
) -> None:
    """Bring one payout leg forward. Called again until the processor has a final answer."""
    intent = _prepare(database, clock, terms, item)
    if intent is None:
        return
    try:
        refund = _ask(processor, intent)
    except RefundDeclined as declined:
        _give_up(database, clock, item, str(declined))
    except ProcessorUnavailable as silence:
        _leave_open(database, clock, item, str(silence))
    else:
        if refund is None:
            _give_up(database, clock, item, str(intent.obstacle))
        else:
            _record(database, clock, processor, item, intent.leg.id, refund)


def _prepare(database: Database, clock: Clock, terms: Terms, item: OutboxItem) -> _Intent | None:
    """Check under locks that the payout is due, and say so before anything leaves us."""
    now = clock()
    with database.write() as session:
        work.hold(session, item, now, _ASKING)
        _, line = locks.lock_line(session, session.get_one(Leg, item.subject_id).line_id)
        leg = locks.lock_leg(session, item.subject_id)
        if leg.state in _OVER:
            work.finish(session, item, now)
            return None
        obstacle = payout_obstacle(session, terms, line, now)
        if leg.state is LegState.PLANNED and obstacle is not None:
            work.finish(session, item, now)
            legs.failed(session, leg.id, obstacle, now)
            return None
        leg.state = LegState.SENT if leg.state is LegState.PLANNED else LegState.UNKNOWN
        leg.updated_at = now if leg.state is LegState.SENT else leg.updated_at
        return _Intent(leg, _charge(session, line), obstacle)


def _give_up(database: Database, clock: Clock, item: OutboxItem, problem: str) -> None:
    with database.write() as session:
        work.finish(session, item, clock())
        legs.failed(session, item.subject_id, problem, clock())


def _leave_open(database: Database, clock: Clock, item: OutboxItem, problem: str) -> None:
    """The answer is lost. Its webhook may have been quicker: what is over stays over."""
    with database.write() as session:
        leg = locks.lock_leg(session, item.subject_id)
        if leg.state not in _OVER:
            leg.state = LegState.UNKNOWN
        work.postpone(session, item, clock(), problem)


def _charge(session: Session, line: ReturnLine) -> str:
    case = session.get_one(ReturnCase, line.case_id)
    return session.exec(select(Payment).where(Payment.order_id == case.order_id)).one().reference


def _ask(processor: Processor, intent: _Intent) -> ProcessorRefund | None:
    """Ask once; after a lost answer look up first, since not every processor honours keys.

    None: the processor has never heard of the payout, and by now it must not start any more.
    """
    leg = intent.leg
    request = RefundRequest(leg.id, intent.charge, leg.amount, leg.currency)
    known = processor.find(request) if leg.state is LegState.UNKNOWN else None
    if known is not None or intent.obstacle is not None:
        return known
    return processor.refund(request)


def _record(
    database: Database,
    clock: Clock,
    processor: Processor,
    item: OutboxItem,
    leg_id: UUID,
    refund: ProcessorRefund,
) -> None:
    """Store the answer as what it is, a fact that came in; its webhook is the same fact."""
    now = clock()
    with database.write() as session:
        leg = locks.lock_leg(session, leg_id)
        leg.reference, leg.updated_at = refund.id, now
        receive(session, processor.name, leg.merchant_id, refund, now)
        if refund.status == "pending":
            work.postpone(session, item, now, "pending at the processor")
        else:
            work.finish(session, item, now)


def receive(
    session: Session,
    processor: str,
    merchant_id: UUID | None,
    fact: Fact,
    now: datetime,
) -> bool:
    """One inbox row per refund and status, whichever way it comes; False if known already."""
    refund = isinstance(fact, ProcessorRefund)
    return work.receive(
        session,
        source=f"processor:{processor}",
        external_id=f"{fact.id}:{fact.status}",
        kind="processor.refund" if refund else "processor.dispute",
        payload=json.dumps(fact.to_payload()),
        now=now,
        merchant_id=merchant_id,
    )
