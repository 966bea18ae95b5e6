"""What the marketplace tells about tokens, customers, wallets and orders."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import UtcTime, word
from returns.words import SignalAbout


class Signal(SQLModel, table=True):
    """The facts that were told about one subject, the newest value of each."""

    __table_args__ = (sa.Index("ix_signal_told_at", "merchant_id", "told_at"),)
    merchant_id: UUID = Field(foreign_key="merchant.id", primary_key=True)
    about: SignalAbout = Field(sa_type=word(SignalAbout), primary_key=True)
    key: str = Field(max_length=200, primary_key=True)
    facts: str = Field(description="JSON of facts by name, as decisions read them")
    told_at: datetime = Field(sa_type=UtcTime)
