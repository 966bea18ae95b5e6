"""Pays a refund through a processor: intent first, key made of the leg's id, the rest looked up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session

from returns import locks, work
from returns.clock import Clock
from returns.db import Database
from returns.errors import ProcessorUnavailable
from returns.tables import Leg, OutboxItem, Payment, ReturnCase, ReturnLine
from returns.words import LegState, RefundStatus
from settlement import disputes, legs, refunds
from settlement.guards import payout_obstacle
from settlement.plans import Terms
from settlement.processors.base import (
    DISPUTED,
    Fact,
    Processor,
    ProcessorRefund,
    RefundDeclined,
    RefundRequest,
)


@dataclass(frozen=True, slots=True)
class _Intent:
    """A payout that was said to be made.

    `is_first`: nothing can have left us yet. `obstacle` is why it must not start (any more).
    """

    request: RefundRequest
    is_first: bool
    obstacle: str | None


#: How long asking a processor may take at the most: a look-up and a request, time-outs included.
_ASKING = timedelta(seconds=60)
#: What takes its time by nature is looked at again after as long as it has waited by now, within
#: these; webhooks are quicker.
_SOONEST, _LATEST = timedelta(seconds=5), timedelta(hours=1)
_OVER = (LegState.CONFIRMED, LegState.FINAL, LegState.FAILED, LegState.COMPENSATED)
#: The processor has it, and has not said how it ended.
_ON_ITS_WAY = (RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION)


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
        _refused(database, clock, terms, item, intent, declined)
    except ProcessorUnavailable as silence:
        _leave_open(database, clock, item, str(silence))
    else:
        if refund is None:
            _give_up(database, clock, terms, item, str(intent.obstacle))
        else:
            _record(database, clock, processor, item, refund)


def _prepare(database: Database, clock: Clock, terms: Terms, item: OutboxItem) -> _Intent | None:
    """Check under locks that the payout is due, and say so before anything leaves us."""
    now = clock()
    with database.write() as session:
        work.hold(session, item, now, _ASKING)
        line, leg = legs.lock(session, item.subject_id)
        if leg.state in _OVER:
            work.finish(session, item, now)
            return None
        if leg.state is LegState.PLANNED:
            return _claim(session, terms, item, line, leg, now)
        if leg.state is LegState.CLAIMED:
            # Whoever claimed it has not come back: it may have left us.
            leg.state, leg.updated_at = LegState.UNKNOWN, now
        obstacle = payout_obstacle(session, terms, line, leg, now)
        problem = None if obstacle is None else obstacle.problem
        return _Intent(_request(session, line, leg), is_first=False, obstacle=problem)


def _claim(
    session: Session,
    terms: Terms,
    item: OutboxItem,
    line: ReturnLine,
    leg: Leg,
    now: datetime,
) -> _Intent | None:
    dispute = disputes.paid_by(session, leg)
    if dispute is not None:
        work.finish(session, item, now)
        refunds.charged_back(session, terms, leg, dispute, now)
        return None
    obstacle = payout_obstacle(session, terms, line, leg, now)
    if obstacle is None:
        leg.state, leg.updated_at = LegState.CLAIMED, now
        return _Intent(_request(session, line, leg), is_first=True, obstacle=None)
    if obstacle.passes:
        leg.error = obstacle.problem
        work.look_again(session, item, _later(leg, now), obstacle.problem)
    else:
        work.finish(session, item, now)
        legs.failed(session, leg.id, obstacle.problem, now)
    return None


def _refused(
    database: Database,
    clock: Clock,
    terms: Terms,
    item: OutboxItem,
    intent: _Intent,
    declined: RefundDeclined,
) -> None:
    """Nothing was moved. A dispute passes; everything else ends this attempt."""
    reason = str(declined.values.get("reason", ""))
    if intent.is_first and reason in DISPUTED:
        _wait(database, clock, item, str(declined))
    else:
        # Another way to pay is chosen only where no request can still be on its way.
        _give_up(database, clock, terms, item, str(declined), reason if intent.is_first else "")


def _wait(database: Database, clock: Clock, item: OutboxItem, problem: str) -> None:
    now = clock()
    with database.write() as session:
        leg = locks.lock_leg(session, item.subject_id)
        if leg.state is LegState.CLAIMED:
            leg.state, leg.error, leg.updated_at = LegState.PLANNED, problem[:1000], now
        work.look_again(session, item, _later(leg, now), problem)


def _later(leg: Leg, now: datetime) -> datetime:
    return now + min(_LATEST, max(_SOONEST, now - leg.created_at))


def _give_up(
    database: Database,
    clock: Clock,
    terms: Terms,
    item: OutboxItem,
    problem: str,
    reason: str = "",
) -> None:
    now = clock()
    with database.write() as session:
        work.finish(session, item, now)
        line, leg = legs.lock(session, item.subject_id)
        if legs.failed(session, leg.id, problem, now):
            refunds.fall_back(session, terms, line, leg, reason, now)


def _leave_open(database: Database, clock: Clock, item: OutboxItem, problem: str) -> None:
    """The answer is lost. Its webhook may have been quicker: what is known stays known."""
    with database.write() as session:
        leg = locks.lock_leg(session, item.subject_id)
        if leg.state is LegState.CLAIMED:
            leg.state = LegState.UNKNOWN
        work.postpone(session, item, clock(), problem)


def _request(session: Session, line: ReturnLine, leg: Leg) -> RefundRequest:
    payment = session.get_one(Payment, leg.payment_id)
    case = session.get_one(ReturnCase, line.case_id)
    return RefundRequest(
        key=leg.id,
        charge=payment.reference,
        amount=leg.amount,
        currency=leg.currency,
        payee=leg.recipient,
        note=case.rma,
    )


def _ask(processor: Processor, intent: _Intent) -> ProcessorRefund | None:
    """Ask once; after a lost answer look up first, since not every processor honours keys.

    None: the processor has never heard of the payout, and by now it must not start any more.
    """
    known = None if intent.is_first else processor.find(intent.request)
    if known is not None or intent.obstacle is not None:
        return known
    return processor.refund(intent.request)


def _record(
    database: Database,
    clock: Clock,
    processor: Processor,
    item: OutboxItem,
    refund: ProcessorRefund,
) -> None:
    """Store the answer as what it is, a fact that came in; its webhook is the same fact."""
    now = clock()
    with database.write() as session:
        leg = locks.lock_leg(session, item.subject_id)
        leg.reference, leg.updated_at = refund.id, now
        receive(session, processor.name, leg.merchant_id, refund, now)
        if refund.status not in _ON_ITS_WAY:
            work.finish(session, item, now)
            return
        if leg.state in (LegState.CLAIMED, LegState.UNKNOWN):
            leg.state = LegState.SENT
        work.look_again(session, item, _later(leg, now), f"{refund.status.value} there")


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
        payload=json.dumps({**fact.to_payload(), "processor": processor}),
        now=now,
        merchant_id=merchant_id,
    )
