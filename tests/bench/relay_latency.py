"""From before an intent's transaction of the database to its bytes on the wire to the node."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.relay_books import Books, books
from tests.bench.relay_fleet import Crew, fleet
from tests.bench.relay_proxy import proxy
from tests.bench.relay_setting import Setting, fresh_ids, record, setting

#: Arrivals per second, at random moments (Poisson), and what is not counted: the first second,
#: in which connections are opened.
_RATE, _WARM_UP = 50, 50


@dataclass(frozen=True)
class Latency:
    """In milliseconds."""

    p50: float
    p99: float


def latency(count: int, *, on_postgres: bool) -> Latency:
    """Enqueue to broadcast of so many intents at fifty a second."""
    with setting() as chain, books(on_postgres=on_postgres) as kept:
        kept.allow(chain.recorder, "record(bytes32)")
        ids = fresh_ids(count + _WARM_UP)
        with proxy(chain.anvil.port) as between:
            with fleet(Crew(kept.database.url, between.url)) as go:
                go()
                starts = _enqueue(chain, kept, ids)
                kept.wait_until_confirmed(len(ids))
            seen = first_seen(between.broadcasts(), ids)
        chain.require_recorded(ids)
    waits = [seen[one] - start for one, start in zip(ids, starts, strict=True)][_WARM_UP:]
    return _percentiles(waits)


def _enqueue(chain: Setting, kept: Books, ids: Sequence[bytes]) -> list[float]:
    """Each in a transaction of its own, at its moment; when that began."""
    starts = []
    for one, moment in zip(ids, _moments(len(ids)), strict=True):
        time.sleep(max(0.0, moment - time.perf_counter()))
        starts.append(time.perf_counter())
        kept.owe([kept.recording(chain, one)])
    return starts


def _moments(count: int) -> list[float]:
    """When to enqueue; the same pattern in every run."""
    dice, moment, found = random.Random(50), time.perf_counter(), []
    for _ in range(count):
        moment += dice.expovariate(_RATE)
        found.append(moment)
    return found


def first_seen(broadcasts: dict[str, float], ids: Sequence[bytes]) -> dict[bytes, float]:
    """Which intent's calldata the bytes carry; a second hash of a nonce is not the first."""
    known = {record(one).hex(): one for one in ids}
    length = len(next(iter(known)))
    seen: dict[bytes, float] = {}
    for raw, at in broadcasts.items():
        start = raw.find(record(b"").hex())
        one = known.get(raw[start : start + length])
        if one is not None:
            seen[one] = min(at, seen.get(one, at))
    return seen


def _percentiles(waits: Sequence[float]) -> Latency:
    """Nearest rank."""
    ordered = sorted(waits)
    at = {percent: ordered[-(-len(ordered) * percent // 100) - 1] for percent in (50, 99)}
    return Latency(round(at[50] * 1_000, 1), round(at[99] * 1_000, 1))
