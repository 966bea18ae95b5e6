"""Lines that may have a break, found by the database in some passes over everything.

Each query leaves out only what is plainly right; `checks` then looks at the rest exactly. Amounts
are compared and never summed here, since SQLite keeps them as text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from custody.evidence import PAYS
from returns import lifecycle
from returns.tables.reconciliation import EFFECTS, MOVEMENTS, REFUNDS
from returns.words import PAYOUTS, LegKind, LegState, MovementKind, RefundStatus
from settlement.reconciliation.checks import EVENT_OF_LEG, REVERSED
from settlement.reconciliation.line_facts import (
    DONE,
    ENTRIES,
    LEGS,
    LINES,
    ORDER_LINES,
    OVER,
    PAYMENTS,
    POSTINGS,
)

Query = sa.Select[Any]


def suspects(
    session: Session, merchant_id: UUID, reporting: Collection[str]
) -> tuple[set[UUID], set[UUID]]:
    """Lines that have to be looked at exactly, and entries of no line.

    `reporting`: processors that have a report.
    """
    if session.get_bind().dialect.name == "postgresql":
        # Sorts and hashes over everything: for this transaction only.
        session.connection().exec_driver_sql("SET LOCAL work_mem = '128MB'")
    found: set[UUID] = set()
    for query in _of_lines(merchant_id, reporting):
        found.update(session.connection().execute(query).scalars())
    entries: set[UUID] = set()
    for query in (_uneven(merchant_id), _without_postings(merchant_id)):
        for row in session.connection().execute(query):
            if row.line_id == row.subject_id:
                found.add(row.line_id)
            else:
                entries.add(row.id)
    return found, entries


def _of_lines(merchant_id: UUID, reporting: Collection[str]) -> Iterator[Query]:
    yield _under_way(merchant_id)
    yield _unpaid(merchant_id)
    yield _paid_twice(merchant_id)
    yield _oddly_reported(merchant_id, reporting)
    for kind, name in EVENT_OF_LEG.items():
        yield _unseen(merchant_id, kind, name)
    yield _paid_otherwise(merchant_id)
    yield _unbooked(merchant_id)
    yield _booked_otherwise(merchant_id)
    yield _booked_for_nothing(merchant_id)
    yield _ungranted(merchant_id)
    yield _above_price(merchant_id)
    yield _above_captured(merchant_id)


def _legs(merchant_id: UUID, *conditions: Any) -> Query:
    return sa.select(LEGS.c.line_id).where(LEGS.c.merchant_id == merchant_id, *conditions)


def _under_way(merchant_id: UUID) -> Query:
    return _legs(merchant_id, LEGS.c.state.not_in(OVER))


def _unpaid(merchant_id: UUID) -> Query:
    """Payouts that are done and do not have a refund that agrees in everything."""
    right = sa.exists().where(
        REFUNDS.c.leg_id == LEGS.c.id,
        REFUNDS.c.amount == LEGS.c.amount,
        REFUNDS.c.currency == LEGS.c.currency,
        REFUNDS.c.status == RefundStatus.SUCCEEDED,
        sa.or_(REFUNDS.c.listed.is_(None), REFUNDS.c.listed),
    )
    return _legs(
        merchant_id, LEGS.c.kind == LegKind.PROCESSOR_REFUND, LEGS.c.state.in_(DONE), ~right
    )


def _paid_twice(merchant_id: UUID) -> Query:
    twice = sa.select(REFUNDS.c.leg_id).group_by(REFUNDS.c.leg_id).having(sa.func.count() > 1)
    return _legs(merchant_id, LEGS.c.id.in_(twice.where(REFUNDS.c.leg_id.is_not(None))))


def _oddly_reported(merchant_id: UUID, reporting: Collection[str]) -> Query:
    """Refunds whose report is not one line with their own amount: none, several, another one."""
    moves = sa.select(
        MOVEMENTS.c.processor,
        MOVEMENTS.c.about,
        sa.func.count().label("times"),
        sa.func.min(MOVEMENTS.c.amount).label("amount"),
        sa.func.min(MOVEMENTS.c.currency).label("currency"),
    ).where(MOVEMENTS.c.kind.in_((MovementKind.REFUND, MovementKind.REFUND_FAILURE)))
    report = moves.group_by(MOVEMENTS.c.processor, MOVEMENTS.c.about).subquery()
    same = sa.and_(report.c.processor == REFUNDS.c.processor, report.c.about == REFUNDS.c.id)
    odd = sa.or_(
        sa.and_(report.c.about.is_(None), REFUNDS.c.processor.in_(sorted(reporting))),
        report.c.times != 1,
        report.c.currency != REFUNDS.c.currency,
        report.c.amount != -sa.cast(REFUNDS.c.amount, sa.BigInteger),
    )
    return (
        sa.select(LEGS.c.line_id)
        .join(REFUNDS, REFUNDS.c.leg_id == LEGS.c.id)
        .outerjoin(report, same)
        .where(LEGS.c.merchant_id == merchant_id, odd)
    )


def _unseen(merchant_id: UUID, kind: LegKind, name: str) -> Query:
    """Legs that are done and have no event, or one in another block."""
    seen = sa.exists().where(
        EFFECTS.c.line_id == LEGS.c.line_id,
        EFFECTS.c.name == name,
        sa.or_(LEGS.c.block_hash.is_(None), EFFECTS.c.block_hash == LEGS.c.block_hash),
    )
    return _legs(merchant_id, LEGS.c.kind == kind, LEGS.c.state.in_(DONE), ~seen)


def _paid_otherwise(merchant_id: UUID) -> Query:
    """Refunds on chain of another amount, or to somebody else."""
    differs = sa.or_(
        EFFECTS.c.amount != LEGS.c.amount,
        LEGS.c.recipient.is_(None),
        EFFECTS.c.recipient != LEGS.c.recipient,
    )
    paid = _legs(merchant_id, LEGS.c.kind == LegKind.SWAP, LEGS.c.state.in_(DONE))
    return paid.join(EFFECTS, EFFECTS.c.line_id == LEGS.c.line_id).where(
        EFFECTS.c.name.in_(PAYS), differs
    )


def _standing() -> sa.ColumnElement[bool]:
    """An entry that is neither a reversal nor reversed."""
    reversal = ENTRIES.alias()
    undone = sa.exists().where(
        reversal.c.subject_id == ENTRIES.c.subject_id,
        reversal.c.cause == ENTRIES.c.cause,
        reversal.c.kind == ENTRIES.c.kind + REVERSED,
    )
    return sa.and_(~ENTRIES.c.kind.endswith(REVERSED), ~undone)


def _books(merchant_id: UUID) -> sa.ColumnElement[bool]:
    """Legs that must stand in the ledger."""
    burned = sa.and_(LEGS.c.kind == LegKind.BURN, LEGS.c.state == LegState.FINAL)
    others = sa.and_(LEGS.c.kind.not_in((LegKind.BURN, LegKind.COMMIT)), LEGS.c.state.in_(DONE))
    return sa.and_(LEGS.c.merchant_id == merchant_id, sa.or_(burned, others))


def _own_entry() -> sa.ColumnElement[bool]:
    return sa.and_(ENTRIES.c.subject_id == LEGS.c.line_id, ENTRIES.c.cause == LEGS.c.id)


def _unbooked(merchant_id: UUID) -> Query:
    booked = sa.exists().where(_own_entry(), _standing())
    return sa.select(LEGS.c.line_id).where(_books(merchant_id), ~booked)


def _debit() -> sa.ColumnElement[bool]:
    return sa.and_(
        POSTINGS.c.entry_id == ENTRIES.c.id,
        POSTINGS.c.side == "debit",
        POSTINGS.c.asset == LEGS.c.currency,
    )


def _booked_otherwise(merchant_id: UUID) -> Query:
    """Payouts whose entry is not one debit of their amount: another one, or in parts."""
    booked = (
        sa.select(LEGS.c.line_id)
        .join(ENTRIES, _own_entry())
        .join(LINES, LINES.c.id == LEGS.c.line_id)
        .outerjoin(POSTINGS, _debit())
        .where(_books(merchant_id), LEGS.c.kind.in_(PAYOUTS))
    )
    has_bonus = sa.and_(LEGS.c.kind == LegKind.CREDIT, LINES.c.bonus != 0)
    plain = sa.and_(
        sa.func.count(POSTINGS.c.id) == 1, sa.func.min(POSTINGS.c.amount) == LEGS.c.amount
    )
    # A bonus is a debit of its own, which may be as large as the amount.
    return booked.group_by(LEGS.c.id, ENTRIES.c.id, LINES.c.id).having(sa.or_(~plain, has_bonus))


def _booked_for_nothing(merchant_id: UUID) -> Query:
    """Legs that pay nothing, and have money booked."""
    return (
        sa.select(LEGS.c.line_id)
        .join(ENTRIES, _own_entry())
        .join(POSTINGS, _debit())
        .where(_books(merchant_id), LEGS.c.kind.not_in(PAYOUTS))
    )


def _ungranted(merchant_id: UUID) -> Query:
    granted = sa.exists().where(
        ENTRIES.c.subject_id == LINES.c.id, ENTRIES.c.kind == "grant", _standing()
    )
    query = sa.select(LINES.c.id).where(LINES.c.merchant_id == merchant_id)
    return query.where(LINES.c.state.in_(lifecycle.GRANTED), ~granted)


def _uneven(merchant_id: UUID) -> Query:
    """Entries with an asset that is not as many debits as credits of one amount."""
    sign = sa.case((POSTINGS.c.side == "debit", 1), else_=-1)
    amounts = (sa.func.min(POSTINGS.c.amount), sa.func.max(POSTINGS.c.amount))
    uneven = sa.or_(sa.func.sum(sign) != 0, amounts[0] != amounts[1])
    ids = (
        sa.select(POSTINGS.c.entry_id)
        .where(POSTINGS.c.merchant_id == merchant_id)
        .group_by(POSTINGS.c.entry_id, POSTINGS.c.asset)
        .having(uneven)
    )
    return _entries(merchant_id).where(ENTRIES.c.id.in_(ids))


def _without_postings(merchant_id: UUID) -> Query:
    some = sa.exists().where(POSTINGS.c.entry_id == ENTRIES.c.id)
    return _entries(merchant_id).where(~some)


def _entries(merchant_id: UUID) -> Query:
    columns = (ENTRIES.c.id, ENTRIES.c.subject_id, ENTRIES.c.line_id)
    return sa.select(*columns).where(ENTRIES.c.merchant_id == merchant_id)


def _paid(merchant_id: UUID, what: Any) -> Query:
    return (
        sa.select(what)
        .join(LINES, LINES.c.order_line_id == ORDER_LINES.c.id)
        .join(LEGS, LEGS.c.line_id == LINES.c.id)
        .where(LEGS.c.merchant_id == merchant_id)
        .where(LEGS.c.kind.in_(PAYOUTS), LEGS.c.state.in_(DONE))
    )


def _above_price(merchant_id: UUID) -> Query:
    """Purchases with several payouts, or one above the price."""
    above = sa.or_(sa.func.count() > 1, sa.func.max(LEGS.c.amount) > ORDER_LINES.c.price)
    purchases = _paid(merchant_id, ORDER_LINES.c.id).group_by(ORDER_LINES.c.id).having(above)
    return sa.select(LINES.c.id).where(LINES.c.order_line_id.in_(purchases))


def _above_captured(merchant_id: UUID) -> Query:
    """Orders with several payouts, or one above a payment."""
    lowest = sa.select(
        PAYMENTS.c.order_id, sa.func.min(PAYMENTS.c.captured).label("captured")
    ).where(PAYMENTS.c.merchant_id == merchant_id)
    paid = lowest.group_by(PAYMENTS.c.order_id).subquery()
    above = sa.or_(sa.func.count() > 1, sa.func.max(LEGS.c.amount) > sa.func.min(paid.c.captured))
    query = _paid(merchant_id, ORDER_LINES.c.order_id)
    joined = query.join(paid, paid.c.order_id == ORDER_LINES.c.order_id)
    orders = joined.group_by(ORDER_LINES.c.order_id).having(above)
    lines = sa.select(LINES.c.id).join(ORDER_LINES, ORDER_LINES.c.id == LINES.c.order_line_id)
    return lines.where(ORDER_LINES.c.order_id.in_(orders))
