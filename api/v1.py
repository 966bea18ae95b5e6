"""The HTTP interface, version 1. Each route: read the request, call one command, answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from api.door import CallerDep, RuntimeDep
from api.problems import problem
from returns import reads
from returns.break_reads import break_view
from returns.chain_reads import token_view
from returns.idempotency import check_key, request_hash
from returns.ids import parse_token
from returns.tables import ReconciliationRun
from settlement.broker import INBOX
from settlement.commands import authorizations, cases, intake, orders, returnability, webhooks
from settlement.commands.access import client_token
from settlement.commands.inputs import (
    Address,
    Input,
    Name,
    OrderIn,
    ReturnIn,
    SignatureIn,
    Text,
)

router = APIRouter(prefix="/v1")

#: A token's name as the addresses of this interface have it.
_EXAMPLE = "eip155:1/erc721:0xbc4ca0eda7647a8ab7c2061c2e118a18a936f13d/42"

Rma = Annotated[str, Path(max_length=32)]
Key = Annotated[str | None, Header(alias="Idempotency-Key")]


class OrdersIn(Input):
    """A bulk of orders; each is stored or refused on its own."""

    orders: Annotated[list[OrderIn], Field(min_length=1, max_length=1000)]


class ClientTokenIn(Input):
    """The order that a buyer's browser may act on."""

    order: Name


@router.put("/orders", tags=["orders"])
def put_orders(runtime: RuntimeDep, caller: CallerDep, body: OrdersIn) -> dict[str, Any]:
    """Store orders in bulk. Repeating an order is harmless; changing a stored one is refused."""
    caller.require("orders:write")
    results = orders.put_orders(runtime, caller.merchant_id, body.orders)
    return {"results": [_order_result(result) for result in results]}


@router.post("/client-tokens", tags=["orders"], status_code=201)
def post_client_token(
    runtime: RuntimeDep, caller: CallerDep, body: ClientTokenIn
) -> dict[str, Any]:
    """A short-lived token for the return button, bound to one order."""
    caller.require("tokens:write")
    token, expires = client_token(runtime, caller, body.order)
    return {"token": token, "expires_at": _iso(expires)}


@router.get("/returnability", tags=["returns"])
def get_returnability(
    runtime: RuntimeDep,
    response: Response,
    merchant: Annotated[Text, Query(max_length=64)],
    collection: Annotated[Address, Query(max_length=42)],
    channel: Annotated[Text, Query(max_length=32, pattern="^[a-z_]+$")] = "web",
) -> dict[str, Any]:
    """Whether tokens of a collection can be returned, for how long, and how. No login."""
    response.headers["Cache-Control"] = "public, max-age=60"
    return returnability.of_collection(runtime, merchant, collection, channel)


@router.post("/returns", tags=["returns"], status_code=201)
def post_return(
    runtime: RuntimeDep, caller: CallerDep, body: ReturnIn, key: Key = None
) -> Response:
    """Ask to return tokens of an order. The same key and body get the same answer again."""
    caller.require("returns:write")
    body_hash = request_hash(caller.name, "POST /v1/returns", body.model_dump_json())
    answer = intake.request_return(runtime, caller, body, check_key(key), body_hash)
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else None
    return Response(answer.body, answer.status, headers, "application/json")


@router.get("/returns", tags=["console"])
def list_returns(runtime: RuntimeDep, caller: CallerDep) -> dict[str, Any]:
    """The newest cases."""
    caller.require("console:read")
    with runtime.database.read() as session:
        return {"returns": reads.recent_cases(session, caller.merchant_id)}


@router.get("/holds", tags=["console"])
def list_holds(runtime: RuntimeDep, caller: CallerDep) -> dict[str, Any]:
    """Tokens in escrow, with the date from which their depositor can take them back."""
    caller.require("console:read")
    with runtime.database.read() as session:
        return {"holds": reads.open_holds(session, caller.merchant_id)}


@router.get("/returns/{rma}", tags=["returns"])
def get_return(runtime: RuntimeDep, caller: CallerDep, rma: Rma) -> dict[str, Any]:
    """A case with its lines."""
    caller.require("returns:read")
    with runtime.database.read() as session:
        case = reads.find_case(session, caller.merchant_id, rma, caller.order_id)
        return reads.case_view(session, case)


