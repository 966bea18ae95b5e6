"""What a collection's tokens cost at the purchase and cost now, by the merchant's own sales."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns.tables import Order, OrderLine
from settlement.facts.request import Purchase, paid_in

#: A floor is the lowest of the sales of so many days, where there were at least so many.
_DAYS, _FEWEST = timedelta(days=30), 10


def of(session: Session, bought: Purchase, now: datetime) -> dict[str, Any]:
    """The collection's floor at purchase and now; None where too few sales tell."""
    return {
        "price_then": _floor(session, bought, bought.order.placed_at),
        "price_now": _floor(session, bought, now),
    }


def _floor(session: Session, bought: Purchase, at: datetime) -> int | None:
    query = (
        select(sa.func.min(OrderLine.price), sa.func.count())
        .select_from(OrderLine)
        .join(Order, col(Order.id) == OrderLine.order_id)
        .where(OrderLine.merchant_id == bought.order.merchant_id)
        .where(OrderLine.chain_id == bought.line.chain_id)
        .where(OrderLine.collection == bought.line.collection)
        .where(paid_in(bought.payment.currency))
        .where(Order.placed_at > at - _DAYS, Order.placed_at <= at)
    )
    lowest, sales = session.exec(query).one()
    return lowest if sales >= _FEWEST else None
