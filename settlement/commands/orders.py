"""Orders come in: in bulk, idempotently, each accepted or refused on its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns.errors import OrderDiffers, PaymentClaimed, ProcessorUnknown, UndropError
from returns.idempotency import request_hash
from returns.ids import new_id
from returns.tables import Order, OrderLine, Payment
from returns.words import Tender
from settlement.commands.inputs import OrderIn
from settlement.runtime import Runtime

STORED, KNOWN, REFUSED = "stored", "known", "refused"


@dataclass(frozen=True, slots=True)
class OrderResult:
    """What became of one order of a bulk."""

    number: str
    result: str
    error: UndropError | None = None


@dataclass(frozen=True, slots=True)
class _Rows:
    """An order's rows, column by column."""

    order: dict[str, Any]
    lines: list[dict[str, Any]]
    payment: dict[str, Any]


def put_orders(runtime: Runtime, merchant_id: UUID, orders: list[OrderIn]) -> list[OrderResult]:
    """Store what is new, recognise what is known, refuse what differs; results in order."""
    chain_id, processors = runtime.settings.chain_id, frozenset(runtime.processors)
    with runtime.database.write() as session:
        return store_orders(session, chain_id, merchant_id, orders, processors, runtime.clock())


def store_orders(
    session: Session,
    chain_id: int,
    merchant_id: UUID,
    orders: list[OrderIn],
    processors: frozenset[str],
    now: datetime,
) -> list[OrderResult]:
    """The same within the caller's transaction. `processors`: those that can take a card."""
    known = _known(session, merchant_id, orders)
    claimed = _claimed(session, merchant_id, orders)
    results = [_judge(order, known, claimed, processors) for order in orders]
    stored = [
        _rows(chain_id, merchant_id, order, now)
        for order, result in zip(orders, results, strict=True)
        if result.result == STORED
    ]
    _insert(session, stored)
    return results


def _insert(session: Session, stored: list[_Rows]) -> None:
    """In bulk, past the object layer: an import brings tens of thousands."""
    if stored:
        connection = session.connection()
        connection.execute(sa.insert(Order), [rows.order for rows in stored])
        connection.execute(sa.insert(OrderLine), [line for rows in stored for line in rows.lines])
        connection.execute(sa.insert(Payment), [rows.payment for rows in stored])


def _judge(
    order: OrderIn, known: dict[str, str], claimed: set[tuple[str, str]], processors: frozenset[str]
) -> OrderResult:
    """What to do with one order; what it claims is remembered for the rest of the bulk."""
    content, payment = _content(order), (order.payment.processor, order.payment.reference)
    if order.number in known:
        if known[order.number] == content:
            return OrderResult(order.number, KNOWN)
        return OrderResult(order.number, REFUSED, OrderDiffers(order=order.number))
    if order.payment.tender is Tender.CARD and payment[0] not in processors:
        return OrderResult(order.number, REFUSED, ProcessorUnknown(processor=payment[0]))
    if payment in claimed:
        return OrderResult(order.number, REFUSED, PaymentClaimed(reference=payment[1]))
    known[order.number] = content
    claimed.add(payment)
    return OrderResult(order.number, STORED)


def _content(order: OrderIn) -> str:
    return request_hash(order.model_dump_json())


def _claimed(session: Session, merchant_id: UUID, orders: list[OrderIn]) -> set[tuple[str, str]]:
    references = [order.payment.reference for order in orders]
    query = select(Payment.processor, Payment.reference).where(
        Payment.merchant_id == merchant_id, col(Payment.reference).in_(references)
    )
    return set(session.exec(query).all())


def _known(session: Session, merchant_id: UUID, orders: list[OrderIn]) -> dict[str, str]:
    query = select(Order.number, Order.content_hash).where(
        Order.merchant_id == merchant_id, col(Order.number).in_([o.number for o in orders])
    )
    return dict(session.exec(query).all())


def _rows(chain_id: int, merchant_id: UUID, order: OrderIn, now: datetime) -> _Rows:
    order_id = new_id()
    owner = {"merchant_id": merchant_id, "order_id": order_id}
    return _Rows(
        order={
            "id": order_id,
            "merchant_id": merchant_id,
            "content_hash": _content(order),
            "created_at": now,
            **order.model_dump(exclude={"lines", "payment"}),
        },
        lines=[
            {"id": new_id(), "position": n, "chain_id": chain_id, **owner, **line.model_dump()}
            for n, line in enumerate(order.lines)
        ],
        payment={"id": new_id(), **owner, **order.payment.model_dump()},
    )
