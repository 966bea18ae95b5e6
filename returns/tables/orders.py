"""Merchants, who may call for them, what they sold, and under which policy."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import Uint256, UtcTime, word
from returns.ids import new_id
from returns.words import ActivationKind, DisputeStatus, Tender


class Merchant(SQLModel, table=True):
    """The tenant. Its vault is its name in the contracts: where tokens go, whose float pays."""

    id: UUID = Field(default_factory=new_id, primary_key=True)
    slug: str = Field(max_length=64, unique=True)
    name: str = Field(max_length=200)
    vault: str | None = Field(default=None, max_length=42, unique=True)
    created_at: datetime = Field(sa_type=UtcTime)


class ApiKey(SQLModel, table=True):
    """A key of the merchant's back end or staff. Only the hash of its secret is stored."""

    __tablename__ = "api_key"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id", index=True)
    label: str = Field(max_length=100)
    secret_hash: str = Field(max_length=64, unique=True)
    scopes: str = Field(max_length=500, description="separated by spaces")
    created_at: datetime = Field(sa_type=UtcTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcTime)


class PolicyRow(SQLModel, table=True):
    """One version of a policy, never changed. `PolicyActivation` says which one is in force."""

    __tablename__ = "policy"
    __table_args__ = (sa.UniqueConstraint("merchant_id", "version"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    version: int
    name: str = Field(max_length=100)
    text: str
    policy_hash: str = Field(max_length=64)
    created_by: str = Field(max_length=100)
    created_at: datetime = Field(sa_type=UtcTime)


class PolicyActivation(SQLModel, table=True):
    """From when on a version is in force; never changed, never deleted.

    At a moment that one counts which has begun last; of several with one beginning, the one with
    the highest number.
    """

    __tablename__ = "policy_activation"
    __table_args__ = (
        sa.UniqueConstraint("merchant_id", "number"),
        sa.Index("ix_policy_activation_begun", "merchant_id", "effective_from", "number"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    number: int = Field(description="counts the merchant's activations from 1")
    policy_id: UUID = Field(foreign_key="policy.id")
    kind: ActivationKind = Field(sa_type=word(ActivationKind))
    effective_from: datetime = Field(sa_type=UtcTime)
    proposed_by: str = Field(max_length=100)
    approved_by: str = Field(max_length=100)
    reason: str = Field(default="", max_length=1000)
    at: datetime = Field(sa_type=UtcTime)


class Order(SQLModel, table=True):
    """A purchase as the marketplace tells it."""

    __tablename__ = "order"
    __table_args__ = (
        sa.UniqueConstraint("merchant_id", "number"),
        sa.Index("ix_order_merchant_id_customer", "merchant_id", "customer"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    number: str = Field(max_length=100)
    placed_at: datetime = Field(sa_type=UtcTime)
    customer: str = Field(max_length=100, description="the shop's own name of the customer")
    buyer_wallet: str | None = Field(default=None, max_length=42)
    channel: str = Field(max_length=32)
    content_hash: str = Field(max_length=64, description="tells a repeated order from another one")
    created_at: datetime = Field(sa_type=UtcTime)


class OrderLine(SQLModel, table=True):
    """One token of an order and what was paid for it, in minor units of the payment's currency."""

    __tablename__ = "order_line"
    __table_args__ = (
        sa.UniqueConstraint("order_id", "position"),
        sa.Index("ix_order_line_token", "merchant_id", "collection", "token_id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    order_id: UUID = Field(foreign_key="order.id")
    position: int
    chain_id: int = Field(sa_type=sa.BigInteger)
    collection: str = Field(max_length=42)
    token_id: int = Field(sa_type=Uint256)
    price: int = Field(sa_type=Uint256)


class Payment(SQLModel, table=True):
    """Money that came in for an order: the ceiling of what can go out for it.

    An order has several where it was paid by several tenders, or captured in several parts.
    """

    __table_args__ = (sa.UniqueConstraint("merchant_id", "processor", "reference"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    order_id: UUID = Field(foreign_key="order.id", index=True)
    tender: Tender = Field(sa_type=word(Tender))
    processor: str = Field(max_length=32)
    reference: str = Field(max_length=128, description="charge id, or hash of the paying tx")
    currency: str = Field(max_length=8)
    captured: int = Field(sa_type=Uint256)


class Dispute(SQLModel, table=True):
    """A chargeback of a payment. While it is open, and if it is lost, its money is out."""

    __table_args__ = (sa.UniqueConstraint("processor", "reference"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    payment_id: UUID = Field(foreign_key="payment.id", index=True)
    processor: str = Field(max_length=32)
    reference: str = Field(max_length=128, description="the processor's id of it")
    status: DisputeStatus = Field(sa_type=word(DisputeStatus))
    amount: int = Field(sa_type=Uint256)
    currency: str = Field(max_length=8)
    opened_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)
