"""PayPal: refunds of captured payments (Payments v2), its disputes and its report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from returns.clock import Clock
from returns.errors import ProcessorUnavailable, WebhookNotOurs, WebhookRefused
from returns.words import RefundStatus
from settlement.processors import paypal_objects as objects
from settlement.processors.base import (
    Fact,
    Movement,
    ProcessorRefund,
    RefundDeclined,
    RefundRequest,
)
from settlement.processors.paypal_http import NAME, PayPalHttp
from settlement.processors.paypal_report import PayPalReport

#: What PayPal's names of things look like.
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
#: The longest note that a payer is shown.
_NOTE = 255

_ABOUT_REFUNDS = frozenset(
    {"PAYMENT.CAPTURE.REFUNDED", "PAYMENT.REFUND.PENDING", "PAYMENT.REFUND.FAILED"}
)
_ABOUT_DISPUTES = frozenset(
    f"CUSTOMER.DISPUTE.{news}" for news in ("CREATED", "UPDATED", "RESOLVED")
)
#: What verifying a webhook takes, by the header that brings it.
_SIGNED = ("auth_algo", "cert_url", "transmission_id", "transmission_sig", "transmission_time")

#: Money that is neither out nor on its way.
_CAME_BACK = (RefundStatus.FAILED, RefundStatus.CANCELED)


class PayPalProcessor:
    """Refunds of captures, each under its leg's id.

    The id is the PayPal-Request-Id: for 45 days PayPal answers a repeat with what became of the
    first request. It is also the refund's `custom_id`, which stays for good: a capture belongs to
    an order, and the order lists its refunds. That list answers `find`. A repeated request would
    answer it too, but would pay where nothing was paid yet, and looking must never do that.
    """

    name = NAME

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        webhook_id: str,
        clock: Clock,
        url: str = "",
    ) -> None:
        self._http = PayPalHttp(client_id, client_secret, url, clock)
        self._report = PayPalReport(self._http, clock)
        self._webhook_id = webhook_id

    def refund(self, request: RefundRequest) -> ProcessorRefund:
        """Ask for a refund, unless the capture has one under this key."""
        capture = self._capture(request.charge)
        refunds = self._refunds_of(capture)
        known = _with_key(refunds, request)
        if known is not None:
            return known
        _check(request, capture, refunds)
        return self._create(request)

    def find(self, request: RefundRequest) -> ProcessorRefund | None:
        """Look through the refunds of the capture's order. What cannot be read answers nothing."""
        try:
            return _with_key(self._refunds_of(self._capture(request.charge)), request)
        except RefundDeclined as unreadable:
            what = f"{self.name} ({unreadable.values['problem']})"
            raise ProcessorUnavailable(processor=what) from unreadable

    def refunds(self) -> Iterator[ProcessorRefund]:
        """The refunds of three years, from the report: PayPal lists them nowhere else."""
        return self._report.refunds()

    def movements(self, after: str | None = None) -> Iterator[Movement]:
        """The report, oldest first, up to three hours ago; a fee is a movement of its own."""
        return self._report.movements(after)

    def read_webhook(self, body: bytes, headers: dict[str, str]) -> Fact | None:
        """Have PayPal verify the message, then read what it is about from PayPal itself.

        The signature covers a mere CRC-32 of the body, for which another body is easily made: a
        message says only that something is new. Raises `WebhookRefused`, `WebhookNotOurs`, and
        `ProcessorUnavailable`, after which PayPal sends it again.
        """
        event = _parsed(body)
        self._verify(body, headers)
        resource = event.get("resource")
        if not isinstance(resource, dict):
            raise WebhookRefused
        try:
            if event.get("event_type") in _ABOUT_REFUNDS:
                return objects.refund(self._http.get(_path("/v2/payments/refunds", resource["id"])))
            if event.get("event_type") in _ABOUT_DISPUTES:
                path = _path("/v1/customer/disputes", resource["dispute_id"])
                return objects.dispute(self._http.get(path))
        except RefundDeclined as unknown:
            raise WebhookNotOurs(problem="something that our account does not have") from unknown
        except KeyError as fault:
            raise WebhookRefused from fault
        return None

    def _create(self, request: RefundRequest) -> ProcessorRefund:
        key = str(request.key)
        body: dict[str, Any] = {
            "amount": objects.to_paypal(request.amount, request.currency),
            "custom_id": key,
            "invoice_id": key,
        }
        if request.note:
            body["note_to_payer"] = request.note[:_NOTE]
        headers = {"PayPal-Request-Id": key, "Prefer": "return=representation"}
        path = f"/v2/payments/captures/{quote(request.charge, safe='')}/refund"
        return objects.refund(self._http.post(path, body, headers))

    def _capture(self, reference: str) -> dict[str, Any]:
        return self._http.get(f"/v2/payments/captures/{quote(reference, safe='')}")

    def _refunds_of(self, capture: dict[str, Any]) -> list[ProcessorRefund]:
        """All refunds of a capture, as its order lists them."""
        related = (capture.get("supplementary_data") or {}).get("related_ids") or {}
        order_id = related.get("order_id") or objects.link_up(capture, "/orders/")
        if not order_id:
            what = f"{self.name} (the payment belongs to no order whose refunds could be read)"
            raise ProcessorUnavailable(processor=what)
        order = self._http.get(_path("/v2/checkout/orders", order_id))
        found = [
            objects.refund(raw)
            for unit in order.get("purchase_units", [])
            for raw in (unit.get("payments") or {}).get("refunds") or []
        ]
        return [one for one in found if one.charge in ("", capture["id"])]

    def _verify(self, body: bytes, headers: dict[str, str]) -> None:
        """https://developer.paypal.com/api/webhooks/v1/verify-webhook-signature-post

        The message is passed on byte by byte: written anew, its check sum would be another.
        """
        signed = {name: headers.get(f"paypal-{name.replace('_', '-')}", "") for name in _SIGNED}
        if not all(signed.values()):
            raise WebhookRefused
        asked = json.dumps({**signed, "webhook_id": self._webhook_id}).encode()
        question = asked[:-1] + b', "webhook_event": ' + body + b"}"
        try:
            answer = self._http.post("/v1/notifications/verify-webhook-signature", question)
        except RefundDeclined as unreadable:
            raise WebhookRefused from unreadable
        if answer.get("verification_status") != "SUCCESS":
            raise WebhookRefused


