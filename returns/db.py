"""The database: one engine, one place that begins, commits and rolls back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import RLock
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlmodel import Session

from returns.totals import ExactSum


class Database:
    """Transactions on SQLite (WAL) or PostgreSQL.

    `write()` is the only way to change anything. On SQLite it takes the write lock at once
    (BEGIN IMMEDIATE), so that what was read in it cannot change under it; on PostgreSQL rows are
    locked by `returns.locks`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            _make_folder(url)
        # SQLite has one writer. Threads that wait here take turns; in the driver they would sleep.
        self._turn: AbstractContextManager[Any] = RLock() if self.is_sqlite else nullcontext()
        self.engine = sa.create_engine(url, **_engine_options(self.is_sqlite))
        if self.is_sqlite:
            _prepare_sqlite(self.engine)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with self._turn, self._session("IMMEDIATE") as session:
            yield session
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One consistent read of one moment; whatever is changed in it is discarded."""
        snapshot = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self._session("DEFERRED", **snapshot) as session:
            yield session

    @contextmanager
    def _session(self, begin: str, **options: Any) -> Iterator[Session]:
        with (
            self.engine.connect().execution_options(undrop_begin=begin, **options) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session

    def close(self) -> None:
        """Give every connection back to the operating system."""
        self.engine.dispose()


def _make_folder(url: str) -> None:
    path = sa.make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)


def _engine_options(is_sqlite: bool) -> dict[str, Any]:
    # Values are people's messages, wallets, signatures: not for logs and error columns.
    if is_sqlite:
        return {"connect_args": {"timeout": 30}, "hide_parameters": True}
    return {"hide_parameters": True, "pool_size": 10, "max_overflow": 20, "pool_pre_ping": True}


def _prepare_sqlite(engine: sa.Engine) -> None:
    """Settings of each connection; transactions are begun by us, not by the driver (SQLAlchemy)."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        # FULL: what was committed is on the disk. Bytes that were broadcast must not be forgotten.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.create_aggregate("exact_sum", 1, ExactSum)

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        mode = connection.get_execution_options().get("undrop_begin", "IMMEDIATE")
        connection.exec_driver_sql(f"BEGIN {mode}")
