"""Facts as numbers for the model. A missing fact is a missing number: None, never zero.

What is known of a request but is easy to claim (a reason that blames the shop, a friendly message)
is left out on purpose: it would be a way to talk the score down.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from returns.words import Reason
from triage.facts import Facts

_DAY = 86_400

#: About a hundred US dollars in minor units. Orders of magnitude that place an amount on a scale
#: for the model; they are never used on money. Any other currency is missing.
_HUNDRED_DOLLARS = {
    "USD": 10_000,
    "EUR": 10_000,
    "GBP": 10_000,
    "TUSD": 100_000_000,
    "ETH": 50_000_000_000_000_000,
}

#: What a return rate is taken to be before there are orders to tell, and how many orders that
#: weighs: one return of two orders must not look like fifty of a hundred.
_PRIOR_RATE = 0.1
_PRIOR_ORDERS = 10


@dataclass(frozen=True, slots=True)
class Feature:
    """One number: name, unit, where it comes from, and how risk may move with it.

    `sign` is +1 if more of it may only raise the risk, -1 if it may only lower it, 0 if it is free;
    training drops a feature whose data contradict its sign.
    """

    name: str
    unit: str
    source: str
    sign: int
    of: Callable[[Facts], float | None]


def features(facts: Facts) -> dict[str, float | None]:
    """Return every feature by name, in the order of `FEATURES`."""
    return {feature.name: feature.of(facts) for feature in FEATURES}


def _days(start: datetime | None, end: datetime) -> float | None:
    if start is None or end < start:
        return None
    return (end - start).total_seconds() / _DAY


def _hold_days(facts: Facts) -> float | None:
    return _days(facts.purchased_at, facts.requested_at)


def _returns_90d(facts: Facts) -> float:
    return math.log2(1 + facts.returns_90d)


def _return_rate(facts: Facts) -> float | None:
    if facts.orders_365d == 0:
        return None
    expected = _PRIOR_RATE * _PRIOR_ORDERS
    return min(1.0, (facts.returns_365d + expected) / (facts.orders_365d + _PRIOR_ORDERS))


def _price_drop(facts: Facts) -> float | None:
    if not facts.price_then or facts.price_now is None:
        return None
    return max(-1.0, (facts.price_then - facts.price_now) / facts.price_then)


def _amount(facts: Facts) -> float | None:
    hundred = _HUNDRED_DOLLARS.get(facts.currency)
    if hundred is None or facts.requested == 0:
        return None
    return math.log10(facts.requested) - math.log10(hundred)


def _customer_age(facts: Facts) -> float | None:
    days = _days(facts.customer_since, facts.requested_at)
    return None if days is None else math.log10(1 + days)


def _reason_regret(facts: Facts) -> float:
    return float(facts.reason is Reason.PRICE_REGRET)


def _third_party(facts: Facts) -> float | None:
    if facts.payee is None:
        return 0.0
    return None if facts.buyer_wallet is None else float(facts.payee != facts.buyer_wallet)


def _first_order(facts: Facts) -> float | None:
    return None if facts.orders_365d == 0 else float(facts.orders_365d == 1)


FEATURES: tuple[Feature, ...] = (
    Feature(
        "hold_days", "days", "From purchase to request, by the order and the case.", +1, _hold_days
    ),
    Feature(
        "returns_90d",
        "log2(1 + returns)",
        "The customer's earlier returns in 90 days, settled or open.",
        +1,
        _returns_90d,
    ),
    Feature(
        "return_rate_365d",
        "share",
        "Earlier returns per order in 365 days, drawn to 0.1 by a weight of ten orders.",
        +1,
        _return_rate,
    ),
    Feature(
        "price_drop",
        "share",
        "Share by which the collection's price fell since purchase; down to -1 if it rose.",
        +1,
        _price_drop,
    ),
    Feature(
        "amount_log10",
        "decades above 100 US dollars",
        "The amount asked for, by order of magnitude of its currency.",
        +1,
        _amount,
    ),
    Feature(
        "customer_age",
        "log10(1 + days)",
        "From the customer's first known day to the request.",
        -1,
        _customer_age,
    ),
    Feature(
        "reason_regret", "0 or 1", "The customer's own reason is price regret.", +1, _reason_regret
    ),
    Feature(
        "third_party",
        "0 or 1",
        "A wallet other than the payer's would be paid; 0 where no wallet is paid.",
        +1,
        _third_party,
    ),
    Feature(
        "first_order", "0 or 1", "It is the customer's only order in 365 days.", 0, _first_order
    ),
)
