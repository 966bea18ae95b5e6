"""Money: integer minor units with a currency that knows its exponent. No float comes near it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext

from iso4217 import Currency as IsoCurrency

from returns.errors import AmountInvalid, CurrencyUnknown

#: Crypto currencies that orders may be priced in: code -> exponent. ISO 4217 supplies the rest.
CRYPTO_EXPONENTS = {"ETH": 18, "TUSD": 6}

#: 2**256 - 1: nothing on chain can be larger.
MAX_AMOUNT = 2**256 - 1

_DIGITS = re.compile(r"(0|[1-9][0-9]{0,77})\Z")
#: A price as files write it, short enough to be calculated with exactly.
_PRICE = re.compile(r"[+-]?[0-9.]{1,100}([eE][+-]?[0-9]{1,3})?\Z")
#: No amount has more digits before the point, whatever its currency.
_MAX_DIGITS = len(str(MAX_AMOUNT))


def exponent_of(currency: str) -> int:
    """Return how many decimal places the currency's minor unit has (ISO 4217; 18 for ETH).

    Raises `CurrencyUnknown` for a code that is neither ISO 4217 nor one of `CRYPTO_EXPONENTS`.
    """
    if currency in CRYPTO_EXPONENTS:
        return CRYPTO_EXPONENTS[currency]
    try:
        exponent = IsoCurrency(currency).exponent
    except ValueError:
        exponent = None
    if exponent is None:
        raise CurrencyUnknown(currency=currency)
    return int(exponent)


def iso_number(currency: str) -> int:
    """Return the ISO 4217 numeric code, the customary address of a fiat currency on chain."""
    try:
        return int(IsoCurrency(currency).number)
    except ValueError as unknown:
        raise CurrencyUnknown(currency=currency) from unknown


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount of minor units (cents, wei) of one currency."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int or abs(self.amount) > MAX_AMOUNT:
            raise AmountInvalid(amount=self.amount)
        exponent_of(self.currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other).amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other).amount, self.currency)

    def _same(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise CurrencyUnknown(currency=f"{other.currency} beside {self.currency}")
        return other

    def __str__(self) -> str:
        return f"{to_decimal(self)} {self.currency}"


def parse_amount(text: object) -> int:
    """Read an amount of minor units as JSON carries it: a string of decimal digits.

    Raises `AmountInvalid` for floats, signs, exponents, leading zeros and anything above uint256.
    """
    if not isinstance(text, str) or not _DIGITS.match(text) or int(text) > MAX_AMOUNT:
        raise AmountInvalid(amount=text)
    return int(text)


def from_decimal(text: str, currency: str) -> Money:
    """Read a price in major units ("59.9" ETH) exactly; digits below the minor unit are refused."""
    if not _PRICE.match(text.strip()):
        raise AmountInvalid(amount=text[:100])
    with localcontext() as context:
        context.prec = 120
        try:
            minor = Decimal(text.strip()).scaleb(exponent_of(currency))
        except InvalidOperation as bad:
            raise AmountInvalid(amount=text) from bad
        if not minor.is_finite() or minor != minor.to_integral_value() or minor < 0:
            raise AmountInvalid(amount=text)
        return Money(int(minor), currency)


def to_minor_half_even(major: Decimal, currency: str) -> Money:
    """Round a computed price to the currency's minor unit, halves to even.

    For prices that somebody else derived from a rate; amounts that we owe are never rounded.
    """
    if not major.is_finite() or major < 0 or major.adjusted() > _MAX_DIGITS:
        raise AmountInvalid(amount=str(major)[:100])
    with localcontext() as context:
        # Every digit takes part: cut to fewer first, the amount would be rounded twice.
        context.prec = len(major.as_tuple().digits) + 120
        minor = major.scaleb(exponent_of(currency)).to_integral_value(ROUND_HALF_EVEN)
    return Money(int(minor), currency)


def to_decimal(money: Money) -> str:
    """Write an amount in major units, with as many places as the currency has."""
    with localcontext() as context:
        context.prec = 120
        return f"{Decimal(money.amount).scaleb(-exponent_of(money.currency)):f}"


def allocate(total: int, weights: list[int]) -> list[int]:
    """Split `total` minor units in proportion to `weights`; the parts sum to the whole.

    Largest remainder, ties to the earlier part, so that nothing is rounded twice.
    """
    whole = sum(weights)
    if total < 0 or whole <= 0 or min(weights) < 0:
        raise AmountInvalid(amount=total)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts
