"""Customers' bank accounts over HTTP: told in full, shown masked."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from api.door import CallerDep, RuntimeDep
from settlement.commands import payees
from settlement.commands.inputs import Name
from settlement.commands.payee_inputs import PayeeIn

router = APIRouter(prefix="/v1", tags=["payees"])

Customer = Annotated[Name, Path(max_length=100)]


@router.put("/payees/{customer}")
def put_payee(
    runtime: RuntimeDep, caller: CallerDep, customer: Customer, body: PayeeIn
) -> dict[str, Any]:
    """Say to which bank account a customer's refunds are paid from now on."""
    caller.require("payees:write")
    return payees.put_payee(runtime, caller, customer, body)


@router.get("/payees/{customer}")
def get_payee(runtime: RuntimeDep, caller: CallerDep, customer: Customer) -> dict[str, Any]:
    """The bank account that a customer's refunds are paid to, masked."""
    caller.require("payees:read")
    return payees.payee(runtime, caller, customer)
