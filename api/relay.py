"""The relay API, version 1: for back ends that need only the relayer, and for who steers it."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Header, Path, Query, Response

from api import relay_examples as examples
from api.door import CallerDep, RuntimeDep
from returns.idempotency import check_key, request_hash
from settlement.commands import lanes, relay
from settlement.commands.inputs import RelayIn

router = APIRouter(prefix="/v1/relay", tags=["relay"])

Key = Annotated[str | None, Header(alias="Idempotency-Key", openapi_examples=examples.KEYS)]
State = Literal[
    "pending", "sent", "submitted", "mined", "confirmed", "failed", "expired", "canceled"
]
LaneAddress = Annotated[str, Path(max_length=42, openapi_examples=examples.LANE_ADDRESSES)]
OnChain = Annotated[int | None, Query(ge=1, lt=2**63, description="all chains if left out")]


@router.post("/transactions", status_code=201, responses=examples.SUBMITTED)
def post_transaction(
    runtime: RuntimeDep,
    caller: CallerDep,
    body: Annotated[RelayIn, Body(openapi_examples=examples.BODIES)],
    key: Key = None,
) -> Response:
    """Have a transaction sent that a rule of yours allows; everything else is refused.

    It is stored and sent exactly once, however often it is asked for under one key. It is simulated
    before it is signed: what would move other assets than `expects` says is not sent.
    """
    caller.require("relay:write")
    body_hash = request_hash(caller.name, f"POST {relay.PATH}", body.model_dump_json())
    answer = relay.submit(runtime, caller, body, check_key(key), body_hash)
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else None
    return Response(answer.body, answer.status, headers, "application/json")


@router.get("/transactions", responses=examples.LISTED)
def list_transactions(
    runtime: RuntimeDep,
    caller: CallerDep,
    state: Annotated[State | None, Query(openapi_examples=examples.STATES)] = None,
    cursor: Annotated[UUID | None, Query(description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200, openapi_examples=examples.LIMITS)] = 50,
) -> dict[str, Any]:
    """Your transactions, the newest first, without attempts; on the last page `next` is null."""
    caller.require("relay:read")
    return relay.newest(runtime, caller.merchant_id, state, cursor, limit)


@router.get("/transactions/{relay_id}", responses=examples.READ)
def get_transaction(
    runtime: RuntimeDep,
    caller: CallerDep,
    relay_id: Annotated[str, Path(max_length=36, openapi_examples=examples.READ_IDS)],
) -> dict[str, Any]:
    """A transaction with every attempt: the signed bytes of its nonce, of which one is mined.

    `state` is `pending` until it has a nonce, `sent` until the node has its bytes, `submitted`,
    `mined`, and `confirmed` when nothing can undo it; or `failed`, `expired` or `canceled`.
    `ends_as` tells that a self-transfer (`filler`) is to take its nonce. `cost` is in wei: what its
    gas may cost at most, and once it is final what it did cost, for all that share the nonce.
    """
    caller.require("relay:read")
    return relay.status(runtime, caller.merchant_id, relay_id)


@router.post("/transactions/{relay_id}/cancel", responses=examples.CANCELED)
def post_cancel(
    runtime: RuntimeDep,
    caller: CallerDep,
    relay_id: Annotated[str, Path(max_length=36, openapi_examples=examples.CANCEL_IDS)],
) -> dict[str, Any]:
    """Take a transaction back: at once without a nonce, else if a self-transfer is faster."""
    caller.require("relay:write")
    return relay.cancel(runtime, caller.merchant_id, relay_id)


@router.post("/transactions/{relay_id}/speed-up", responses=examples.SPED_UP)
def post_speed_up(
    runtime: RuntimeDep,
    caller: CallerDep,
    relay_id: Annotated[str, Path(max_length=36, openapi_examples=examples.SPEED_UP_IDS)],
) -> dict[str, Any]:
    """Pay more: a higher fee, or, without a nonce, no more waiting for a cheap block."""
    caller.require("relay:write")
    return relay.speed_up(runtime, caller.merchant_id, relay_id)


@router.get("/lanes", responses=examples.LANES)
def get_lanes(runtime: RuntimeDep, caller: CallerDep) -> dict[str, Any]:
    """Every lane of this installation: the head of its line, its coin in wei, what is wrong.

    `waiting` has the chains on which a transaction without a nonce is late, and by how much. Both
    ages are taken when this is read: they grow where no relayer lives.
    """
    caller.require("relay:admin")
    return lanes.overview(runtime)


@router.post("/lanes/{address}/pause", responses=examples.mode_answers("paused"))
def post_pause(
    runtime: RuntimeDep, caller: CallerDep, address: LaneAddress, chain_id: OnChain = None
) -> dict[str, Any]:
    """Sign nothing more with a key; what is in the pool stays there."""
    caller.require("relay:admin")
    return lanes.set_mode(runtime, address, "pause", chain_id, caller.name, caller.merchant_id)


@router.post("/lanes/{address}/drain", responses=examples.mode_answers("draining"))
def post_drain(
    runtime: RuntimeDep, caller: CallerDep, address: LaneAddress, chain_id: OnChain = None
) -> dict[str, Any]:
    """Take nothing new up, and bring what is under way to its end."""
    caller.require("relay:admin")
    return lanes.set_mode(runtime, address, "drain", chain_id, caller.name, caller.merchant_id)


@router.post("/lanes/{address}/resume", responses=examples.mode_answers("running"))
def post_resume(
    runtime: RuntimeDep, caller: CallerDep, address: LaneAddress, chain_id: OnChain = None
) -> dict[str, Any]:
    """Go on."""
    caller.require("relay:admin")
    return lanes.set_mode(runtime, address, "resume", chain_id, caller.name, caller.merchant_id)
