"""Webhooks to merchants: where to, signed with what, and how far each event has got."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import UtcTime, word
from returns.ids import new_id
from returns.words import DeliveryState, PayloadStyle

_NOT_DELETED = sa.text("deleted_at IS NULL")
_PENDING = sa.text("state = 'pending'")
_LEASED = sa.text("lease_until IS NOT NULL")
_DEAD = sa.text("state = 'dead'")


class WebhookEndpoint(SQLModel, table=True):
    """An address to which a merchant has its events sent."""

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        sa.Index(
            "uq_webhook_endpoint_url",
            "merchant_id",
            "url",
            unique=True,
            postgresql_where=_NOT_DELETED,
            sqlite_where=_NOT_DELETED,
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    url: str = Field(max_length=1000)
    description: str = Field(default="", max_length=200)
    kinds: str = Field(default="", description="kinds of events, a space between; empty: all")
    style: PayloadStyle = Field(sa_type=word(PayloadStyle))
    enabled: bool = True
    disabled_reason: str = Field(default="", max_length=200)
    flagged_at: datetime | None = Field(
        default=None, sa_type=UtcTime, description="since when it has events that were given up"
    )
    failures: int = Field(default=0, description="in a row")
    rests_until: datetime | None = Field(default=None, sa_type=UtcTime)
    created_at: datetime = Field(sa_type=UtcTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcTime)


class WebhookSecret(SQLModel, table=True):
    """A signing secret, sealed. The newest has no expiry; older ones sign beside it for a while."""

    __tablename__ = "webhook_secret"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    endpoint_id: UUID = Field(foreign_key="webhook_endpoint.id", index=True)
    sealed: str = Field(max_length=200)
    created_at: datetime = Field(sa_type=UtcTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcTime)


class WebhookDelivery(SQLModel, table=True):
    """One event on its way to one endpoint. A ping is about no event."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        sa.UniqueConstraint("endpoint_id", "event_id"),
        sa.Index(
            "ix_webhook_delivery_due",
            "endpoint_id",
            "due_at",
            "id",
            postgresql_where=_PENDING,
            sqlite_where=_PENDING,
        ),
        sa.Index(
            "ix_webhook_delivery_leased",
            "endpoint_id",
            "lease_until",
            postgresql_where=_LEASED,
            sqlite_where=_LEASED,
        ),
        # What an event waits for: earlier ones of its case.
        sa.Index(
            "ix_webhook_delivery_order",
            "endpoint_id",
            "case_id",
            "sequence",
            postgresql_where=_PENDING,
            sqlite_where=_PENDING,
        ),
        sa.Index("ix_webhook_delivery_newest", "merchant_id", "id"),
        sa.Index(
            "ix_webhook_delivery_dead",
            "merchant_id",
            "id",
            postgresql_where=_DEAD,
            sqlite_where=_DEAD,
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    endpoint_id: UUID = Field(foreign_key="webhook_endpoint.id")
    event_id: UUID | None = Field(default=None, foreign_key="event.id")
    #: The event's. Without a foreign key: its check would wait for whoever moves the case.
    case_id: UUID | None = None
    sequence: int | None = None
    kind: str = Field(max_length=64)
    state: DeliveryState = Field(sa_type=word(DeliveryState))
    created_at: datetime = Field(sa_type=UtcTime)
    due_at: datetime = Field(sa_type=UtcTime)
    give_up_at: datetime = Field(sa_type=UtcTime)
    attempts: int = 0
    fence: int = 0
    lease_until: datetime | None = Field(default=None, sa_type=UtcTime)
    delivered_at: datetime | None = Field(default=None, sa_type=UtcTime)
    last_status: int | None = None
    last_error: str | None = Field(default=None, max_length=300)
