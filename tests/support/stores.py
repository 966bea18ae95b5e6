"""Databases for tests: copies of one migrated SQLite file, one fresh database on PostgreSQL."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import sqlalchemy as sa
from sqlmodel import SQLModel

from returns import migrate
from returns.db import Database

POSTGRES, REDIS = ("127.0.0.1", 5432), ("127.0.0.1", 6379)
_ADMIN = "postgresql://postgres@127.0.0.1:5432/postgres"


def answers(address: tuple[str, int]) -> bool:
    """Whether anything listens there. In CI its absence is a failure, not a reason to skip."""
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        if os.environ.get("CI") == "true":
            raise
        return False
    return True


def sqlite_template(folder: Path) -> Path:
    """A migrated, empty database file to copy from."""
    database = Database(f"sqlite:///{folder / 'template.db'}")
    migrate.upgrade(database)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return folder / "template.db"


def sqlite_copy(template: Path, folder: Path) -> str:
    """The URL of a database of one's own."""
    shutil.copy(template, folder / "undrop.db")
    return f"sqlite:///{folder / 'undrop.db'}"


@contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of a fresh, empty database, dropped in the end."""
    name = f"undrop_test_{secrets.token_hex(6)}"
    with psycopg.connect(_ADMIN, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    try:
        yield f"postgresql+psycopg://postgres@127.0.0.1:5432/{name}"
    finally:
        with psycopg.connect(_ADMIN, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def empty(database: Database) -> None:
    """Take every row out of a PostgreSQL database."""
    tables = ", ".join(f'"{table.name}"' for table in SQLModel.metadata.sorted_tables)
    with database.engine.begin() as connection:
        connection.execute(sa.text(f"TRUNCATE {tables} CASCADE"))
