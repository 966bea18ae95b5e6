"""A clock that tests move, and a payment processor that fails as real ones do."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from uuid import UUID

from returns.errors import ProcessorUnavailable, WebhookRefused
from settlement.processors.base import ProcessorRefund, RefundDeclined

START = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)


class FakeClock:
    """Stands still until a test moves it."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **parts: float) -> None:
        self.now += timedelta(**parts)


class FakeProcessor:
    """Implements `settlement.processors.base.Processor` in memory.

    `mode` is what the next requests meet: ok (paid at once), pending, lost (paid, answer lost),
    pending_lost, down (nothing done), decline.
    """

    name = "sandbox"

    def __init__(self) -> None:
        self.mode = "ok"
        self.asked: list[UUID] = []
        self.looked_up: list[UUID] = []
        self.log: list[ProcessorRefund] = []
        self._lock = Lock()

    def refund(self, key: UUID, charge: str, amount: int, currency: str) -> ProcessorRefund:
        with self._lock:
            self.asked.append(key)
            if self.mode == "down":
                raise ProcessorUnavailable(processor=self.name)
            known = self._known(key)
            if known is None and self.mode == "decline":
                raise RefundDeclined(problem="the charge cannot be refunded")
            refund = known or self._pay(key, charge, amount, currency)
            if self.mode in ("lost", "pending_lost"):
                raise ProcessorUnavailable(processor=self.name)
            return refund

    def find(self, key: UUID) -> ProcessorRefund | None:
        with self._lock:
            self.looked_up.append(key)
            if self.mode == "down":
                raise ProcessorUnavailable(processor=self.name)
            return self._known(key)

    def refunds(self) -> list[ProcessorRefund]:
        if self.mode == "down":
            raise ProcessorUnavailable(processor=self.name)
        return list(self.log)

    def read_webhook(self, body: bytes, headers: dict[str, str]) -> ProcessorRefund:
        if headers.get("webhook-signature") != "good":
            raise WebhookRefused
        data = json.loads(body)
        return ProcessorRefund(**{**data, "amount": int(data["amount"])})

    def turn(self, key: UUID, status: str) -> ProcessorRefund:
        """The refund under `key` becomes `status`; returns what a webhook would tell."""
        index = next(i for i, refund in enumerate(self.log) if refund.key == str(key))
        self.log[index] = replace(self.log[index], status=status)
        return self.log[index]

    def paid(self) -> list[ProcessorRefund]:
        """Refunds whose money is out or on its way."""
        return [refund for refund in self.log if refund.status != "failed"]

    def _known(self, key: UUID) -> ProcessorRefund | None:
        return next((refund for refund in self.log if refund.key == str(key)), None)

    def _pay(self, key: UUID, charge: str, amount: int, currency: str) -> ProcessorRefund:
        status = "pending" if self.mode.startswith("pending") else "succeeded"
        number = f"re_{len(self.log) + 1}"
        refund = ProcessorRefund(number, str(key), charge, amount, currency, status)
        self.log.append(refund)
        return refund


def webhook(refund: ProcessorRefund) -> tuple[bytes, dict[str, str]]:
    """What the fake processor would send about a refund."""
    return json.dumps(refund.to_payload()).encode(), {"webhook-signature": "good"}
