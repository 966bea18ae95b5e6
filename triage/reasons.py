"""One reason and one of four buckets for every channel's own words; what nobody knows is UNKNOWN.

Sources: Stripe API, `refund.reason` and `dispute.reason`; Shopify Admin API, `ReturnReason`; Visa
Core Rules, dispute conditions. Where a code says less than a reason does, its reason is None.
"""

from __future__ import annotations

from returns.words import Bucket, Reason

Meaning = tuple[Reason | None, Bucket]

#: Whose matter a reason is. OTHER, read from words, is a change of mind; what a thief did is
#: neither the shop's matter, nor the token's, nor the customer's.
BUCKETS: dict[Reason, Bucket] = {
    Reason.WRONG_TOKEN: Bucket.OUR_FAULT,
    Reason.DOUBLE_PURCHASE: Bucket.OUR_FAULT,
    Reason.NOT_AS_DESCRIBED: Bucket.PRODUCT_ISSUES,
    Reason.COUNTERFEIT: Bucket.PRODUCT_ISSUES,
    Reason.METADATA_BROKEN: Bucket.PRODUCT_ISSUES,
    Reason.UNREVEALED: Bucket.PRODUCT_ISSUES,
    Reason.UTILITY_MISSING: Bucket.PRODUCT_ISSUES,
    Reason.ACCIDENTAL: Bucket.CUSTOMER,
    Reason.PRICE_REGRET: Bucket.CUSTOMER,
    Reason.OTHER: Bucket.CUSTOMER,
    Reason.UNAUTHORISED: Bucket.UNKNOWN,
}

_NOTHING_SAID: Meaning = (None, Bucket.UNKNOWN)


def bucket_of(reason: Reason | None) -> Bucket:
    """Return whose matter a reason is; UNKNOWN if there is none."""
    return Bucket.UNKNOWN if reason is None else BUCKETS[reason]


def reason_of_code(channel: str, code: str) -> Meaning:
    """Read a channel's own code, in any case; an unknown channel or code is (None, UNKNOWN)."""
    return _CODES.get(channel.lower(), {}).get(code.lower(), _NOTHING_SAID)


def channels() -> tuple[str, ...]:
    """Return the channels whose codes are known."""
    return tuple(_CODES)


def _of(reason: Reason) -> Meaning:
    return reason, BUCKETS[reason]


_CODES: dict[str, dict[str, Meaning]] = {
    "undrop": {reason.value: _of(reason) for reason in Reason},
    "stripe_refund": {
        "duplicate": _of(Reason.DOUBLE_PURCHASE),
        "fraudulent": _of(Reason.UNAUTHORISED),
        "requested_by_customer": (None, Bucket.CUSTOMER),
        "expired_uncaptured_charge": _NOTHING_SAID,
    },
    "stripe_dispute": {
        "bank_cannot_process": _NOTHING_SAID,
        "check_returned": _NOTHING_SAID,
        "credit_not_processed": (None, Bucket.OUR_FAULT),
        "customer_initiated": (None, Bucket.CUSTOMER),
        "debit_not_authorized": _of(Reason.UNAUTHORISED),
        "duplicate": _of(Reason.DOUBLE_PURCHASE),
        "fraudulent": _of(Reason.UNAUTHORISED),
        "general": _NOTHING_SAID,
        "incorrect_account_details": _NOTHING_SAID,
        "insufficient_funds": _NOTHING_SAID,
        "noncompliant": _NOTHING_SAID,
        "product_not_received": (None, Bucket.OUR_FAULT),
        "product_unacceptable": _of(Reason.NOT_AS_DESCRIBED),
        "subscription_canceled": (None, Bucket.CUSTOMER),
        "unrecognized": _of(Reason.UNAUTHORISED),
    },
    "shopify": {
        "color": _of(Reason.OTHER),
        "defective": (None, Bucket.PRODUCT_ISSUES),
        "not_as_described": _of(Reason.NOT_AS_DESCRIBED),
        "other": (Reason.OTHER, Bucket.UNKNOWN),
        "size_too_large": _of(Reason.OTHER),
        "size_too_small": _of(Reason.OTHER),
        "style": _of(Reason.OTHER),
        "unknown": _NOTHING_SAID,
        "unwanted": _of(Reason.OTHER),
        "wrong_item": _of(Reason.WRONG_TOKEN),
    },
    "visa": {
        "10.3": _of(Reason.UNAUTHORISED),
        "10.4": _of(Reason.UNAUTHORISED),
        "12.6.1": _of(Reason.DOUBLE_PURCHASE),
        "13.1": (None, Bucket.OUR_FAULT),
        "13.3": _of(Reason.NOT_AS_DESCRIBED),
        "13.4": _of(Reason.COUNTERFEIT),
        "13.6": (None, Bucket.OUR_FAULT),
        "13.7": (None, Bucket.CUSTOMER),
    },
    "marketplace": {
        "accidental_purchase": _of(Reason.ACCIDENTAL),
        "bait_and_switch": _of(Reason.NOT_AS_DESCRIBED),
        "changed_mind": _of(Reason.OTHER),
        "compromised_wallet": _of(Reason.UNAUTHORISED),
        "copymint": _of(Reason.COUNTERFEIT),
        "counterfeit": _of(Reason.COUNTERFEIT),
        "duplicate_order": _of(Reason.DOUBLE_PURCHASE),
        "fake_collection": _of(Reason.COUNTERFEIT),
        "found_cheaper": _of(Reason.PRICE_REGRET),
        "item_not_as_described": _of(Reason.NOT_AS_DESCRIBED),
        "media_not_loading": _of(Reason.METADATA_BROKEN),
        "metadata_error": _of(Reason.METADATA_BROKEN),
        "not_revealed": _of(Reason.UNREVEALED),
        "perks_not_delivered": _of(Reason.UTILITY_MISSING),
        "price_drop": _of(Reason.PRICE_REGRET),
        "rug_pull": _of(Reason.UTILITY_MISSING),
        "stolen_item": _of(Reason.UNAUTHORISED),
        "wrong_item": _of(Reason.WRONG_TOKEN),
    },
}
