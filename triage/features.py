"""Facts as numbers for the model. A missing fact is a missing number: None, never zero.

What is known of a request but is easy to claim (a reason that blames the shop, a friendly message)
is left out on purpose: it would be a way to talk the score down. Every number is finite whatever
the facts are, so that it can be put into bins, stored and compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from returns.words import Reason
from triage.facts import Facts

_DAY = 86_400


class _Doublings(dict[int | None, float | None]):
    """log2(1 + count); the usual counts are looked up, since a backtest needs millions."""

    def __missing__(self, count: int | None) -> float:
        return math.log2(1 + (count or 0))


_LOG2 = _Doublings((count, math.log2(1 + count)) for count in range(256))
_LOG2[None] = None

#: About a hundred US dollars in minor units. Orders of magnitude that place an amount on a scale
#: for the model; they are never used on money. Any other currency is missing.
_HUNDRED_DOLLARS = {
    "USD": 10_000,
    "EUR": 10_000,
    "GBP": 10_000,
    "TUSD": 100_000_000,
    "ETH": 50_000_000_000_000_000,
}
_DECADES = {currency: math.log10(amount) for currency, amount in _HUNDRED_DOLLARS.items()}

#: What a return rate is taken to be before there are orders to tell, and how many orders that
#: weighs: one return of two orders must not look like fifty of a hundred.
_PRIOR_RATE = 0.1
_PRIOR_ORDERS = 10

_REGRET = Reason.PRICE_REGRET

Of = Callable[[Facts], float | None]


@dataclass(frozen=True, slots=True)
class Feature:
    """One number: name, unit, where it comes from, and how risk may move with it.

    `sign` is +1 if more of it may only raise the risk, -1 if it may only lower it, 0 if it is free;
    a model whose steps go against it is refused.
    """

    name: str
    unit: str
    source: str
    sign: int
    of: Of


def features(facts: Facts) -> dict[str, float | None]:
    """Return every feature by name, in the order of `FEATURES`."""
    found: dict[str, float | None] = dict.fromkeys(FEATURE_NAMES)
    # Half of them are counts: those are looked up without a call of Python's for each.
    found.update(zip(_COUNTED, map(_LOG2.__getitem__, _COUNTS(facts)), strict=True))
    for name, of in _OTHERS:
        found[name] = of(facts)
    return found


def column(name: str, lines: Iterable[Facts]) -> Iterator[float | None]:
    """Return one feature of many lines, in their order: what `features` gives of each."""
    if name in _COUNTED:
        return map(_LOG2.__getitem__, map(attrgetter(name), lines))
    return map(_OF[name], lines)


def _days(start: datetime | None, end: datetime) -> float | None:
    if start is None or end < start:
        return None
    return (end - start).total_seconds() / _DAY


def _doublings(fact: str) -> Of:
    """The one on a count: the step from none to one weighs as much as from 50 to 101."""
    known = attrgetter(fact)
    return lambda facts: _LOG2[known(facts)]


def _listed_as(kind: str) -> Of:
    start = kind + "/"

    def of(facts: Facts) -> float | None:
        if facts.on_lists is None:
            return None
        for name in facts.on_lists:
            if name.startswith(start):
                return 1.0
        return 0.0

    return of


def _hold_days(facts: Facts) -> float | None:
    return _days(facts.purchased_at, facts.requested_at)


def _wallet_age(facts: Facts) -> float | None:
    days = _days(facts.wallet_since, facts.requested_at)
    return None if days is None else math.log10(1 + days)


def _customer_age(facts: Facts) -> float | None:
    days = _days(facts.customer_since, facts.requested_at)
    return None if days is None else math.log10(1 + days)


def _return_rate(facts: Facts) -> float | None:
    orders = facts.orders_365d
    if orders == 0:
        return None
    expected = _PRIOR_RATE * _PRIOR_ORDERS
    return min(1.0, (facts.returns_365d + expected) / (orders + _PRIOR_ORDERS))


def _price_drop(facts: Facts) -> float | None:
    then, now = facts.price_then, facts.price_now
    return None if not then or now is None else max(-1.0, (then - now) / then)


def _doublings_above(amount: int, base: int | None) -> float | None:
    return math.log2(amount / base) if amount and base else None


def _premium_paid(facts: Facts) -> float | None:
    return _doublings_above(facts.paid, facts.price_then)


def _refund_over_price(facts: Facts) -> float | None:
    return _doublings_above(facts.requested, facts.price_now)


def _amount_over_usual(facts: Facts) -> float | None:
    return _doublings_above(facts.requested, facts.usual_price)


def _amount(facts: Facts) -> float | None:
    hundred = _DECADES.get(facts.currency)
    if hundred is None or facts.requested == 0:
        return None
    return math.log10(facts.requested) - hundred


def _price_digits(facts: Facts) -> float | None:
    """Cut off trailing zeros: 5 ether has one digit in wei too, 0.0832917 has six."""
    return float(len(str(facts.paid).rstrip("0"))) if facts.paid else None


def _rarity(facts: Facts) -> float | None:
    rank, supply = facts.rarity_rank, facts.supply
    return min(1.0, rank / supply) if rank and supply else None


def _left_buyer(facts: Facts) -> float | None:
    holder, buyer = facts.holder, facts.buyer_wallet
    return None if holder is None or buyer is None else float(holder != buyer)


def _delivery_abroad(facts: Facts) -> float | None:
    billing, delivery = facts.billing_country, facts.delivery_country
    return None if billing is None or delivery is None else float(billing != delivery)


def _connection_abroad(facts: Facts) -> float | None:
    home, connection = facts.billing_country or facts.delivery_country, facts.connection_country
    return None if home is None or connection is None else float(home != connection)


def _by_agent(facts: Facts) -> float:
    return float(facts.channel == "agent")


def _reason_regret(facts: Facts) -> float:
    return float(facts.reason is _REGRET)


def _third_party(facts: Facts) -> float | None:
    payee = facts.payee
    if payee is None:
        return 0.0
    return None if facts.buyer_wallet is None else float(payee != facts.buyer_wallet)


def _first_order(facts: Facts) -> float | None:
    orders = facts.orders_365d
    return None if orders == 0 else float(orders == 1)


_COUNT = "log2(1 + count)"


def _counted(name: str, source: str, sign: int = +1) -> Feature:
    """Make a feature of the count that is a fact of the same name."""
    return Feature(name, _COUNT, source, sign, _doublings(name))


FEATURES: tuple[Feature, ...] = (
    # -- the customer --------------------------------------------------------------------------
    _counted("returns_7d", "The customer's earlier returns in 7 days, settled or open."),
    _counted("returns_30d", "The customer's earlier returns in 30 days, settled or open."),
    _counted("returns_90d", "The customer's earlier returns in 90 days, settled or open."),
    _counted("returns_365d", "The customer's earlier returns in 365 days, settled or open."),
    Feature(
        "return_rate_365d",
        "share",
        "Earlier returns per order in 365 days, drawn to 0.1 by a weight of ten orders.",
        +1,
        _return_rate,
    ),
    Feature(
        "customer_age",
        "log10(1 + days)",
        "From the customer's first known day to the request.",
        -1,
        _customer_age,
    ),
    Feature(
        "first_order", "0 or 1", "It is the customer's only order in 365 days.", 0, _first_order
    ),
    _counted("chargebacks_365d", "The customer's payments disputed in 365 days."),
    _counted("nonreceipt_365d", "Earlier requests that said the token never arrived."),
    Feature(
        "delivery_abroad",
        "0 or 1",
        "Billing and delivery country, as the marketplace states them, differ.",
        +1,
        _delivery_abroad,
    ),
    Feature(
        "connection_abroad",
        "0 or 1",
        "The request came from another country than that of billing, or else of delivery.",
        +1,
        _connection_abroad,
    ),
    # -- whoever shares something with the customer --------------------------------------------
    _counted("shared_payout", "Other customers with the same payout."),
    _counted("shared_wallet", "Other customers with the same wallet."),
    _counted("shared_device", "Other customers with the same device."),
    _counted("shared_ip", "Other customers with the same connection."),
    _counted("shared_funder", "Other customers whose wallets were first funded by the same one."),
    _counted("wallet_returns_90d", "Returns of the claimant's wallet in 90 days, by whomever."),
    _counted("cluster_returns_365d", "Returns in 365 days of all who share something, together."),
    # -- money ---------------------------------------------------------------------------------
    Feature(
        "amount_log10",
        "decades above 100 US dollars",
        "The amount asked for, by order of magnitude of its currency.",
        +1,
        _amount,
    ),
    Feature(
        "amount_over_usual",
        "log2 of the ratio",
        "The amount asked for against the median of the customer's other purchases.",
        +1,
        _amount_over_usual,
    ),
    Feature(
        "price_drop",
        "share",
        "Share by which the collection's price fell since purchase; down to -1 if it rose.",
        +1,
        _price_drop,
    ),
    Feature(
        "premium_paid",
        "log2 of the ratio",
        "What was paid against the collection's price at purchase.",
        0,
        _premium_paid,
    ),
    Feature(
        "refund_over_price",
        "log2 of the ratio",
        "The amount asked for against the collection's price now: what an option would be worth.",
        +1,
        _refund_over_price,
    ),
    Feature(
        "price_digits",
        "decimal digits",
        "Digits of the price up to its last that is not zero: few in a round price.",
        0,
        _price_digits,
    ),
    # -- the token -----------------------------------------------------------------------------
    Feature(
        "hold_days", "days", "From purchase to request, by the order and the case.", +1, _hold_days
    ),
    _counted("moves_since_purchase", "The token's transfers since the purchase."),
    _counted("round_trips", "How often the token came back to a holder that it had before."),
    Feature(
        "left_buyer",
        "0 or 1",
        "The token is not in the wallet that the purchase was delivered to.",
        +1,
        _left_buyer,
    ),
    _counted("perks_claimed", "Perks, airdrops and claims taken with the token since purchase."),
    Feature("rarity", "rank / supply", "Rank of the token by its traits; 0 is rare.", 0, _rarity),
    # -- the wallet and how the request came ---------------------------------------------------
    Feature(
        "wallet_age",
        "log10(1 + days)",
        "From the claimant's first known movement to the request.",
        -1,
        _wallet_age,
    ),
    _counted("wallet_moves", "Known movements of the claimant's wallet.", -1),
    Feature(
        "third_party",
        "0 or 1",
        "A wallet other than the payer's would be paid; 0 where no wallet is paid.",
        +1,
        _third_party,
    ),
    Feature(
        "phishing",
        "0 or 1",
        "A list of phishing addresses names a wallet here, in whatever role.",
        +1,
        _listed_as("phishing"),
    ),
    Feature("by_agent", "0 or 1", "The order came through an agent.", 0, _by_agent),
    Feature(
        "reason_regret", "0 or 1", "The customer's own reason is price regret.", +1, _reason_regret
    ),
)

FEATURE_NAMES = tuple(feature.name for feature in FEATURES)
SIGNS = {feature.name: feature.sign for feature in FEATURES}
_COUNTED = tuple(feature.name for feature in FEATURES if feature.unit == _COUNT)
_COUNTS = attrgetter(*_COUNTED)
_OTHERS = tuple((one.name, one.of) for one in FEATURES if one.unit != _COUNT)
_OF = {feature.name: feature.of for feature in FEATURES}
