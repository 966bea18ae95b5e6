"""Pages: a demo shop with the return button, and a plain console."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates

from api.door import RuntimeDep
from returns.errors import NotFound
from settlement.commands.access import Caller, client_token, merchant_by_slug
from settlement.runtime import Runtime

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(Path(__file__).parent / "templates")

_DEMO_MERCHANT = "demo"


@router.get("/")
def home() -> Response:
    """The shop is the first thing to look at."""
    return RedirectResponse("/shop")


@router.get("/shop")
def shop(request: Request, runtime: RuntimeDep) -> Response:
    """The demo shop: recent purchases of simulated customers, each with its return button."""
    context = {"orders": _demo_orders(runtime), "rpc_url": runtime.settings.rpc_url}
    return templates.TemplateResponse(request, "shop.html", context)


@router.get("/shop/token/{number}")
def shop_token(runtime: RuntimeDep, number: str) -> dict[str, str]:
    """What a shop's back end does: a client token for the order of the signed-in customer."""
    if number not in {order["number"] for order in _demo_orders(runtime)}:
        raise NotFound(what="order")
    merchant = merchant_by_slug(runtime, _DEMO_MERCHANT)
    caller = Caller(merchant.id, "demo-shop", frozenset({"tokens:write"}))
    token, expires = client_token(runtime, caller, number)
    return {"token": token, "expires_at": expires.isoformat()}


@router.get("/console")
def console(request: Request) -> Response:
    """Cases, holds and breaks; the page asks for an API key and reads the API with it."""
    return templates.TemplateResponse(request, "console.html", {})


def _demo_orders(runtime: Runtime) -> list[dict[str, Any]]:
    """The demo's orders: only a local installation has them."""
    if runtime.settings.environment != "local":
        raise NotFound(what="page")
    try:
        orders: list[dict[str, Any]] = json.loads(
            (runtime.settings.home / "demo_orders.json").read_text()
        )
    except OSError:
        return []
    return orders
