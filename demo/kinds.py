"""The kinds of requests that the demonstration composes, and how many of each."""

from __future__ import annotations

from enum import StrEnum

CRYPTO, FIAT, CREDIT = "crypto_refund", "fiat_refund", "store_credit"


class Kind(StrEnum):
    """What a composed request is about; what it must end as is the oracle's business."""

    COIN_BACK = "paid by wallet, asks for coin"
    CARD_BACK = "paid by card, asks for the card"
    AS_CREDIT = "asks for store credit"
    IN_PART = "asks for a part of the price"
    LATE = "asks after the window"
    RESOLD = "has sold the token since"
    TOO_OFTEN = "above the yearly limit"
    LARGE = "above the cap"
    FREQUENT = "returns frequently"
    OTHER_TENDER = "asks for the other tender"
    OTHER_PAYEE = "asks to pay somebody else"
    NEW_HOLDER = "bought it from the buyer"


#: Shares in percent. Two thirds can settle at once.
_SHARES = {
    Kind.COIN_BACK: 23,
    Kind.CARD_BACK: 23,
    Kind.AS_CREDIT: 16,
    Kind.IN_PART: 4,
    Kind.LATE: 5,
    Kind.RESOLD: 5,
    Kind.TOO_OFTEN: 3,
    Kind.LARGE: 4,
    Kind.FREQUENT: 7,
    Kind.OTHER_TENDER: 4,
    Kind.OTHER_PAYEE: 3,
    Kind.NEW_HOLDER: 3,
}

#: What takes the place of a kind that the book cannot supply.
INSTEAD = {
    Kind.TOO_OFTEN: Kind.LATE,
    Kind.FREQUENT: Kind.OTHER_TENDER,
    Kind.NEW_HOLDER: Kind.RESOLD,
    Kind.RESOLD: Kind.LATE,
    Kind.LARGE: Kind.OTHER_PAYEE,
    Kind.LATE: Kind.OTHER_TENDER,
    Kind.OTHER_PAYEE: Kind.OTHER_TENDER,
    Kind.OTHER_TENDER: Kind.AS_CREDIT,
    Kind.IN_PART: Kind.AS_CREDIT,
    Kind.COIN_BACK: Kind.AS_CREDIT,
    Kind.CARD_BACK: Kind.AS_CREDIT,
}


def quotas(returns: int) -> dict[Kind, int]:
    """How many requests of each kind; they sum to `returns` (largest remainder)."""
    exact = {kind: returns * share for kind, share in _SHARES.items()}
    counts = {kind: value // 100 for kind, value in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: -(exact[kind] % 100))
    for kind in by_remainder[: returns - sum(counts.values())]:
        counts[kind] += 1
    return counts
