"""What the price of a purchased token is made of."""

from uuid import UUID

from sqlmodel import Field, SQLModel

from returns.columns import Uint256, word
from returns.words import ChargeKind


class OrderCharge(SQLModel, table=True):
    """One part of an order line's price; the parts sum to it. A line without any is item alone."""

    __tablename__ = "order_charge"
    order_line_id: UUID = Field(foreign_key="order_line.id", primary_key=True)
    kind: ChargeKind = Field(sa_type=word(ChargeKind), primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    amount: int = Field(sa_type=Uint256)
