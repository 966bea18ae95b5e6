"""Ledger, outbox, inbox, audit, events, stored answers: the proof of what was done, once."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import Uint256, UtcTime
from returns.ids import new_id

_UNPLACED = sa.text("position IS NULL")
_PLACED = sa.text("position IS NOT NULL")


class JournalEntry(SQLModel, table=True):
    """One booking; its postings sum to zero per asset. Corrected by a reversal, never changed."""

    __tablename__ = "journal_entry"
    __table_args__ = (
        sa.UniqueConstraint("subject_id", "kind", "cause"),
        sa.Index("ix_journal_entry_merchant_id_booked_at", "merchant_id", "booked_at"),
        # What waits for its seal is found without a look at what has one.
        sa.Index(
            "ix_journal_entry_unsealed",
            "merchant_id",
            "id",
            sqlite_where=sa.text("NOT sealed"),
            postgresql_where=sa.text("NOT sealed"),
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    subject_id: UUID = Field(description="what it is about: the line, or a credit, or a dispute")
    line_id: UUID | None = Field(default=None, foreign_key="return_line.id", index=True)
    kind: str = Field(max_length=32)
    cause: UUID = Field(description="the leg or decision that it books: books once")
    booked_at: datetime = Field(sa_type=UtcTime)
    sealed: bool = Field(default=False, description="a hint for the sealer; proves nothing")


class Posting(SQLModel, table=True):
    """One side of an entry, in minor units of an asset (currency code, or CAIP-19 of a token)."""

    __table_args__ = (
        sa.CheckConstraint("side in ('debit', 'credit')", name="side"),
        sa.Index("ix_posting_merchant_id_account", "merchant_id", "account"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    entry_id: UUID = Field(foreign_key="journal_entry.id", index=True)
    account: str = Field(max_length=200)
    asset: str = Field(max_length=200)
    side: str = Field(max_length=6)
    amount: int = Field(sa_type=Uint256)


class LedgerSeal(SQLModel, table=True):
    """A link of a merchant's chain of hashes; what it covers is in `returns.sealing`.

    `entry_id` is no foreign key: the seal must outlive an entry that somebody removes, to tell.
    """

    __tablename__ = "ledger_seal"
    merchant_id: UUID = Field(foreign_key="merchant.id", primary_key=True)
    number: int = Field(sa_type=sa.BigInteger, primary_key=True, description="from 1, no gaps")
    entry_id: UUID = Field(unique=True)
    postings: int = Field(description="how many the entry had")
    content_hash: str = Field(max_length=64, description="SHA-256 of entry and postings")
    previous_hash: str = Field(max_length=64)
    sealed_at: datetime = Field(sa_type=UtcTime)
    hash: str = Field(max_length=64, description="SHA-256 of everything above but the merchant")


class IdempotencyRecord(SQLModel, table=True):
    """The stored answer to an accepted request. Refused requests leave none and can be retried."""

    __tablename__ = "idempotency_record"
    merchant_id: UUID = Field(foreign_key="merchant.id", primary_key=True)
    key: str = Field(max_length=255, primary_key=True)
    request_hash: str = Field(max_length=64)
    status: int
    body: str
    created_at: datetime = Field(sa_type=UtcTime)


class _Work(SQLModel):
    """A row that workers claim by a conditional update, under a lease, with a fencing token."""

    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str = Field(max_length=64)
    due_at: datetime = Field(sa_type=UtcTime)
    attempts: int = 0
    fence: int = 0
    lease_until: datetime | None = Field(default=None, sa_type=UtcTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcTime)
    last_error: str | None = Field(default=None, max_length=1000)


class OutboxItem(_Work, table=True):
    """Work that must be done because a transaction was committed."""

    __tablename__ = "outbox"
    __table_args__ = (sa.Index("ix_outbox_due", "done_at", "due_at"),)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    subject_id: UUID


class InboxItem(_Work, table=True):
    """A fact that came in, once: from the chain or from a processor."""

    __tablename__ = "inbox"
    __table_args__ = (
        sa.UniqueConstraint("source", "external_id"),
        sa.Index("ix_inbox_due", "done_at", "due_at"),
    )
    merchant_id: UUID | None = Field(default=None, foreign_key="merchant.id")
    source: str = Field(max_length=64)
    external_id: str = Field(max_length=200)
    payload: str


class AuditRow(SQLModel, table=True):
    """Who did what, why, and what it changed. Append-only."""

    __tablename__ = "audit"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID | None = Field(
        default=None,
        foreign_key="merchant.id",
        index=True,
        description="null: who runs the installation",
    )
    subject_id: UUID = Field(index=True)
    actor: str = Field(max_length=100)
    action: str = Field(max_length=64)
    before: str = Field(default="", max_length=64)
    after: str = Field(default="", max_length=64)
    reason: str = Field(default="", max_length=1000)
    at: datetime = Field(sa_type=UtcTime)


class Event(SQLModel, table=True):
    """Exactly one for each state change, numbered without gaps within its case.

    Ids are not in the order of commits. `position` is: it is given afterwards, by one at a time.
    """

    __table_args__ = (
        sa.UniqueConstraint("case_id", "sequence"),
        sa.Index("ix_event_unplaced", "id", postgresql_where=_UNPLACED, sqlite_where=_UNPLACED),
        sa.Index(
            "uq_event_position",
            "merchant_id",
            "position",
            unique=True,
            postgresql_where=_PLACED,
            sqlite_where=_PLACED,
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    case_id: UUID = Field(foreign_key="return_case.id")
    line_id: UUID = Field(foreign_key="return_line.id")
    sequence: int
    kind: str = Field(max_length=64)
    payload: str
    at: datetime = Field(sa_type=UtcTime)
    position: int | None = Field(
        default=None,
        sa_type=sa.BigInteger,
        description="without gaps among the merchant's events; null: not fanned out yet",
    )
