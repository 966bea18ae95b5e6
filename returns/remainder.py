"""Money out is at most money in, per purchased token, pending payouts included (law 1)."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns import lifecycle, locks
from returns.errors import RefundAboveRemainder
from returns.tables import DecisionRow, Leg, OrderLine, ReturnCase, ReturnLine
from returns.words import DONE, PAYOUTS, LegState

#: So many earlier refunds are named in a refusal, the newest first.
_NAMED = 5


def granted(session: Session, order_line_id: UUID, besides: UUID | None = None) -> int:
    """Minor units already granted for a purchased token, but for the line `besides`.

    A payout that was made, or may have been, counts in whatever state its line has ended.
    """
    return sum(line.amount for line in _granted_lines(session, order_line_id, besides))


def check_remainder(session: Session, line: ReturnLine) -> None:
    """Lock the purchase and raise `RefundAboveRemainder` if the line would exceed what is left.

    The exact remainder is allowed. Called when a remedy is granted and again before it is paid.
    """
    order_line = locks.lock_order_line(session, line.order_line_id)
    refuse_excess(session, order_line, line.amount, besides=line.id)


def refuse_excess(
    session: Session, order_line: OrderLine, amount: int, besides: UUID | None = None
) -> None:
    """Raise `RefundAboveRemainder` for more than is left, with what was given back before."""
    lines = _granted_lines(session, order_line.id, besides)
    remaining = order_line.price - sum(line.amount for line in lines)
    if amount > remaining:
        raise RefundAboveRemainder(
            requested=amount,
            remaining=remaining,
            earlier="; ".join(told(session, line) for line in lines[-_NAMED:][::-1]),
        )


def _granted_lines(
    session: Session, order_line_id: UUID, besides: UUID | None = None
) -> list[ReturnLine]:
    paid = select(Leg.line_id).where(col(Leg.kind).in_(PAYOUTS), Leg.state != LegState.FAILED)
    query = select(ReturnLine).where(
        ReturnLine.order_line_id == order_line_id,
        sa.or_(col(ReturnLine.state).in_(lifecycle.GRANTED), col(ReturnLine.id).in_(paid)),
        ReturnLine.id != besides,
    )
    return list(session.exec(query.order_by(col(ReturnLine.id))))


def told(session: Session, line: ReturnLine) -> str:
    """A refund as a person asks for it: how much, when, by whom, in which case."""
    rma = session.get_one(ReturnCase, line.case_id).rma
    decisions = select(DecisionRow).where(DecisionRow.line_id == line.id)
    decision = session.exec(decisions.order_by(col(DecisionRow.id).desc()).limit(1)).first()
    payouts = select(sa.func.max(Leg.updated_at)).where(
        Leg.line_id == line.id, col(Leg.kind).in_(PAYOUTS), col(Leg.state).in_(DONE)
    )
    paid_at = session.exec(payouts).one()
    done, at = ("granted", line.updated_at) if paid_at is None else ("refunded", paid_at)
    by = "" if decision is None else f" by {decision.decided_by}"
    return f"{line.amount} was {done} at {at:%Y-%m-%d %H:%M} UTC{by} in {rma}"
