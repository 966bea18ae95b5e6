"""What a granted line would pay: what is asked for, less what the customer bears, plus a bonus.

Every share is rounded down: a deduction in the customer's favour, a bonus in the merchant's. A
pass is refunded by unused time, which is rounded down as well.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from returns.words import Remedy
from triage.facts import Facts
from triage.terms import Bearer, Terms

_BPS = 10_000
_NOTHING = timedelta()


class Offer(NamedTuple):
    """Minor units of the facts' currency. `amount` = asked less deductions, never below zero.

    `unknown` names the facts that were needed and missing; nothing is deducted for them, and a
    person has to say what they come to.
    """

    amount: int
    bonus: int
    deductions: dict[str, int]
    unknown: tuple[str, ...]


def offer_of(terms: Terms, facts: Facts, *, whole: bool) -> Offer:
    """Calculate the offer; `whole`: by statutory right, to which no deduction applies."""
    if whole or (not terms.prorate and terms.fees.are_none):
        return Offer(facts.requested, _bonus(terms, facts, facts.requested), {}, ())
    unknown: list[str] = []
    used = _used_up(facts, unknown) if terms.prorate else 0
    deductions = {"used_time": used, **_fees(terms, facts, facts.requested - used, unknown)}
    amount = max(0, facts.requested - sum(deductions.values()))
    kept = {name: minor for name, minor in deductions.items() if minor}
    return Offer(amount, _bonus(terms, facts, amount), kept, tuple(unknown))


def _bonus(terms: Terms, facts: Facts, amount: int) -> int:
    if facts.remedy is not Remedy.STORE_CREDIT:
        return 0
    return amount * terms.credit_bonus_bps // _BPS


def _used_up(facts: Facts, unknown: list[str]) -> int:
    """The part of the amount that pays for time gone by."""
    if facts.valid_from is None or facts.valid_until is None:
        unknown += ["valid_from", "valid_until"]
        return 0
    whole = facts.valid_until - facts.valid_from
    left = min(whole, max(_NOTHING, facts.valid_until - facts.requested_at))
    if whole <= _NOTHING:
        return facts.requested
    microsecond = timedelta(microseconds=1)
    return facts.requested - facts.requested * (left // microsecond) // (whole // microsecond)


def _fees(terms: Terms, facts: Facts, base: int, unknown: list[str]) -> dict[str, int]:
    fees = terms.fees
    found = {"restocking": base * fees.restocking_bps // _BPS}
    for name in ("royalty", "platform_fee"):
        if getattr(fees, name) is Bearer.CUSTOMER:
            found[name] = _share(facts, name, unknown)
    if fees.gas is Bearer.CUSTOMER:
        if facts.gas_cost is None:
            unknown.append("gas_cost")
        found["gas"] = facts.gas_cost or 0
    return found


def _share(facts: Facts, name: str, unknown: list[str]) -> int:
    """The part of a fee that belongs to the amount asked for."""
    fee: int | None = getattr(facts, name)
    if fee is None:
        unknown.append(name)
        return 0
    return fee * facts.requested // facts.paid if facts.paid else 0
