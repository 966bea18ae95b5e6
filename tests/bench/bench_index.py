"""The index against the bare node, a bare script and the library, on one chain: `make bench-index`.

Rates are events a second. `EVENTS=n` makes it shorter: then rates are mostly what a start takes.
`PONDER=folder` names a folder where the indexer Ponder is installed, to be measured as well.
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
from typing import Any

from returns import migrate
from returns.db import Database
from tests.bench import index_live
from tests.bench.index_chain import PER_BLOCK, EventChain, about, event_chain
from tests.bench.index_ponder import ponder
from tests.bench.index_script import library, raw, script_on_postgres, script_on_sqlite
from tests.support import stores

_EVENTS = int(os.environ.get("EVENTS", "1000000"))
#: Of how many the library's rate, the small reading and Ponder's rate are taken.
_LIBRARY, _SMALL, _PONDER = 20_000, 100_000, 50_000


def main() -> None:
    """Measure, print, keep."""
    figures: dict[str, Any] = {}
    with event_chain() as chain:
        chain.fill(_EVENTS)
        for part in _parts(chain):
            figures |= part
            for name, value in part.items():
                sys.stdout.write(f"{name:<32} {value!s:>10}\n")
            sys.stdout.flush()
    line = json.dumps(figures)
    Path("var").mkdir(exist_ok=True)
    Path("var/bench-index.json").write_text(line + "\n")
    sys.stdout.write(line + "\n")


def _parts(chain: EventChain) -> Iterator[dict[str, Any]]:
    yield {"events": chain.events, "events_per_block": PER_BLOCK}
    # What else runs here meets every figure: without it they cannot be compared with another run's.
    yield {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1)}
    yield {"getlogs_raw_s": round(raw(chain))}
    kinds = ["sqlite", *(["postgres"] if stores.answers(stores.POSTGRES) else [])]
    compared: dict[str, Any] = {}
    for kind in kinds:
        part = _compared(chain, kind)
        yield part
        compared |= part
    for name in ("script", "library"):
        yield {f"{name}_events_s": max(compared[f"{name}_{kind}_s"] for kind in kinds)}
    for size in ("100k", "1m"):
        yield {f"rss_mb_{size}": max(compared[f"rss_mb_{size}_{kind}"] for kind in kinds)}
    yield {"ponder_s": _ponder(chain)}
    yield _live(chain, kinds)


def _compared(chain: EventChain, kind: str) -> dict[str, Any]:
    """Script and indexer in turn on one kind of database: what else the machine does meets both."""
    script = script_on_sqlite if kind == "sqlite" else script_on_postgres
    with _database(kind, migrated=False) as url:
        bare = script(chain, _path(url))
    with _database(kind, migrated=False) as url:
        overlapped = script(chain, _path(url), overlapped=True)
    with _database(kind, migrated=False) as url:
        decoded = library(chain, url, _LIBRARY)
    with _database(kind) as url:
        small = _indexer(chain, url, min(_SMALL, chain.events))
    with _database(kind) as url:
        whole = _indexer(chain, url, chain.events)
    return {
        f"script_{kind}_s": round(bare),
        f"script_{kind}_overlapped_s": round(overlapped),
        f"library_{kind}_s": round(decoded),
        f"indexer_{kind}_s": round(whole["events"] / whole["seconds"]),
        f"indexer_{kind}_of_script": round(whole["events"] / whole["seconds"] / bare, 2),
        f"rss_mb_100k_{kind}": small["rss_mb"],
        f"rss_mb_1m_{kind}": whole["rss_mb"],
    }


def _indexer(chain: EventChain, url: str, events: int) -> dict[str, Any]:
    """Ours in a process of its own, so that its memory is its own."""
    upto = chain.first + events // PER_BLOCK
    command = [sys.executable, "-m", "tests.bench.index_process", url, about(chain), str(upto)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1_200, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    told: dict[str, Any] = json.loads(done.stdout)
    if told["events"] != events:
        raise SystemExit(f"{told['events']} of {events} events: nothing to compare")
    return told


def _ponder(chain: EventChain) -> int | None:
    """None where it is not installed, or has no PostgreSQL to write to."""
    folder = os.environ.get("PONDER")
    if folder is None or not stores.answers(stores.POSTGRES):
        return None
    events = min(_PONDER, chain.events)
    with stores.postgres_database() as url:
        return round(ponder(chain, Path(folder).absolute(), url, events))


def _live(chain: EventChain, kinds: list[str]) -> dict[str, Any]:
    repairs, lags = [], []
    for kind in kinds:
        with _database(kind) as url:
            repairs.append(index_live.reorg(chain, url))
        with _database(kind) as url:
            lags.append(index_live.lag(chain, url))
    return {"reorg64_repair_s": round(max(repairs), 2), "live_lag_blocks": max(lags)}


def _path(url: str) -> str:
    return url.removeprefix("sqlite:///")


@contextmanager
def _database(kind: str, *, migrated: bool = True) -> Iterator[str]:
    """A fresh database of one's own."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            url = f"sqlite:///{folder}/bench.db"
            yield _migrated(url) if migrated else url
        else:
            with stores.postgres_database() as url:
                yield _migrated(url) if migrated else url


def _migrated(url: str) -> str:
    database = Database(url)
    migrate.upgrade(database)
    database.close()
    return url


if __name__ == "__main__":
    main()
