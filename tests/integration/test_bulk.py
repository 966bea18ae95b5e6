"""Rows that are written many at a time come back as they were, on either database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from returns.bulk import Among, among, insert_many, prepared, update_many
from returns.db import Database
from returns.ids import new_id
from returns.money import MAX_AMOUNT
from returns.tables import RelayTransaction
from returns.words import RelayState

TABLE: sa.Table = RelayTransaction.__table__  # type: ignore[attr-defined]
AWKWARD = [
    "",
    "NULL",
    "{}",
    ",",
    '"',
    "\\",
    '\\"',
    "\\x00",
    " a ",
    "a,b",
    "{1}",
    "é\n\t",
    "$1",
    "%s",
]

_TEXT = st.sampled_from(AWKWARD) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40
)
_TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "to": _TEXT,
            "facts": _TEXT,
            "error": st.none() | _TEXT,
            "data": st.binary(max_size=60),
            "value": st.integers(0, MAX_AMOUNT),
            "state": st.sampled_from(RelayState),
            "due_at": _TIMES,
            "send_by": st.none() | _TIMES,
        }
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


def _stored(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    same = {"chain_id": 1, "batch_limit": 1, "created_at": now, "updated_at": now}
    return [{"id": new_id(), **same, **row} for row in rows]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(_ROWS)
def test_what_is_inserted_and_updated_is_what_is_read(
    database: Database, rows: list[dict[str, object]]
) -> None:
    stored = _stored(rows)
    with database.read() as session:  # and discarded
        insert_many(session, TABLE, [{**one, "facts": "before"} for one in stored])
        update_many(session, TABLE, [{"id": one["id"], "facts": one["facts"]} for one in stored])
        wanted = among(session, TABLE.c.id, [one["id"] for one in stored])
        found = {
            row.id: row for row in session.connection().execute(sa.select(TABLE).where(wanted))
        }
    for one in stored:
        assert {name: getattr(found[one["id"]], name) for name in one} == one


@prepared
def _addressed(among: Among) -> sa.Select[tuple[object]]:
    return sa.select(TABLE.c.to).where(among(TABLE.c.to, "names"))


def test_a_prepared_statement_finds_exactly_what_is_among_its_values(database: Database) -> None:
    with database.read() as session:
        insert_many(session, TABLE, _stored([
            {"to": name, "facts": "{}", "data": b"", "value": 0, "state": RelayState.PENDING,
             "due_at": datetime(2026, 1, 2, tzinfo=UTC)}
            for name in AWKWARD
        ]))  # fmt: skip
        connection = session.connection()
        for name in AWKWARD:
            assert connection.execute(_addressed(session), {"names": [name]}).scalars().all() == [
                name
            ]
        assert connection.execute(_addressed(session), {"names": []}).all() == []
        everything = connection.execute(_addressed(session), {"names": AWKWARD}).scalars()
        assert sorted(everything) == sorted(AWKWARD)


def test_nothing_is_written_for_no_rows(database: Database) -> None:
    with database.read() as session:
        insert_many(session, TABLE, [])
        update_many(session, TABLE, [])
        assert session.connection().execute(sa.select(TABLE.c.id)).all() == []
