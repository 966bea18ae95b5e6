"""Columns that mean the same on SQLite and PostgreSQL, and the names of their constraints."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Session, SQLModel

from returns.money import MAX_AMOUNT

#: Names for constraints, so that a migration can drop what another one made. Set before
#: the first table is: every table imports this module.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

_DIGITS = len(str(MAX_AMOUNT))


class Uint256(TypeDecorator[int]):
    """An unsigned 256-bit integer: NUMERIC(78, 0) on PostgreSQL, zero-padded text elsewhere.

    SQLite's NUMERIC would turn large values into floats; padding keeps comparisons in order.
    """

    impl = sa.String(_DIGITS)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.Numeric(_DIGITS, 0))
        return dialect.type_descriptor(sa.String(_DIGITS))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if type(value) is not int or not 0 <= value <= MAX_AMOUNT:
            raise ValueError(f"{value!r} is not an unsigned 256-bit integer")
        return value if dialect.name == "postgresql" else f"{value:0{_DIGITS}d}"

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int(value)


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC, time zone aware on both sides; naive values are refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time cannot be stored")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def word(enum: type[StrEnum], name: str | None = None) -> sa.Enum:
    """A VARCHAR with a CHECK that admits the enumeration's values (not its member names).

    `name` is the constraint's, where a table has two columns of one enumeration.
    """
    return sa.Enum(
        enum,
        native_enum=False,
        create_constraint=True,
        length=32,
        name=name or enum.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )


def table_of(model: type[SQLModel]) -> sa.Table:
    """A model's table, for statements without an object for each row."""
    found: sa.Table = model.__table__  # type: ignore[attr-defined]
    return found


def insert_into(session: Session, table: type[SQLModel]) -> Any:
    """An INSERT of this database's dialect: one that knows ON CONFLICT."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return (sqlite.insert if is_sqlite else postgresql.insert)(table)
