"""Exchange rates that were promised, each for one payout."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from returns.columns import Uint256, UtcTime, word
from returns.ids import new_id
from returns.words import RatePolicy


class RateQuote(SQLModel, table=True):
    """What an amount is worth in another currency until `expires_at`. Its amounts never change.

    One `to` unit costs `rate_denominator / rate_numerator` `from` units, in major units.
    """

    __tablename__ = "rate_quote"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    subject_id: UUID = Field(index=True, description="the line or leg that it is for")
    policy: RatePolicy = Field(sa_type=word(RatePolicy))
    paid_at: datetime = Field(sa_type=UtcTime, description="of the purchase")
    from_amount: int = Field(sa_type=Uint256, description="minor units, as they were paid")
    from_currency: str = Field(max_length=8)
    to_amount: int = Field(sa_type=Uint256, description="minor units, rounded down once")
    to_currency: str = Field(max_length=8)
    rate_numerator: int = Field(sa_type=Uint256)
    rate_denominator: int = Field(sa_type=Uint256)
    source: str = Field(max_length=200)
    observed_at: datetime = Field(sa_type=UtcTime, description="when the source saw the rate")
    fx_difference: int = Field(
        default=0, sa_type=Uint256, description="between then and now, in `to_currency`"
    )
    fx_bearer: str = Field(default="", max_length=16, description="empty where there is none")
    quoted_at: datetime = Field(sa_type=UtcTime)
    expires_at: datetime = Field(sa_type=UtcTime)
    replaces_id: UUID | None = Field(default=None, foreign_key="rate_quote.id", unique=True)
    used_at: datetime | None = Field(default=None, sa_type=UtcTime)
