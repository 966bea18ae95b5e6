"""Stripe's errors: what is refused, what is unknown, and nothing of our key in either."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from returns.errors import ProcessorMisconfigured, ProcessorUnavailable
from settlement.processors.base import RefundDeclined
from settlement.processors.stripe_errors import translated

KEY = "sk_live_51Habcdefghij"


def invalid(code: str | None, message: str = "It will not do.", status: int = 400) -> Any:
    return stripe.InvalidRequestError(message, None, code=code, http_status=status)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (invalid("charge_already_refunded"), "refunded in full already"),
        (invalid("charge_disputed"), "disputed"),
        (invalid("amount_too_large"), "above what is left"),
        (invalid("resource_missing", status=404), "no such charge"),
        (invalid(None, status=404), "no such charge"),
        (invalid("something_new"), "It will not do"),
        (invalid(None, ""), "no reason given"),
        (stripe.CardError("Declined.", None, "card_declined", http_status=402), "Declined"),
    ],
)
def test_a_refusal_is_final_and_says_why(fault: stripe.StripeError, problem: str) -> None:
    error = translated(fault)
    assert isinstance(error, RefundDeclined)
    assert problem in str(error)
    assert error.values["reason"] == (fault.code or "")


@pytest.mark.parametrize(
    "fault",
    [
        stripe.APIConnectionError("timed out"),
        stripe.RateLimitError("slow down", http_status=429),
        stripe.IdempotencyError("another body", http_status=400),
        stripe.APIError("in progress", http_status=409),
        stripe.APIError("oops", http_status=500),
        stripe.APIError("not JSON", http_status=200),
        invalid("lock_timeout"),
        invalid("idempotency_key_in_use"),
        invalid("balance_insufficient"),
        stripe.StripeError("whatever else"),
    ],
)
def test_what_may_have_been_done_is_unknown(fault: stripe.StripeError) -> None:
    error = translated(fault)
    assert isinstance(error, ProcessorUnavailable)
    assert not isinstance(error, ProcessorMisconfigured)
    assert str(error).startswith("The payment processor stripe (")


@pytest.mark.parametrize("kind", [stripe.AuthenticationError, stripe.PermissionError])
def test_a_wrong_key_is_told_to_the_operator_without_the_key(
    kind: type[stripe.StripeError],
) -> None:
    error = translated(kind(f"Invalid API Key provided: {KEY}", http_status=401))
    assert isinstance(error, ProcessorMisconfigured)
    assert "UNDROP_STRIPE_KEY" in error.next_step
    assert "nothing was moved" in error.next_step
    assert KEY not in f"{error} {error.next_step}"


def test_words_of_stripe_are_cut() -> None:
    assert len(str(translated(invalid("new", "x" * 5000)))) < 300
