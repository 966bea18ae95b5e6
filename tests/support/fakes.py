"""A clock that tests move, and a payment processor that fails as real ones do."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from uuid import UUID

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
        self.report: list[Movement] = []
        self._lock = Lock()

    def refund(self, request: RefundRequest) -> ProcessorRefund:
        with self._lock:
            self.asked.append(request.key)
            if self.mode == "down":
                raise ProcessorUnavailable(processor=self.name)
            known = self._known(request.key)
            if known is None and self.mode == "decline":
                raise RefundDeclined(problem="the charge cannot be refunded")
            refund = known or self._pay(request)
            if self.mode in ("lost", "pending_lost"):
                raise ProcessorUnavailable(processor=self.name)
            return refund

    def find(self, request: RefundRequest) -> ProcessorRefund | None:
        with self._lock:
            self.looked_up.append(request.key)
            if self.mode == "down":
                raise ProcessorUnavailable(processor=self.name)
            return self._known(request.key)

    def refunds(self) -> list[ProcessorRefund]:
        if self.mode == "down":
            raise ProcessorUnavailable(processor=self.name)
        return list(self.log)

    def movements(self, after: str | None = None) -> list[Movement]:
        if self.mode == "down":
            raise ProcessorUnavailable(processor=self.name)
        return self.report[0 if after is None else int(after) :]

    def read_webhook(self, body: bytes, headers: dict[str, str]) -> Fact | None:
        if headers.get("webhook-signature") != "good":
            raise WebhookRefused
        data = json.loads(body)
        data["amount"] = int(data["amount"])
        if "key" not in data:
            return ProcessorDispute(**{**data, "status": DisputeStatus(data["status"])})
        return ProcessorRefund(**{**data, "status": RefundStatus(data["status"])})

    def turn(self, key: UUID, status: str, reason: str = "") -> ProcessorRefund:
        """The refund under `key` becomes `status`; returns what a webhook would tell."""
        index = next(i for i, refund in enumerate(self.log) if refund.key == str(key))
        before = self.log[index]
        now = replace(before, status=RefundStatus(status), reason=reason)
        self.log[index] = now
        if now.status is RefundStatus.SUCCEEDED and before.status is RefundStatus.PENDING:
            self.move(MovementKind.REFUND, now.id, -now.amount, now.currency)
        if now.status is RefundStatus.FAILED and before.status is RefundStatus.SUCCEEDED:
            self.move(MovementKind.REFUND_FAILURE, now.id, now.amount, now.currency)
        return now

    def move(self, kind: MovementKind, about: str, amount: int, currency: str) -> None:
        """A line of the report."""
        number = str(len(self.report) + 1)
        self.report.append(Movement(number, kind, about, amount, currency, START))

    def paid(self) -> list[ProcessorRefund]:
        """Refunds whose money is out or on its way."""
        over = (RefundStatus.FAILED, RefundStatus.CANCELED)
        return [refund for refund in self.log if refund.status not in over]

    def _known(self, key: UUID) -> ProcessorRefund | None:
        return next((refund for refund in self.log if refund.key == str(key)), None)

    def _pay(self, asked: RefundRequest) -> ProcessorRefund:
        pending = self.mode.startswith("pending")
        status = RefundStatus.PENDING if pending else RefundStatus.SUCCEEDED
        number = f"re_{len(self.log) + 1}"
        about = (str(asked.key), asked.charge, asked.amount, asked.currency)
        refund = ProcessorRefund(number, *about, status)
        self.log.append(refund)
        if not pending:
            self.move(MovementKind.REFUND, number, -asked.amount, asked.currency)
        return refund


def webhook(refund: ProcessorRefund | ProcessorDispute) -> tuple[bytes, dict[str, str]]:
    """What the fake processor would send about a refund."""
    return json.dumps(refund.to_payload()).encode(), {"webhook-signature": "good"}
