"""Brings a database to the current schema, and tells where models and migrations differ.

`python -m returns.migrate "what changes"` writes a migration from the models, for developers.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

import returns.tables  # noqa: F401  (fills the metadata)
from returns.db import Database

#: PostgreSQL advisory lock: processes that start together migrate one after the other.
_MIGRATION_LOCK = 0x756E64726F70


def upgrade(database: Database) -> None:
    """Apply what is missing; nothing happens to a database that is current."""
    with database.engine.begin() as connection:
        _serialise(connection)
        command.upgrade(_config(connection), "head")


def is_current(database: Database) -> bool:
    """Whether the database has exactly the tables of the models, by the newest migration."""
    with database.engine.connect() as connection:
        applied = MigrationContext.configure(connection).get_current_heads()
        newest = ScriptDirectory.from_config(_config(connection)).get_heads()
    return set(applied) == set(newest) and not differences(database)


def write_revision(database: Database, message: str) -> None:
    """Write the migration from the database's schema to the models' (for developers)."""
    with database.engine.begin() as connection:
        command.revision(_config(connection), message, autogenerate=True)


def differences(database: Database) -> list[Any]:
    """What a new migration would have to change: empty when models and migrations agree."""
    with database.engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, SQLModel.metadata))


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _serialise(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))


def _main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/schema.db")
        upgrade(database)
        write_revision(database, sys.argv[1])


if __name__ == "__main__":
    _main()
