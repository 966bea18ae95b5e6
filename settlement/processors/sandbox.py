"""The sandbox processor's client: the shape that a real processor's connector has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import httpx
from standardwebhooks import Webhook, WebhookVerificationError

from returns.errors import ProcessorUnavailable, WebhookRefused
from returns.words import DisputeStatus, MovementKind, RefundStatus
from settlement.processors.base import (
    Fact,
    Movement,
    ProcessorDispute,
    ProcessorRefund,
    RefundDeclined,
    RefundRequest,
)


class SandboxProcessor:
    """HTTP with short time-outs. A lost answer is looked up by key before anything is repeated."""

    name = "sandbox"

    def __init__(self, url: str, key: str, webhook_secret: str, timeout: float = 5.0) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)
        self._webhook = Webhook(webhook_secret)

    def refund(self, request: RefundRequest) -> ProcessorRefund:
        """Ask for a refund under our key (the leg's id)."""
        body = {
            "charge": request.charge,
            "amount": str(request.amount),
            "currency": request.currency,
            "key": str(request.key),
        }
        headers = {"Idempotency-Key": str(request.key)}
        response = self._send("POST", "/v1/refunds", json=body, headers=headers)
        if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            raise RefundDeclined(problem=str(response.json().get("detail", "no reason given")))
        return _refund(self._checked(response).json())

    def find(self, request: RefundRequest) -> ProcessorRefund | None:
        """Look a key up."""
        page = {"key": str(request.key)}
        found = self._checked(self._send("GET", "/v1/refunds", params=page)).json()
        return _refund(found["refunds"][0]) if found["refunds"] else None

    def refunds(self) -> Iterator[ProcessorRefund]:
        """The whole log, page by page."""
        seen = 0
        while True:
            page = {"offset": str(seen)}
            found = self._checked(self._send("GET", "/v1/refunds", params=page)).json()["refunds"]
            if not found:
                return
            yield from map(_refund, found)
            seen += len(found)

    def movements(self, after: str | None = None) -> Iterator[Movement]:
        """The balance's changes, page by page."""
        while True:
            page = {} if after is None else {"after": after}
            found = self._checked(self._send("GET", "/v1/movements", params=page)).json()
            if not found["movements"]:
                return
            yield from map(_movement, found["movements"])
            after = str(found["movements"][-1]["id"])

    def read_webhook(self, body: bytes, headers: dict[str, str]) -> Fact | None:
        """Check the signature (Standard Webhooks) before reading a byte of the content."""
        try:
            self._webhook.verify(body, headers)
            told = json.loads(body)
            reader = _READERS.get(told["type"])
            return None if reader is None else reader(told["data"])
        except (WebhookVerificationError, ValueError, KeyError, TypeError) as fault:
            raise WebhookRefused from fault

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx.HTTPError as fault:
            raise ProcessorUnavailable(processor=self.name) from fault

    def _checked(self, response: httpx.Response) -> httpx.Response:
        if response.is_error:
            raise ProcessorUnavailable(processor=f"{self.name} ({response.status_code})")
        return response


def _refund(raw: dict[str, Any]) -> ProcessorRefund:
    return ProcessorRefund(
        id=str(raw["id"]),
        key=str(raw["key"]),
        charge=str(raw["charge"]),
        amount=int(raw["amount"]),
        currency=str(raw["currency"]),
        status=RefundStatus(raw["status"]),
        reason=str(raw.get("reason", "")),
    )


def _dispute(raw: dict[str, Any]) -> ProcessorDispute:
    return ProcessorDispute(
        id=str(raw["id"]),
        charge=str(raw["charge"]),
        amount=int(raw["amount"]),
        currency=str(raw["currency"]),
        status=DisputeStatus(raw["status"]),
    )


def _movement(raw: dict[str, Any]) -> Movement:
    return Movement(
        id=str(raw["id"]),
        kind=MovementKind(raw["kind"]),
        about=str(raw["about"]),
        amount=int(raw["amount"]),
        currency=str(raw["currency"]),
        at=datetime.fromisoformat(raw["at"]),
    )


_READERS: dict[str, Callable[[dict[str, Any]], Fact]] = {
    "refund.updated": _refund,
    "dispute.updated": _dispute,
}
