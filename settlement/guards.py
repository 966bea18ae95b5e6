"""What must hold before money leaves: law 1 and law 3, checked under the line's locks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from returns.errors import RefundAboveRemainder
from returns.remainder import check_remainder
from returns.tables import Hold, Leg, ReturnCase, ReturnLine
from returns.words import PAYOUTS, HoldState, LegState, LineState
from settlement import disputes, plans, tenders
from settlement.plans import Terms

#: The token is the merchant's or gone: a refund that failed later is paid without a race.
_TAKEN = (HoldState.SETTLED, HoldState.BURNED)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a payout must not start now; `passes` where waiting may remove it."""

    problem: str
    passes: bool = False


def payout_obstacle(
    session: Session, terms: Terms, line: ReturnLine, leg: Leg, now: datetime
) -> Obstacle | None:
    """Why the payout must not start: not due, too little time, disputed, more than what is left."""
    if line.state is not LineState.SETTLING:
        return Obstacle(f"the line is {line.state.value}")
    problem = _hold_problem(session, terms, line, now)
    if problem is not None:
        return Obstacle(problem)
    order_id = session.get_one(ReturnCase, line.case_id).order_id
    if disputes.is_open(session, order_id, leg):
        return Obstacle("the payment is disputed: its bank has the money until that is over", True)
    try:
        check_remainder(session, line)
        _check_line(session, line, leg)
        _check_payments(session, order_id, leg)
    except RefundAboveRemainder as above:
        return Obstacle(str(above))
    return None


def _hold_problem(session: Session, terms: Terms, line: ReturnLine, now: datetime) -> str | None:
    if not plans.moves_token(line.remedy, line.disposition):
        return None
    hold = session.get(Hold, line.id)
    if hold is None or hold.state not in (HoldState.COMMITTED, *_TAKEN):
        return "the hold is not committed"
    late = hold.reclaim_after - now <= terms.processor_worst_case
    if hold.state is HoldState.COMMITTED and late:
        return "the holder could reclaim the token before the refund is certain"
    return None


def _check_line(session: Session, line: ReturnLine, leg: Leg) -> None:
    """What is left of the line's own amount: an earlier attempt may turn out to have paid."""
    others = select(Leg.amount).where(
        Leg.line_id == line.id,
        Leg.id != leg.id,
        col(Leg.kind).in_(PAYOUTS),
        Leg.state != LegState.FAILED,
    )
    left = line.amount - sum(session.exec(others))
    if leg.amount > left:
        raise RefundAboveRemainder(requested=leg.amount, remaining=max(0, left))


def _check_payments(session: Session, order_id: UUID, leg: Leg) -> None:
    """What is left of the payments: several lines share them, and chargebacks take from them.

    Store credit that no payment brought takes from all of them: it gives back what they paid.
    """
    of_each = tenders.lock_left(session, order_id, besides_leg=leg.id)
    left = sum(of_each.values()) - tenders.given_as_credit(session, order_id, besides_leg=leg.id)
    if leg.payment_id is not None:
        left = min(left, of_each[leg.payment_id])
    if leg.amount > left:
        raise RefundAboveRemainder(requested=leg.amount, remaining=max(0, left))
