"""Prometheus metrics: requests as they are served, and the state of the books when asked."""

from __future__ import annotations

import time
from collections.abc import Iterable

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.door import RuntimeDep
from returns import reads
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
            counts = reads.counts(session)
        for name, (label, values) in counts.items():
            family = GaugeMetricFamily(f"undrop_{name}", f"Number by {label}", labels=[label])
            for value, count in values.items():
                family.add_metric([value], count)
            yield family


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
