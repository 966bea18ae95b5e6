"""Money out is at most money in, per purchased token, pending payouts included (law 1)."""

from uuid import UUID

from sqlmodel import Session, col, select

from returns import lifecycle, locks
from returns.errors import RefundAboveRemainder
from returns.tables import ReturnLine


def granted(session: Session, order_line_id: UUID, besides: UUID | None = None) -> int:
    """Minor units already granted for a purchased token, but for the line `besides`."""
    query = select(ReturnLine).where(
        ReturnLine.order_line_id == order_line_id,
        col(ReturnLine.state).in_(lifecycle.GRANTED),
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
