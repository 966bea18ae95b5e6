"""Money out is at most money in, per purchased token, pending payouts included (law 1)."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns import lifecycle, locks
from returns.errors import RefundAboveRemainder
from returns.tables import Leg, ReturnLine
from returns.words import PAYOUTS, LegState


def granted(session: Session, order_line_id: UUID, besides: UUID | None = None) -> int:
    """Minor units already granted for a purchased token, but for the line `besides`.

    A payout that was made, or may have been, counts in whatever state its line has ended.
    """
    paid = select(Leg.line_id).where(col(Leg.kind).in_(PAYOUTS), Leg.state != LegState.FAILED)
    query = select(ReturnLine).where(
        ReturnLine.order_line_id == order_line_id,
        sa.or_(col(ReturnLine.state).in_(lifecycle.GRANTED), col(ReturnLine.id).in_(paid)),
        ReturnLine.id != besides,
    )
    return sum(line.amount for line in session.exec(query))


def check_remainder(session: Session, line: ReturnLine) -> None:
    """Lock the purchase and raise `RefundAboveRemainder` if the line would exceed what is left.

    The exact remainder is allowed. Called when a remedy is granted and again before it is paid.
    """
    order_line = locks.lock_order_line(session, line.order_line_id)
    remaining = order_line.price - granted(session, order_line.id, besides=line.id)
    if line.amount > remaining:
        raise RefundAboveRemainder(requested=line.amount, remaining=remaining)
