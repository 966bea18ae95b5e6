"""What we send to a chain: intents, the nonces that carry them, the bytes of each nonce."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import Uint256, UtcTime, table_of, word
from returns.ids import new_id
from returns.words import LaneMode, LanePurpose, RelayState, SlotState


class Lane(SQLModel, table=True):
    """A signer key's queue of nonces. One worker owns it at a time, through a lease."""

    __table_args__ = (sa.UniqueConstraint("chain_id", "address"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    chain_id: int = Field(sa_type=sa.BigInteger)
    address: str = Field(max_length=42)
    purpose: LanePurpose = Field(default=LanePurpose.OPERATE, sa_type=word(LanePurpose))
    mode: LaneMode = Field(default=LaneMode.RUNNING, sa_type=word(LaneMode))
    next_nonce: int = Field(sa_type=sa.BigInteger)
    fence: int = 0
    lease_until: datetime | None = Field(default=None, sa_type=UtcTime)
    checked_at: datetime | None = Field(default=None, sa_type=UtcTime)
    balance: int | None = Field(default=None, sa_type=Uint256, description="wei, when last looked")
    alarm: str | None = Field(default=None, max_length=500)
    alarm_since: datetime | None = Field(default=None, sa_type=UtcTime)


class RelayTransaction(SQLModel, table=True):
    """A call that we owe to the chain: an intent. Its id is its leg's, or its caller's.

    It is `pending` until it has a nonce (`slot_id`), and `sent` until that nonce's fate is known.
    Several intents share a nonce when they are batched.
    """

    __tablename__ = "relay_transaction"
    __table_args__ = (
        sa.Index("ix_relay_transaction_state", "chain_id", "state", "due_at"),
        sa.Index("ix_relay_transaction_case_id", "case_id"),
        sa.Index("ix_relay_transaction_created_at", "merchant_id", "created_at"),
        # Room for what changes no index: who has taken an intent up.
        {"postgresql_with": {"fillfactor": 75}},
    )
    id: UUID = Field(primary_key=True)
    merchant_id: UUID | None = Field(
        default=None, foreign_key="merchant.id", description="null: gas for a lane"
    )
    chain_id: int = Field(sa_type=sa.BigInteger)
    to: str = Field(max_length=42)
    data: bytes
    value: int = Field(default=0, sa_type=Uint256)
    facts: str = Field(default="{}", description="JSON: what the guard holds the call to")
    moves: str | None = Field(default=None, description="JSON: the asset changes it must make")
    case_id: UUID | None = None
    customer: str | None = Field(default=None, max_length=100)
    state: RelayState = Field(sa_type=word(RelayState))
    lane_id: UUID | None = Field(default=None, foreign_key="lane.id")
    slot_id: UUID | None = Field(default=None, foreign_key="relay_slot.id", index=True)
    batch_limit: int = Field(default=1, description="how many may share its nonce")
    due_at: datetime = Field(sa_type=UtcTime, description="not looked at before")
    send_by: datetime | None = Field(
        default=None, sa_type=UtcTime, description="may wait for a cheap block until then"
    )
    expires_at: datetime | None = Field(default=None, sa_type=UtcTime)
    error: str | None = Field(default=None, max_length=1000)
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)


class RelaySlot(SQLModel, table=True):
    """One nonce of a lane. Reserved before it is signed; never skipped, never used twice."""

    __tablename__ = "relay_slot"
    __table_args__ = (
        sa.UniqueConstraint("lane_id", "nonce"),
        sa.Index("ix_relay_slot_state", "lane_id", "state"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    lane_id: UUID = Field(foreign_key="lane.id")
    nonce: int = Field(sa_type=sa.BigInteger)
    state: SlotState = Field(sa_type=word(SlotState))
    fill_as: RelayState | None = Field(
        default=None,
        sa_type=word(RelayState, "fill_as"),
        description="a self-transfer takes the nonce, and its intents end so",
    )
    bump: bool = Field(default=False, description="a higher fee is wanted")
    intents: int = Field(default=0, description="how many share it, and its cost")
    cost: int = Field(default=0, sa_type=Uint256, description="wei of gas: reserved, then paid")
    block_number: int | None = Field(default=None, sa_type=sa.BigInteger)
    block_hash: str | None = Field(default=None, max_length=66)
    mined_hash: str | None = Field(default=None, max_length=66)
    gas_used: int | None = Field(default=None, sa_type=sa.BigInteger)
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)


class RelayAttempt(SQLModel, table=True):
    """Signed bytes of a nonce, stored before they are broadcast. All are kept, all are followed."""

    __tablename__ = "relay_attempt"
    hash: str = Field(primary_key=True, max_length=66)
    slot_id: UUID = Field(foreign_key="relay_slot.id", index=True)
    raw: bytes
    filler: bool = Field(default=False, description="a self-transfer that fills the nonce")
    max_fee: int = Field(sa_type=Uint256, description="wei per gas, tip included")
    priority_fee: int = Field(sa_type=Uint256, description="wei per gas")
    gas_limit: int = Field(sa_type=sa.BigInteger)
    created_at: datetime = Field(sa_type=UtcTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcTime)
    error: str | None = Field(default=None, max_length=500, description="the node's last refusal")


class GasDay(SQLModel, table=True):
    """Gas of a merchant's intents on one day (UTC), or of those of one customer.

    Its lock orders the reservations. The day's sum has no customer.
    """

    __tablename__ = "gas_day"
    __table_args__ = (sa.UniqueConstraint("merchant_id", "day", "customer"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    day: date
    customer: str = Field(default="", max_length=100)
    spent: int = Field(default=0, sa_type=Uint256, description="wei: reserved, then paid")


class RelayRule(SQLModel, table=True):
    """What a merchant's own back end may have relayed: everything else is refused."""

    __tablename__ = "relay_rule"
    __table_args__ = (sa.UniqueConstraint("merchant_id", "chain_id", "contract", "function"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    chain_id: int = Field(sa_type=sa.BigInteger)
    contract: str = Field(max_length=42)
    function: str = Field(max_length=300, description="such as transfer(address,uint256)")
    where: str = Field(default="{}", description="JSON: values that its arguments may have")
    max_value: int = Field(default=0, sa_type=Uint256, description="wei that it may carry")
    created_at: datetime = Field(sa_type=UtcTime)


#: For statements without an object for each row.
LANES = table_of(Lane)
INTENTS = table_of(RelayTransaction)
SLOTS = table_of(RelaySlot)
ATTEMPTS = table_of(RelayAttempt)
GAS_DAYS = table_of(GasDay)
RELAY_RULES = table_of(RelayRule)
