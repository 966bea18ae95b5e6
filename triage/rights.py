"""Statutory rights to withdraw: what no merchant's rule can take away, and what must be shown.

A right that is proven sets the merchant's denials aside. One that may exist, while a fact is
missing, sends the line to a person: it is neither denied nor given away. Where nothing points to a
right there is none.

Sources: Directive 2011/83/EU, articles 9 (fourteen days; for digital content from the conclusion
of the contract) and 16(m) (lost once performance has begun with the consumer's consent and
acknowledgement); Regulation 1182/71, article 3 (the day of purchase does not count; a period whose
last day is no working day ends with the next one). United Kingdom: Consumer Contracts Regulations
2013, regulations 30 and 37.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from returns.words import ORIGINAL
from triage.facts import Facts

#: The European Economic Area, with the territories of the Union that have codes of their own.
_TERRITORIES = "AX GF GP MF MQ RE YT"
_EEA = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK"

#: Lawful clocks run from four hours ahead of UTC to four behind it; both work for the consumer.
_AHEAD, _BEHIND = timedelta(hours=4), timedelta(hours=4)
#: Public holidays are not known here: the longest row of them, from Good Friday to Easter Monday.
_HOLIDAYS = timedelta(days=4)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Right:
    """A right as far as it can be told: its name, its last moment, and whether it is proven."""

    name: str
    until: datetime
    proven: bool


@dataclass(frozen=True, slots=True)
class _Law:
    name: str
    countries: frozenset[str]
    days: int


_LAWS = (
    _Law("eu_withdrawal", frozenset(f"{_EEA} {_TERRITORIES}".split()), 14),
    _Law("uk_cancellation", frozenset({"GB"}), 14),
)
_BY_COUNTRY = {country: law for law in _LAWS for country in law.countries}


def right_of(facts: Facts) -> Right | None:
    """The statutory right that this request may rest on, if any."""
    law = _BY_COUNTRY.get(facts.billing_country or "")
    if law is None or facts.remedy is not ORIGINAL[facts.tender]:
        return None
    if facts.consumer is False or facts.withdrawal_waived is True:
        return None
    until = _last_moment(facts.purchased_at, law.days)
    if facts.requested_at > until + _HOLIDAYS:
        return None
    shown = (facts.consumer, facts.withdrawal_waived, facts.purchase_proven)
    return Right(law.name, until, shown == (True, False, True) and facts.requested_at <= until)


def _last_moment(purchased_at: datetime, days: int) -> datetime:
    last = (purchased_at + _AHEAD).date() + timedelta(days=days)
    if last.weekday() >= _SATURDAY:
        last += timedelta(days=7 - last.weekday())
    midnight = datetime.combine(last, datetime.min.time(), purchased_at.tzinfo) + timedelta(days=1)
    return midnight + _BEHIND
