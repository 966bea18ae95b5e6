"""What a payment is worth in another currency, by the policy of rates. Pure but for its sources."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from returns.errors import RateUnavailable, Unavailable
from returns.money import Money
from returns.words import CostBearer, RatePolicy
from settlement.rates.base import Rate
from settlement.rates.sources import Rates

#: Coins that are worth one unit of a fiat currency, by what their issuer promises.
STABLE_COINS = {"TUSD": "USD"}


@dataclass(frozen=True, slots=True)
class Valuation:
    """What is paid, at which rate; `difference` is how far the value then is from the value now.

    It is in minor units of the payout's currency, and None where one of the two is not known. Its
    bearer is who got the worse of the two values; nobody where they are equal.
    """

    payout: Money
    rate: Rate
    difference: int | None
    bearer: CostBearer | None


def value(
    rates: Rates, paid: Money, to: str, policy: RatePolicy, paid_at: datetime, now: datetime
) -> Valuation:
    """Value a payment by a policy; raises `RateUnavailable`.

    then: at the rate of the purchase. now: at today's. lower: whichever gives the customer less.
    stable: what it was worth in fiat at the purchase, in a stable coin of that currency.
    """
    if policy is RatePolicy.STABLE:
        pegged = _pegged(rates, paid, to, paid_at, now)
        return Valuation(pegged.convert(paid), pegged, None, None)
    both = policy is RatePolicy.LOWER
    then = _rate(rates, paid, to, paid_at, now, needed=both or policy is RatePolicy.THEN)
    today = _rate(rates, paid, to, now, now, needed=both or policy is RatePolicy.NOW)
    known = [rate for rate in (then, today) if rate is not None]
    if both:
        chosen = min(known, key=lambda rate: rate.convert(paid).amount)
    else:
        chosen = known[0] if policy is RatePolicy.THEN else known[-1]
    return _valued(paid, chosen, known)


def _valued(paid: Money, chosen: Rate, known: list[Rate]) -> Valuation:
    payout = chosen.convert(paid)
    if len(known) == 1:
        return Valuation(payout, chosen, None, None)
    low, high = sorted(rate.convert(paid).amount for rate in known)
    if low == high:
        return Valuation(payout, chosen, 0, None)
    bearer = CostBearer.MERCHANT if payout.amount == high else CostBearer.CUSTOMER
    return Valuation(payout, chosen, high - low, bearer)


def _rate(
    rates: Rates, paid: Money, to: str, at: datetime, now: datetime, *, needed: bool
) -> Rate | None:
    """The rate at a moment. One that only tells the difference may be missing."""
    try:
        return rates.rate(paid.currency, to, at, now)
    except Unavailable:
        if needed:
            raise
        return None


def _pegged(rates: Rates, paid: Money, to: str, paid_at: datetime, now: datetime) -> Rate:
    fiat = STABLE_COINS.get(to)
    if fiat is None:
        raise RateUnavailable(pair=f"{paid.currency}/{to}", problem=f"{to} is not a stable coin")
    then = rates.rate(paid.currency, fiat, paid_at, now)
    return replace(then, quote=to, source=f"{then.source}, {to} at par with {fiat}"[:200])
