"""Points from rules, 0 to 100: stands beside the model, and alone where there is no model.

A table that a person can read aloud. Parts only ever add: nothing that a customer does or says
takes points away, and what is not known gives none but lowers `known`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from triage.facts import Facts

MOST = 100

#: Points, or None where what it looks at is not known.
Points = Callable[[Facts], int | None]


@dataclass(frozen=True, slots=True)
class Factor:
    """One line of the table: `most` is the largest number that `of` gives, `why` what it means."""

    name: str
    most: int
    why: str
    of: Points


class RuleScore(NamedTuple):
    """`points` is the sum of `parts`, at most 100; `parts` names what gave any.

    `known`, 0 to 1, is the share of the table, by its points, that could be looked at.
    """

    points: int
    parts: dict[str, int]
    known: float


def rule_score(facts: Facts) -> RuleScore:
    """Add up the points of every factor; no facts make it fail."""
    parts: dict[str, int] = {}
    total, known = 0, 0
    for name, most, of in _ROWS:
        points = of(facts)
        if points is not None:
            known += most
            if points:
                parts[name] = points
                total += points
    return RuleScore(min(MOST, total), parts, _SHARES[known])


def _by_count(fact: str, *steps: int) -> Points:
    """Points for none, one, two, …; more than there are steps give the last."""
    known, last = attrgetter(fact), len(steps) - 1

    def of(facts: Facts) -> int | None:
        count = known(facts)
        return None if count is None else steps[count if count < last else last]

    return of


def _by_larger_count(fact: str, other: str, *steps: int) -> Points:
    """Of a customer and their wallet whoever did more: a second account does not start anew."""
    both, last = attrgetter(fact, other), len(steps) - 1

    def of(facts: Facts) -> int | None:
        count, wallets = both(facts)
        if count is None or (wallets is not None and wallets > count):
            count = wallets
        return None if count is None else steps[count if count < last else last]

    return of


#: Points by whole days.
_YOUNG = (10, *[7] * 6, *[4] * 23, 0)


def _by_age(since: datetime | None, now: datetime) -> int | None:
    if since is None or since > now:
        return None
    return _YOUNG[min((now - since).days, 30)]


def _customer_age(facts: Facts) -> int | None:
    return _by_age(facts.customer_since, facts.requested_at)


def _wallet_age(facts: Facts) -> int | None:
    return _by_age(facts.wallet_since, facts.requested_at)


def _amount(facts: Facts) -> int | None:
    usual, asked = facts.usual_price, facts.requested
    if not usual:
        return None
    return (
        15 if asked >= 10 * usual else 10 if asked >= 5 * usual else 5 if asked > 2 * usual else 0
    )


def _delivery(facts: Facts) -> int | None:
    billing, delivery = facts.billing_country, facts.delivery_country
    return None if billing is None or delivery is None else 8 * (billing != delivery)


def _connection(facts: Facts) -> int | None:
    billing, connection = facts.billing_country, facts.connection_country
    return None if billing is None or connection is None else 8 * (billing != connection)


def _anonymiser(facts: Facts) -> int | None:
    names = facts.on_lists
    return None if names is None else 10 * ("anonymiser/connection" in names)


def _phishing(facts: Facts) -> int | None:
    if facts.on_lists is None:
        return None
    for name in facts.on_lists:
        if name.startswith("phishing/"):
            return 30
    return 0


FACTORS: tuple[Factor, ...] = (
    Factor(
        "velocity_7d",
        30,
        "Returns of the customer or the wallet within a week.",
        _by_larger_count("returns_7d", "wallet_returns_7d", 0, 6, 18, 30),
    ),
    Factor(
        "velocity_30d",
        25,
        "Returns of the customer or the wallet within a month.",
        _by_larger_count("returns_30d", "wallet_returns_30d", 0, 3, 10, 18, 25),
    ),
    Factor(
        "velocity_90d",
        25,
        "Returns of the customer or the wallet within three months.",
        _by_larger_count("returns_90d", "wallet_returns_90d", 0, 2, 6, 12, 18, 25),
    ),
    Factor("amount", 15, "More than 2, at least 5 or 10 times the customer's usual.", _amount),
    Factor("customer_age", 10, "A customer for less than 1, 7 or 30 days.", _customer_age),
    Factor("wallet_age", 10, "A wallet of less than 1, 7 or 30 days.", _wallet_age),
    Factor(
        "chargebacks",
        35,
        "Payments that the customer disputed in a year.",
        _by_count("chargebacks_365d", 0, 20, 35),
    ),
    Factor(
        "nonreceipt",
        20,
        "Earlier claims that a token never arrived.",
        _by_count("nonreceipt_365d", 0, 5, 12, 20),
    ),
    Factor(
        "shared_payout",
        25,
        "Other customers are paid to the same place.",
        _by_count("shared_payout", 0, 12, 20, 25),
    ),
    Factor(
        "shared_wallet",
        20,
        "Other customers use the same wallet.",
        _by_count("shared_wallet", 0, 8, 15, 20),
    ),
    Factor(
        "shared_device",
        20,
        "Other customers use the same device; one may be a household.",
        _by_count("shared_device", 0, 6, 14, 20),
    ),
    Factor(
        "shared_ip",
        8,
        "Other customers use the same connection; many may be an office.",
        _by_count("shared_ip", 0, 1, 3, 5, 8),
    ),
    Factor("delivery_country", 8, "Billed in one country, delivered in another.", _delivery),
    Factor("connection_country", 8, "Billed in one country, asked from another.", _connection),
    Factor("anonymiser", 10, "The connection is an exit of a VPN or of Tor.", _anonymiser),
    Factor("phishing", 30, "A list of phishing addresses names a wallet here.", _phishing),
)

_ROWS = tuple((factor.name, factor.most, factor.of) for factor in FACTORS)
_ALL = sum(factor.most for factor in FACTORS)
#: To 4 decimals, by the points that could be looked at.
_SHARES = [round(known / _ALL, 4) for known in range(_ALL + 1)]
