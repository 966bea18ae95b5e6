"""Decisions over HTTP: about a request before it is made, about facts, about a case."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from api.door import CallerDep, RuntimeDep, get_runtime
from api.problems import problem
from api.v1 import Rma
from returns import reads
from returns.decision_views import decisions_of
from returns.errors import FieldInvalid
from settlement import authority
from settlement.commands import intake, opinions, signals
from settlement.commands.inputs import Input, ReturnIn
from settlement.commands.signal_inputs import SignalIn

router = APIRouter(prefix="/v1")

#: Read by hand below: this route answers a thousand times a second.
_BY_HAND: dict[str, Any] = {
    "parameters": [
        {
            "name": "store",
            "in": "query",
            "description": "Whether the decision is kept.",
            "schema": {"type": "boolean", "default": True},
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": opinions.what_is_handed_in(),
            }
        },
    },
}


class SignalsIn(Input):
    """A bulk of signals; each is stored or refused on its own."""

    signals: Annotated[list[SignalIn], Field(min_length=1, max_length=1000)]


@router.post("/decisions", tags=["decisions"], openapi_extra=_BY_HAND)
async def post_decision(request: Request) -> Response:
    """Decide about facts that are handed in, by the policy in force; `store=false` keeps nothing.

    For back ends that run their returns elsewhere. No case is opened, no money or token moves. A
    policy that was put in force counts within a second.
    """
    runtime, store = await get_runtime(request), _flag(request, "store")
    header = request.headers.get("authorization")
    desks: opinions.Desks = request.app.state.desks
    # Who was here a moment ago is decided about at once; all that waits does so in a thread.
    desk = desks.known(runtime, header or "")
    if desk is None:
        desk = await run_in_threadpool(desks.look_up, runtime, header)
    opinion = opinions.decide_facts(runtime, desk, await request.body())
    if store:
        await request.app.state.opinions.add(opinion)
    return Response(opinion.to_json(), 201 if store else 200, media_type="application/json")


@router.get("/authority", tags=["decisions"])
def get_authority(response: Response) -> dict[str, Any]:
    """Who may do what: whoever proposes a decision moves neither money nor tokens. No login."""
    response.headers["Cache-Control"] = "public, max-age=3600"
    return authority.statement()


@router.put("/signals", tags=["orders"])
def put_signals(runtime: RuntimeDep, caller: CallerDep, body: SignalsIn) -> dict[str, Any]:
    """Tell facts about tokens, customers, wallets and orders, for decisions to come."""
    caller.require("orders:write")
    results = signals.tell(runtime, caller.merchant_id, body.signals, caller.name)
    return {"results": [_signal_result(result) for result in results]}


@router.post("/returns/eligibility", tags=["returns"])
def post_eligibility(runtime: RuntimeDep, caller: CallerDep, body: ReturnIn) -> dict[str, Any]:
    """What would be decided about a request just now. Nothing is stored, and nothing is promised:
    the request itself is decided anew."""
    caller.require("returns:write")
    decisions = intake.try_return(runtime, caller, body)
    return {
        "order": body.order,
        "lines": [
            {
                "collection": line.collection,
                "token_id": str(line.token_id),
                "decision": decision.verdict.value,
                "remedy": decision.remedy.value,
                "amount": reads.amount_view(decision.amount, decision.currency),
                "bonus": reads.amount_view(decision.bonus, decision.currency),
                "deductions": {name: str(minor) for name, minor in decision.deductions.items()},
                "alternatives": [remedy.value for remedy in decision.alternatives],
                "reply": decision.explanation,
            }
            for line, decision in zip(body.lines, decisions, strict=True)
        ],
    }


@router.get("/returns/{rma}/decision", tags=["decisions"])
def get_decision(runtime: RuntimeDep, caller: CallerDep, rma: Rma) -> dict[str, Any]:
    """What was decided about each line and why, for agents and help desks; not for customers."""
    caller.require("reviews:read")
    with runtime.database.read() as session:
        case = reads.find_case(session, caller.merchant_id, rma, caller.order_id)
        return decisions_of(session, case)


def _flag(request: Request, name: str) -> bool:
    """A switch of the query that is on unless it is switched off."""
    said = request.query_params.get(name, "true")
    if said not in ("true", "false"):
        raise FieldInvalid(field=name, problem="write true or false")
    return said == "true"


def _signal_result(result: signals.SignalResult) -> dict[str, Any]:
    view: dict[str, Any] = {"key": result.key, "result": "stored"}
    if result.error is not None:
        view |= {"result": "refused", "problem": problem(result.error)}
    return view
