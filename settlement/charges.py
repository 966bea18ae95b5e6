"""What an order line's price is made of, as it is stored."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlmodel import Session, select

from returns.tables import OrderCharge, OrderLine
from returns.words import ChargeKind
from settlement.itemisation import LineCharges


def rows(merchant_id: UUID, order_line_id: UUID, line: LineCharges) -> list[dict[str, Any]]:
    """Rows of `OrderCharge` for a bulk insert; none for a part of nothing."""
    owner = {"merchant_id": merchant_id, "order_line_id": order_line_id}
    return [{**owner, "kind": kind, "amount": part} for kind, part in line.amounts.items() if part]


def of_line(session: Session, line: OrderLine) -> LineCharges:
    """What a line's price is made of; all of it is the item where nothing was told."""
    query = select(OrderCharge).where(OrderCharge.order_line_id == line.id)
    found = {row.kind: row.amount for row in session.exec(query)}
    if not found:
        return LineCharges({ChargeKind.ITEM: line.price})
    return LineCharges({kind: found[kind] for kind in ChargeKind if kind in found})
