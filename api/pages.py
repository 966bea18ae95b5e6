"""Pages: a demo shop with the return button, and a plain console."""

from __future__ import annotations

import json
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates

from api.door import RuntimeDep
from returns.errors import NotFound
from returns.money import CRYPTO_EXPONENTS, Money, to_decimal
from settlement.commands.access import Caller, client_token, merchant_by_slug
from settlement.runtime import Runtime

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(Path(__file__).parent / "templates")

_DEMO_MERCHANT = "demo"
#: Cells of a picture's left half: it is mirrored, as faces are.
_PICTURE_WIDTH, _PICTURE_HEIGHT = 4, 8
_PICTURE_HUES = 6


@router.get("/")
def home() -> Response:
    """The shop is the first thing to look at."""
    return RedirectResponse("/shop")


@router.get("/shop")
def shop(request: Request, runtime: RuntimeDep) -> Response:
    """The demo shop: recent purchases of simulated customers, each with its return button."""
    rpc_url = runtime.settings.rpc_url
    orders = [_purchase(order) for order in _demo_orders(runtime)]
    context = {"orders": orders, "rpc_url": rpc_url, "merchant": _DEMO_MERCHANT}
    page = templates.TemplateResponse(request, "shop.html", context)
    return _guarded(page, connect=_origin(rpc_url))


@router.get("/shop/token/{number:path}")
def shop_token(response: Response, runtime: RuntimeDep, number: str) -> dict[str, str]:
    """What a shop's back end does: a client token for the order of the signed-in customer."""
    if number not in {order["number"] for order in _demo_orders(runtime)}:
        raise NotFound(what="order")
    merchant = merchant_by_slug(runtime, _DEMO_MERCHANT)
    caller = Caller(merchant.id, "demo-shop", frozenset({"tokens:write"}))
    token, expires = client_token(runtime, caller, number)
    response.headers["Cache-Control"] = "no-store"
    return {"token": token, "expires_at": expires.isoformat()}


@router.get("/console")
def console(request: Request) -> Response:
    """Cases, holds and breaks; the page asks for an API key and reads the API with it."""
    return _guarded(templates.TemplateResponse(request, "console.html", {}))


def _guarded(page: Response, *, connect: str = "") -> Response:
    """Let a page load and reach nothing but ourselves and `connect` (one origin, or nothing)."""
    policy = {
        "default-src": "'self'",
        "connect-src": f"'self' {connect}".rstrip(),
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "object-src": "'none'",
    }
    page.headers["Content-Security-Policy"] = "; ".join(f"{k} {v}" for k, v in policy.items())
    page.headers["X-Content-Type-Options"] = "nosniff"
    page.headers["Referrer-Policy"] = "no-referrer"
    page.headers["Cache-Control"] = "no-store"
    return page


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _purchase(order: dict[str, Any]) -> dict[str, Any]:
    """A demo order as its card shows it: price in major units, and a picture of the token."""
    money = Money(int(order["price"]), order["currency"])
    token_id = str(order["token_id"])
    return {**order, "token_id": token_id, "display": _display(money), "picture": _cells(token_id)}


def _display(money: Money) -> str:
    """`1,250.00 USD`, `0.5 ETH`: a coin's eighteen places are cut where they are all zero."""
    text = f"{Decimal(to_decimal(money)):,f}"
    if money.currency in CRYPTO_EXPONENTS and "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text} {money.currency}"


def _cells(token_id: str) -> dict[str, Any]:
    """A symmetric picture of 8 x 8 cells that is the same for the same token, always."""
    seed = sha256(token_id.encode()).digest()
    cells = []
    for index in range(_PICTURE_WIDTH * _PICTURE_HEIGHT):
        column, row = index % _PICTURE_WIDTH, index // _PICTURE_WIDTH
        shade = seed[index] % 5
        if shade < 3:
            mirrored = 2 * _PICTURE_WIDTH - 1 - column
            cells += [{"x": x, "y": row, "shade": shade} for x in (column, mirrored)]
    return {"hue": sha256(seed).digest()[0] % _PICTURE_HUES, "cells": cells}


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
