"""Stripe, by its official client. Nothing is repeated blindly: what is unclear is looked up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import stripe

from returns.errors import ProcessorUnavailable, WebhookNotOurs, WebhookRefused
from settlement.processors import stripe_objects as objects
from settlement.processors.base import (
    Fact,
    Movement,
    ProcessorRefund,
    RefundDeclined,
    RefundRequest,
)
from settlement.processors.stripe_errors import NAME
from settlement.processors.stripe_reader import StripeReader

#: Seconds to connect and to wait for an answer. A look-up and a request end within a worker's hold.
_TIMEOUT = (2, 6)
#: Age in seconds at which a signed webhook is refused as a replay; repeats are signed anew.
_TOLERANCE = 300

#: Events about a refund, and about a dispute; everything else is nothing that settlement follows.
_ABOUT_REFUNDS = frozenset(
    {"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"}
)
_ABOUT_DISPUTES = frozenset(
    f"charge.dispute.{news}"
    for news in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
)


class StripeProcessor:
    """Refunds of charges (`ch_…`, `py_…`) and of payment intents (`pi_…`).

    A refund carries the leg's id twice: as the idempotency key, which Stripe keeps for a day, and
    as metadata, which stays. Before it asks, a request reads the charge with its refunds: what was
    paid under the key is found there, however long ago, and the remainder is ours to guard too.

    `account` is a connected account that the key acts for; empty for the key's own account.
    """

    name = NAME

    def __init__(
        self,
        key: str,
        webhook_secrets: Sequence[str] = (),
        account: str = "",
        url: str = "",
        timeout: tuple[int, int] = _TIMEOUT,
    ) -> None:
        self._client = stripe.StripeClient(
            key,
            stripe_account=account or None,
            base_addresses={"api": url.rstrip("/")} if url else None,
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout),
        )
        self._reader = StripeReader(self._client)
        self._live = key.startswith(("sk_live_", "rk_live_"))
        self._secrets = tuple(webhook_secrets)
        self._account = account

    def refund(self, request: RefundRequest) -> ProcessorRefund:
        """Ask for a refund, unless the charge has one under this key."""
        charge = self._reader.charge(request.charge)
        refunds = self._reader.refunds_of(charge)
        known = _with_key(refunds, request)
        return known or self._create(request, charge, refunds)

    def find(self, request: RefundRequest) -> ProcessorRefund | None:
        """Look through the charge's refunds. A charge that cannot be read answers nothing."""
        try:
            charge = self._reader.charge(request.charge)
            return _with_key(self._reader.refunds_of(charge), request)
        except RefundDeclined as unreadable:
            what = f"{self.name} ({unreadable.values['problem']})"
            raise ProcessorUnavailable(processor=what) from unreadable

    def refunds(self) -> Iterator[ProcessorRefund]:
        """Every refund of the account, newest first."""
        return map(objects.refund, self._reader.refunds())

    def movements(self, after: str | None = None) -> Iterator[Movement]:
        """The balance transactions, oldest first; a fee is a movement of its own (`…:fee`)."""
        return self._reader.movements(after)

    def read_webhook(self, body: bytes, headers: dict[str, str]) -> Fact | None:
        """Check the signature over the raw bytes, then whose event it is, then read it.

        Raises `WebhookRefused`, `WebhookNotOurs`.
        """
        self._check_signature(body, headers.get("stripe-signature", ""))
        try:
            event = json.loads(body)
            self._check_owner(event)
            if event["type"] in _ABOUT_REFUNDS:
                return objects.refund(event["data"]["object"])
            if event["type"] in _ABOUT_DISPUTES:
                return objects.dispute(event["data"]["object"])
        except (AttributeError, KeyError, TypeError, ValueError) as fault:
            raise WebhookRefused from fault
        return None

    def _create(
        self, request: RefundRequest, charge: dict[str, Any], refunds: list[dict[str, Any]]
    ) -> ProcessorRefund:
        objects.check_charge(request, charge, live=self._live)
        self._check_remainder(request, charge, refunds)
        key = str(request.key)
        answer = self._reader.answer(
            lambda: self._client.v1.refunds.create(
                {
                    "charge": charge["id"],
                    "amount": objects.to_stripe(request.amount, request.currency),
                    "metadata": {objects.LEG: key, objects.PAYMENT: request.charge},
                },
                {"idempotency_key": key},
            )
        )
        return objects.refund(answer.to_dict())

    def _check_remainder(
        self, request: RefundRequest, charge: dict[str, Any], refunds: list[dict[str, Any]]
    ) -> None:
        """Not every peer guards it, and a dispute takes money that a refund would give twice."""
        disputed = self._reader.disputed(charge) if charge.get("disputed") else 0
        units = max(0, objects.remainder(charge, refunds, disputed))
        left = objects.from_stripe(units, request.currency)
        if request.amount > left:
            held = "; the rest is disputed" if disputed else ""
            problem = (
                f"{request.amount} is more than the {left} {request.currency} (minor units) that"
                f" are left of the charge{held}"
            )
            raise RefundDeclined(problem=problem)

    def _check_signature(self, body: bytes, signature: str) -> None:
        """Any of the secrets will do, so that one can be replaced while both are in use."""
        for secret in self._secrets:
            try:
                stripe.WebhookSignature.verify_header(body, signature, secret, _TOLERANCE)
            except (stripe.SignatureVerificationError, ValueError):
                continue
            return
        raise WebhookRefused

    def _check_owner(self, event: dict[str, Any]) -> None:
        """One endpoint may hear of many accounts, and of test and live."""
        if (event.get("account") or "") != self._account:
            raise WebhookNotOurs(problem="another account")
        if bool(event["livemode"]) is not self._live:
            raise WebhookNotOurs(problem="the other mode, test or live")


def _with_key(refunds: list[dict[str, Any]], request: RefundRequest) -> ProcessorRefund | None:
    """The refund under the request's key. A repeat that a peer let through is not hidden by it."""
    key = str(request.key)
    found = [one for one in refunds if (one.get("metadata") or {}).get(objects.LEG) == key]
    return objects.refund(found[-1]) if found else None
