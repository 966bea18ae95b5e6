"""The application: routes, pages, health and metrics on one runtime; a factory for uvicorn."""

from __future__ import annotations

import sys
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from api import health, metrics, pages, problems, v1
from api.door import BodyLimit
from settlement.runtime import Runtime

#: Python's own. py_ecc, which eth-account brings, raises it to 100,000 when it is imported; a body
#: of as many nested lists would then overrun the stack and end the process.
_RECURSION_LIMIT = 1000

STATIC = Path(__file__).parent / "static"


def create_app(runtime: Runtime | None = None) -> FastAPI:
    """Build the application; tests pass a runtime of their own."""
    sys.setrecursionlimit(_RECURSION_LIMIT)
    app = FastAPI(
        title="Undrop",
        version="0.1.0",
        description="The returns desk of an NFT marketplace.",
        # The documentation pages load their scripts from elsewhere; the document is ours.
        docs_url=None,
        redoc_url=None,
    )
    app.state.runtime = runtime or Runtime()
    problems.install(app)
    app.include_router(v1.router)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(metrics.CountRequests)
    app.add_middleware(BodyLimit)
    return app
