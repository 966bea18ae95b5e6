"""Rows that are written many at a time come back as they were, on either database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from returns.bulk import Among, among, copy_many, insert_many, prepared, update_many
from returns.db import Database
from returns.ids import new_id
from returns.money import MAX_AMOUNT
from returns.tables import RelayTransaction
from returns.tables.chain import BLOCKS, TOKEN_TRANSFERS
from returns.words import RelayState, TokenStandard

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


# -- COPY ------------------------------------------------------------------------------------------

_COPIED = ("id", "chain_id", "batch_limit", "created_at", "updated_at")
_GIVEN = ("to", "facts", "error", "data", "value", "state", "due_at", "send_by")
#: What COPY's text form reads as something else: the end of all, of a row or a value, and nothing.
ENDS = [
    "\\N",
    "\\.",
    "\n\\.\n",
    "\t",
    "\r",
    "\r\n",
    "\\t",
    "a\tb\\",
    "\\\\N",
    "\x0b\x0c\b",
    "\u2028",
]


def _copied_and_read(database: Database, rows: list[dict[str, object]]) -> None:
    names, stored = (*_COPIED, *_GIVEN), _stored(rows)
    with database.read() as session:  # and discarded
        copy_many(session, TABLE, names, [tuple(one[name] for name in names) for one in stored])
        found = {row.id: row for row in session.connection().execute(sa.select(TABLE))}
    assert len(found) == len(stored)
    for one in stored:
        assert {name: getattr(found[one["id"]], name) for name in one} == one


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(_ROWS)
def test_what_is_copied_is_what_is_read(database: Database, rows: list[dict[str, object]]) -> None:
    _copied_and_read(database, rows)


@pytest.mark.parametrize("text", [*AWKWARD, *ENDS], ids=ascii)
def test_no_text_ends_a_row_or_is_nothing(database: Database, text: str) -> None:
    due, same = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC), {"value": MAX_AMOUNT}
    row = {**same, "to": text, "facts": text, "error": text, "data": b"\\N\t\n\0", "send_by": None}
    other = {**row, "to": "", "facts": "x", "error": None, "data": b"", "send_by": due, "value": 0}
    states = {"due_at": due, "state": RelayState.PENDING}
    _copied_and_read(database, [{**one, **states} for one in (row, other, row)])


def test_a_moment_is_copied_whatever_its_zone(database: Database) -> None:
    zone = timezone(timedelta(hours=5, minutes=45))
    row = {"to": "", "facts": "", "error": None, "data": b"", "value": 1, "send_by": None}
    state = {"state": RelayState.SENT, "due_at": datetime(2026, 1, 2, 3, tzinfo=zone)}
    _copied_and_read(database, [{**row, **state}])


@pytest.mark.parametrize("standard", TokenStandard)
@pytest.mark.parametrize("token_id", [None, 0, MAX_AMOUNT])
def test_a_movement_of_a_token_is_copied_as_it_is(
    database: Database, standard: TokenStandard, token_id: int | None
) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    place = {"chain_id": 1, "block_number": 2**40, "log_index": 3, "block_hash": "0x1", "at": at}
    ends = {"sender": "0x2", "recipient": "0x3", "amount": MAX_AMOUNT}
    what = {"position": 0, "standard": standard, "token": "0x4", "token_id": token_id}
    row = {**place, "tx_hash": "0x5", **what, **ends}
    with database.read() as session:  # and discarded
        copy_many(session, TOKEN_TRANSFERS, tuple(row), [tuple(row.values())])
        [found] = session.connection().execute(sa.select(TOKEN_TRANSFERS))
    assert {name: getattr(found, name) for name in row} == row
    assert type(found.standard) is TokenStandard


def test_truth_is_copied_as_truth(database: Database) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    names = ("chain_id", "hash", "number", "parent_hash", "at", "canonical", "orphaned_times")
    rows = [(1, "0x1", 1, "0x0", at, True, 1), (1, "0x2", 0, "0x1", at, False, 0)]
    with database.read() as session:  # and discarded
        copy_many(session, BLOCKS, names, rows)
        found = session.connection().execute(sa.select(*(BLOCKS.c[name] for name in names)))
        assert sorted(map(tuple, found)) == rows


def test_refuses_a_key_that_is_there_and_copies_none_of_the_rows(database: Database) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    names = ("chain_id", "hash", "number", "parent_hash", "at", "canonical", "orphaned_times")
    rows = [(1, name, 1, "0x0", at, True, 0) for name in ("0x1", "0x2", "0x1")]
    with pytest.raises((IntegrityError, psycopg.IntegrityError)), database.write() as session:
        copy_many(session, BLOCKS, names, rows)
    with database.read() as session:
        assert session.connection().execute(sa.select(BLOCKS)).all() == []


def test_nothing_is_copied_for_no_rows(database: Database) -> None:
    with database.read() as session:
        copy_many(session, BLOCKS, ("chain_id", "hash"), [])
        assert session.connection().execute(sa.select(BLOCKS)).all() == []
