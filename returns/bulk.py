"""Many rows in one statement: arrays on PostgreSQL, one after the other on SQLite.

A driver that sends a statement per row spends more time on them than everything else does. The
arrays of a column travel as one value each, whatever the number of rows, so the statement's text
stays the same and is planned once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

Rows = Sequence[Mapping[str, Any]]
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def insert_many(session: Session, table: sa.Table, rows: Rows, *, if_new: bool = False) -> None:
    """Insert rows that name the same columns; nothing for none.

    With `if_new`, a row whose unique columns are there already is left as it is.
    """
    if not rows:
        return
    if session.get_bind().dialect.name == "sqlite":
        insert = sqlite.insert(table)
        session.connection().execute(insert.on_conflict_do_nothing() if if_new else insert, rows)
    else:
        ending = " ON CONFLICT DO NOTHING" if if_new else ""
        _send(session, _insert_text(table, tuple(rows[0])) + ending, table, rows)


def update_many(session: Session, table: sa.Table, rows: Rows) -> None:
    """Set the columns that rows name beside `id`, each on the row with that id."""
    if not rows:
        return
    if session.get_bind().dialect.name == "sqlite":
        statement = sa.update(table).where(table.c.id == sa.bindparam("_id"))
        renamed = [{"_id" if key == "id" else key: v for key, v in row.items()} for row in rows]
        values: dict[str, Any] = {key: sa.bindparam(key) for key in rows[0] if key != "id"}
        session.connection().execute(statement.values(**values), renamed)
    else:
        _send(session, _update_text(table, tuple(rows[0])), table, rows)


def among(session: Session, column: Any, values: Collection[Any]) -> sa.ColumnElement[bool]:
    """Whether a column has one of these values: one array, not a parameter for each of them."""
    if session.get_bind().dialect.name == "sqlite":
        found: sa.ColumnElement[bool] = column.in_(values)
        return found
    one_of: sa.ColumnElement[bool] = column == sa.any_(
        sa.literal(list(values), sa.ARRAY(column.type))
    )
    return one_of


def _send(session: Session, text: str, table: sa.Table, rows: Rows) -> None:
    columns = [_processed(table, name, [row[name] for row in rows]) for name in rows[0]]
    session.connection().exec_driver_sql(text, tuple(columns))


def _processed(table: sa.Table, name: str, values: list[Any]) -> list[Any]:
    process = _processor(table.c[name].type)
    return [process(value) for value in values] if process else values


@cache
def _processor(kind: sa.types.TypeEngine[Any]) -> Any:
    return kind.dialect_impl(_DIALECT).bind_processor(_DIALECT)


@cache
def _insert_text(table: sa.Table, names: tuple[str, ...]) -> str:
    listed = ", ".join(map(_quoted, names))
    return f"INSERT INTO {_quoted(table.name)} ({listed}) SELECT * FROM {_arrays(table, names)}"  # noqa: S608


@cache
def _update_text(table: sa.Table, names: tuple[str, ...]) -> str:
    changes = ", ".join(
        f"{_quoted(name)} = given.{_quoted(name)}" for name in names if name != "id"
    )
    listed = ", ".join(map(_quoted, names))
    return (
        f"UPDATE {_quoted(table.name)} SET {changes} "  # noqa: S608  (names of our own columns)
        f"FROM {_arrays(table, names)} AS given({listed}) WHERE {_quoted(table.name)}.id = given.id"
    )


def _arrays(table: sa.Table, names: tuple[str, ...]) -> str:
    kinds = (table.c[name].type.compile(_DIALECT) for name in names)
    return f"unnest({', '.join(f'%s::{kind}[]' for kind in kinds)})"


def _quoted(name: str) -> str:
    return '"' + name + '"'
