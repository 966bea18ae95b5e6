"""What reconciliation compared, what the other sides said, and the differences that it found.

Facts of a processor or a chain belong to no merchant: several share an account, or the escrow.
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import Uint256, UtcTime, table_of, word
from returns.ids import new_id
from returns.words import BreakOutcome, MatchState, MovementKind, RefundStatus


def _partial(name: str, *columns: str) -> sa.Index:
    """An index without the rows that have nothing there."""
    filled = sa.text(f"{columns[0]} IS NOT NULL")
    return sa.Index(name, *columns, sqlite_where=filled, postgresql_where=filled)


class ReconciliationRun(SQLModel, table=True):
    """One comparison of the sides at one moment and block; another person signs it off."""

    __tablename__ = "reconciliation_run"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id", index=True)
    full: bool = Field(description="everything, and not only what was new or open")
    block_number: int = Field(sa_type=sa.BigInteger)
    lines: int = Field(description="return lines that were looked at")
    legs: int
    processor_refunds: int
    chain_events: int
    breaks: int = Field(description="open when it ended")
    started_by: str = Field(max_length=100)
    at: datetime = Field(sa_type=UtcTime)
    signed_by: str | None = Field(default=None, max_length=100)
    signed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    signed_note: str = Field(default="", max_length=1000)


class Break(SQLModel, table=True):
    """A difference: code, subject, what was expected, what was found; as old as `first_seen`.

    `owner` is the desk that looks into it, `assignee` a person. An `outcome` that one person
    proposed stands once another one has confirmed it; a break that is gone is `resolved_at`.
    """

    __table_args__ = (
        sa.UniqueConstraint("merchant_id", "code", "subject"),
        sa.Index("ix_break_open", "merchant_id", "resolved_at", "first_seen"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    line_id: UUID | None = Field(default=None, foreign_key="return_line.id")
    code: str = Field(max_length=64)
    subject: str = Field(max_length=200)
    rma: str | None = Field(default=None, max_length=16)
    expected: str = Field(max_length=300)
    found: str = Field(max_length=300)
    evidence: str = Field(default="{}", max_length=4000, description="JSON: what each side said")
    owner: str = Field(max_length=32)
    assignee: str | None = Field(default=None, max_length=100)
    assigned_by: str | None = Field(default=None, max_length=100)
    outcome: BreakOutcome | None = Field(default=None, sa_type=word(BreakOutcome))
    reason: str = Field(default="", max_length=1000)
    proposed_by: str | None = Field(default=None, max_length=100)
    confirmed_by: str | None = Field(default=None, max_length=100)
    confirmed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    first_seen: datetime = Field(sa_type=UtcTime)
    last_seen: datetime = Field(sa_type=UtcTime)
    resolved_at: datetime | None = Field(default=None, sa_type=UtcTime)


class ReconItem(SQLModel, table=True):
    """How a return line stands: everything but `matched` is looked at again without news.

    Without foreign keys: a full run writes all rows anew, from those that they would point to.
    """

    __tablename__ = "recon_item"
    __table_args__ = (sa.Index("ix_recon_item_state", "merchant_id", "state"),)
    line_id: UUID = Field(primary_key=True)
    merchant_id: UUID
    state: MatchState = Field(sa_type=word(MatchState))
    checked_at: datetime = Field(sa_type=UtcTime)


class ReconCursor(SQLModel, table=True):
    """Up to where a merchant's comparison has taken a side into account."""

    __tablename__ = "recon_cursor"
    merchant_id: UUID = Field(foreign_key="merchant.id", primary_key=True)
    side: str = Field(primary_key=True, max_length=64)
    value: str = Field(max_length=128)


class ReconSide(SQLModel, table=True):
    """Up to where a processor's report or a chain was read; moves by compare-and-set.

    `position` is the last block that was read for good, or counts the pages of a report.
    """

    __tablename__ = "recon_side"
    name: str = Field(primary_key=True, max_length=64)
    cursor: str = Field(default="", max_length=128, description="id of the newest movement")
    position: int = Field(default=0, sa_type=sa.BigInteger)
    facts: int = Field(default=0, sa_type=sa.BigInteger, description="read since the last full run")


class ProcessorRefundRow(SQLModel, table=True):
    """A refund as a processor told it, in its log, when it was asked, or by its report alone."""

    __tablename__ = "recon_refund"
    __table_args__ = (sa.Index("ix_recon_refund_version", "processor", "version"),)
    processor: str = Field(primary_key=True, max_length=32)
    id: str = Field(primary_key=True, max_length=128)
    leg_id: UUID | None = Field(default=None, index=True, description="its key, if it is one")
    amount: int = Field(sa_type=Uint256)
    currency: str = Field(max_length=8)
    status: RefundStatus = Field(sa_type=word(RefundStatus))
    listed: bool | None = Field(description="whether it is in the log; none: not looked")
    version: int = Field(sa_type=sa.BigInteger, description="page in which it came or changed")


class ProcessorMovementRow(SQLModel, table=True):
    """A line of a processor's report, by its API or from a file."""

    __tablename__ = "recon_movement"
    __table_args__ = (
        sa.Index("ix_recon_movement_about", "about"),
        sa.Index("ix_recon_movement_version", "processor", "version"),
    )
    processor: str = Field(primary_key=True, max_length=32)
    id: str = Field(primary_key=True, max_length=128)
    kind: MovementKind = Field(sa_type=word(MovementKind))
    about: str = Field(max_length=128)
    amount: int = Field(sa_type=sa.BigInteger, description="signed minor units")
    currency: str = Field(max_length=8)
    at: datetime = Field(sa_type=UtcTime)
    version: int = Field(sa_type=sa.BigInteger)
    file_hash: str | None = Field(default=None, max_length=64)


class ReportFile(SQLModel, table=True):
    """A report that came as a file; the same bytes are taken in once."""

    __tablename__ = "recon_file"
    processor: str = Field(primary_key=True, max_length=32)
    file_hash: str = Field(primary_key=True, max_length=64)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    name: str = Field(max_length=200)
    rows: int
    taken: int
    rejected: int
    imported_by: str = Field(max_length=100)
    at: datetime = Field(sa_type=UtcTime)


class ChainEffect(SQLModel, table=True):
    """What a raw log says: the escrow about a line, or a watched token that moved."""

    __tablename__ = "recon_effect"
    __table_args__ = (
        _partial("ix_recon_effect_line_id", "line_id"),
        _partial("ix_recon_effect_token", "token_id", "collection"),
    )
    chain_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    block_number: int = Field(primary_key=True, sa_type=sa.BigInteger)
    log_index: int = Field(primary_key=True)
    block_hash: str = Field(max_length=66)
    name: str = Field(max_length=16)
    line_id: UUID | None = None
    collection: str | None = Field(default=None, max_length=42)
    token_id: int | None = Field(default=None, sa_type=Uint256)
    recipient: str | None = Field(default=None, max_length=42)
    amount: int | None = Field(default=None, sa_type=Uint256)


#: For statements without an object for each row.
BREAKS = table_of(Break)
ITEMS = table_of(ReconItem)
CURSORS = table_of(ReconCursor)
SIDES = table_of(ReconSide)
REFUNDS = table_of(ProcessorRefundRow)
MOVEMENTS = table_of(ProcessorMovementRow)
EFFECTS = table_of(ChainEffect)
