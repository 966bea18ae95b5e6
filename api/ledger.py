"""The ledger over HTTP: balances at any moment, and what was booked for a case."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.door import CallerDep, RuntimeDep
from settlement.commands import ledger
from settlement.commands.inputs import Moment, Text

router = APIRouter(prefix="/v1/ledger", tags=["finance"])


@router.get("/balances")
def get_balances(
    runtime: RuntimeDep,
    caller: CallerDep,
    at: Annotated[Moment | None, Query(description="as it stood then; default: now")] = None,
    account: Annotated[
        Text | None, Query(max_length=200, description="how the accounts' names begin")
    ] = None,
    final: Annotated[bool, Query(description="without what a reorg may still undo")] = False,
) -> dict[str, Any]:
    """Debits less credits by account and asset, in minor units; tokens are assets by CAIP-19 name.

    The first 1,000 in their order; `truncated` says that there are more: name their beginning.
    """
    caller.require("ledger:read")
    return ledger.balances(runtime, caller.merchant_id, at, account, final=final)


@router.get("/entries")
def get_entries(
    runtime: RuntimeDep, caller: CallerDep, rma: Annotated[str, Query(max_length=32)]
) -> dict[str, Any]:
    """What was booked for a case, in order, with both sides of each entry and its seal."""
    caller.require("ledger:read")
    return ledger.entries(runtime, caller, rma)
