"""What comparing a year of a marketplace costs, and what comparing the news of an hour does.

At SCALE=1: 1,000,000 orders, 200,000 returns, 1,000,000 logs of the chain, a report of the
processor with a line for each charge and refund, and 5,000 planted breaks of every code. On
PostgreSQL where one answers, else on SQLite.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from returns import migrate
from returns.db import Database
from tests.bench.recon_books import write_merchant, write_orders, write_returns
from tests.bench.recon_world import ORDERS
from tests.support import stores

_RETURNS = 200_000
#: Every code is planted at least once among so many.
_FEWEST = 1_000
_BARS = {"first_s": 60, "incremental_s": 2, "rss_mb": 1_536}


def main() -> None:
    """Build, measure, print, keep; exit code 1 where a bar is missed or a break."""
    scale = float(os.environ.get("SCALE", "1"))
    returns = max(_FEWEST, int(_RETURNS * scale))
    with _database() as url:
        database = Database(url)
        migrate.upgrade(database)
        write_merchant(database)
        write_returns(database, 0, returns)
        # The ones behind the returns that are still to come are left free.
        write_orders(database, returns + 1_000, returns * ORDERS + 1_000)
        _settle(database)
        database.close()
        command = [sys.executable, "-m", "tests.bench.recon_process", url, str(returns)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    line = said.strip().splitlines()[-1]
    Path("var").mkdir(exist_ok=True)
    Path("var/bench-reconcile.json").write_text(line + "\n")
    sys.stdout.write(line + "\n")
    raise SystemExit(0 if _is_good(json.loads(line)) else 1)


def _is_good(figures: dict[str, float]) -> bool:
    all_found = figures["found"] == figures["planted"] and not figures["invented"]
    return all_found and all(figures[name] <= bar for name, bar in _BARS.items())


def _settle(database: Database) -> None:
    """What a database that has run for a while has done: statistics."""
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as one:
            one.exec_driver_sql("VACUUM ANALYZE")


@contextmanager
def _database() -> Iterator[str]:
    if stores.answers(stores.POSTGRES):
        with stores.postgres_database() as url:
            yield url
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/bench.db"


if __name__ == "__main__":
    main()
