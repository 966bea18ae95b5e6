"""Whether the process lives, and whether it could serve a return now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from api.door import RuntimeDep
from returns.errors import UndropError
from settlement.commands.relay import check_node
from settlement.runtime import Runtime

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(runtime: RuntimeDep, response: Response) -> dict[str, Any]:
    """Everything that a return (or the relay API alone) needs; 503 with what does not answer."""
    wanted = _ALONE if runtime.settings.relay_alone else _CHECKS
    checks = {name: _try(check, runtime) for name, check in wanted.items()}
    ready = all(result == "ok" for result in checks.values())
    response.status_code = 200 if ready else 503
    return {"status": "ready" if ready else "not ready", "checks": checks}


def _database(runtime: Runtime) -> None:
    with runtime.database.read() as session:
        session.connection().execute(sa.text("SELECT 1 FROM merchant WHERE 1 = 0"))


def _relays(runtime: Runtime) -> None:
    for chain_id, node in runtime.chains.items():
        check_node(node, chain_id)


def _try(check: Callable[[Runtime], object], runtime: Runtime) -> str:
    try:
        check(runtime)
    except UndropError as problem:
        return str(problem)
    except SQLAlchemyError as problem:
        return type(problem).__name__
    return "ok"


_CHECKS: dict[str, Callable[[Runtime], object]] = {
    "database": _database,
    "chain": lambda runtime: runtime.indexer.check_pinned(),
    "contracts": lambda runtime: runtime.deployment,
}
#: Where there are no contracts of ours.
_ALONE: dict[str, Callable[[Runtime], object]] = {"database": _database, "chains": _relays}
