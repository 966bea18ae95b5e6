"""Prometheus metrics: requests as they are served, and the state of the books when asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.door import RuntimeDep
from returns import chain_reads, reads, relay_reads
from returns.chain_reads import IndexStatus
from returns.relay_reads import LaneStatus
from settlement.runtime import Runtime

router = APIRouter(tags=["health"])

_registry = CollectorRegistry()
_requests = Counter(
    "undrop_http_requests_total",
    "Requests served",
    ["method", "route", "status"],
    registry=_registry,
)
_seconds = Histogram(
    "undrop_http_request_seconds", "Time to serve a request", ["route"], registry=_registry
)


@router.get("/metrics")
def metrics(runtime: RuntimeDep) -> Response:
    """Everything in Prometheus' text format."""
    books = CollectorRegistry()
    books.register(_Books(runtime))
    return Response(
        generate_latest(_registry) + generate_latest(books), media_type=CONTENT_TYPE_LATEST
    )


class _Books(Collector):
    """Counts read from the database at the moment of the scrape."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def collect(self) -> Iterable[Metric]:
        with self._runtime.database.read() as session:
            now = self._runtime.clock()
            counts = reads.counts(session)
            lanes = relay_reads.lanes(session)
            indexes = chain_reads.index_status(session)
            waiting = relay_reads.waiting_since(session, self._runtime.chains, now)
        for name, (label, values) in counts.items():
            family = GaugeMetricFamily(f"undrop_{name}", f"Number by {label}", labels=[label])
            for value, count in values.items():
                family.add_metric([value], count)
            yield family
        yield from _of_lanes(lanes, now, self._runtime.settings.relay_stuck_seconds)
        yield _of_waiting(waiting, now)
        yield from _of_indexes(indexes, now)


def _of_lanes(
    lanes: Sequence[LaneStatus], now: datetime, stuck_after_s: int
) -> Iterable[GaugeMetricFamily]:
    """Ages grow with the scrapes, whether or not a relayer lives."""
    gauges: dict[str, tuple[str, Callable[[LaneStatus], int | None]]] = {
        "under_way": ("Nonces that are not mined", lambda one: one.under_way),
        "head_age_seconds": ("Age of the first of them", lambda one: one.head_age_s(now)),
        "balance_wei": ("Coin, when last looked at", lambda one: one.lane.balance),
        "alarm": ("1 if something is wrong", lambda one: int(bool(one.alarms(now, stuck_after_s)))),
    }
    for name, (told, read) in gauges.items():
        family = GaugeMetricFamily(f"undrop_relay_lane_{name}", told, labels=["chain_id", "lane"])
        for one in lanes:
            value = read(one)
            if value is not None:
                family.add_metric([str(one.lane.chain_id), one.lane.address], value)
        yield family


def _of_waiting(waiting: dict[int, datetime], now: datetime) -> GaugeMetricFamily:
    told = "How late the oldest transaction without a nonce is"
    family = GaugeMetricFamily("undrop_relay_pending_age_seconds", told, labels=["chain_id"])
    for chain_id, since in waiting.items():
        family.add_metric([str(chain_id)], (now - since).total_seconds())
    return family


def _of_indexes(indexes: Sequence[IndexStatus], now: datetime) -> Iterable[Metric]:
    """Read from what the indexer has written: it may be dead, and then it was long ago."""
    gauges: dict[str, tuple[str, Callable[[IndexStatus], float | None]]] = {
        "lag_blocks": ("Blocks that the node has and the index has not", lambda one: one.lag),
        "seen_seconds": ("Since the node was last looked at", lambda one: one.looked_s(now)),
        "reorg_depth_blocks": ("Of the last reorg", lambda one: one.chain.reorg_depth),
        "open_gaps": ("Blocks that are not known to be complete", lambda one: one.open_gaps),
        "open_scans": ("Ranges still to be read below the cursor", lambda one: one.open_scans),
    }
    counters: dict[str, tuple[str, Callable[[IndexStatus], float]]] = {
        "events": ("Logs that were read", lambda one: one.chain.events),
        "reorgs": ("Reorgs that were walked back", lambda one: one.chain.reorgs),
        "rpc_calls": ("Calls to the node", lambda one: one.chain.rpc_calls),
        "rpc_bytes": ("Bytes of its answers", lambda one: one.chain.rpc_bytes),
    }
    for name, (told, look) in gauges.items():
        gauge = GaugeMetricFamily(f"undrop_index_{name}", told, labels=["chain_id"])
        for one in indexes:
            value = look(one)
            if value is not None:
                gauge.add_metric([str(one.chain.chain_id)], value)
        yield gauge
    for name, (told, count) in counters.items():
        counter = CounterMetricFamily(f"undrop_index_{name}", told, labels=["chain_id"])
        for one in indexes:
            counter.add_metric([str(one.chain.chain_id)], count(one))
        yield counter


class CountRequests:
    """Counts by route template, never by path: paths name cases."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            _requests.labels(scope["method"], route, str(status)).inc()
            _seconds.labels(route).observe(time.perf_counter() - start)
