"""What reconciliation compared, and the differences that it found."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import UtcTime
from returns.ids import new_id


class ReconciliationRun(SQLModel, table=True):
    """One comparison of the three sides at one moment and block."""

    __tablename__ = "reconciliation_run"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id", index=True)
    block_number: int = Field(sa_type=sa.BigInteger)
    legs: int
    processor_refunds: int
    chain_events: int
    at: datetime = Field(sa_type=UtcTime)


class Break(SQLModel, table=True):
    """A difference: code, subject, what was expected, what was found; as old as `first_seen`."""

    __table_args__ = (sa.UniqueConstraint("merchant_id", "code", "subject"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    code: str = Field(max_length=64)
    subject: str = Field(max_length=200)
    rma: str | None = Field(default=None, max_length=16)
    expected: str = Field(max_length=300)
    found: str = Field(max_length=300)
    owner: str = Field(max_length=32)
    first_seen: datetime = Field(sa_type=UtcTime)
    last_seen: datetime = Field(sa_type=UtcTime)
    resolved_at: datetime | None = Field(default=None, sa_type=UtcTime)
