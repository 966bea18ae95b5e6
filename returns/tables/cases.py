"""A return: the case, its lines, why, what was signed, which effects, which token is held."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import Uint256, UtcTime, word
from returns.ids import new_id
from returns.words import (
    Disposition,
    HoldState,
    LegKind,
    LegState,
    LineState,
    Reason,
    RefundStatus,
    Remedy,
)


class ReturnCase(SQLModel, table=True):
    """One request. Its state is derived from its lines."""

    __tablename__ = "return_case"
    __table_args__ = (
        sa.Index("ix_return_case_merchant_id_created_at", "merchant_id", "created_at"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    order_id: UUID = Field(foreign_key="order.id", index=True)
    rma: str = Field(max_length=16, unique=True, description="a name, never a proof")
    reason: Reason = Field(sa_type=word(Reason))
    message: str = Field(default="", max_length=2000)
    requester_wallet: str | None = Field(default=None, max_length=42)
    opened_by: str = Field(max_length=100)
    sequence: int = Field(default=0, description="number of the case's last event")
    created_at: datetime = Field(sa_type=UtcTime)


class ReturnLine(SQLModel, table=True):
    """One token of a case: decisions and states live here."""

    __tablename__ = "return_line"
    __table_args__ = (
        sa.Index("ix_return_line_merchant_id_state", "merchant_id", "state", "updated_at"),
        sa.Index("ix_return_line_merchant_id_updated_at", "merchant_id", "updated_at"),
        sa.Index("ix_return_line_merchant_id_due_at", "merchant_id", "due_at"),
        # The last guard against two open returns of one purchase.
        sa.Index(
            "uq_return_line_open",
            "order_line_id",
            unique=True,
            sqlite_where=sa.text("open"),
            postgresql_where=sa.text("open"),
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    case_id: UUID = Field(foreign_key="return_case.id", index=True)
    order_line_id: UUID = Field(foreign_key="order_line.id", index=True)
    state: LineState = Field(sa_type=word(LineState))
    open: bool = Field(description="false once the purchase may be returned again")
    remedy: Remedy = Field(sa_type=word(Remedy))
    disposition: Disposition = Field(sa_type=word(Disposition))
    amount: int = Field(sa_type=Uint256)
    bonus: int = Field(default=0, sa_type=Uint256, description="store credit on top")
    currency: str = Field(max_length=8)
    recipient: str | None = Field(default=None, max_length=42)
    updated_at: datetime = Field(sa_type=UtcTime)
    due_at: datetime | None = Field(
        default=None, sa_type=UtcTime, description="a person, or the asked customer, acts by then"
    )


class DecisionRow(SQLModel, table=True):
    """What was decided, by whom, on which facts; never changed, the newest one counts."""

    __tablename__ = "decision"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    line_id: UUID | None = Field(
        default=None,
        foreign_key="return_line.id",
        index=True,
        description="none: about facts that were handed in",
    )
    policy_id: UUID = Field(foreign_key="policy.id")
    verdict: str = Field(max_length=16)
    decided_by: str = Field(max_length=100, description="'undrop', or the person")
    facts: str = Field(description="JSON, as the decision saw them")
    body: str = Field(description="JSON: hits, score, contributions, versions, hashes")
    decided_at: datetime = Field(sa_type=UtcTime)


class Authorization(SQLModel, table=True):
    """The EIP-712 message offered for a line, and its signature once given."""

    __table_args__ = (sa.UniqueConstraint("line_id", "digest"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    line_id: UUID = Field(foreign_key="return_line.id", index=True)
    message: str = Field(description="JSON of the struct's fields")
    digest: str = Field(max_length=66)
    holder: str = Field(max_length=42)
    deadline: datetime = Field(sa_type=UtcTime)
    signature: str | None = Field(default=None, max_length=10_000)
    created_at: datetime = Field(sa_type=UtcTime)
    signed_at: datetime | None = Field(default=None, sa_type=UtcTime)


class Leg(SQLModel, table=True):
    """One external effect. The row exists before the effect; its id is the idempotency key."""

    __table_args__ = (
        sa.UniqueConstraint("line_id", "kind", "part", "attempt"),
        # What reconciliation finds a leg by: what is new, and what a processor calls it.
        sa.Index("ix_leg_merchant_id_updated_at", "merchant_id", "updated_at"),
        sa.Index("ix_leg_reference", "reference"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    line_id: UUID = Field(foreign_key="return_line.id", index=True)
    kind: LegKind = Field(sa_type=word(LegKind))
    part: int = Field(default=0, description="of a payout that is split among tenders, from 0")
    attempt: int = 1
    payment_id: UUID | None = Field(
        default=None,
        foreign_key="payment.id",
        index=True,
        description="the payment that a payout gives back",
    )
    state: LegState = Field(sa_type=word(LegState), index=True)
    amount: int = Field(sa_type=Uint256)
    currency: str = Field(max_length=8)
    recipient: str | None = Field(default=None, max_length=128)
    reference: str | None = Field(default=None, max_length=128, description="refund id or tx hash")
    block_number: int | None = Field(default=None, sa_type=sa.BigInteger)
    block_hash: str | None = Field(default=None, max_length=66)
    depth: int | None = Field(default=None, description="blocks on top and its own, when told")
    told: RefundStatus | None = Field(
        default=None, sa_type=word(RefundStatus), description="by the processor, the last of all"
    )
    error: str | None = Field(default=None, max_length=1000)
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)


class Hold(SQLModel, table=True):
    """A token in escrow for a line, as the chain confirmed it."""

    line_id: UUID = Field(foreign_key="return_line.id", primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id", index=True)
    chain_id: int = Field(sa_type=sa.BigInteger)
    collection: str = Field(max_length=42)
    token_id: int = Field(sa_type=Uint256)
    depositor: str = Field(max_length=42)
    state: HoldState = Field(sa_type=word(HoldState), index=True)
    reclaim_after: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)
