"""The chain as we saw it, and what we sent to it. Facts of a chain belong to no merchant."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import Uint256, UtcTime, word
from returns.ids import new_id
from returns.words import ChainLevel, RelayState


class Chain(SQLModel, table=True):
    """The chain that this database belongs to: another node cannot corrupt it. And the cursor.

    The anchor is the block from which our contracts are followed. Not the genesis block: a local
    Anvil makes that anew at each start, and keeps the rest.
    """

    chain_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    anchor_number: int = Field(sa_type=sa.BigInteger)
    anchor_hash: str = Field(max_length=66)
    cursor_number: int = Field(default=-1, sa_type=sa.BigInteger)
    cursor_hash: str = Field(default="", max_length=66)


class Block(SQLModel, table=True):
    """A block that was seen. Orphaned ones stay, marked."""

    chain_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    hash: str = Field(primary_key=True, max_length=66)
    number: int = Field(sa_type=sa.BigInteger, index=True)
    parent_hash: str = Field(max_length=66)
    at: datetime = Field(sa_type=UtcTime)
    canonical: bool = True


class ChainEvent(SQLModel, table=True):
    """A decoded log of a watched contract."""

    __tablename__ = "chain_event"
    __table_args__ = (
        sa.UniqueConstraint("chain_id", "block_hash", "log_index"),
        sa.Index("ix_chain_event_level", "chain_id", "canonical", "level", "block_number"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    chain_id: int = Field(sa_type=sa.BigInteger)
    block_hash: str = Field(max_length=66)
    block_number: int = Field(sa_type=sa.BigInteger)
    log_index: int
    tx_hash: str = Field(max_length=66)
    address: str = Field(max_length=42)
    name: str = Field(max_length=64)
    args: str = Field(description="JSON; integers as strings, bytes as 0x hex")
    level: ChainLevel = Field(sa_type=word(ChainLevel))
    canonical: bool = True
    orphaned_times: int = Field(default=0, description="a block can come back")


class Lane(SQLModel, table=True):
    """A signer key's queue of nonces. One worker owns it at a time, through a lease."""

    __table_args__ = (sa.UniqueConstraint("chain_id", "address"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    chain_id: int = Field(sa_type=sa.BigInteger)
    address: str = Field(max_length=42)
    next_nonce: int = Field(sa_type=sa.BigInteger)
    fence: int = 0
    lease_until: datetime | None = Field(default=None, sa_type=UtcTime)


class RelayTransaction(SQLModel, table=True):
    """A transaction that we owe to the chain. Its id is the id of the leg that it serves."""

    __tablename__ = "relay_transaction"
    __table_args__ = (
        sa.UniqueConstraint("lane_id", "nonce"),
        sa.Index("ix_relay_transaction_state", "state", "created_at"),
    )
    id: UUID = Field(primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    chain_id: int = Field(sa_type=sa.BigInteger)
    to: str = Field(max_length=42)
    data: bytes
    value: int = Field(default=0, sa_type=Uint256)
    state: RelayState = Field(sa_type=word(RelayState))
    lane_id: UUID | None = Field(default=None, foreign_key="lane.id")
    nonce: int | None = Field(default=None, sa_type=sa.BigInteger)
    gas_used: int | None = Field(default=None, sa_type=sa.BigInteger)
    block_number: int | None = Field(default=None, sa_type=sa.BigInteger)
    error: str | None = Field(default=None, max_length=1000)
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)


class RelayAttempt(SQLModel, table=True):
    """Signed bytes of a nonce. Stored before they are broadcast; a restart sends the same ones."""

    __tablename__ = "relay_attempt"
    hash: str = Field(primary_key=True, max_length=66)
    relay_id: UUID = Field(foreign_key="relay_transaction.id", index=True)
    raw: bytes
    max_fee: int = Field(sa_type=Uint256)
    priority_fee: int = Field(sa_type=Uint256)
    created_at: datetime = Field(sa_type=UtcTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcTime)
