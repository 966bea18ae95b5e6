"""For who runs the installation: work that is stuck."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path

from api.door import CallerDep, RuntimeDep
from settlement.commands import dead_letters
from settlement.commands.inputs import Input, Written

router = APIRouter(prefix="/v1/dead-letters", tags=["operations"])

Row = Annotated[UUID, Path()]


class CloseIn(Input):
    """Why nobody has to act on a fact any more."""

    reason: Written


@router.get("")
def get_dead_letters(runtime: RuntimeDep, caller: CallerDep) -> dict[str, Any]:
    """Work that has failed so often that a person has to look."""
    caller.require("work:admin")
    return {"dead_letters": dead_letters.dead_letters(runtime)}


@router.post("/{queue}/{row}/retry")
def post_retry(
    runtime: RuntimeDep, caller: CallerDep, queue: Literal["inbox", "outbox"], row: Row
) -> dict[str, Any]:
    """Have it tried at once."""
    caller.require("work:admin")
    return dead_letters.retry(runtime, caller, queue, row)


@router.post("/inbox/{row}/close")
def post_close(runtime: RuntimeDep, caller: CallerDep, row: Row, body: CloseIn) -> dict[str, Any]:
    """Close a fact that nobody can take in, with a written reason."""
    caller.require("work:admin")
    return dead_letters.close(runtime, caller, row, body.reason)
