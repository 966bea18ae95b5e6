"""What the index writes: blocks, rows, cursors, and what settlement is told.

Each function is part of its caller's transaction. A cursor moves by compare-and-set: of two
indexers on one chain the second fails loudly, and nothing that it has read is kept.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from chain.index.decoding import EVENT_COLUMNS, TRANSFER_COLUMNS
from chain.index.proof import Header
from chain.index.reading import Span
from returns import work
from returns.bulk import among, copy_many
from returns.errors import LeaseLost
from returns.tables import Block, Chain, ChainEvent
from returns.tables.chain import BLOCKS, CHAIN_EVENTS, CHAINS
from returns.tables.chain import TOKEN_TRANSFERS as TRANSFERS
from returns.words import ChainLevel

#: What a cursor must still be when it moves.
_COMPARED = ("cursor_number", "cursor_hash", "confirmed_number", "final_number", "watch_version")

#: Kept for who looks orders up; nothing is done when they happen.
_NOT_TOLD = ("OrderValidated", "OrderCancelled", "CounterIncremented")

_BLOCK_COLUMNS = ("chain_id", "hash", "number", "parent_hash", "at", "canonical", "orphaned_times")


def move(session: Session, chain: Chain, **values: Any) -> Chain:
    """Change the chain's row if it is as it was read; returns it as it is then.

    Raises `LeaseLost` where somebody else has moved it.
    """
    before = [CHAINS.c[name] == getattr(chain, name) for name in _COMPARED]
    moved = sa.update(CHAINS).where(CHAINS.c.chain_id == chain.chain_id, *before).values(**values)
    if session.connection().execute(moved).rowcount != 1:
        raise LeaseLost(row=f"cursor of chain {chain.chain_id}")
    return Chain(**{**chain.model_dump(), **values})


# -- blocks and rows -------------------------------------------------------------------------------


def store(session: Session, chain_id: int, span: Span, *, again: bool = False) -> int:
    """Add a span to what is stored; returns how many rows were new.

    `again`: some of its rows may be there. So may those of a block that comes back.
    """
    returned = _store_blocks(session, chain_id, span.headers)
    transfers, events = span.rows.transfers, span.rows.events
    if again or returned:
        place = (chain_id, span.headers[0].number, span.headers[-1].number)
        transfers = _without(session, TRANSFERS, place, TRANSFER_COLUMNS, transfers)
        events = _without(session, CHAIN_EVENTS, place, EVENT_COLUMNS, events)
    copy_many(session, TRANSFERS, TRANSFER_COLUMNS, transfers)
    copy_many(session, CHAIN_EVENTS, EVENT_COLUMNS, events)
    return len(transfers) + len(events)


def _store_blocks(session: Session, chain_id: int, headers: Sequence[Header]) -> bool:
    """Whether some of them were known: a block that was orphaned can be of the chain again."""
    is_known = among(session, BLOCKS.c.hash, [one.hash for one in headers])
    mine = BLOCKS.c.chain_id == chain_id
    known = set(session.connection().scalars(sa.select(BLOCKS.c.hash).where(mine, is_known)))
    if known:
        back = sa.update(BLOCKS).where(mine, is_known).values(canonical=True)
        session.connection().execute(back)
    rows = [
        (chain_id, one.hash, one.number, one.parent_hash, one.at, True, 0)
        for one in headers
        if one.hash not in known
    ]
    copy_many(session, BLOCKS, _BLOCK_COLUMNS, rows)
    return bool(known)


def _without(
    session: Session,
    table: sa.Table,
    place: tuple[int, int, int],
    names: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> list[tuple[Any, ...]]:
    """Rows whose keys are not stored yet."""
    key = [column.name for column in table.primary_key]
    chain_id, first, last = place
    stored = sa.select(*(table.c[name] for name in key)).where(
        table.c.chain_id == chain_id, table.c.block_number.between(first, last)
    )
    known = {tuple(row) for row in session.connection().execute(stored)}
    at = [names.index(name) for name in key]
    return [row for row in rows if tuple(row[one] for one in at) not in known]


def stored_hashes(session: Session, chain_id: int, first: int, last: int) -> dict[int, str]:
    """Hashes by number of the blocks that stand."""
    query = select(Block.number, Block.hash).where(
        Block.chain_id == chain_id, col(Block.canonical), col(Block.number).between(first, last)
    )
    return dict(session.exec(query).all())


def stored_parent(session: Session, chain_id: int, number: int) -> str | None:
    """What the block of this number that stands follows; None where none is stored."""
    query = select(Block.parent_hash).where(
        Block.chain_id == chain_id, Block.number == number, col(Block.canonical)
    )
    return session.exec(query).first()


def orphan(session: Session, chain_id: int, above: int) -> None:
    """Blocks above a number stand no longer; what they hold stays, and falls with them."""
    gone = sa.update(BLOCKS).where(
        BLOCKS.c.chain_id == chain_id, BLOCKS.c.number > above, BLOCKS.c.canonical
    )
    times = BLOCKS.c.orphaned_times + 1
    session.connection().execute(gone.values(canonical=False, orphaned_times=times))


# -- what settlement is told -----------------------------------------------------------------------


def tell(
    session: Session,
    chain: Chain,
    addresses: Collection[str],
    blocks: tuple[int, int],
    kind: str,
    now: datetime,
) -> None:
    """Tell of events in blocks `(after, up to]` that stand, once each; what is undone newest first.

    A block that comes back is told of again: how often it was orphaned is part of the name.
    """
    after, upto = blocks
    place = (ChainEvent.block_number, ChainEvent.log_index)
    query = (
        select(ChainEvent, Block.orphaned_times)
        .join(Block, sa.and_(*_IN_ITS_BLOCK))
        .where(ChainEvent.chain_id == chain.chain_id, col(Block.canonical))
        .where(col(ChainEvent.block_number) > after, col(ChainEvent.block_number) <= upto)
        .where(col(ChainEvent.address).in_(addresses), col(ChainEvent.name).not_in(_NOT_TOLD))
    )
    if kind == "chain.reorged":
        # What stands on something else is undone before it.
        query = query.order_by(*(col(one).desc() for one in place))
    else:
        query = query.order_by(*(col(one) for one in place))
    for event, times in session.exec(query):
        _tell_one(session, chain, event, times, kind, now)


_IN_ITS_BLOCK = (
    col(Block.chain_id) == ChainEvent.chain_id,
    col(Block.hash) == ChainEvent.block_hash,
)


def _tell_one(
    session: Session, chain: Chain, event: ChainEvent, times: int, kind: str, now: datetime
) -> None:
    payload = {
        "name": event.name,
        "args": json.loads(event.args),
        "address": event.address,
        "tx_hash": event.tx_hash,
        "log_index": event.log_index,
        "block_number": event.block_number,
        "block_hash": event.block_hash,
        "orphaned_times": times,
        "depth": chain.head_number - event.block_number + 1,
    }
    work.receive(
        session,
        source=f"chain:{chain.chain_id}",
        external_id=f"{event.block_hash}:{event.log_index}:{times}:{kind}",
        kind=kind,
        payload=json.dumps(payload),
        now=now,
    )


def levels_told(chain: Chain) -> list[tuple[str, int]]:
    """Up to which block settlement was told of what is confirmed, and final."""
    return [
        (f"chain.{ChainLevel.CONFIRMED.value}", chain.confirmed_number),
        (f"chain.{ChainLevel.FINAL.value}", chain.final_number),
    ]
