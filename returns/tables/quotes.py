"""Exchange rates that were promised, each for one payout."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import Uint256, UtcTime, word
from returns.ids import new_id
from returns.words import CostBearer, RatePolicy


class RateQuote(SQLModel, table=True):
    """What an amount is worth in another currency until `expires_at`. Its amounts never change.

    One unit of `from_currency` is worth `rate_numerator / rate_denominator` of `to_currency`.
    """

    __tablename__ = "rate_quote"
    __table_args__ = (sa.UniqueConstraint("merchant_id", "subject_id", "number"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    subject_id: UUID = Field(description="the leg or line that it is for")
    number: int = Field(description="counts the quotes of a subject from 1")
    policy: RatePolicy = Field(sa_type=word(RatePolicy))
    paid_at: datetime = Field(sa_type=UtcTime, description="of the purchase")
    from_amount: int = Field(sa_type=Uint256, description="minor units, as they were paid")
    from_currency: str = Field(max_length=8)
    to_amount: int = Field(sa_type=Uint256, description="minor units, rounded down once")
    promised_amount: int = Field(
        sa_type=Uint256, description="that of the first quote, or what a person agreed to later"
    )
    to_currency: str = Field(max_length=8)
    rate_numerator: int = Field(sa_type=Uint256)
    rate_denominator: int = Field(sa_type=Uint256)
    source: str = Field(max_length=200)
    observed_at: datetime = Field(sa_type=UtcTime, description="when the source saw the rate")
    fx_difference: int | None = Field(
        default=None, sa_type=Uint256, description="between then and now; null where unknown"
    )
    fx_bearer: CostBearer | None = Field(default=None, sa_type=word(CostBearer))
    quoted_at: datetime = Field(sa_type=UtcTime)
    expires_at: datetime = Field(sa_type=UtcTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcTime)
