"""Store credit: lots that were issued, holds of checkouts, and which hold uses which lots."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import Uint256, UtcTime, word
from returns.ids import new_id
from returns.words import CreditHoldState, CreditState

_OPEN = "state = 'open'"


class CreditLot(SQLModel, table=True):
    """Credit issued at once, in minor units. What is neither left nor spent has lapsed."""

    __tablename__ = "credit_lot"
    __table_args__ = (
        sa.CheckConstraint("held <= remaining and remaining <= amount", name="within"),
        sa.Index("ix_credit_lot_merchant_id_customer", "merchant_id", "customer"),
        sa.Index(
            "ix_credit_lot_due",
            "expires_at",
            sqlite_where=sa.text(_OPEN),
            postgresql_where=sa.text(_OPEN),
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    customer: str = Field(max_length=100)
    currency: str = Field(max_length=8)
    amount: int = Field(sa_type=Uint256, description="with the bonus")
    bonus: int = Field(sa_type=Uint256, description="of the amount")
    remaining: int = Field(sa_type=Uint256, description="owed, with what is held")
    held: int = Field(sa_type=Uint256, description="of what remains, set aside by open holds")
    spent: int = Field(default=0, sa_type=Uint256)
    state: CreditState = Field(sa_type=word(CreditState))
    line_id: UUID | None = Field(
        default=None, foreign_key="return_line.id", index=True, description="none: goodwill"
    )
    cause: UUID = Field(unique=True, description="the leg that issued it; its own id for goodwill")
    reason: str = Field(default="", max_length=1000)
    issued_by: str = Field(max_length=100)
    expires_at: datetime | None = Field(default=None, sa_type=UtcTime)
    reversed_at: datetime | None = Field(
        default=None, sa_type=UtcTime, description="when its leg was undone"
    )
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)


class CreditHold(SQLModel, table=True):
    """Credit set aside for one checkout, under the shop's own reference."""

    __tablename__ = "credit_hold"
    __table_args__ = (
        sa.UniqueConstraint("merchant_id", "reference"),
        sa.CheckConstraint("captured <= amount", name="within"),
        sa.Index("ix_credit_hold_merchant_id_customer", "merchant_id", "customer"),
        sa.Index(
            "ix_credit_hold_due",
            "expires_at",
            sqlite_where=sa.text(_OPEN),
            postgresql_where=sa.text(_OPEN),
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    reference: str = Field(max_length=100)
    customer: str = Field(max_length=100)
    currency: str = Field(max_length=8)
    amount: int = Field(sa_type=Uint256)
    captured: int = Field(default=0, sa_type=Uint256)
    state: CreditHoldState = Field(sa_type=word(CreditHoldState))
    placed_by: str = Field(max_length=100)
    closed_by: str | None = Field(default=None, max_length=100)
    expires_at: datetime = Field(sa_type=UtcTime)
    created_at: datetime = Field(sa_type=UtcTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcTime)


class CreditUse(SQLModel, table=True):
    """How much of a lot a hold set aside, and how much of that was spent."""

    __tablename__ = "credit_use"
    __table_args__ = (sa.CheckConstraint("captured <= amount", name="within"),)
    hold_id: UUID = Field(foreign_key="credit_hold.id", primary_key=True)
    lot_id: UUID = Field(foreign_key="credit_lot.id", primary_key=True, index=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    amount: int = Field(sa_type=Uint256)
    captured: int = Field(default=0, sa_type=Uint256)
