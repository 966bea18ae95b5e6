"""Reconciles the made-up year in a process of its own, whose memory is measured."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from returns.db import Database
from settlement.commands.reconciliation import reconcile
from settlement.runtime import Runtime
from settlement.settings import Settings
from tests.bench.recon_books import MERCHANT, write_returns
from tests.bench.recon_stand_ins import StandInChain, StandInProcessor
from tests.bench.recon_world import BEGIN, DEPLOYMENT, STEP, planted

#: What is new for the second run: some thousand facts on all sides.
_NEW = 250
_NAME = "bench"


def main() -> None:
    """First run, then new returns, then an incremental run; prints a line of figures."""
    url, returns = sys.argv[1], int(sys.argv[2])
    runtime = _runtime(url, returns)
    first_s, first = _timed(runtime, full=True)
    write_returns(runtime.database, returns, returns + _NEW)
    runtime.client.returns = runtime.processors[_NAME].returns = returns + _NEW
    incremental_s, second = _timed(runtime, full=False)
    expected = planted(0, returns)
    later = expected | planted(returns, returns + _NEW)
    figures = {
        "first_s": round(first_s, 2),
        "incremental_s": round(incremental_s, 2),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "planted": len(later),
        "found": len(second & later) - len(expected - first),
        "invented": len((first - expected) | (second - later)),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def _runtime(url: str, returns: int) -> Any:
    settings = Settings(home=Path("var"), database_url=url)
    runtime: Any = Runtime(settings, lambda: BEGIN + STEP * (returns + 1_000))
    runtime.database = Database(url)
    runtime.client, runtime.deployment = StandInChain(returns), DEPLOYMENT
    runtime.processors = {_NAME: StandInProcessor(returns)}
    return runtime


def _timed(runtime: Any, *, full: bool) -> tuple[float, set[tuple[str, str]]]:
    started = time.perf_counter()
    _, breaks = reconcile(runtime, MERCHANT, "bench", full=full)
    return time.perf_counter() - started, {(row.code, row.subject) for row in breaks}


if __name__ == "__main__":
    main()
