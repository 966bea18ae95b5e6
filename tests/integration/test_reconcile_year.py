"""A made-up year in small, on both databases: all that is planted is found, nothing is invented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from returns.db import Database
from settlement.commands.reconciliation import reconcile
from settlement.runtime import Runtime
from settlement.settings import Settings
from tests.bench.recon_books import MERCHANT, write_merchant, write_orders, write_returns
from tests.bench.recon_stand_ins import StandInChain, StandInProcessor
from tests.bench.recon_world import BEGIN, CODES, DEPLOYMENT, STEP, planted

_RETURNS, _NEW = 1_000, 120


@pytest.fixture
def year(url: str, tmp_path: Path) -> Any:
    runtime: Any = Runtime(
        Settings(home=tmp_path, database_url=url), lambda: BEGIN + STEP * (_RETURNS + 1_000)
    )
    runtime.database = Database(url)
    runtime.client, runtime.deployment = StandInChain(_RETURNS), DEPLOYMENT
    runtime.processors = {"bench": StandInProcessor(_RETURNS)}
    write_merchant(runtime.database)
    write_returns(runtime.database, 0, _RETURNS)
    write_orders(runtime.database, 5_000, 5_500)
    yield runtime
    runtime.close()


def found(year: Any, *, full: bool) -> set[tuple[str, str]]:
    breaks = reconcile(year, MERCHANT, "test", full=full)[1]
    assert len(breaks) == len({(row.code, row.subject) for row in breaks})
    return {(row.code, row.subject) for row in breaks}


def test_every_planted_break_is_found_and_no_other(year: Any) -> None:
    expected = planted(0, _RETURNS)
    assert {code for code, _ in expected} == set(CODES)
    assert found(year, full=True) == expected
    assert found(year, full=False) == expected


def test_planted_news_are_found_by_a_run_of_the_news(year: Any) -> None:
    assert found(year, full=False) == planted(0, _RETURNS)
    write_returns(year.database, _RETURNS, _RETURNS + _NEW)
    year.client.returns = year.processors["bench"].returns = _RETURNS + _NEW
    expected = planted(0, _RETURNS + _NEW)
    assert len(expected) == len(planted(0, _RETURNS)) + 3
    assert found(year, full=False) == expected
    assert found(year, full=True) == expected
