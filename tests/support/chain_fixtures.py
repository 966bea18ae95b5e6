"""Fixtures of the tests that start a real Anvil: one node per module, one snapshot per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import chain_books
import chain_node
import pytest
import stores
from chain_books import Books, MovingClock
from chain_node import Stage

from returns import migrate
from returns.db import Database

__all__ = ["books", "chain", "clock", "postgres", "postgres_url", "sqlite", "stage"]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A chain with our contracts, shared by the tests of a module."""
    with chain_node.stage() as built:
        yield built


@pytest.fixture
def chain(stage: Stage) -> Iterator[Stage]:
    """The module's chain; whatever a test does to it is taken back."""
    before = stage.anvil.snapshot()
    yield stage
    stage.anvil.revert(before)


@pytest.fixture
def clock() -> MovingClock:
    """Time that the test moves."""
    return MovingClock()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A migrated PostgreSQL database of this run's own."""
    if not stores.answers(stores.POSTGRES):
        pytest.skip("PostgreSQL does not answer at 127.0.0.1:5432")
    with stores.postgres_database() as url:
        database = Database(url)
        migrate.upgrade(database)
        database.close()
        yield url


@pytest.fixture
def sqlite(sqlite_template: Path, tmp_path: Path) -> Iterator[Books]:
    """Fresh books on SQLite."""
    yield from _fresh(stores.sqlite_copy(sqlite_template, tmp_path))


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Books]:
    """Fresh books on PostgreSQL."""
    yield from _fresh(postgres_url)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.servers)])
def books(request: pytest.FixtureRequest) -> Books:
    """Fresh books on either database."""
    fresh: Books = request.getfixturevalue(request.param)
    return fresh


def _fresh(url: str) -> Iterator[Books]:
    database = Database(url)
    if not database.is_sqlite:
        stores.empty(database)
    yield chain_books.with_merchant(database)
    database.close()
