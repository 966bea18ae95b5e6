"""Double entry for money and tokens. Every entry sums to zero per asset; corrections reverse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from returns.errors import LedgerUnbalanced
from returns.tables import JournalEntry, Posting, ReturnLine

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


def processor_account(processor: str) -> str:
    """What a payment processor owes to the merchant."""
    return f"processor:{processor}"


def credit_account(customer: str) -> str:
    """What the merchant owes to a customer as store credit."""
    return f"store_credit:{customer}"


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


def balances(session: Session, merchant_id: UUID) -> dict[tuple[str, str], int]:
    """(account, asset) -> debits less credits, over everything booked for a merchant."""
    totals: dict[tuple[str, str], int] = defaultdict(int)
    for posting in session.exec(select(Posting).where(Posting.merchant_id == merchant_id)):
        totals[posting.account, posting.asset] += signed(posting)
    return dict(totals)


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
