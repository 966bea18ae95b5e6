"""Gathers what triage may look at: from the books, and what the chain said just before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns import lifecycle
from returns.remainder import granted
from returns.tables import Order, OrderLine, Payment, ReturnCase, ReturnLine
from returns.words import LineState, Reason, Remedy
from triage.facts import Facts


@dataclass(frozen=True, slots=True)
class Wish:
    """What a customer asks for one line."""

    amount: int
    remedy: Remedy
    reason: Reason
    message: str
    wallet: str | None
    recipient: str | None


@dataclass(frozen=True, slots=True)
class History:
    """What an order's customer did before: returns of lines, and orders."""

    returns_90d: int
    returns_365d: int
    orders_365d: int
    since: datetime | None


#: A request that came to nothing says nothing about a customer.
_COUNTED = tuple(frozenset(LineState) - lifecycle.REOPENABLE)


def gather(
    session: Session,
    order: Order,
    line: OrderLine,
    payment: Payment,
    wish: Wish,
    holder: str | None,
    now: datetime,
    besides: UUID | None = None,
) -> Facts:
    """The facts of one line at `now`. `besides` leaves out the request that is being decided."""
    history = history_of(session, order, now, besides)
    return Facts(
        merchant=str(order.merchant_id),
        order=order.number,
        collection=line.collection,
        token_id=line.token_id,
        currency=payment.currency,
        paid=line.price,
        already_refunded=granted(session, line.id, besides=besides),
        requested=wish.amount,
        remedy=wish.remedy,
        tender=payment.tender,
        reason=wish.reason,
        purchased_at=order.placed_at,
        requested_at=now,
        buyer_wallet=order.buyer_wallet,
        holder=holder,
        requester_wallet=wish.wallet,
        recipient=wish.recipient,
        returns_90d=history.returns_90d,
        returns_365d=history.returns_365d,
        orders_365d=history.orders_365d,
        customer_since=history.since,
        price_then=None,
        price_now=None,
        message=wish.message,
    )


def history_of(session: Session, order: Order, now: datetime, besides: UUID | None) -> History:
    """Count the customer's returns and orders up to `now`."""
    mine = (Order.merchant_id == order.merchant_id, Order.customer == order.customer)
    returns = (
        select(ReturnCase.created_at)
        .join(ReturnLine, col(ReturnLine.case_id) == ReturnCase.id)
        .join(Order, col(Order.id) == ReturnCase.order_id)
        .where(*mine, col(ReturnLine.state).in_(_COUNTED), ReturnLine.id != besides)
        .where(ReturnCase.created_at > now - timedelta(days=365))
    )
    dates = list(session.exec(returns))
    orders = select(sa.func.count(), sa.func.min(Order.placed_at)).select_from(Order).where(*mine)
    recent = orders.where(Order.placed_at > now - timedelta(days=365))
    return History(
        returns_90d=sum(date > now - timedelta(days=90) for date in dates),
        returns_365d=len(dates),
        orders_365d=session.exec(recent).one()[0],
        since=session.exec(orders).one()[1],
    )
