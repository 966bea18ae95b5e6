"""What a customer and a wallet did before: orders, returns, goodwill, and who shares something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns import lifecycle
from returns.tables import (
    DecisionRow,
    Order,
    OrderLine,
    ReturnCase,
    ReturnLine,
    ReviewLabel,
)
from returns.words import LineState, Verdict
from settlement.facts.request import Purchase, paid_in

_YEAR = timedelta(days=365)
_SPANS = (7, 30, 90, 365)

#: A request that came to nothing says nothing about a customer.
_COUNTED = tuple(frozenset(LineState) - lifecycle.REOPENABLE)

#: Purchases that say what is usual for a customer: the newest of them, and the fewest.
_USUAL, _FEWEST = 50, 3


@dataclass(frozen=True, slots=True)
class _Return:
    """An earlier return: when, whose, and delivered to which wallet."""

    at: datetime
    customer: str
    wallet: str | None


def of(
    session: Session, bought: Purchase, claimant: str | None, now: datetime, besides: UUID | None
) -> dict[str, Any]:
    """Counts up to `now`, by the names that facts have. `besides` is the line being decided."""
    order: Order = bought.order
    wallet = claimant or order.buyer_wallet
    returns = _returns(session, order, wallet, now, besides)
    mine = [one for one in returns if one.customer == order.customer]
    return {
        **_spans("returns", mine, now),
        **_wallet(session, order, wallet, returns, now),
        **_orders(session, order, now),
        "cluster_returns_365d": len(returns),
        "usual_price": _usual_price(session, bought, now),
        "goodwill_365d": _goodwill(session, order, now),
        "stopped_before": _stopped(session, bought, now, besides),
    }


def _returns(
    session: Session, order: Order, wallet: str | None, now: datetime, besides: UUID | None
) -> list[_Return]:
    """A year's returns of everybody who is this customer or shares the wallet."""
    query = (
        select(ReturnCase.created_at, Order.customer, Order.buyer_wallet)
        .join(ReturnLine, col(ReturnLine.case_id) == ReturnCase.id)
        .join(Order, col(Order.id) == ReturnCase.order_id)
        .where(Order.merchant_id == order.merchant_id, _same(order.customer, wallet))
        .where(col(ReturnLine.state).in_(_COUNTED), ReturnLine.id != besides)
        .where(ReturnCase.created_at > now - _YEAR, ReturnCase.created_at <= now)
    )
    return [_Return(*row) for row in session.exec(query)]


def _same(customer: str, wallet: str | None) -> sa.ColumnElement[bool]:
    if wallet is None:
        return col(Order.customer) == customer
    return sa.or_(col(Order.customer) == customer, col(Order.buyer_wallet) == wallet)


def _spans(prefix: str, returns: Iterable[_Return], now: datetime) -> dict[str, int]:
    dates = [one.at for one in returns]
    return {
        f"{prefix}_{days}d": sum(date > now - timedelta(days=days) for date in dates)
        for days in _SPANS
    }


def _wallet(
    session: Session, order: Order, wallet: str | None, returns: list[_Return], now: datetime
) -> dict[str, int]:
    """What a wallet did, whoever the customer was; nothing is known of a wallet that is not."""
    if wallet is None:
        return {}
    others = set(_customers(session, order, wallet, now)) - {order.customer}
    its = [one for one in returns if one.wallet == wallet]
    return {**_spans("wallet_returns", its, now), "shared_wallet": len(others)}


def _orders(session: Session, order: Order, now: datetime) -> dict[str, Any]:
    """Orders of the last year, and the first day that we know of."""
    recent = sa.func.sum(sa.case((col(Order.placed_at) > now - _YEAR, 1), else_=0))
    query = select(recent, sa.func.min(Order.placed_at)).where(
        Order.merchant_id == order.merchant_id, Order.customer == order.customer
    )
    count, since = session.exec(query.where(Order.placed_at <= now)).one()
    return {"orders_365d": int(count or 0), "customer_since": since}


def _customers(session: Session, order: Order, wallet: str, now: datetime) -> Iterable[str]:
    query = select(Order.customer).where(
        Order.merchant_id == order.merchant_id, Order.buyer_wallet == wallet
    )
    return session.exec(query.where(Order.placed_at <= now).distinct())


def _usual_price(session: Session, bought: Purchase, now: datetime) -> int | None:
    """The median of what the customer paid for other tokens in the same currency."""
    query = (
        select(OrderLine.price)
        .join(Order, col(Order.id) == OrderLine.order_id)
        .where(Order.merchant_id == bought.order.merchant_id)
        .where(Order.customer == bought.order.customer, OrderLine.id != bought.line.id)
        .where(paid_in(bought.payment.currency), Order.placed_at <= now)
        .order_by(col(Order.placed_at).desc(), col(OrderLine.id).desc())
        .limit(_USUAL)
    )
    prices = list(session.exec(query))
    return median_low(prices) if len(prices) >= _FEWEST else None


def _goodwill(session: Session, order: Order, now: datetime) -> int:
    """Lines that a person approved although the policy denied them."""
    query = (
        select(sa.func.count(sa.distinct(col(ReviewLabel.line_id))))
        .join(ReturnLine, col(ReturnLine.id) == ReviewLabel.line_id)
        .join(DecisionRow, col(DecisionRow.line_id) == ReturnLine.id)
        .join(ReturnCase, col(ReturnCase.id) == ReturnLine.case_id)
        .join(Order, col(Order.id) == ReturnCase.order_id)
        .where(Order.merchant_id == order.merchant_id, Order.customer == order.customer)
        .where(DecisionRow.decided_by == "undrop", DecisionRow.verdict == Verdict.DENY.value)
        .where(ReviewLabel.verdict_after == Verdict.APPROVE.value)
        .where(ReviewLabel.at > now - _YEAR, ReviewLabel.at <= now)
    )
    return session.exec(query).one()


#: How a request ends that was refused or given up.
_STOPPED = (LineState.DENIED, LineState.CANCELED)


def _stopped(session: Session, bought: Purchase, now: datetime, besides: UUID | None) -> int:
    """Requests for this purchase that a person had, and denied or saw withdrawn."""
    by_person = sa.or_(
        col(DecisionRow.verdict) == Verdict.REVIEW.value, col(DecisionRow.decided_by) != "undrop"
    )
    query = (
        select(sa.func.count(sa.distinct(col(ReturnLine.id))))
        .join(DecisionRow, col(DecisionRow.line_id) == ReturnLine.id)
        .where(ReturnLine.order_line_id == bought.line.id, ReturnLine.id != besides)
        .where(col(ReturnLine.state).in_(_STOPPED), by_person, DecisionRow.decided_at <= now)
    )
    return session.exec(query).one()
