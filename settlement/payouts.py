"""Pays a refund through a processor: intent first, key made of the leg's id, the rest looked up."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, select

from returns import locks, work
from returns.clock import Clock
from returns.db import Database
from returns.errors import ProcessorUnavailable, RefundAboveRemainder
from returns.remainder import check_remainder
from returns.tables import Hold, Leg, OutboxItem, Payment, ReturnCase, ReturnLine
from returns.words import HoldState, LegState, LineState
from settlement import legs
from settlement.plans import Terms
from settlement.processors.base import Processor, ProcessorRefund, RefundDeclined

_OVER = (LegState.CONFIRMED, LegState.FINAL, LegState.FAILED)


def pay(
    database: Database, clock: Clock, terms: Terms, processor: Processor, item: OutboxItem
) -> None:
    """Bring one payout leg forward. Called again until the processor has a final answer."""
    intent = _prepare(database, clock, terms, item)
    if intent is None:
        return
    leg, charge = intent
    try:
        refund = _ask(processor, leg, charge)
    except RefundDeclined as declined:
        with database.write() as session:
            work.finish(session, item, clock())
            legs.failed(session, leg.id, str(declined), clock())
        return
    except ProcessorUnavailable as silence:
        with database.write() as session:
            locks.lock_leg(session, leg.id).state = LegState.UNKNOWN
            work.postpone(session, item, clock(), str(silence))
        return
    _record(database, clock, processor, item, leg.id, refund)


def _prepare(
    database: Database, clock: Clock, terms: Terms, item: OutboxItem
) -> tuple[Leg, str] | None:
    """Check under locks that the payout is due, and say so before anything leaves us."""
    now = clock()
    with database.write() as session:
        _, line = locks.lock_line(session, session.get_one(Leg, item.subject_id).line_id)
        leg = locks.lock_leg(session, item.subject_id)
        problem = _obstacle(session, terms, line, now) if leg.state is LegState.PLANNED else None
        if leg.state in _OVER or problem is not None:
            work.finish(session, item, now)
            if problem is not None:
                legs.failed(session, leg.id, problem, now)
            return None
        if leg.state is LegState.PLANNED:
            leg.state, leg.updated_at = LegState.SENT, now
        else:
            leg.state = LegState.UNKNOWN
        return leg, _charge(session, line)


def _obstacle(session: Session, terms: Terms, line: ReturnLine, now: datetime) -> str | None:
    """Why the payout must not start: not due, too little time, or more than what is left."""
    hold = session.get(Hold, line.id)
    if line.state is not LineState.SETTLING:
        return f"the line is {line.state.value}"
    if hold is None or hold.state is not HoldState.COMMITTED:
        return "the hold is not committed"
    if hold.reclaim_after - now <= terms.processor_worst_case:
        return "the holder could reclaim the token before the refund is certain"
    try:
        check_remainder(session, line)
    except RefundAboveRemainder as above:
        return str(above)
    return None


def _charge(session: Session, line: ReturnLine) -> str:
    case = session.get_one(ReturnCase, line.case_id)
    return session.exec(select(Payment).where(Payment.order_id == case.order_id)).one().reference


def _ask(processor: Processor, leg: Leg, charge: str) -> ProcessorRefund:
    """Ask once; after a lost answer look up first, since not every processor honours keys."""
    known = processor.find(leg.id) if leg.state is LegState.UNKNOWN else None
    return known or processor.refund(leg.id, charge, leg.amount, leg.currency)


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
    refund: ProcessorRefund,
    now: datetime,
) -> bool:
    """One inbox row per refund and status, whichever way it comes; False if known already."""
    return work.receive(
        session,
        source=f"processor:{processor}",
        external_id=f"{refund.id}:{refund.status}",
        kind="processor.refund",
        payload=json.dumps(refund.to_payload()),
        now=now,
        merchant_id=merchant_id,
    )
