"""Fixtures that unit and integration tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import desk as desks
import pytest
import stores
from desk import Desk


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stores.sqlite_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def desk(sqlite_template: Path, tmp_path: Path) -> Iterator[Desk]:
    """A returns desk on SQLite and fakes."""
    built = desks.build(stores.sqlite_copy(sqlite_template, tmp_path), tmp_path)
    yield built
    built.runtime.close()