def _check(request: RefundRequest, capture: dict[str, Any], refunds: list[ProcessorRefund]) -> None:
    """Whether the capture can be refunded by so much. Raises `RefundDeclined`."""
    taken = objects.from_paypal(capture["amount"])
    if request.amount <= 0:
        raise RefundDeclined(problem=f"{request.amount} is nothing that could be paid back")
    if taken.currency != request.currency:
        problem = f"the payment is in {taken.currency}, and not in {request.currency}"
        raise RefundDeclined(problem=problem)
    if capture.get("status") not in ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"):
        raise RefundDeclined(problem="the payment was not captured: there is nothing to refund")
    left = taken.amount - sum(one.amount for one in refunds if one.status not in _CAME_BACK)
    if request.amount > left:
        problem = (
            f"{request.amount} is more than the {left} {request.currency} (minor units) that are"
            " left of the payment"
        )
        raise RefundDeclined(problem=problem)


def _with_key(refunds: list[ProcessorRefund], request: RefundRequest) -> ProcessorRefund | None:
    return next((one for one in refunds if one.key == str(request.key)), None)


def _parsed(body: bytes) -> dict[str, Any]:
    """The message, if it is one JSON object and nothing besides. Raises `WebhookRefused`."""
    try:
        event = json.loads(body)
    except ValueError as fault:
        raise WebhookRefused from fault
    if not isinstance(event, dict):
        raise WebhookRefused
    return event


def _path(folder: str, name: Any) -> str:
    """The address of something that a message or an object names."""
    if not _NAME.match(str(name)):
        raise WebhookRefused
    return f"{folder}/{name}"
