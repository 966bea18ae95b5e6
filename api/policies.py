"""Policies over HTTP: versions, their differences, and who puts one in force."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from api.door import CallerDep, RuntimeDep
from settlement.commands import policies
from settlement.commands.inputs import Input, Moment, Text, Written

router = APIRouter(prefix="/v1/policies", tags=["policies"])

_LAST = 2**31 - 1
Version = Annotated[int, Path(ge=1, le=_LAST)]
Number = Annotated[int, Field(strict=True, ge=1, le=_LAST)]


class PolicyIn(Input):
    """A policy as its YAML text; at most 64 kB."""

    text: Annotated[Text, Field(min_length=1, max_length=64 * 1024)]


class ActivateIn(Input):
    """From when on, and why. Without a moment: at once."""

    effective_from: Moment | None = None
    reason: Annotated[Text, Field(max_length=1000)] = ""


class RollBackIn(Input):
    """The version that is to be left, so that a request which is sent twice goes back once."""

    version: Number
    reason: Written


@router.get("")
def list_policies(runtime: RuntimeDep, caller: CallerDep) -> dict[str, Any]:
    """Every version, the newest first: who drafted it, who put it in force, from when."""
    caller.require("policies:read")
    return {"policies": policies.versions(runtime, caller.merchant_id)}


@router.get("/diff")
def get_diff(
    runtime: RuntimeDep,
    caller: CallerDep,
    old: Annotated[int | None, Query(alias="from", ge=1, le=_LAST)] = None,
    new: Annotated[int | None, Query(alias="to", ge=1, le=_LAST)] = None,
) -> dict[str, Any]:
    """What one version (the one in force) becomes in another one (the newest), change by change.

    `effect` is `looser` or `stricter` where that is certain, else `unsaid`.
    """
    caller.require("policies:read")
    return {"changes": policies.difference(runtime, caller.merchant_id, old, new)}


@router.get("/{version}")
def get_policy(runtime: RuntimeDep, caller: CallerDep, version: Version) -> dict[str, Any]:
    """One version with its text."""
    caller.require("policies:read")
    return policies.version(runtime, caller.merchant_id, version)


@router.post("", status_code=201)
def post_policy(runtime: RuntimeDep, caller: CallerDep, body: PolicyIn) -> dict[str, Any]:
    """Draft a version. It is not in force; what says the same as an earlier one is that one."""
    caller.require("policies:write")
    row = policies.draft(runtime, caller.merchant_id, body.text, caller.name)
    return policies.version(runtime, caller.merchant_id, row.version)


@router.post("/rollback")
def post_rollback(runtime: RuntimeDep, caller: CallerDep, body: RollBackIn) -> dict[str, Any]:
    """Go back at once to the version that was in force before."""
    caller.require("policies:write")
    merchant_id, name = caller.merchant_id, caller.name
    return policies.roll_back(runtime, merchant_id, name, body.reason, body.version)


@router.post("/{version}/activate")
def post_activate(
    runtime: RuntimeDep, caller: CallerDep, version: Version, body: ActivateIn
) -> dict[str, Any]:
    """Put a version in force that somebody else drafted, now or from a moment ahead."""
    caller.require("policies:write")
    moment, reason = body.effective_from, body.reason
    return policies.activate(runtime, caller.merchant_id, version, caller.name, moment, reason)
