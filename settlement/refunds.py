"""What processors tell of refunds and chargebacks, in whatever order and however often."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlmodel import Session

from returns.tables import Dispute, Leg, ReturnLine
from returns.words import DONE, Fallback, LegKind, LegState, LineState, RefundStatus
from settlement import disputes, legs, payout_terms
from settlement.plans import Terms
from settlement.processors.base import ProcessorRefund, is_method_gone

log = logging.getLogger(__name__)

#: What is told later in time has a higher place; what comes with a lower one was overtaken.
_PLACE = {status: place for place, status in enumerate(RefundStatus)}
_ENDED = (RefundStatus.FAILED, RefundStatus.CANCELED)


def record(session: Session, terms: Terms, leg: Leg, told: ProcessorRefund, now: datetime) -> None:
    """Bring a payout leg to what its processor tells of the refund under its key."""
    line, leg = legs.lock(session, leg.id)
    if leg.told is not None and _PLACE[told.status] <= _PLACE[leg.told]:
        return
    if (told.amount, told.currency) != (leg.amount, leg.currency):
        problem = f"the processor tells of {told.amount} {told.currency} instead"
        legs.doubted(session, leg.id, problem, now)
        return
    leg.told, leg.reference = told.status, told.id
    if told.status in _ENDED:
        _came_back(session, terms, line, leg, told, now)
    elif told.status is RefundStatus.SUCCEEDED:
        _paid(session, terms, line, leg, now)
    elif leg.state not in (*DONE, LegState.FAILED):
        leg.state, leg.updated_at, leg.error = LegState.SENT, now, told.reason or None


def charged_back(session: Session, terms: Terms, leg: Leg, dispute: Dispute, now: datetime) -> None:
    """A lost chargeback has paid what a payout owed: nothing is sent, and the line goes on."""
    line, leg = legs.lock(session, leg.id)
    leg.state, leg.reference, leg.updated_at = LegState.COMPENSATED, dispute.reference, now
    session.flush()
    disputes.book_payment(session, leg, now)
    legs.go_on(session, terms, line, leg, now)


def _paid(session: Session, terms: Terms, line: ReturnLine, leg: Leg, now: datetime) -> None:
    if leg.state in DONE:
        return
    legs.complete(session, terms, line, leg, LegState.FINAL, now)


def _came_back(
    session: Session,
    terms: Terms,
    line: ReturnLine,
    leg: Leg,
    told: ProcessorRefund,
    now: datetime,
) -> None:
    """A refund failed, perhaps days after it was paid: its money is with the processor again."""
    why = told.reason or "it gives no reason"
    if legs.failed(session, leg.id, f"the processor could not pay the refund: {why}", now):
        fall_back(session, terms, line, leg, told.reason, now)


def fall_back(
    session: Session, terms: Terms, line: ReturnLine, leg: Leg, reason: str, now: datetime
) -> None:
    """Where the payment method is gone, the policy may give store credit instead."""
    if leg.kind is not LegKind.PROCESSOR_REFUND or not is_method_gone(reason):
        return
    if line.state is not LineState.NEEDS_ATTENTION:
        return
    if payout_terms.of(session, line).fallback is Fallback.STORE_CREDIT:
        said = f"what paid cannot take money any more ({reason}): it is given as store credit"
        legs.credit_instead(session, terms, line, leg, said, now)
