"""What is asked, and the purchase that it is asked about."""

from __future__ import annotations

from dataclasses import dataclass

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