@router.get("/returns/{rma}/timeline", tags=["returns"])
def get_timeline(runtime: RuntimeDep, caller: CallerDep, rma: Rma) -> dict[str, Any]:
    """What happened to a case, in order."""
    caller.require("returns:read")
    with runtime.database.read() as session:
        case = reads.find_case(session, caller.merchant_id, rma, caller.order_id)
        return {"rma": case.rma, "events": reads.timeline(session, case)}


@router.get("/returns/{rma}/authorization", tags=["returns"])
def get_authorization(runtime: RuntimeDep, caller: CallerDep, rma: Rma) -> dict[str, Any]:
    """What the holder has to sign (eth_signTypedData_v4), line by line.

    `way` says how the token can reach the escrow. Its `kind`: `preapproved` (nothing more is
    needed), `permit` (a second signature, ERC-4494), `seaport` (one order instead), `approval` (one
    transaction of the holder's first) or `none`. `explanation` is written for the customer;
    `approve` and `revoke` are arguments of eth_sendTransaction, or null. `way` itself is null once
    the message is signed, and while the chain does not answer.
    """
    caller.require("returns:read")
    return authorizations.offered(runtime, caller, rma)


@router.post("/returns/{rma}/authorization", tags=["returns"], status_code=202)
def post_authorization(
    runtime: RuntimeDep, caller: CallerDep, rma: Rma, body: SignatureIn
) -> dict[str, Any]:
    """Hand a signature in; the token moves from now on, without gas for the holder."""
    caller.require("returns:write")
    return authorizations.sign(runtime, caller, rma, body)


@router.post("/returns/{rma}/cancel", tags=["returns"])
def post_cancel(runtime: RuntimeDep, caller: CallerDep, rma: Rma) -> dict[str, Any]:
    """Withdraw a case as long as nothing irreversible is under way."""
    caller.require("returns:write")
    return cases.cancel(runtime, caller, rma)


@router.get("/tokens/{caip19:path}", tags=["tokens"])
def get_token(
    runtime: RuntimeDep,
    caller: CallerDep,
    caip19: Annotated[str, Path(max_length=160, examples=[_EXAMPLE])],
    block: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
) -> dict[str, Any]:
    """Who holds a token of a watched collection, at a block or now, and how it came there.

    From the index alone. `level` says how far a fact can be relied on (provisional, confirmed,
    final), `complete` whether every block from `since` on has been read without a gap, `truncated`
    whether it has moved more often than is shown. A `price` is what the sale in the same
    transaction paid, in minor units; prices of orders are for their merchant's keys.
    """
    caller.require("returns:read")
    merchant_id = caller.merchant_id if caller.order_id is None else None
    with runtime.database.read() as session:
        return token_view(session, parse_token(caip19), block, merchant_id)


@router.get("/reconciliation", tags=["finance"])
def get_reconciliation(runtime: RuntimeDep, caller: CallerDep) -> dict[str, Any]:
    """The last reconciliation and the breaks that are open."""
    caller.require("reconciliation:read")
    now = runtime.clock()
    with runtime.database.read() as session:
        run = reads.newest_run(session, caller.merchant_id)
        breaks = reads.open_breaks(session, caller.merchant_id)
    return {
        "run": None if run is None else run_view(run),
        "breaks": [break_view(row, now) for row in breaks],
    }


@router.post("/processors/{name}/webhook", tags=["processors"], status_code=202)
async def post_webhook(
    request: Request, runtime: RuntimeDep, name: Annotated[str, Path(max_length=32)]
) -> dict[str, str]:
    """A processor tells what became of a refund; signed by the Standard Webhooks rules."""
    body = await request.body()
    # The command writes to the database: not on the event loop.
    await run_in_threadpool(webhooks.receive, runtime, name, body, dict(request.headers))
    await run_in_threadpool(runtime.wake, INBOX, name)
    return {"result": "stored"}


def run_view(run: ReconciliationRun) -> dict[str, Any]:
    """A run as its readers name it."""
    return {
        "id": str(run.id),
        "at": _iso(run.at),
        "block_number": run.block_number,
        "full": run.full,
        "signed_by": run.signed_by,
    }


def _order_result(result: orders.OrderResult) -> dict[str, Any]:
    view: dict[str, Any] = {"number": result.number, "result": result.result}
    if result.error is not None:
        view["problem"] = problem(result.error)
    return view


def _iso(moment: datetime) -> str:
    return moment.isoformat()
