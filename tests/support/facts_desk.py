"""Facts of a purchase as they would be gathered just now, and tokens that move on chain."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from desk import Desk
from sqlmodel import select

from custody.eligibility import TokenState
from returns.tables import Order, OrderLine, Payment
from returns.words import Reason, Remedy
from settlement.commands.inputs import OrderIn
from settlement.facts import Purchase, Wish, gather
from triage.facts import Facts

#: A chain that tells nothing.
SILENT = TokenState(None)


def look(
    desk: Desk,
    order: OrderIn,
    now: datetime | None = None,
    state: TokenState = SILENT,
    besides: UUID | None = None,
    **wish: Any,
) -> Facts:
    """The facts of an order's first line."""
    wanted: dict[str, Any] = {
        "amount": order.lines[0].price,
        "remedy": Remedy.FIAT_REFUND,
        "reason": Reason.WRONG_TOKEN,
        "message": "",
        "wallet": None,
        "recipient": None,
        **wish,
    }
    with desk.runtime.database.read() as session:
        query = select(Order).where(
            Order.number == order.number, Order.merchant_id == desk.merchant.id
        )
        row = session.exec(query).one()
        bought = select(OrderLine).where(OrderLine.order_id == row.id).order_by(OrderLine.id)
        line = session.exec(bought).first()
        payment = session.exec(select(Payment).where(Payment.order_id == row.id)).one()
        purchase = Purchase(row, line, payment)
        return gather(session, purchase, Wish(**wanted), state, now or desk.clock(), besides)
