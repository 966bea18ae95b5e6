"""The chain as we saw it. Facts of a chain belong to no merchant.

Whether a fact stands is said once, by its block: a reorg marks blocks, and what they hold stays.
How far it can be relied on is its block's place below the numbers that its chain's row keeps.
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import Uint256, UtcTime, table_of, word
from returns.ids import new_id
from returns.words import GapCode, TokenStandard, WatchKind


class Chain(SQLModel, table=True):
    """The chain that this database belongs to: another node cannot corrupt it. And the cursors.

    The anchor is the block from which our contracts are followed. Not the genesis block: a local
    Anvil makes that anew at each start, and keeps the rest. Everything up to the cursor is read,
    up to `confirmed_number` and `final_number` it was told to settlement; -1 for nothing yet.
    """

    chain_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    anchor_number: int = Field(sa_type=sa.BigInteger)
    anchor_hash: str = Field(max_length=66)
    cursor_number: int = Field(default=-1, sa_type=sa.BigInteger)
    cursor_hash: str = Field(default="", max_length=66)
    confirmed_number: int = Field(default=-1, sa_type=sa.BigInteger)
    final_number: int = Field(default=-1, sa_type=sa.BigInteger)
    watch_version: int = Field(default=0, description="grows with each address that is added")
    head_number: int = Field(default=-1, sa_type=sa.BigInteger, description="the node's newest")
    head_seen_at: datetime | None = Field(default=None, sa_type=UtcTime)
    reorgs: int = 0
    reorg_depth: int = Field(default=0, description="of the last one, in blocks")
    reorg_at: datetime | None = Field(default=None, sa_type=UtcTime)
    events: int = Field(default=0, sa_type=sa.BigInteger, description="read since the first day")
    rpc_calls: int = Field(default=0, sa_type=sa.BigInteger)
    rpc_bytes: int = Field(default=0, sa_type=sa.BigInteger)


class Block(SQLModel, table=True):
    """A block that was seen, linked to its parent by hash. Orphaned ones stay, marked."""

    __table_args__ = (sa.Index("ix_block_number", "chain_id", "number"),)
    chain_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    hash: str = Field(primary_key=True, max_length=66)
    number: int = Field(sa_type=sa.BigInteger)
    parent_hash: str = Field(max_length=66)
    at: datetime = Field(sa_type=UtcTime)
    canonical: bool = True
    orphaned_times: int = Field(default=0, description="a block can come back")


class ChainEvent(SQLModel, table=True):
    """A decoded log of a watched contract that is not the movement of a token."""

    __tablename__ = "chain_event"
    __table_args__ = (sa.Index("ix_chain_event_tx_hash", "tx_hash"), {"sqlite_with_rowid": False})
    chain_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    block_number: int = Field(primary_key=True, sa_type=sa.BigInteger)
    log_index: int = Field(primary_key=True)
    block_hash: str = Field(primary_key=True, max_length=66)
    at: datetime = Field(sa_type=UtcTime)
    tx_hash: str = Field(max_length=66)
    address: str = Field(max_length=42)
    name: str = Field(max_length=64)
    args: str = Field(description="JSON; integers as strings, bytes as 0x hex")


class TokenTransfer(SQLModel, table=True):
    """A movement of a watched collection's token, or of an ERC-20 into or out of a treasury.

    The zero address gives what is minted and takes what is burned. `position` tells the tokens of
    one TransferBatch (ERC-1155) apart. The key begins with the block, so that rows are appended.
    """

    __tablename__ = "token_transfer"
    __table_args__ = (
        sa.Index("ix_token_transfer_token", "token", "token_id"),
        {"sqlite_with_rowid": False},
    )
    chain_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    block_number: int = Field(primary_key=True, sa_type=sa.BigInteger)
    log_index: int = Field(primary_key=True)
    position: int = Field(primary_key=True)
    block_hash: str = Field(primary_key=True, max_length=66)
    at: datetime = Field(sa_type=UtcTime)
    tx_hash: str = Field(max_length=66)
    standard: TokenStandard = Field(sa_type=word(TokenStandard))
    token: str = Field(max_length=42)
    token_id: int | None = Field(default=None, sa_type=Uint256, description="none of an ERC-20")
    sender: str = Field(max_length=42)
    recipient: str = Field(max_length=42)
    amount: int = Field(sa_type=Uint256)


class WatchedContract(SQLModel, table=True):
    """An address whose logs are read: a contract, or a treasury whose ERC-20 money is followed."""

    __tablename__ = "watched_contract"
    chain_id: int = Field(primary_key=True, sa_type=sa.BigInteger)
    address: str = Field(primary_key=True, max_length=42)
    kind: WatchKind = Field(sa_type=word(WatchKind))
    merchant_id: UUID | None = Field(default=None, foreign_key="merchant.id")
    since_block: int = Field(sa_type=sa.BigInteger)
    added_at: datetime = Field(sa_type=UtcTime)


class IndexScan(SQLModel, table=True):
    """Blocks below the cursor that are read for an address that came later, or once more."""

    __tablename__ = "index_scan"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    chain_id: int = Field(sa_type=sa.BigInteger)
    address: str | None = Field(default=None, max_length=42, description="none: all of them")
    next_number: int = Field(sa_type=sa.BigInteger)
    last_number: int = Field(sa_type=sa.BigInteger)
    created_at: datetime = Field(sa_type=UtcTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcTime)


class IndexGap(SQLModel, table=True):
    """Blocks of which a node did not tell everything, or told something that does not fit."""

    __tablename__ = "index_gap"
    __table_args__ = (
        sa.UniqueConstraint("chain_id", "code", "first_number", "last_number", "address"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    chain_id: int = Field(sa_type=sa.BigInteger)
    code: GapCode = Field(sa_type=word(GapCode))
    first_number: int = Field(sa_type=sa.BigInteger)
    last_number: int = Field(sa_type=sa.BigInteger)
    address: str = Field(default="", max_length=42, description="empty: not of one contract")
    problem: str = Field(max_length=1000)
    first_seen: datetime = Field(sa_type=UtcTime)
    last_seen: datetime = Field(sa_type=UtcTime)
    times: int = 1
    resolved_at: datetime | None = Field(default=None, sa_type=UtcTime)


#: For statements without an object for each row.
CHAINS = table_of(Chain)
BLOCKS = table_of(Block)
CHAIN_EVENTS = table_of(ChainEvent)
TOKEN_TRANSFERS = table_of(TokenTransfer)
INDEX_SCANS = table_of(IndexScan)
INDEX_GAPS = table_of(IndexGap)
