"""A database for tests of the chain, and what such tests read from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import SQLModel, col, select

from chain.relay.queue import Intent, enqueue, shown_state
from returns.db import Database
from returns.ids import new_id
from returns.tables import (
    Block,
    Chain,
    ChainEvent,
    InboxItem,
    IndexGap,
    Lane,
    Merchant,
    RelayAttempt,
    RelaySlot,
    RelayTransaction,
    TokenTransfer,
)

CHAIN_ID = 31337
START = datetime(2026, 1, 1, tzinfo=UTC)


class MovingClock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def ahead(self, seconds: float) -> datetime:
        """The time in so many seconds."""
        return self.now + timedelta(seconds=seconds)


@dataclass
class Books:
    """A migrated database with one merchant."""

    database: Database
    merchant_id: UUID

    def owe(
        self,
        to: str,
        *calls: bytes,
        at: datetime | None = None,
        chain_id: int = CHAIN_ID,
        **more: Any,
    ) -> list[UUID]:
        """Enqueue calls in this order; returns their ids."""
        ids = [new_id() for _ in calls]
        with self.database.write() as session:
            for relay_id, data in zip(ids, calls, strict=True):
                intent = Intent(relay_id, self.merchant_id, chain_id, to, data, **more)
                enqueue(session, intent, at or START)
        return ids

    def relays(self) -> list[RelayTransaction]:
        """All relayed transactions in the order of their intents."""
        with self.database.read() as session:
            query = select(RelayTransaction).order_by(col(RelayTransaction.id))
            return list(session.exec(query))

    def relay(self, relay_id: UUID) -> RelayTransaction:
        """One relayed transaction."""
        with self.database.read() as session:
            return session.get_one(RelayTransaction, relay_id)

    def slot(self, relay_id: UUID) -> RelaySlot | None:
        """The nonce that carries it."""
        with self.database.read() as session:
            row = session.get_one(RelayTransaction, relay_id)
            return row.slot_id and session.get_one(RelaySlot, row.slot_id)

    def shown(self, relay_id: UUID) -> str:
        """Its state as a caller sees it."""
        return shown_state(self.relay(relay_id), self.slot(relay_id))

    def the_slot(self, relay_id: UUID) -> RelaySlot:
        """The nonce that carries it, which there must be."""
        slot = self.slot(relay_id)
        assert slot is not None
        return slot

    def lane(self, address: str | None = None) -> Lane:
        """The lane of a key; the only one, if no key is named."""
        with self.database.read() as session:
            query = select(Lane) if address is None else select(Lane).where(Lane.address == address)
            return session.exec(query).one()

    def set_lane(self, **values: Any) -> None:
        """What an operator changes in the only lane, or a restored database has in it."""
        with self.database.write() as session:
            for name, value in values.items():
                setattr(session.exec(select(Lane)).one(), name, value)

    def attempts(self, relay_id: UUID) -> list[RelayAttempt]:
        """Its signed bytes, oldest first."""
        with self.database.read() as session:
            slot_id = session.get_one(RelayTransaction, relay_id).slot_id
            query = select(RelayAttempt).where(RelayAttempt.slot_id == slot_id)
            return list(session.exec(query.order_by(col(RelayAttempt.created_at))))

    def inbox(self, kind: str | None = None) -> list[InboxItem]:
        """What settlement was told, in order."""
        with self.database.read() as session:
            query = select(InboxItem).order_by(col(InboxItem.id))
            return [item for item in session.exec(query) if kind in (None, item.kind)]

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of one kind."""
        return [json.loads(item.payload) for item in self.inbox(kind)]

    def events(self, *, canonical: bool = True) -> list[ChainEvent]:
        """Indexed events in the order of the chain."""
        return self._in_order(ChainEvent, canonical)

    def transfers(self, *, canonical: bool = True) -> list[TokenTransfer]:
        """Indexed movements of tokens in the order of the chain."""
        return self._in_order(TokenTransfer, canonical)

    def _in_order(self, table: Any, canonical: bool) -> list[Any]:
        block = sa.and_(Block.chain_id == table.chain_id, Block.hash == table.block_hash)
        with self.database.read() as session:
            query = select(table).join(Block, block).where(Block.canonical == canonical)
            return list(session.exec(query.order_by(table.block_number, table.log_index)))

    def chain(self) -> Chain:
        """The cursors of the test chain."""
        with self.database.read() as session:
            return session.get_one(Chain, CHAIN_ID)

    def gaps(self) -> list[IndexGap]:
        """What was odd about the node's answers, mended or not."""
        with self.database.read() as session:
            return list(session.exec(select(IndexGap).order_by(col(IndexGap.first_number))))

    def rows(self) -> dict[str, int]:
        """How many rows each table has, to show that nothing was written."""
        with self.database.read() as session:
            tables = SQLModel.metadata.sorted_tables
            counts = {t.name: sa.select(sa.func.count()).select_from(t) for t in tables}
            return {name: session.connection().scalar(one) or 0 for name, one in counts.items()}


def with_merchant(database: Database) -> Books:
    """Put one merchant into a migrated database."""
    merchant = Merchant(slug="shop", name="Shop", created_at=START)
    with database.write() as session:
        session.add(merchant)
    return Books(database, merchant.id)
