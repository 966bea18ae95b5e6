"""Webhook endpoints over HTTP, and what was sent to them."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query

from api.door import CallerDep, RuntimeDep
from returns.delivery_reads import DEFAULT_PAGE, MAX_PAGE
from returns.event_kinds import all_kinds
from returns.words import DeliveryState
from settlement.commands import deliveries, endpoints
from settlement.commands.endpoint_inputs import EndpointChangeIn, EndpointIn, ReplayIn, RotationIn

router = APIRouter(prefix="/v1", tags=["webhooks"])

EndpointId = Annotated[str, Path(max_length=36)]
DeliveryId = Annotated[str, Path(max_length=36)]


@router.get("/event-kinds")
def get_kinds(caller: CallerDep) -> dict[str, Any]:
    """Every kind of event: one for each state that a line can enter."""
    caller.require("webhooks:read")
    return {"kinds": all_kinds()}


@router.post("/webhook-endpoints", status_code=201)
def post_endpoint(runtime: RuntimeDep, caller: CallerDep, body: EndpointIn) -> dict[str, Any]:
    """Register an address for your events. `secret` is shown in this answer and never again.

    Messages are signed as the Standard Webhooks specification says; `webhook-id` is the same
    however often an event is sent. Those of one case arrive in the order of `sequence`.
    """
    caller.require("webhooks:write")
    return endpoints.create(runtime, caller, body)


@router.get("/webhook-endpoints")
def get_endpoints(runtime: RuntimeDep, caller: CallerDep) -> dict[str, Any]:
    """Your endpoints. `flagged_at`: since when events for it have been given up."""
    caller.require("webhooks:read")
    return {"endpoints": endpoints.listed(runtime, caller)}


@router.patch("/webhook-endpoints/{endpoint_id}")
def patch_endpoint(
    runtime: RuntimeDep, caller: CallerDep, endpoint_id: EndpointId, body: EndpointChangeIn
) -> dict[str, Any]:
    """Change an endpoint. While it is off nothing is kept for it: replay what it missed."""
    caller.require("webhooks:write")
    return endpoints.change(runtime, caller, endpoint_id, body)


@router.delete("/webhook-endpoints/{endpoint_id}", status_code=204)
def delete_endpoint(runtime: RuntimeDep, caller: CallerDep, endpoint_id: EndpointId) -> None:
    """Send nothing more there."""
    caller.require("webhooks:write")
    endpoints.delete(runtime, caller, endpoint_id)


@router.post("/webhook-endpoints/{endpoint_id}/secret", status_code=201)
def post_secret(
    runtime: RuntimeDep, caller: CallerDep, endpoint_id: EndpointId, body: RotationIn
) -> dict[str, Any]:
    """Make a new secret; present ones sign beside it for `grace_seconds`."""
    caller.require("webhooks:write")
    return endpoints.rotate(runtime, caller, endpoint_id, body.grace_seconds)


@router.post("/webhook-endpoints/{endpoint_id}/test", status_code=202)
def post_test(runtime: RuntimeDep, caller: CallerDep, endpoint_id: EndpointId) -> dict[str, Any]:
    """Have a `ping` sent, once; what came of it stands in the list of deliveries."""
    caller.require("webhooks:write")
    return endpoints.ping(runtime, caller, endpoint_id)


@router.post("/webhook-endpoints/{endpoint_id}/replay", status_code=202)
def post_replay(
    runtime: RuntimeDep, caller: CallerDep, endpoint_id: EndpointId, body: ReplayIn
) -> dict[str, Any]:
    """Have events sent again: those of a case from a sequence number on, or all since a moment."""
    caller.require("webhooks:write")
    return deliveries.replay(runtime, caller, endpoint_id, body.start)


@router.get("/webhook-deliveries")
def get_deliveries(
    runtime: RuntimeDep,
    caller: CallerDep,
    endpoint: Annotated[str | None, Query(max_length=36)] = None,
    state: DeliveryState | None = None,
    cursor: Annotated[UUID | None, Query(description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE,
) -> dict[str, Any]:
    """What was sent, the newest first; on the last page `next` is null."""
    caller.require("webhooks:read")
    return deliveries.listed(runtime, caller, endpoint, state, cursor, limit)


@router.post("/webhook-deliveries/{delivery_id}/resend", status_code=202)
def post_resend(runtime: RuntimeDep, caller: CallerDep, delivery_id: DeliveryId) -> dict[str, Any]:
    """Send one delivery again, whatever became of it."""
    caller.require("webhooks:write")
    return deliveries.resend(runtime, caller, delivery_id)
