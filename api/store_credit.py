"""Store credit over HTTP: shown, held while a shop checks out, issued, taken back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response

from api.door import CallerDep, RuntimeDep
from returns.idempotency import check_key, request_hash
from settlement.commands import store_credit
from settlement.commands.inputs import Input, Name
from settlement.commands.intake import Answer
from settlement.commands.store_credit import CaptureIn, GoodwillIn, HoldIn, Reference, RevokeIn

router = APIRouter(prefix="/v1/credits", tags=["store credit"])

Key = Annotated[str | None, Header(alias="Idempotency-Key")]
InPath = Annotated[Reference, Path(max_length=100)]


@router.get("")
def get_credits(
    runtime: RuntimeDep, caller: CallerDep, customer: Annotated[Name, Query()]
) -> dict[str, Any]:
    """What a customer has: `owed` by currency, what of it is `held`, what is `available` now.

    Of credits and open holds the newest 100.
    """
    caller.require("credits:read")
    return store_credit.show(runtime, caller, customer)


@router.post("", status_code=201)
def post_credit(
    runtime: RuntimeDep, caller: CallerDep, body: GoodwillIn, key: Key = None
) -> Response:
    """Give credit that nothing was returned for, with a written reason."""
    caller.require("credits:write")
    return _answer(
        store_credit.issue(runtime, caller, body, check_key(key), _hash(caller.name, "", body))
    )


@router.post("/holds", status_code=201)
def post_hold(runtime: RuntimeDep, caller: CallerDep, body: HoldIn, key: Key = None) -> Response:
    """Set credit aside while a shop checks out, of what expires first.

    The same reference and content is the same hold, under whichever key.
    """
    caller.require("credits:spend")
    told = _hash(caller.name, "holds", body)
    return _answer(store_credit.hold(runtime, caller, body, check_key(key), told))


@router.post("/holds/{reference}/capture")
def post_capture(
    runtime: RuntimeDep, caller: CallerDep, reference: InPath, body: CaptureIn, key: Key = None
) -> Response:
    """Spend what is held, or `amount` of it: the rest is free again. A hold is captured once."""
    caller.require("credits:spend")
    told = _hash(caller.name, f"holds/{reference}/capture", body)
    return _answer(store_credit.capture(runtime, caller, reference, body, check_key(key), told))


@router.post("/holds/{reference}/release")
def post_release(
    runtime: RuntimeDep, caller: CallerDep, reference: InPath, key: Key = None
) -> Response:
    """Give back what is held. A hold that is released or has expired stays as it is."""
    caller.require("credits:spend")
    told = _hash(caller.name, f"holds/{reference}/release", None)
    return _answer(store_credit.release(runtime, caller, reference, check_key(key), told))


@router.post("/{credit_id}/revoke")
def post_revoke(
    runtime: RuntimeDep,
    caller: CallerDep,
    credit_id: Annotated[str, Path(max_length=36)],
    body: RevokeIn,
    key: Key = None,
) -> Response:
    """Take back what is not spent of a credit; what a checkout holds lapses when it is released."""
    caller.require("credits:write")
    told = _hash(caller.name, f"{credit_id}/revoke", body)
    return _answer(store_credit.revoke(runtime, caller, credit_id, body, check_key(key), told))


def _hash(caller: str, path: str, body: Input | None) -> str:
    told = "" if body is None else body.model_dump_json()
    return request_hash(caller, f"POST /v1/credits/{path}", told)


def _answer(answer: Answer) -> Response:
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else None
    return Response(answer.body, answer.status, headers, "application/json")
