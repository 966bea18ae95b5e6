"""Amounts are exact integers in minor units."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from returns.errors import AmountInvalid, CurrencyUnknown
from returns.money import (
    MAX_AMOUNT,
    Money,
    allocate,
    exponent_of,
    from_decimal,
    iso_number,
    parse_amount,
    to_decimal,
    to_minor_half_even,
)

AMOUNTS = st.one_of(st.integers(0, 10**6), st.integers(0, MAX_AMOUNT))
CODES = st.sampled_from(["USD", "EUR", "JPY", "KWD", "ETH", "TUSD"])


@given(AMOUNTS)
def test_amount_is_read_as_it_was_written(amount: int) -> None:
    assert parse_amount(str(amount)) == amount


@given(st.one_of(
    st.integers(), st.floats(), st.booleans(), st.none(), st.binary(), st.decimals(),
    st.integers(max_value=-1).map(str), st.integers(min_value=MAX_AMOUNT + 1).map(str),
    st.integers(0).map(lambda n: f"0{n}"), st.integers(0).map(lambda n: f"+{n}"),
    st.integers(0).map(lambda n: f"{n}.0"), st.integers(1).map(lambda n: f"{n}e1"),
    st.integers(0).map(lambda n: f" {n}"), st.integers(0).map(lambda n: f"{n}\n"),
    st.text().filter(lambda t: not t.isascii() or not t.isdigit()),
))  # fmt: skip
def test_everything_else_is_refused(value: object) -> None:
    with pytest.raises(AmountInvalid):
        parse_amount(value)


@given(AMOUNTS, CODES)
def test_decimal_form_goes_there_and_back(amount: int, code: str) -> None:
    money = Money(amount, code)
    assert from_decimal(to_decimal(money), code) == money


@pytest.mark.parametrize(
    ("text", "code"),
    [("0.001", "USD"), ("1.5", "JPY"), ("-1", "USD"), ("nan", "USD"), ("inf", "ETH"), ("", "USD"),
     ("1,5", "EUR"), ("abc", "EUR"), ("1e77", "ETH"), ("0.0000000000000000001", "ETH")],
)  # fmt: skip
def test_price_that_is_no_whole_number_of_minor_units_is_refused(text: str, code: str) -> None:
    with pytest.raises(AmountInvalid):
        from_decimal(text, code)


@pytest.mark.parametrize("code", ["usd", "XXX", "XAU", "BTC", "", "840", "US"])
def test_unknown_currency_is_refused(code: str) -> None:
    with pytest.raises(CurrencyUnknown):
        Money(1, code)


def test_exponents_and_numbers_are_those_of_the_standard() -> None:
    assert [exponent_of(c) for c in ("USD", "JPY", "KWD", "ETH", "TUSD")] == [2, 0, 3, 18, 6]
    assert iso_number("USD") == 840
    with pytest.raises(CurrencyUnknown):
        iso_number("ETH")


@pytest.mark.parametrize("amount", [1.0, True, Decimal(1), "1", None, MAX_AMOUNT + 1])
def test_money_takes_nothing_but_an_integer(amount: object) -> None:
    with pytest.raises(AmountInvalid):
        Money(amount, "USD")


def test_currencies_do_not_mix() -> None:
    with pytest.raises(CurrencyUnknown):
        Money(1, "USD") + Money(1, "EUR")
    with pytest.raises(CurrencyUnknown):
        Money(1, "USD") - Money(1, "EUR")


@given(AMOUNTS, st.lists(st.integers(0, 10**9), min_size=1, max_size=30).filter(any))
def test_parts_sum_to_the_whole_and_differ_by_less_than_one_from_their_share(
    total: int, weights: list[int]
) -> None:
    parts = allocate(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - total * weight) < sum(weights)
        assert weight or part == 0


@pytest.mark.parametrize(("total", "weights"), [(1, []), (1, [0]), (-1, [1]), (1, [2, -1])])
def test_allocation_without_weights_is_refused(total: int, weights: list[int]) -> None:
    with pytest.raises(AmountInvalid):
        allocate(total, weights)


def test_first_part_gets_the_odd_cent() -> None:
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]


@pytest.mark.parametrize(("major", "minor"), [("0.125", 12), ("0.135", 14), ("0.1250001", 13)])
def test_halves_are_rounded_to_even_once(major: str, minor: int) -> None:
    assert to_minor_half_even(Decimal(major), "USD").amount == minor
    assert to_minor_half_even(Decimal("0.125" + "0" * 150 + "1"), "USD").amount == 13
