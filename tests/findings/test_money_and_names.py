"""Promises about amounts and names."""

from __future__ import annotations

from decimal import Decimal

import pytest

from returns import ids
from returns.errors import AmountInvalid
from returns.money import from_decimal, to_minor_half_even


@pytest.mark.parametrize(
    "text", ["1e999999", "1e900000", "-1e999999", "9" * 5000, "1e-999999", "1." + "0" * 130 + "1"]
)
def test_price_that_is_too_large_or_too_fine_is_refused_and_never_crashes(text: str) -> None:
    with pytest.raises(AmountInvalid):
        from_decimal(text, "ETH")


@pytest.mark.parametrize("text", ["1_000", "٣", "１"])
def test_price_is_written_in_plain_digits(text: str) -> None:
    with pytest.raises(AmountInvalid):
        from_decimal(text, "ETH")


@pytest.mark.parametrize("text", ["1e999999", "1e900000", "1e200", "9" * 5000])
def test_computed_price_that_is_too_large_is_refused_and_never_crashes(text: str) -> None:
    with pytest.raises(AmountInvalid):
        to_minor_half_even(Decimal(text), "USD")


def test_check_character_is_read_as_people_write_it() -> None:
    seen = set()
    while seen != {"0", "1"}:
        rma = ids.new_rma()
        if rma[-1] in "01":
            seen.add(rma[-1])
            for written in {"0": "Oo", "1": "IiLl"}[rma[-1]]:
                assert ids.parse_rma(rma[:-1] + written) == rma
