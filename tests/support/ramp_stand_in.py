"""A stand-in for an on- and off-ramp: prices that move and expire, payouts under keys, its own log.

It answers within the process, as a transport of httpx; like real ramps it honours idempotency keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
from standardwebhooks import Webhook

SECRET = "whsec_" + "cmFtcC1yYW1wLXJhbXAtcmFtcC1yYW1wLXJhbXA="


class RampStandIn:
    """`cost` is what it takes for any payout; `mode` is what payouts meet.

    ok (pending), paid, lost (done, answer lost), down (nothing done), decline, slow (the price has
    expired when it comes to be taken), garbage.
    """

    def __init__(self, now: Callable[[], datetime], cost: int, currency: str) -> None:
        self.now, self.cost, self.currency = now, cost, currency
        self.mode = "ok"
        self.prices: dict[str, dict[str, Any]] = {}
        self.payouts: list[dict[str, str]] = []
        self.movements: list[dict[str, str]] = []
        self.asked: list[str] = []
        self.seen: list[httpx.Request] = []

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        self.asked.append(f"{request.method} {request.url.path}")
        if self.mode == "down":
            return httpx.Response(503)
        if self.mode == "garbage":
            return httpx.Response(200, content=b"[[[")
        body = json.loads(request.content) if request.content else {}
        match request.method, request.url.path:
            case "POST", "/v1/quotes":
                return self._price(body)
            case "POST", "/v1/payouts":
                return self._pay(request.headers["Idempotency-Key"], body)
            case "GET", "/v1/payouts":
                return self._log(request.url.params)
            case "GET", "/v1/movements":
                after = int(request.url.params.get("after", "0"))
                return httpx.Response(200, json={"movements": self.movements[after : after + 2]})
        return httpx.Response(404)

    def _price(self, body: dict[str, str]) -> httpx.Response:
        if body["to_currency"] == "JPY":
            return _refuse("unsupported", "no yen\n")
        life = timedelta(seconds=-1 if self.mode == "slow" else 30)
        price = {
            "id": f"q_{len(self.prices) + 1}",
            "from_amount": str(self.cost),
            "from_currency": self.currency,
            "to_amount": body["to_amount"],
            "to_currency": body["to_currency"],
            "expires_at": (self.now() + life).isoformat(),
        }
        self.prices[price["id"]] = price
        return httpx.Response(201, json=price)

    def _pay(self, key: str, body: dict[str, str]) -> httpx.Response:
        known = next((one for one in self.payouts if one["key"] == key), None)
        if known is not None:
            return httpx.Response(200, json=known)
        price = self.prices[body["quote"]]
        if self.mode == "decline":
            return _refuse("declined", "the account is closed")
        if datetime.fromisoformat(price["expires_at"]) <= self.now():
            return _refuse("quote_expired", "too late")
        payout = {
            "id": f"po_{len(self.payouts) + 1}",
            "key": key,
            "charge": body["charge"],
            "amount": price["to_amount"],
            "currency": price["to_currency"],
            "status": "succeeded" if self.mode == "paid" else "pending",
        }
        self.payouts.append(payout)
        self._move(payout, price)
        if self.mode == "lost":
            raise httpx.ReadTimeout("lost", request=None)
        return httpx.Response(201, json=payout)

    def _move(self, payout: dict[str, str], price: dict[str, str]) -> None:
        number = str(len(self.movements) + 1)
        moved = {"id": number, "kind": "refund", "about": payout["id"]}
        cost = {"amount": f"-{price['from_amount']}", "currency": self.currency}
        self.movements.append({**moved, **cost, "at": self.now().isoformat()})

    def _log(self, params: httpx.QueryParams) -> httpx.Response:
        found = [one for one in self.payouts if params.get("key") in (None, one["key"])]
        start = int(params.get("offset", "0"))
        return httpx.Response(200, json={"payouts": found[start : start + 2]})

    def turn(self, status: str, reason: str = "", number: int = -1) -> tuple[bytes, dict[str, str]]:
        """The payout becomes `status`; returns the webhook that says so."""
        self.payouts[number] |= {"status": status, "reason": reason}
        body = json.dumps({"type": "payout.updated", "data": self.payouts[number]})
        return body.encode(), signed(body, datetime.now(self.now().tzinfo))


def signed(body: str, at: datetime) -> dict[str, str]:
    """Headers by the Standard Webhooks specification."""
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", at, body),
    }


def _refuse(code: str, detail: str) -> httpx.Response:
    return httpx.Response(422, json={"code": code, "detail": detail})
