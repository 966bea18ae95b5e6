"""The application: routes, pages, health and metrics on one runtime; a factory for uvicorn."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles

from api import (
    breaks,
    decisions,
    endpoints,
    events,
    health,
    ledger,
    metrics,
    operations,
    pages,
    payees,
    policies,
    problems,
    relay,
    reviews,
    store_credit,
    v1,
)
from api.door import BodyLimit
from api.together import Together
from settlement.commands import opinions
from settlement.commands.opinions import Desks
from settlement.runtime import Runtime

#: Python's own. py_ecc, which eth-account brings, raises it to 100,000 when it is imported; a body
#: of as many nested lists would then overrun the stack and end the process.
_RECURSION_LIMIT = 1000

STATIC = Path(__file__).parent / "static"


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """Build the application; tests pass a runtime of their own."""
    sys.setrecursionlimit(_RECURSION_LIMIT)
    app = _Application(
        title="Undrop",
        version="0.1.0",
        description="The returns desk of an NFT marketplace.",
        # The documentation pages load their scripts from elsewhere; the document is ours.
        docs_url=None,
        redoc_url=None,
    )
    app.state.runtime = runtime or Runtime()
    app.state.desks = Desks()
    app.state.streams = events.Streams()
    app.state.opinions = Together(partial(opinions.store, app.state.runtime))
    problems.install(app)
    # First, because routes are tried in their order: a thousand a second come here.
    app.include_router(decisions.router)
    app.include_router(v1.router)
    app.include_router(reviews.router)
    app.include_router(breaks.router)
    app.include_router(relay.router)
    app.include_router(policies.router)
    app.include_router(endpoints.router)
    app.include_router(events.router)
    app.include_router(operations.router)
    app.include_router(payees.router)
    app.include_router(ledger.router)
    app.include_router(store_credit.router)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(metrics.CountRequests)
    app.add_middleware(BodyLimit)
    return app


class _Application(FastAPI):
    """FastAPI leaves nulls out of examples, although answers have them: they are put back."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        routes = [route for route in relay.router.routes if isinstance(route, APIRoute)]
        for route in routes:
            [way] = [document["paths"][route.path][name.lower()] for name in route.methods or ()]
            for status, answer in route.responses.items():
                for media, content in answer["content"].items():
                    way["responses"][str(status)]["content"][media] |= content
        return document
