"""What is asked, and the purchase that it is asked about."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import select

from returns.tables import Order, OrderLine, Payment
from returns.words import Reason, Remedy


@dataclass(frozen=True, slots=True)
class Wish:
    """What a customer asks for one line."""

    amount: int
    remedy: Remedy
    reason: Reason
    message: str
    wallet: str | None
    recipient: str | None
    #: Address of the connection that the request came by; looked up, never stored with the facts.
    ip: str | None = None


@dataclass(frozen=True, slots=True)
class Purchase:
    """A line of an order with what it belongs to."""

    order: Order
    line: OrderLine
    payment: Payment


def paid_in(currency: str) -> sa.ColumnElement[bool]:
    """Whether an order was paid in a currency; it may have been paid by several tenders."""
    paid = select(Payment.id).where(Payment.order_id == Order.id, Payment.currency == currency)
    return paid.correlate(Order).exists()
