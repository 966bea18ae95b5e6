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
from returns.words import BY_PROCESSOR
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
    payments: list[dict[str, Any]]


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
        connection.execute(sa.insert(Payment), [one for rows in stored for one in rows.payments])


def _judge(
    order: OrderIn, known: dict[str, str], claimed: set[tuple[str, str]], processors: frozenset[str]
) -> OrderResult:
    """What to do with one order; what it claims is remembered for the rest of the bulk."""
    content = _content(order)
    payments = {(one.processor, one.reference) for one in order.payments}
    if order.number in known:
        if known[order.number] == content:
            return OrderResult(order.number, KNOWN)
        return OrderResult(order.number, REFUSED, OrderDiffers(order=order.number))
    for one in order.payments:
        if one.tender in BY_PROCESSOR and one.processor not in processors:
            return OrderResult(order.number, REFUSED, ProcessorUnknown(processor=one.processor))
    for _, reference in payments & claimed:
        return OrderResult(order.number, REFUSED, PaymentClaimed(reference=reference))
    known[order.number] = content
    claimed |= payments
    return OrderResult(order.number, STORED)


def _content(order: OrderIn) -> str:
    return request_hash(order.model_dump_json())


def _claimed(session: Session, merchant_id: UUID, orders: list[OrderIn]) -> set[tuple[str, str]]:
    references = [one.reference for order in orders for one in order.payments]
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
            **order.model_dump(exclude={"lines", "payments"}),
        },
        lines=[
            {"id": new_id(), "position": n, "chain_id": chain_id, **owner, **line.model_dump()}
            for n, line in enumerate(order.lines)
        ],
        payments=[{"id": new_id(), **owner, **one.model_dump()} for one in order.payments],
    )
