"""Every test here runs on SQLite, and on PostgreSQL where one answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import desk as desks
import pytest
import stores
from desk import Desk

from returns import migrate
from returns.db import Database

_DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    if not stores.answers(stores.POSTGRES):
        pytest.skip("no PostgreSQL answers at 127.0.0.1:5432")
    with stores.postgres_database() as url:
        database = Database(url)
        migrate.upgrade(database)
        database.close()
        yield url


@pytest.fixture(params=_DATABASES)
def url(request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated and empty database."""
    if request.param == "sqlite":
        return stores.sqlite_copy(sqlite_template, tmp_path)
    found: str = request.getfixturevalue("postgres")
    database = Database(found)
    stores.empty(database)
    database.close()
    return found


@pytest.fixture
def desk(url: str, tmp_path: Path) -> Iterator[Desk]:
    built = desks.build(url, tmp_path)
    yield built
    built.runtime.close()


@pytest.fixture
def at_once() -> Callable[[int, Callable[[int], Any]], list[Any]]:
    """Run a function so many times at the same moment; results and exceptions in order."""

    def run(times: int, action: Callable[[int], Any]) -> list[Any]:
        barrier, results = threading.Barrier(times), [None] * times

        def one(index: int) -> None:
            barrier.wait()
            try:
                results[index] = action(index)
            except Exception as fault:  # noqa: BLE001  (the test looks at it)
                results[index] = fault

        threads = [threading.Thread(target=one, args=(index,)) for index in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    return run
