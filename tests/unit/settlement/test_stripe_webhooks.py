"""Stripe's webhooks: signed, ours, and about something that settlement follows."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from stripe_stand_in import signed

from returns.errors import WebhookNotOurs, WebhookRefused
from returns.words import DisputeStatus, RefundStatus
from settlement.processors.base import ProcessorDispute, ProcessorRefund
from settlement.processors.stripe import StripeProcessor

OLD, NEW = "whsec_old_old_old_old", "whsec_new_new_new_new"
REFUND = {"id": "re_1", "charge": "ch_1", "amount": 5, "currency": "eur", "status": "failed"}
DISPUTE = {"id": "dp_1", "charge": "ch_1", "amount": 5, "currency": "eur", "status": "won"}


def event(kind: str, about: dict[str, Any], **changes: Any) -> bytes:
    told = {"type": kind, "livemode": False, "data": {"object": about}, **changes}
    return json.dumps(told, indent=2).encode()


@pytest.fixture
def stripe() -> StripeProcessor:
    return StripeProcessor("sk_test_key", (OLD, NEW))


@pytest.mark.parametrize(
    "kind", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"]
)
def test_news_of_a_refund_are_read(stripe: StripeProcessor, kind: str) -> None:
    body = event(kind, REFUND)
    fact = stripe.read_webhook(body, signed(body, OLD))
    assert isinstance(fact, ProcessorRefund)
    assert (fact.id, fact.status, fact.key) == ("re_1", RefundStatus.FAILED, "")


@pytest.mark.parametrize(
    "news", ["created", "updated", "closed", "funds_withdrawn", "funds_reinstated"]
)
def test_news_of_a_dispute_are_read(stripe: StripeProcessor, news: str) -> None:
    body = event(f"charge.dispute.{news}", DISPUTE)
    fact = stripe.read_webhook(body, signed(body, OLD))
    assert isinstance(fact, ProcessorDispute)
    assert (fact.id, fact.status) == ("dp_1", DisputeStatus.WON)


@pytest.mark.parametrize("kind", ["charge.refunded", "payment_intent.created", "payout.paid", ""])
def test_what_settlement_does_not_follow_is_none(stripe: StripeProcessor, kind: str) -> None:
    body = event(kind, {"id": "x"})
    assert stripe.read_webhook(body, signed(body, OLD)) is None


def test_an_inquiry_is_none(stripe: StripeProcessor) -> None:
    body = event("charge.dispute.created", {**DISPUTE, "status": "warning_needs_response"})
    assert stripe.read_webhook(body, signed(body, OLD)) is None


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_each_of_two_secrets_signs_while_one_replaces_the_other(
    stripe: StripeProcessor, secret: str
) -> None:
    body = event("refund.updated", REFUND)
    assert stripe.read_webhook(body, signed(body, secret)) is not None


def test_two_signatures_in_one_header_are_read(stripe: StripeProcessor) -> None:
    body = event("refund.updated", REFUND)
    good = signed(body, NEW)["stripe-signature"]
    moment, signature = good.split(",")
    header = {"stripe-signature": f"{moment},v1={'0' * 64},{signature},v0=x"}
    assert stripe.read_webhook(body, header) is not None


def test_refuses_what_nobody_of_ours_signed(stripe: StripeProcessor) -> None:
    body = event("refund.updated", REFUND)
    now = int(time.time())
    for headers in (
        {},
        {"stripe-signature": ""},
        {"stripe-signature": "nonsense"},
        {"stripe-signature": f"t={now}"},
        {"stripe-signature": f"t={now},v1={'0' * 64}"},
        {"stripe-signature": signed(body, OLD)["stripe-signature"].replace("v1=", "v0=")},
        signed(body, "whsec_of_somebody_else"),
        signed(body + b" ", OLD),
        signed(body, OLD, now - 301),
    ):
        with pytest.raises(WebhookRefused):
            stripe.read_webhook(body, headers)


def test_without_a_secret_nothing_is_believed() -> None:
    body = event("refund.updated", REFUND)
    for secrets in ((), ("",), (" ",)):
        with pytest.raises(WebhookRefused):
            StripeProcessor("sk_test_key", secrets).read_webhook(body, signed(body, ""))


@pytest.mark.parametrize(
    ("ours", "changes", "problem"),
    [
        ("", {"account": "acct_other"}, "another account"),
        ("acct_ours", {"account": "acct_other"}, "another account"),
        ("acct_ours", {}, "another account"),
        ("", {"livemode": True}, "test or live"),
    ],
)
def test_refuses_an_event_of_another_account_or_mode(
    ours: str, changes: dict[str, Any], problem: str
) -> None:
    body = event("refund.updated", REFUND, **changes)
    with pytest.raises(WebhookNotOurs, match=problem):
        StripeProcessor("sk_test_key", (OLD,), ours).read_webhook(body, signed(body, OLD))


def test_an_event_of_the_connected_account_is_ours() -> None:
    body = event("refund.updated", REFUND, account="acct_ours")
    stripe = StripeProcessor("sk_test_key", (OLD,), "acct_ours")
    assert stripe.read_webhook(body, signed(body, OLD)) is not None


def test_a_live_key_hears_live_events() -> None:
    body = event("refund.updated", REFUND, livemode=True)
    assert StripeProcessor("rk_live_key", (OLD,)).read_webhook(body, signed(body, OLD)) is not None


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"null",
        b"not JSON",
        b'{"type": "refund.updated", "livemode": false}',
        b'{"type": "refund.updated", "livemode": false, "data": {"object": {"id": "re_1"}}}',
        b'{"type": ["refund.updated"], "livemode": false, "data": {}}',
    ],
)
def test_refuses_a_signed_body_that_is_no_event(stripe: StripeProcessor, body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        stripe.read_webhook(body, signed(body, OLD))
