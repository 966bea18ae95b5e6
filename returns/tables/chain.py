"""The chain as we saw it. Facts of a chain belong to no merchant."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import UtcTime, word
from returns.ids import new_id
from returns.words import ChainLevel


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
