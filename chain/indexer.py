"""Follows the chain by block hash; a reorg is walked back, its rows marked and never deleted.

    provisional (seen) ──► confirmed (deep enough to act on) ──► final (for what cannot be undone)

Each step of an event towards final is one inbox row; so is the undoing of an event by a reorg.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from chain.client import BlockHeader, ChainClient, RpcError
from chain.contracts import decode_event
from returns import work
from returns.clock import Clock
from returns.db import Database
from returns.errors import ChainMismatch, ChainUnavailable, LeaseLost
from returns.tables import Block, Chain, ChainEvent
from returns.words import ChainLevel

#: Blocks read in one step.
STEP = 50


@dataclass(frozen=True)
class Finality:
    """Blocks on top, the event's own included, from which it is confirmed and final."""

    confirmed: int
    final: int


class Indexer:
    """One chain's blocks and the logs of watched contracts, in order.

    `watched` maps a lower-case address to the contract whose ABI decodes its logs; events of
    `delivered` (an address) reach settlement through the inbox.
    """

    def __init__(
        self,
        database: Database,
        client: ChainClient,
        chain_id: int,
        clock: Clock,
        *,
        watched: Mapping[str, str],
        delivered: str,
        start_block: int,
        finality: Finality,
    ) -> None:
        self._database = database
        self._client = client
        self._chain_id = chain_id
        self._clock = clock
        self._watched = dict(watched)
        self._delivered = delivered
        self._start = start_block
        self._finality = finality

    def step(self) -> bool:
        """Read what is new, or rewind what a reorg undid; True if there may be more at once."""
        cursor = self._cursor()
        head = self._client.block_number()
        if cursor.cursor_number >= 0 and self._is_orphaned(cursor, head):
            self._rewind(cursor)
            return True
        first = max(cursor.cursor_number + 1, self._start)
        numbers = range(first, min(head, first + STEP - 1) + 1)
        if numbers:
            advanced = self._advance(cursor, numbers)
            if advanced is None:
                return False
            cursor = advanced
        self._promote(cursor, head)
        return bool(numbers) and numbers[-1] < head

    # -- the chain that this database belongs to -------------------------------------------------

    def _cursor(self) -> Chain:
        with self._database.read() as session:
            pinned = session.get(Chain, self._chain_id)
        return pinned or self._pin()

    def _pin(self) -> Chain:
        anchor = self._anchor(self._start)
        row = Chain(chain_id=self._chain_id, anchor_number=anchor.number, anchor_hash=anchor.hash)
        try:
            with self._database.write() as session:
                session.add(row)
        except IntegrityError:
            # Another process pinned it in the same moment.
            return self._cursor()
        return row

    def check_pinned(self) -> None:
        """Raise `ChainMismatch` where the node serves another chain than the database knows.

        Reads only; the first step pins.
        """
        with self._database.read() as session:
            pinned = session.get(Chain, self._chain_id)
        anchor = self._anchor(self._start if pinned is None else pinned.anchor_number)
        if pinned is not None and anchor.hash != pinned.anchor_hash:
            actual = f"{self._chain_id} without the block of our contracts"
            raise ChainMismatch(actual=actual, expected=self._chain_id)

    def _anchor(self, number: int) -> BlockHeader:
        actual, header = self._client.chain_id(), self._client.header(number)
        if actual != self._chain_id:
            raise ChainMismatch(actual=actual, expected=self._chain_id)
        if header is None:
            raise ChainUnavailable(problem=f"it has no block {number} yet")
        return header

    # -- forward -----------------------------------------------------------------------------------

    def _advance(self, cursor: Chain, numbers: Sequence[int]) -> Chain | None:
        """Store blocks and logs, return the new cursor.

        None if the node's answers do not link (a reorg in between).
        """
        headers = [h for h in self._client.headers(numbers) if h is not None]
        if len(headers) != len(numbers) or not _linked(cursor.cursor_hash, headers):
            return None
        try:
            logs = self._client.logs_of_blocks([h.hash for h in headers], list(self._watched))
        except RpcError:
            return None
        with self._database.write() as session:
            moved = self._move_cursor(session, cursor, headers[-1].number, headers[-1].hash)
            for header, found in zip(headers, logs, strict=True):
                self._store(session, header, found)
        return moved

    def _store(self, session: Session, header: BlockHeader, logs: list[dict[str, Any]]) -> None:
        # merge: a block that was orphaned can become part of the chain again.
        session.merge(
            Block(
                chain_id=self._chain_id,
                hash=header.hash,
                number=header.number,
                parent_hash=header.parent_hash,
                at=datetime.fromtimestamp(header.timestamp, UTC),
                canonical=True,
            )
        )
        for log in logs:
            self._store_event(session, header, log)

    def _store_event(self, session: Session, header: BlockHeader, log: dict[str, Any]) -> None:
        address = log["address"].lower()
        decoded = decode_event(self._watched[address], log)
        if decoded is None:
            return
        place = (
            ChainEvent.chain_id == self._chain_id,
            ChainEvent.block_hash == header.hash,
            ChainEvent.log_index == int(log["logIndex"], 16),
        )
        known = session.exec(select(ChainEvent).where(*place)).first()
        if known is not None:
            known.canonical, known.level = True, ChainLevel.PROVISIONAL
            return
        session.add(
            ChainEvent(
                chain_id=self._chain_id,
                block_hash=header.hash,
                block_number=header.number,
                log_index=int(log["logIndex"], 16),
                tx_hash=log["transactionHash"],
                address=address,
                name=decoded.name,
                args=json.dumps(_json_safe(decoded.args), sort_keys=True),
                level=ChainLevel.PROVISIONAL,
            )
        )

    def _move_cursor(self, session: Session, cursor: Chain, number: int, block_hash: str) -> Chain:
        """Compare and set: of two indexers on one chain the second fails loudly."""
        moved = session.connection().execute(
            sa.update(Chain)
            .where(
                col(Chain.chain_id) == cursor.chain_id,
                col(Chain.cursor_number) == cursor.cursor_number,
                col(Chain.cursor_hash) == cursor.cursor_hash,
            )
            .values(cursor_number=number, cursor_hash=block_hash)
        )
        if moved.rowcount != 1:
            raise LeaseLost(row=f"cursor of chain {cursor.chain_id}")
        return Chain(
            chain_id=cursor.chain_id,
            anchor_number=cursor.anchor_number,
            anchor_hash=cursor.anchor_hash,
            cursor_number=number,
            cursor_hash=block_hash,
        )

    # -- levels ------------------------------------------------------------------------------------

    def _promote(self, cursor: Chain, head: int) -> None:
        confirmed, final = self._finality.confirmed, self._finality.final
        self._raise_level(cursor, ChainLevel.PROVISIONAL, ChainLevel.CONFIRMED, head, confirmed)
        self._raise_level(cursor, ChainLevel.CONFIRMED, ChainLevel.FINAL, head, final)

    def _raise_level(
        self, cursor: Chain, old: ChainLevel, new: ChainLevel, head: int, depth: int
    ) -> None:
        query = (
            select(ChainEvent)
            .where(
                ChainEvent.chain_id == self._chain_id,
                col(ChainEvent.canonical),
                ChainEvent.level == old,
                ChainEvent.block_number <= head - depth + 1,
            )
            .order_by(col(ChainEvent.block_number), col(ChainEvent.log_index))
        )
        with self._database.read() as session:
            if session.exec(query.limit(1)).first() is None:
                return
        with self._database.write() as session:
            # Where another indexer has moved on, what was read here may be undone already.
            self._move_cursor(session, cursor, cursor.cursor_number, cursor.cursor_hash)
            for event in session.exec(query):
                event.level = new
                self._deliver(session, event, f"chain.{new.value}")

    def _deliver(self, session: Session, event: ChainEvent, kind: str) -> None:
        if event.address != self._delivered:
            return
        payload = {
            "name": event.name,
            "args": json.loads(event.args),
            "tx_hash": event.tx_hash,
            "block_number": event.block_number,
        }
        work.receive(
            session,
            source=f"chain:{self._chain_id}",
            external_id=f"{event.block_hash}:{event.log_index}:{event.orphaned_times}:{kind}",
            kind=kind,
            payload=json.dumps(payload),
            now=self._clock(),
        )

    # -- back --------------------------------------------------------------------------------------

    def _is_orphaned(self, cursor: Chain, head: int) -> bool:
        """Whether the node has another block where we have ours.

        A node that is behind (one of several behind a balancer) has undone nothing: its newest
        block decides.
        """
        newest = min(cursor.cursor_number, head)
        header = self._client.header(newest)
        if newest == cursor.cursor_number:
            return header is not None and header.hash != cursor.cursor_hash
        ours = [block for block in self._stored_below(newest) if block.number == newest]
        return header is not None and any(block.hash != header.hash for block in ours)

    def _rewind(self, cursor: Chain) -> None:
        self.check_pinned()
        ancestor = self._common_ancestor(cursor.cursor_number)
        number, block_hash = (ancestor.number, ancestor.hash) if ancestor else (-1, "")
        with self._database.write() as session:
            self._move_cursor(session, cursor, number, block_hash)
            self._orphan(session, number)

    def _common_ancestor(self, newest: int) -> Block | None:
        """The newest stored block that the node still has, None if it has none of ours."""
        while stored := self._stored_below(newest):
            headers = self._client.headers([block.number for block in stored])
            for block, header in zip(stored, headers, strict=True):
                if header is not None and header.hash == block.hash:
                    return block
            newest = stored[-1].number - 1
        return None

    def _stored_below(self, newest: int) -> list[Block]:
        query = (
            select(Block)
            .where(Block.chain_id == self._chain_id, col(Block.canonical), Block.number <= newest)
            .order_by(col(Block.number).desc())
            .limit(STEP)
        )
        with self._database.read() as session:
            return list(session.exec(query))

    def _orphan(self, session: Session, above: int) -> None:
        session.connection().execute(
            sa.update(Block)
            .where(col(Block.chain_id) == self._chain_id, col(Block.number) > above)
            .values(canonical=False)
        )
        gone = select(ChainEvent).where(
            ChainEvent.chain_id == self._chain_id,
            col(ChainEvent.canonical),
            ChainEvent.block_number > above,
        )
        # The newest first: what stands on something else is undone before it.
        newest_first = (col(ChainEvent.block_number).desc(), col(ChainEvent.log_index).desc())
        for event in session.exec(gone.order_by(*newest_first)):
            event.canonical = False
            if event.level is not ChainLevel.PROVISIONAL:
                self._deliver(session, event, "chain.reorged")
            event.orphaned_times += 1


def _linked(parent: str, headers: Sequence[BlockHeader]) -> bool:
    for header in headers:
        if parent and header.parent_hash != parent:
            return False
        parent = header.hash
    return True


def _json_safe(args: dict[str, Any]) -> dict[str, Any]:
    """Integers as strings: JSON's readers lose large ones."""
    return {name: str(value) if type(value) is int else value for name, value in args.items()}
