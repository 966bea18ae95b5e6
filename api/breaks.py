"""Reconciliation over HTTP: what differs, whose it is, and what two people say about it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query

from api.door import CallerDep, RuntimeDep
from returns.break_reads import DEFAULT_PAGE, MAX_PAGE
from returns.words import AgeBucket
from settlement.commands import reconciliation
from settlement.commands.reconciliation import AssignmentIn, ConfirmationIn, OutcomeIn, SignOffIn

router = APIRouter(prefix="/v1", tags=["finance"])

BreakId = Annotated[UUID, Path()]


@router.get("/breaks")
def get_breaks(
    runtime: RuntimeDep,
    caller: CallerDep,
    code: Annotated[str | None, Query(max_length=64)] = None,
    owner: Annotated[str | None, Query(max_length=100, description="a desk or a person")] = None,
    age: AgeBucket | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE,
) -> dict[str, Any]:
    """Open breaks, the oldest first, and how many there are by code, desk and age."""
    caller.require("reconciliation:read")
    return reconciliation.listed(runtime, caller, code, owner, age, limit)


@router.get("/breaks/{break_id}")
def get_break(runtime: RuntimeDep, caller: CallerDep, break_id: BreakId) -> dict[str, Any]:
    """A break with what each side said, and what was done about it."""
    caller.require("reconciliation:read")
    return reconciliation.shown(runtime, caller, break_id)


@router.post("/breaks/{break_id}/assign")
def post_assign(
    runtime: RuntimeDep, caller: CallerDep, break_id: BreakId, body: AssignmentIn
) -> dict[str, Any]:
    """Give a break to a desk or a person."""
    caller.require("reconciliation:write")
    return reconciliation.assign(runtime, caller, break_id, body)


@router.post("/breaks/{break_id}/propose")
def post_propose(
    runtime: RuntimeDep, caller: CallerDep, break_id: BreakId, body: OutcomeIn
) -> dict[str, Any]:
    """Call a break put right, or accept it as it is, with a written reason."""
    caller.require("reconciliation:write")
    return reconciliation.propose(runtime, caller, break_id, body)


@router.post("/breaks/{break_id}/confirm")
def post_confirm(
    runtime: RuntimeDep, caller: CallerDep, break_id: BreakId, body: ConfirmationIn
) -> dict[str, Any]:
    """Confirm or reject what somebody else proposed. One that is still there is opened anew."""
    caller.require("reconciliation:write")
    return reconciliation.confirm(runtime, caller, break_id, body)


@router.post("/reconciliation/{run_id}/sign-off")
def post_sign_off(
    runtime: RuntimeDep, caller: CallerDep, run_id: Annotated[UUID, Path()], body: SignOffIn
) -> dict[str, Any]:
    """Put a name under a run that somebody else, or the product, has started."""
    caller.require("reconciliation:write")
    return reconciliation.sign_off(runtime, caller, run_id, body)
