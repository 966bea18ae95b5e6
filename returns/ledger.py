"""Double entry for money and tokens. Every entry sums to zero per asset; corrections reverse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns.errors import LedgerUnbalanced
from returns.tables import JournalEntry, Leg, Posting, ReturnLine
from returns.totals import exact_sum
from returns.words import LegState

#: Accounts. Tokens have their own custody accounts under the same rules as money.
SALES_RETURNS = "sales_returns"
REFUNDS_PAYABLE = "refunds_payable"
CREDIT_BONUSES = "credit_bonuses"
CHARGEBACKS = "chargebacks"
FLOAT = "float"
CUSTOMERS = "tokens_with_customers"
ESCROW = "tokens_in_escrow"
VAULT = "tokens_in_vault"
BURNED = "tokens_burned"
CREDIT_GOODWILL = "credit_goodwill"
CREDIT_REDEEMED = "credit_redeemed"
CREDIT_BREAKAGE = "credit_breakage"

#: A leg in one of these states is not undone by a reorg any more.
_LEG_IS_OVER = (LegState.FINAL, LegState.FAILED, LegState.COMPENSATED)


def processor_account(processor: str) -> str:
    """What a payment processor owes to the merchant."""
    return f"processor:{processor}"


def credit_account(customer: str) -> str:
    """What the merchant owes to a customer as store credit."""
    return f"store_credit:{customer}"


def receivable_account(customer: str) -> str:
    """What a customer owes to the merchant."""
    return f"receivable:{customer}"


@dataclass(frozen=True, slots=True)
class Move:
    """`amount` minor units of `asset` leave `source` (credit) and arrive at `target` (debit)."""

    source: str
    target: str
    asset: str
    amount: int


@dataclass(frozen=True, slots=True)
class Subject:
    """What an entry is about: a line of a return, or what belongs to no line (`line_id` None)."""

    merchant_id: UUID
    id: UUID
    line_id: UUID | None = None


def of_line(line: ReturnLine) -> Subject:
    """A line as what an entry is about."""
    return Subject(line.merchant_id, line.id, line.id)


def post(
    session: Session, subject: Subject, kind: str, cause: UUID, moves: list[Move], now: datetime
) -> JournalEntry:
    """Book an entry. (subject, kind, cause) is unique: a cause books once, whoever asks."""
    entry = JournalEntry(
        merchant_id=subject.merchant_id,
        subject_id=subject.id,
        line_id=subject.line_id,
        kind=kind,
        cause=cause,
        booked_at=now,
    )
    session.add(entry)
    session.flush()
    postings = [posting for move in moves for posting in _sides(entry, move)]
    check_balanced(postings)
    session.add_all(postings)
    return entry


def reverse(session: Session, entry: JournalEntry, cause: UUID, now: datetime) -> JournalEntry:
    """Book the mirror image of an entry; the entry itself stays as it is."""
    mirror = JournalEntry(
        merchant_id=entry.merchant_id,
        subject_id=entry.subject_id,
        line_id=entry.line_id,
        kind=f"{entry.kind}.reversed",
        cause=cause,
        booked_at=now,
    )
    session.add(mirror)
    session.flush()
    for posting in session.exec(select(Posting).where(Posting.entry_id == entry.id)):
        side = "credit" if posting.side == "debit" else "debit"
        session.add(_posting(mirror, posting.account, posting.asset, side, posting.amount))
    return mirror


def entries_of(session: Session, subject_id: UUID) -> list[JournalEntry]:
    """The entries about a line, a credit or a dispute, in the order in which they were booked."""
    query = select(JournalEntry).where(JournalEntry.subject_id == subject_id)
    return list(session.exec(query.order_by(col(JournalEntry.id))))


def check_balanced(postings: Iterable[Posting]) -> None:
    """Raise `LedgerUnbalanced` unless debits and credits agree in every asset."""
    totals: dict[str, int] = defaultdict(int)
    for posting in postings:
        totals[posting.asset] += signed(posting)
    for asset, total in totals.items():
        if total:
            raise LedgerUnbalanced(asset=asset, total=total)


def signed(posting: Posting) -> int:
    """The amount with the sign of its side: debits positive."""
    return posting.amount if posting.side == "debit" else -posting.amount


def balances(
    session: Session,
    merchant_id: UUID,
    *,
    at: datetime | None = None,
    account: str | None = None,
    prefix: str | None = None,
    final: bool = False,
    limit: int | None = None,
) -> dict[tuple[str, str], int]:
    """(account, asset) -> debits less credits in minor units: one query, exact, in their order.

    `at`: what was booked up to and at that moment. `final`: without provisional entries, as far
    as is known now (`is_provisional`).
    """
    query = _balance_query().where(col(Posting.merchant_id) == merchant_id)
    if at is not None or final:
        query = query.join(JournalEntry, col(JournalEntry.id) == col(Posting.entry_id))
    if at is not None:
        query = query.where(col(JournalEntry.booked_at) <= at)
    if final:
        query = query.where(sa.not_(is_provisional()))
    if account is not None:
        query = query.where(col(Posting.account) == account)
    if prefix:
        # LIKE would not tell capital letters on SQLite.
        query = query.where(sa.func.substr(col(Posting.account), 1, len(prefix)) == prefix)
    rows = session.connection().execute(query.limit(limit))
    return {(name, asset): debit - credit for name, asset, debit, credit in rows}


def is_provisional() -> sa.ColumnElement[bool]:
    """Of a journal entry: the leg that it books is not final yet, a reorg may still undo it.

    Read off the leg, which knows; an entry that no leg caused is final when it is booked.
    """
    return (
        sa.select(col(Leg.id))
        .where(col(Leg.id) == col(JournalEntry.cause), col(Leg.state).not_in(_LEG_IS_OVER))
        .exists()
    )


def _balance_query() -> sa.Select[str, str, int, int]:
    place = (col(Posting.account), col(Posting.asset))
    amount, side = col(Posting.amount), col(Posting.side)
    debit, credit = (exact_sum(amount).filter(side == one) for one in ("debit", "credit"))
    return sa.select(*place, debit, credit).group_by(*place).order_by(*place)


def _sides(entry: JournalEntry, move: Move) -> tuple[Posting, Posting]:
    return (
        _posting(entry, move.target, move.asset, "debit", move.amount),
        _posting(entry, move.source, move.asset, "credit", move.amount),
    )


def _posting(entry: JournalEntry, account: str, asset: str, side: str, amount: int) -> Posting:
    return Posting(
        merchant_id=entry.merchant_id,
        entry_id=entry.id,
        account=account,
        asset=asset,
        side=side,
        amount=amount,
    )
