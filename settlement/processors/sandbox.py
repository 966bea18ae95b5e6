"""The sandbox processor's client: the shape that a real processor's connector has."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx
from standardwebhooks import Webhook, WebhookVerificationError

from returns.errors import ProcessorUnavailable, WebhookRefused
from settlement.processors.base import ProcessorRefund, RefundDeclined


class SandboxProcessor:
    """HTTP with short time-outs. A lost answer is looked up by key before anything is repeated."""

    name = "sandbox"

    def __init__(self, url: str, key: str, webhook_secret: str, timeout: float = 5.0) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)
        self._webhook = Webhook(webhook_secret)

    def refund(self, key: UUID, charge: str, amount: int, currency: str) -> ProcessorRefund:
        """Ask for a refund under our key (the leg's id)."""
        body = {"charge": charge, "amount": str(amount), "currency": currency, "key": str(key)}
        headers = {"Idempotency-Key": str(key)}
        response = self._send("POST", "/v1/refunds", json=body, headers=headers)
        if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            raise RefundDeclined(problem=str(response.json().get("detail", "no reason given")))
        return _refund(self._checked(response).json())

    def find(self, key: UUID) -> ProcessorRefund | None:
        """Look a key up."""
        found = self._checked(self._send("GET", "/v1/refunds", params={"key": str(key)})).json()
        return _refund(found["refunds"][0]) if found["refunds"] else None

    def refunds(self) -> list[ProcessorRefund]:
        """The whole log, page by page."""
        refunds: list[ProcessorRefund] = []
        while True:
            page = {"offset": str(len(refunds))}
            found = self._checked(self._send("GET", "/v1/refunds", params=page)).json()["refunds"]
            if not found:
                return refunds
            refunds += [_refund(raw) for raw in found]

    def read_webhook(self, body: bytes, headers: dict[str, str]) -> ProcessorRefund:
        """Check the signature (Standard Webhooks) before reading a byte of the content."""
        try:
            self._webhook.verify(body, headers)
            return _refund(json.loads(body)["data"])
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
        status=str(raw["status"]),
    )
