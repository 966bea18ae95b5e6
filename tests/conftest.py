"""Fixtures that unit and integration tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import desk as desks
import pytest
import stores
from desk import Desk
from hypothesis import HealthCheck, settings

#: A busy machine is no fault: nothing that a test says is about time.
settings.register_profile("undrop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("undrop")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Where PostgreSQL and Redis are not installed, what needs them says so and is left out."""
    if item.get_closest_marker("servers") is not None:
        for host, port in (stores.POSTGRES, stores.REDIS):
            if not stores.answers((host, port)):
                pytest.skip(f"nothing answers at {host}:{port}")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stores.sqlite_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def desk(sqlite_template: Path, tmp_path: Path) -> Iterator[Desk]:
    """A returns desk on SQLite and fakes."""
    built = desks.build(stores.sqlite_copy(sqlite_template, tmp_path), tmp_path)
    yield built
    built.runtime.close()


@pytest.fixture
def generous(desk: Desk) -> Desk:
    """The same, whose customers keep their tokens."""
    desk.use_policy(desks.KEPT)
    return desk
