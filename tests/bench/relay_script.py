"""A minimal script that does the same work without our structure: simulate, insert, sign, send.

One process, one connection to the database, no restart, no leases, no rules: what it forgets when
it is killed nobody sends again.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg

from chain.client import ChainClient
from tests.bench.relay_setting import KEYS, Setting, fresh_ids, raw_bytes, record, setting
from tests.support import stores

#: Transactions that may be simulated, inserted and sent together.
_BATCHES = (100, 200, 400, 800)
_TABLE = (
    "CREATE TABLE sent (id TEXT PRIMARY KEY, key INT, nonce INT, target TEXT, data {}, gas INT)"
)
_COLUMNS = "INSERT INTO sent (id, key, nonce, target, data, gas) VALUES ({})"


class _Store(Protocol):
    def insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """A transaction of the database with these rows."""


class _Postgres:
    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        connection.execute(_TABLE.format("BYTEA"))
        connection.commit()

    def insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(_COLUMNS.format(", ".join(["%s"] * 6)), rows)
        self._connection.commit()


class _Sqlite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(_TABLE.format("BLOB"))

    def insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        with self._connection:
            self._connection.executemany(_COLUMNS.format(", ".join("?" * 6)), rows)


def best_batch(count: int, *, on_postgres: bool) -> int:
    """The batch size that suits the script best."""
    rates = {batch: script(count, batch, on_postgres=on_postgres) for batch in _BATCHES}
    return max(rates, key=lambda batch: rates[batch])


def script(count: int, batch: int, *, on_postgres: bool) -> float:
    """Mined transactions per second."""
    with setting() as chain, _store(on_postgres) as store:
        ids = fresh_ids(count)
        run = _Script(chain, store)
        start = time.perf_counter()
        for first in range(0, count, batch):
            run.relay(ids[first : first + batch])
        end = chain.wait_until_mined(count)
        chain.require_recorded(ids)
        return count / (end - start)


class _Script:
    def __init__(self, chain: Setting, store: _Store) -> None:
        self._client: ChainClient = chain.client
        self._to = chain.recorder
        self._store = store
        self._keys = chain.signers
        self._nonces = [0] * KEYS

    def relay(self, ids: Sequence[bytes]) -> None:
        """One batch, its transactions dealt to the keys in turn."""
        calls = [(index % KEYS, record(one)) for index, one in enumerate(ids)]
        gas = self._simulate(calls)
        rows = [
            (one.hex(), key, self._nonce(key), self._to, data, limit)
            for one, (key, data), limit in zip(ids, calls, gas, strict=True)
        ]
        self._store.insert(rows)
        raws = [
            raw_bytes(self._keys[key], nonce, to, data, limit)
            for _, key, nonce, to, data, limit in rows
        ]
        answers = self._client.batch([("eth_sendRawTransaction", (raw,)) for raw in raws])
        if not all(isinstance(answer, str) for answer in answers):
            raise SystemExit("the node refused a transaction: nothing to measure")

    def _simulate(self, calls: Sequence[tuple[int, bytes]]) -> list[int]:
        """Gas limits; each call must succeed and move nothing but the event of the contract."""
        wanted = [
            {"from": self._keys[key].address, "to": self._to, "data": "0x" + data.hex()}
            for key, data in calls
        ]
        blocks = [{"calls": wanted}]
        request = {"blockStateCalls": blocks, "traceTransfers": True, "validation": False}
        [block] = self._client.call("eth_simulateV1", request, "latest")
        return [self._gas(answer) for answer in block["calls"]]

    def _gas(self, answer: dict[str, Any]) -> int:
        foreign = [log for log in answer["logs"] if log["address"] != self._to]
        if answer["status"] != "0x1" or foreign:
            raise SystemExit("a simulated call does something else: nothing to measure")
        return int(answer["gasUsed"], 16) * 13 // 10

    def _nonce(self, key: int) -> int:
        self._nonces[key] += 1
        return self._nonces[key] - 1


@contextmanager
def _store(on_postgres: bool) -> Iterator[_Store]:
    """A database of its own."""
    if on_postgres:
        with (
            stores.postgres_database() as url,
            psycopg.connect(url.replace("+psycopg", "")) as postgres,
        ):
            yield _Postgres(postgres)
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(sqlite3.connect(Path(folder) / "script.db")) as connection,
    ):
        yield _Sqlite(connection)
