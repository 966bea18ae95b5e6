"""What the sides say about return lines, loaded for some thousands of lines at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from returns.bulk import among
from returns.columns import table_of
from returns.tables import JournalEntry, Leg, Order, OrderLine, Payment, Posting, ReturnCase
from returns.tables import ReturnLine as Line
from returns.tables.reconciliation import EFFECTS, MOVEMENTS, REFUNDS
from returns.words import PAYOUTS, LegKind, LegState, LineState, MovementKind, RefundStatus

LINES, LEGS, CASES = table_of(Line), table_of(Leg), table_of(ReturnCase)
ORDERS, ORDER_LINES, PAYMENTS = table_of(Order), table_of(OrderLine), table_of(Payment)
ENTRIES, POSTINGS = table_of(JournalEntry), table_of(Posting)

#: States in which the books take an effect for certain.
DONE = (LegState.CONFIRMED, LegState.FINAL)
#: States after which nothing of a leg is to come.
OVER = (LegState.FINAL, LegState.FAILED, LegState.COMPENSATED)
#: States in which a leg explains nothing: it had no effect, or the effect was taken back.
VOID = (LegState.FAILED, LegState.COMPENSATED)

#: Lines that are loaded at a time.
PAGE = 2_000
_OUT = {MovementKind.REFUND, MovementKind.REFUND_FAILURE}
_NOT_PAID = {RefundStatus.FAILED, RefundStatus.CANCELED}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LegFact:
    """A leg as the books have it."""

    id: UUID
    line_id: UUID
    kind: LegKind
    state: LegState
    amount: int
    currency: str
    recipient: str | None
    block_number: int | None
    block_hash: str | None
    updated_at: datetime

    @property
    def is_done(self) -> bool:
        """Whether the books take its effect for certain."""
        return self.state in DONE


@dataclass(frozen=True, slots=True)
class EntryFact:
    """A booking with its postings: (asset, side, amount)."""

    id: UUID
    subject_id: UUID
    line_id: UUID | None
    kind: str
    cause: UUID
    postings: tuple[tuple[str, str, int], ...]


@dataclass(slots=True)
class RefundFact:
    """A refund as its processor tells it; `moves` are its lines of the report."""

    processor: str
    id: str
    leg_id: UUID | None
    amount: int
    currency: str
    status: RefundStatus
    listed: bool | None
    moves: list[tuple[MovementKind, int, str]] = field(default_factory=list)

    @property
    def times(self) -> int:
        """How often it went out and did not come back, by the report."""
        return sum(1 if kind is MovementKind.REFUND else -1 for kind, _, _ in self.moves)

    @property
    def is_paid(self) -> bool:
        """Whether it is paid, or on its way: it did not fail, and did not come back."""
        return self.status not in _NOT_PAID and not (self.moves and self.times <= 0)

    @property
    def is_out(self) -> bool:
        """Whether money has moved."""
        return self.is_paid and (bool(self.moves) or self.status is RefundStatus.SUCCEEDED)


@dataclass(frozen=True, slots=True)
class EffectFact:
    """What the chain shows about a line."""

    name: str
    block_number: int
    block_hash: str
    recipient: str | None
    amount: int | None


@dataclass(frozen=True, slots=True)
class Payout:
    """A payout that is done, of whichever line of an order."""

    line_id: UUID
    order_line_id: UUID
    amount: int
    currency: str


@dataclass(slots=True)
class OrderFact:
    """What came in for an order and what went out again."""

    number: str
    prices: dict[UUID, int] = field(default_factory=dict)
    captured: dict[str, int] = field(default_factory=dict)
    payouts: list[Payout] = field(default_factory=list)


@dataclass(slots=True)
class LineFacts:
    """Everything about a line that is compared."""

    id: UUID
    state: LineState
    amount: int
    currency: str
    bonus: int
    rma: str
    order: OrderFact
    legs: list[LegFact] = field(default_factory=list)
    entries: list[EntryFact] = field(default_factory=list)
    refunds: dict[UUID, list[RefundFact]] = field(default_factory=lambda: defaultdict(list))
    effects: list[EffectFact] = field(default_factory=list)


def pages(ids: Iterable[T], size: int = PAGE) -> Iterator[list[T]]:
    """Cut into lists of at most so many."""
    waiting = iter(ids)
    while page := list(islice(waiting, size)):
        yield page


def load(session: Session, merchant_id: UUID, ids: Collection[UUID]) -> list[LineFacts]:
    """The facts of some of a merchant's lines; what is not the merchant's is left out."""
    orders: dict[UUID, OrderFact] = {}
    found: dict[UUID, LineFacts] = {}
    for row in _lines(session, merchant_id, ids):
        order = orders.setdefault(row.order_id, OrderFact(row.number))
        about = (row.state, row.amount, row.currency, row.bonus, row.rma)
        found[row.id] = LineFacts(row.id, *about, order)
    _add_orders(session, orders)
    _add_legs(session, found)
    _add_refunds(session, found)
    _add_effects(session, found)
    for entry in entries_of(session, ENTRIES.c.subject_id, found):
        found[entry.subject_id].entries.append(entry)
    return [found[key] for key in sorted(found)]


def entries_of(session: Session, column: Any, ids: Collection[Any]) -> list[EntryFact]:
    """Bookings by a column of theirs, in the order in which they were made."""
    if not ids:
        return []
    names = ("id", "subject_id", "line_id", "kind", "cause")
    query = sa.select(*(ENTRIES.c[name] for name in names)).order_by(ENTRIES.c.id)
    rows = _all(session, query.where(among(session, column, ids)))
    postings: dict[UUID, list[tuple[str, str, int]]] = defaultdict(list)
    for part in pages((row.id for row in rows), 10_000):
        wanted = ("entry_id", "asset", "side", "amount")
        sides = sa.select(*(POSTINGS.c[name] for name in wanted))
        for one in _all(session, sides.where(among(session, POSTINGS.c.entry_id, part))):
            postings[one.entry_id].append((one.asset, one.side, one.amount))
    return [
        EntryFact(row.id, row.subject_id, row.line_id, row.kind, row.cause, tuple(postings[row.id]))
        for row in rows
    ]


def refunds_where(session: Session, condition: Any) -> list[RefundFact]:
    """Refunds with their lines of the report."""
    names = ("processor", "id", "leg_id", "amount", "currency", "status", "listed")
    query = sa.select(*(REFUNDS.c[name] for name in names)).where(condition)
    found = [RefundFact(*row) for row in _all(session, query.order_by(REFUNDS.c.id))]
    by_name = {(one.processor, one.id): one for one in found}
    for part in pages({one.id for one in found}, 10_000):
        moves = sa.select(MOVEMENTS).where(among(session, MOVEMENTS.c.about, part))
        for row in _all(session, moves):
            refund = by_name.get((row.processor, row.about))
            if refund is not None and row.kind in _OUT:
                refund.moves.append((row.kind, row.amount, row.currency))
    return found


def _lines(session: Session, merchant_id: UUID, ids: Collection[UUID]) -> Sequence[Any]:
    columns = [LINES.c[name] for name in ("id", "state", "amount", "currency", "bonus")]
    query = (
        sa.select(*columns, CASES.c.rma, CASES.c.order_id, ORDERS.c.number)
        .join(CASES, CASES.c.id == LINES.c.case_id)
        .join(ORDERS, ORDERS.c.id == CASES.c.order_id)
        .where(LINES.c.merchant_id == merchant_id, among(session, LINES.c.id, ids))
    )
    return _all(session, query)


def _add_orders(session: Session, orders: dict[UUID, OrderFact]) -> None:
    """Prices, payments and payouts of whole orders: a line alone does not show a ceiling."""
    for part in pages(orders):
        bought = sa.select(ORDER_LINES.c.order_id, ORDER_LINES.c.id, ORDER_LINES.c.price)
        for row in _all(session, bought.where(among(session, ORDER_LINES.c.order_id, part))):
            orders[row.order_id].prices[row.id] = row.price
        paid = sa.select(PAYMENTS.c.order_id, PAYMENTS.c.currency, PAYMENTS.c.captured)
        for row in _all(session, paid.where(among(session, PAYMENTS.c.order_id, part))):
            captured = orders[row.order_id].captured
            captured[row.currency] = captured.get(row.currency, 0) + row.captured
        for row in _all(session, _payouts().where(among(session, ORDER_LINES.c.order_id, part))):
            orders[row.order_id].payouts.append(Payout(*row[1:]))


def _payouts() -> sa.Select[Any]:
    return (
        sa.select(
            ORDER_LINES.c.order_id,
            LINES.c.id,
            ORDER_LINES.c.id,
            LEGS.c.amount,
            LEGS.c.currency,
        )
        .join(LINES, LINES.c.order_line_id == ORDER_LINES.c.id)
        .join(LEGS, LEGS.c.line_id == LINES.c.id)
        .where(LEGS.c.kind.in_(PAYOUTS), LEGS.c.state.in_(DONE))
    )


def _add_legs(session: Session, found: dict[UUID, LineFacts]) -> None:
    names = tuple(LegFact.__dataclass_fields__)
    query = sa.select(*(LEGS.c[name] for name in names)).order_by(LEGS.c.id)
    for row in _all(session, query.where(among(session, LEGS.c.line_id, found))):
        found[row.line_id].legs.append(LegFact(*row))


def _add_refunds(session: Session, found: dict[UUID, LineFacts]) -> None:
    kind = LegKind.PROCESSOR_REFUND
    legs = {leg.id: line for line in found.values() for leg in line.legs if leg.kind is kind}
    for refund in refunds_where(session, among(session, REFUNDS.c.leg_id, legs)) if legs else []:
        if refund.leg_id is not None:
            legs[refund.leg_id].refunds[refund.leg_id].append(refund)


def _add_effects(session: Session, found: dict[UUID, LineFacts]) -> None:
    names = ("name", "block_number", "block_hash", "recipient", "amount")
    query = sa.select(EFFECTS.c.line_id, *(EFFECTS.c[name] for name in names))
    for row in _all(session, query.where(among(session, EFFECTS.c.line_id, found))):
        found[row.line_id].effects.append(EffectFact(*row[1:]))


def _all(session: Session, query: Any) -> Sequence[Any]:
    return session.connection().execute(query).all()
