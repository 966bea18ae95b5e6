"""Many rows in one statement: arrays on PostgreSQL, one after the other on SQLite.

A driver that sends a statement per row spends more time on them than everything else does. The
arrays of a column travel as one value each, whatever the number of rows, so the statement's text
stays the same and is planned once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

Rows = Sequence[Mapping[str, Any]]
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
_SQLITE = sqlite.dialect()


def insert_many(session: Session, table: sa.Table, rows: Rows) -> None:
    """Insert rows that name the same columns; nothing for none."""
    if not rows:
        return
    if _is_sqlite(session):
        session.connection().execute(sa.insert(table), rows)
    else:
        _send(session, _insert_text(table, tuple(rows[0])), table, rows)


def copy_many(
    session: Session, table: sa.Table, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Append rows of values in the order of `names`: COPY on PostgreSQL; nothing for none.

    For tens of thousands of rows a second, with keys that are known to be new.
    """
    if not rows:
        return
    columns = [table.c[name] for name in names]
    if _is_sqlite(session):
        values = [
            _bound(column.type, given)
            for column, given in zip(columns, zip(*rows, strict=True), strict=True)
        ]
        listed, marks = ", ".join(map(_quoted, names)), ", ".join("?" * len(names))
        text = f"INSERT INTO {_quoted(table.name)} ({listed}) VALUES ({marks})"  # noqa: S608
        session.connection().exec_driver_sql(text, list(zip(*values, strict=True)))
    else:
        _copy(session, table, columns, rows)


def update_many(session: Session, table: sa.Table, rows: Rows) -> None:
    """Set the columns that rows name beside `id`, each on the row with that id."""
    if not rows:
        return
    if _is_sqlite(session):
        statement = sa.update(table).where(table.c.id == sa.bindparam("_id"))
        renamed = [{"_id" if key == "id" else key: v for key, v in row.items()} for row in rows]
        values: dict[str, Any] = {key: sa.bindparam(key) for key in rows[0] if key != "id"}
        session.connection().execute(statement.values(**values), renamed)
    else:
        _send(session, _update_text(table, tuple(rows[0])), table, rows)


def among(session: Session, column: Any, values: Collection[Any]) -> sa.ColumnElement[bool]:
    """Whether a column has one of these values: one array, not a parameter for each of them."""
    if _is_sqlite(session):
        found: sa.ColumnElement[bool] = column.in_(values)
        return found
    one_of: sa.ColumnElement[bool] = column == sa.any_(
        sa.literal(list(values), _Array(column.type))
    )
    return one_of


#: Of a column and a parameter's name: whether the column has one of the parameter's values.
Among = Callable[[sa.Column[Any], str], sa.ColumnElement[bool]]


def prepared(build: Callable[[Among], Any]) -> Callable[[Session], Any]:
    """A statement about one of many values that is built once for each kind of database.

    Building it anew takes longer than the database does.
    """

    @cache
    def built(is_sqlite: bool) -> Any:
        return build(_in_list if is_sqlite else _in_array)

    return lambda session: built(_is_sqlite(session))


def _in_list(column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    return column.in_(sa.bindparam(name, expanding=True, type_=column.type))


def _in_array(column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    one_of: sa.ColumnElement[bool] = column == sa.any_(
        sa.bindparam(name, type_=_Array(column.type))
    )
    return one_of


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


class _Array(sa.types.UserDefinedType[Any]):
    """Values of one type as one parameter, with its own type from the start.

    As a text that the statement casts, PostgreSQL would read it again for each row.
    """

    cache_ok = True
    render_bind_cast = True

    def __init__(self, of: sa.types.TypeEngine[Any]) -> None:
        self.of = of

    def get_col_spec(self, **_: Any) -> str:
        """Its name in a cast."""
        return f"{self.of.compile(_DIALECT)}[]"

    def bind_processor(self, dialect: Any) -> Any:  # noqa: ARG002
        """From the values to what the driver sends."""
        return lambda values: _written(self.of, values)


def _send(session: Session, text: str, table: sa.Table, rows: Rows) -> None:
    columns = [_written(table.c[name].type, [row[name] for row in rows]) for name in rows[0]]
    session.connection().exec_driver_sql(text, tuple(columns))


def _copy(
    session: Session, table: sa.Table, columns: Sequence[sa.Column[Any]], rows: Sequence[Any]
) -> None:
    """COPY in its text form (PostgreSQL's manual, "COPY": file formats)."""
    texts = [
        _copied(column.type, given)
        for column, given in zip(columns, zip(*rows, strict=True), strict=True)
    ]
    listed = ", ".join(_quoted(column.name) for column in columns)
    cursor = session.connection().connection.cursor()
    with cursor.copy(f"COPY {_quoted(table.name)} ({listed}) FROM STDIN") as copy:
        copy.write("\n".join(map("\t".join, zip(*texts, strict=True))) + "\n")


def _copied(kind: sa.types.TypeEngine[Any], values: Sequence[Any]) -> Sequence[str]:
    """A column's values as COPY reads them. Each different value is written once."""
    process = _processor(kind)
    texts = {value: _copy_text(process(value)) for value in set(values)}
    return [texts[value] for value in values]


def _copy_text(value: Any) -> str:
    if value is None:
        return "\\N"
    if type(value) is bytes:
        return f"\\\\x{value.hex()}"
    text = value if type(value) is str else str(value)
    return text.translate(_COPY_ESCAPES) if not text.isalnum() else text


_COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _bound(kind: sa.types.TypeEngine[Any], values: Sequence[Any]) -> Sequence[Any]:
    process = _sqlite_processor(kind)
    if process is None:
        return values
    bound = {value: process(value) for value in set(values)}
    return [bound[value] for value in values]


def _written(kind: sa.types.TypeEngine[Any], values: Collection[Any]) -> str:
    """An array as PostgreSQL reads it (its manual, section 8.15.2).

    The driver's own lists look at each element for longer than everything else takes.
    """
    process, values = _processor(kind), list(values)
    if values and all(value is values[0] for value in values):
        texts = [_text(process(values[0]))] * len(values)
    else:
        texts = [_text(process(value)) for value in values]
    return "{" + ",".join(texts) + "}"


def _text(value: Any) -> str:
    return _TEXTS[type(value)](value)


def _quoted_text(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_TEXTS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "NULL",
    bool: str,
    int: str,
    UUID: str,
    date: str,
    str: _quoted_text,
    bytes: lambda value: f'"\\\\x{value.hex()}"',
    datetime: lambda value: f'"{value.isoformat()}"',
}


@cache
def _processor(kind: sa.types.TypeEngine[Any]) -> Callable[[Any], Any]:
    return kind.dialect_impl(_DIALECT).bind_processor(_DIALECT) or (lambda value: value)


@cache
def _sqlite_processor(kind: sa.types.TypeEngine[Any]) -> Callable[[Any], Any] | None:
    return kind.dialect_impl(_SQLITE).bind_processor(_SQLITE)


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
