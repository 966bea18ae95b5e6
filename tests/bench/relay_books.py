"""Books with a merchant that allows the benchmark's call, and intents in them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select

from chain.relay import queue
from chain.relay.queue import Intent
from returns import migrate
from returns.clock import system_clock
from returns.db import Database
from returns.ids import new_id
from returns.tables import Merchant, RelayRule, RelayTransaction
from returns.words import RelayState
from tests.bench.relay_setting import LOOK_S, Setting, record
from tests.support import stores
from tests.support.chain_node import CHAIN_ID, VAULT

#: Customers whose gas budgets are counted apart.
_CUSTOMERS = 200
_PATIENCE_S = 120


@dataclass(frozen=True)
class Books:
    """A migrated database with one merchant."""

    database: Database
    merchant_id: UUID

    def allow(self, contract: str, function: str) -> None:
        """The merchant's back end may have this call relayed."""
        rule = RelayRule(
            merchant_id=self.merchant_id,
            chain_id=CHAIN_ID,
            contract=contract,
            function=function,
            created_at=system_clock(),
        )
        with self.database.write() as session:
            session.add(rule)

    def recording(self, chain: Setting, one: bytes) -> Intent:
        """The call that all settings make, as the product owes it: nothing may change hands."""
        return Intent(
            id=new_id(),
            merchant_id=self.merchant_id,
            chain_id=CHAIN_ID,
            to=chain.recorder,
            data=record(one),
            moves=(),
            case_id=new_id(),
            customer=f"customer {one[0] % _CUSTOMERS}",
        )

    def owe(self, intents: Sequence[Intent]) -> None:
        """Store intents in one transaction."""
        with self.database.write() as session:
            for intent in intents:
                queue.enqueue(session, intent, system_clock())

    def wait_until_confirmed(self, count: int) -> float:
        """When (`perf_counter`) so many intents are confirmed and none is open.

        Raises `SystemExit` where one ends otherwise, or they do not get there.
        """
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            states = self._states()
            if states == {RelayState.CONFIRMED: count}:
                return time.perf_counter()
            if states.keys() - {RelayState.PENDING, RelayState.SENT, RelayState.CONFIRMED}:
                break
            time.sleep(LOOK_S)
        raise SystemExit(f"not all of {count} were confirmed, but {states}: nothing to measure")

    def _states(self) -> dict[RelayState, int]:
        state = col(RelayTransaction.state)
        with self.database.read() as session:
            return dict(session.exec(select(state, sa.func.count()).group_by(state)).all())


@contextmanager
def books(*, on_postgres: bool) -> Iterator[Books]:
    """Fresh books on PostgreSQL or in a file of SQLite."""
    with _url(on_postgres) as url:
        database = Database(url)
        migrate.upgrade(database)
        merchant = Merchant(slug="shop", name="Shop", vault=VAULT, created_at=system_clock())
        with database.write() as session:
            session.add(merchant)
        yield Books(database, merchant.id)
        database.close()


@contextmanager
def _url(on_postgres: bool) -> Iterator[str]:
    if on_postgres:
        with stores.postgres_database() as url:
            yield url
        return
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder) / 'undrop.db'}"
