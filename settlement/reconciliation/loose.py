"""What the other sides know and no line of ours explains: refunds, disputes, tokens, bookings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from custody.eligibility import Token
from custody.evidence import MOVED
from returns import lifecycle
from returns.bulk import among
from returns.columns import table_of
from returns.ids import token_asset
from returns.tables import Dispute
from returns.tables.reconciliation import EFFECTS, MOVEMENTS, REFUNDS
from returns.words import LegKind, LegState, MovementKind, RefundStatus
from settlement.reconciliation.checks import check_balance
from settlement.reconciliation.differences import Difference
from settlement.reconciliation.line_facts import (
    ENTRIES,
    LEGS,
    LINES,
    ORDER_LINES,
    VOID,
    RefundFact,
    entries_of,
    pages,
    refunds_where,
)

DISPUTES = table_of(Dispute)
_OF_DISPUTES = (MovementKind.DISPUTE, MovementKind.DISPUTE_REVERSAL)


# -- refunds and disputes --------------------------------------------------------------------------


def unknown_refunds(
    session: Session, merchant_id: UUID, ids: Collection[str] | None
) -> Iterator[Difference]:
    """Refunds that are paid and that no payout explains; `ids` None: of all.

    A refund under a key of another merchant is that one's matter. A payout that failed, or was
    compensated, explains none.
    """
    for name, refund_ids in sorted(_unexplained(session, merchant_id, ids).items()):
        for part in pages(sorted(refund_ids)):
            mine = sa.and_(REFUNDS.c.processor == name, among(session, REFUNDS.c.id, part))
            for refund in refunds_where(session, mine):
                if refund.is_out:
                    yield _unknown(refund)


def _unexplained(
    session: Session, merchant_id: UUID, ids: Collection[str] | None
) -> dict[str, set[str]]:
    explains = sa.or_(LEGS.c.merchant_id != merchant_id, LEGS.c.state.not_in(VOID))
    explained = sa.exists().where(
        LEGS.c.id == REFUNDS.c.leg_id, LEGS.c.kind == LegKind.PROCESSOR_REFUND, explains
    )
    query = sa.select(REFUNDS.c.processor, REFUNDS.c.id).where(
        ~explained, REFUNDS.c.status.not_in((RefundStatus.FAILED, RefundStatus.CANCELED))
    )
    found: dict[str, set[str]] = defaultdict(set)
    for part in _parts(ids):
        narrowed = query if part is None else query.where(among(session, REFUNDS.c.id, part))
        for row in session.connection().execute(narrowed):
            found[row.processor].add(row.id)
    return found


def _unknown(refund: RefundFact) -> Difference:
    moves = [f"{kind.value} {amount} {currency}" for kind, amount, currency in refund.moves]
    evidence = {
        "processor": {
            "name": refund.processor,
            "key": refund.leg_id,
            "status": refund.status.value,
            "report": moves,
        }
    }
    paid = f"{refund.amount} {refund.currency}"
    code = "processor.unknown"
    return Difference(code, refund.id, None, "no refund", paid, evidence=evidence)


def unknown_disputes(session: Session, ids: Collection[str] | None) -> Iterator[Difference]:
    """Chargebacks of the report that the books of no merchant have."""
    explained = sa.exists().where(
        DISPUTES.c.processor == MOVEMENTS.c.processor, DISPUTES.c.reference == MOVEMENTS.c.about
    )
    query = sa.select(MOVEMENTS).where(MOVEMENTS.c.kind.in_(_OF_DISPUTES), ~explained)
    for part in _parts(ids):
        narrowed = query if part is None else query.where(among(session, MOVEMENTS.c.about, part))
        by_id: dict[str, list[Any]] = defaultdict(list)
        for row in session.connection().execute(narrowed.order_by(MOVEMENTS.c.id)):
            by_id[row.about].append(row)
        for about, rows in sorted(by_id.items()):
            moves = [f"{row.kind.value} {row.amount} {row.currency}" for row in rows]
            evidence = {"processor": {"name": rows[0].processor, "report": moves}}
            code, found = "processor.unknown", ", ".join(moves)
            yield Difference(code, about, None, "no dispute", found, evidence=evidence)


# -- tokens ----------------------------------------------------------------------------------------


def inbound(
    session: Session,
    merchant_id: UUID,
    chain_id: int,
    escrow: str,
    tokens: Collection[Token] | None,
) -> list[Token]:
    """Tokens whose last move went to the escrow and that no line explains; None: of all.

    A token that another merchant has, or had, a deposit of is that one's matter.
    """
    if tokens is None:
        arrived = _all_in(session, chain_id, escrow)
    else:
        arrived = [
            token
            for part in pages(sorted(tokens))
            for token in _in(session, chain_id, escrow, set(part))
        ]
    explained = {
        token for part in pages(arrived) for token in _deposited(session, merchant_id, set(part))
    }
    return [token for token in arrived if token not in explained]


def stray(chain_id: int, token: Token) -> Difference:
    """A token that the escrow holds and nobody knows."""
    asset = token_asset(chain_id, *token)
    evidence = {"chain": {"collection": token[0], "token_id": token[1], "holder": "the escrow"}}
    sides = ("not in escrow", "in escrow", "custody")
    return Difference("chain.unknown_inbound", asset, None, *sides, evidence)


def _all_in(session: Session, chain_id: int, escrow: str) -> list[Token]:
    place = (EFFECTS.c.block_number.desc(), EFFECTS.c.log_index.desc())
    token = (EFFECTS.c.collection, EFFECTS.c.token_id)
    rank = sa.func.row_number().over(partition_by=token, order_by=place).label("rank")
    moves = sa.select(*token, EFFECTS.c.recipient, rank).where(
        EFFECTS.c.chain_id == chain_id, EFFECTS.c.name == MOVED
    )
    last = moves.subquery()
    query = sa.select(last.c.collection, last.c.token_id).where(
        last.c.rank == 1, last.c.recipient == escrow
    )
    return sorted((row.collection, row.token_id) for row in session.connection().execute(query))


def _in(session: Session, chain_id: int, escrow: str, tokens: set[Token]) -> list[Token]:
    columns = (EFFECTS.c.collection, EFFECTS.c.token_id, EFFECTS.c.recipient)
    query = (
        sa.select(*columns)
        .where(EFFECTS.c.chain_id == chain_id, EFFECTS.c.name == MOVED)
        .where(among(session, EFFECTS.c.token_id, [token_id for _, token_id in tokens]))
        .order_by(EFFECTS.c.block_number, EFFECTS.c.log_index)
    )
    last = {(row.collection, row.token_id): row.recipient
            for row in session.connection().execute(query)}  # fmt: skip
    return sorted(token for token in tokens if last.get(token) == escrow)


def _deposited(session: Session, merchant_id: UUID, tokens: set[Token]) -> set[Token]:
    under_way = LINES.c.state.not_in(lifecycle.RESTING)
    query = (
        sa.select(ORDER_LINES.c.collection, ORDER_LINES.c.token_id)
        .join(LINES, LINES.c.order_line_id == ORDER_LINES.c.id)
        .join(LEGS, LEGS.c.line_id == LINES.c.id)
        .where(among(session, ORDER_LINES.c.collection, {one for one, _ in tokens}))
        .where(among(session, ORDER_LINES.c.token_id, [token_id for _, token_id in tokens]))
        .where(LEGS.c.kind == LegKind.DEPOSIT, LEGS.c.state != LegState.FAILED)
        .where(sa.or_(LEGS.c.merchant_id != merchant_id, under_way))
    )
    return {(row.collection, row.token_id) for row in session.connection().execute(query)}


# -- bookings --------------------------------------------------------------------------------------


def unbalanced(session: Session, ids: Collection[UUID]) -> Iterator[Difference]:
    """Entries of no line that do not sum to zero."""
    for part in pages(sorted(ids)):
        for entry in entries_of(session, ENTRIES.c.id, part):
            yield from check_balance(entry, None)


def _parts(ids: Collection[Any] | None) -> Iterator[list[Any] | None]:
    if ids is None:
        yield None
    else:
        yield from pages(sorted(ids))
