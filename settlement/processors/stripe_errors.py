"""What Stripe's errors mean for a refund: refused, or its outcome unknown.

https://docs.stripe.com/error-handling and https://docs.stripe.com/error-codes
"""

from __future__ import annotations

import stripe

from returns.errors import ProcessorMisconfigured, ProcessorUnavailable, UndropError
from settlement.processors.base import RefundDeclined

NAME = "stripe"

#: Refusals by code. Any other request that Stripe calls invalid is refused in its own words.
_REFUSED = {
    "charge_already_refunded": "the charge was refunded in full already",
    "charge_disputed": "the charge is disputed, and its money is with the customer",
    "charge_not_refundable": "the charge cannot be refunded any more",
    "refund_disputed_payment": "the charge is disputed, and its money is with the customer",
    "amount_too_large": "the amount is above what is left of the charge",
    "amount_too_small": "the amount is below what can be paid back",
    "resource_missing": "the processor has no such charge",
}
#: Not for ever: asked again later, under the same key, these may pass.
_PASSING = {
    "balance_insufficient": "the balance there does not cover it",
    "insufficient_funds": "the balance there does not cover it",
    "lock_timeout": "the charge is locked by another request",
    "idempotency_key_in_use": "the first request is still under way",
    "rate_limit": "too many requests",
}
#: Our credentials are at fault: nothing was moved, and nothing will be until they are mended.
_CREDENTIALS = (stripe.AuthenticationError, stripe.PermissionError)
#: The first class that fits says what to tell.
_UNCLEAR: tuple[tuple[type[stripe.StripeError], str], ...] = (
    (stripe.RateLimitError, "too many requests"),
    (stripe.IdempotencyError, "the key was used for another request"),
    (stripe.APIConnectionError, "no answer"),
)
#: What Stripe says may be long; a person reads it.
_LONGEST = 200


def translated(fault: stripe.StripeError) -> UndropError:
    """The error that settlement knows: `RefundDeclined`, or a kind of `ProcessorUnavailable`."""
    if isinstance(fault, _CREDENTIALS):
        # Its own words show a part of the key.
        problem = f"it refuses our key ({fault.http_status})"
        return ProcessorMisconfigured(processor=NAME, problem=problem, setting="UNDROP_STRIPE_KEY")
    code = str(fault.code or "")
    if code in _PASSING:
        return ProcessorUnavailable(processor=f"{NAME} ({_PASSING[code]})")
    if isinstance(fault, stripe.InvalidRequestError | stripe.CardError):
        return RefundDeclined(problem=_REFUSED.get(code) or _words(fault), reason=code)
    for kind, meaning in _UNCLEAR:
        if isinstance(fault, kind):
            return ProcessorUnavailable(processor=f"{NAME} ({meaning})")
    return ProcessorUnavailable(processor=f"{NAME} ({fault.http_status or 'no answer'})")


def _words(fault: stripe.StripeError) -> str:
    if fault.http_status == 404:
        return _REFUSED["resource_missing"]
    words = (fault.user_message or fault.code or "no reason given")[:_LONGEST]
    return words.rstrip(". \n")
