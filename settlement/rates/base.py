"""An exchange rate as an exact fraction, and what a source of them promises."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Protocol

from returns.errors import CurrencyUnknown, FieldInvalid
from returns.money import MAX_AMOUNT, Money, exponent_of

#: As people write a rate: plain digits and one point, short enough to be exact.
_RATE = re.compile(r"[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rate:
    """One `base` is worth `numerator / denominator` of `quote`, both in major units."""

    base: str
    quote: str
    numerator: int
    denominator: int
    source: str
    observed_at: datetime

    def __post_init__(self) -> None:
        if not (0 < self.numerator <= MAX_AMOUNT and 0 < self.denominator <= MAX_AMOUNT):
            raise FieldInvalid(field="rate", problem="it is not above zero, or has too many digits")

    @property
    def inverse(self) -> Rate:
        """The same rate, seen from the other side; nothing is rounded."""
        return replace(
            self,
            base=self.quote,
            quote=self.base,
            numerator=self.denominator,
            denominator=self.numerator,
        )

    def convert(self, money: Money) -> Money:
        """What an amount of `base` is worth in `quote`.

        Rounded once, down to the minor unit: there and back again, money never grows, and no
        payout is above what came in.
        """
        if money.currency != self.base:
            raise CurrencyUnknown(currency=f"{money.currency} at a rate of {self.base}")
        worth = money.amount * self.numerator * 10 ** exponent_of(self.quote)
        return Money(worth // (self.denominator * 10 ** exponent_of(self.base)), self.quote)


class RateSource(Protocol):
    """Where rates come from."""

    def rate(self, base: str, quote: str, at: datetime, now: datetime) -> Rate | None:
        """The rate that held `at` a moment; None where the source does not cover it.

        Raises `RateUnavailable` where it does, and cannot say it: nobody else is asked then.
        """


def read_pair(text: str) -> tuple[str, str]:
    """Read `ETH/USD`; raises `FieldInvalid`, `CurrencyUnknown`."""
    base, slash, quote = text.partition("/")
    if not slash or base == quote:
        raise FieldInvalid(field="pair", problem="write two currencies, such as ETH/USD")
    exponent_of(base)
    exponent_of(quote)
    return base, quote


def read_rate(text: str) -> Fraction:
    """Read `2000.50` exactly; raises `FieldInvalid` for anything not above zero."""
    if not _RATE.fullmatch(text) or Fraction(text) <= 0:
        raise FieldInvalid(field="rate", problem="write digits and at most one point, above zero")
    return Fraction(text)
