"""Rates: exact fractions, from sources that say what they do not know."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import START
from hypothesis import given
from hypothesis import strategies as st

from returns.errors import AmountInvalid, CurrencyUnknown, FieldInvalid, RateUnavailable
from returns.money import MAX_AMOUNT, Money
from returns.words import CostBearer, RatePolicy
from settlement.rates.base import Rate, read_pair, read_rate
from settlement.rates.policy import value
from settlement.rates.sources import FixedRates, RateFile, Rates

DAY = timedelta(days=1)
BEFORE = START - 10 * DAY


def rate(numerator: int, denominator: int = 1, base: str = "ETH", quote: str = "USD") -> Rate:
    return Rate(base, quote, numerator, denominator, "test", START)


class TestConverting:
    @pytest.mark.parametrize(
        ("amount", "given_rate", "worth"),
        [
            (10**18, rate(2000), 200_000),
            (10**18 - 1, rate(2000), 199_999),
            (1, rate(2000), 0),
            (100, rate(1, 3, "USD", "EUR"), 33),
            (200, rate(1, 3, "USD", "EUR"), 66),
            (100, rate(1, 1, "USD", "JPY"), 1),
            (199, rate(1, 1, "USD", "JPY"), 1),
            (150, rate(150, 1, "USD", "JPY"), 225),
            (0, rate(2000), 0),
        ],
    )
    def test_rounds_down_once(self, amount: int, given_rate: Rate, worth: int) -> None:
        found = given_rate.convert(Money(amount, given_rate.base))
        assert (found.amount, found.currency) == (worth, given_rate.quote)

    @given(st.integers(0, 10**30), st.integers(1, 10**12), st.integers(1, 10**12))
    def test_there_and_back_never_grows(self, amount: int, up: int, down: int) -> None:
        forth = rate(up, down)
        back = forth.inverse.convert(forth.convert(Money(amount, "ETH")))
        assert back.amount <= amount

    @given(st.integers(0, 10**30), st.integers(0, 10**30), st.integers(1, 10**9))
    def test_parts_are_never_worth_more_than_the_whole(self, one: int, two: int, up: int) -> None:
        worth = rate(up, 7).convert
        parts = worth(Money(one, "ETH")).amount + worth(Money(two, "ETH")).amount
        whole = worth(Money(one + two, "ETH")).amount
        assert 0 <= whole - parts <= 1

    def test_of_another_currency_is_refused(self) -> None:
        with pytest.raises(CurrencyUnknown):
            rate(2000).convert(Money(1, "EUR"))

    def test_above_every_amount_is_refused(self) -> None:
        with pytest.raises(AmountInvalid):
            rate(MAX_AMOUNT).convert(Money(MAX_AMOUNT, "ETH"))

    @pytest.mark.parametrize("parts", [(0, 1), (1, 0), (-1, 1), (MAX_AMOUNT + 1, 1)])
    def test_at_no_rate_is_refused(self, parts: tuple[int, int]) -> None:
        with pytest.raises(FieldInvalid):
            rate(*parts)


@pytest.mark.parametrize("text", ["ETHUSD", "ETH/", "/USD", "ETH/ETH", "ETH/XXZ", "ETH/USD/EUR"])
def test_a_pair_that_is_none_is_refused(text: str) -> None:
    with pytest.raises((FieldInvalid, CurrencyUnknown)):
        read_pair(text)


@pytest.mark.parametrize(
    "text", ["", "0", "0.0", "-1", "1e3", "1,5", "1.", ".5", "NaN", "inf", "٣", " 1", "1" * 31]
)
def test_a_rate_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(FieldInvalid):
        read_rate(text)


OBSERVED = [
    {"pair": "ETH/USD", "rate": "1500", "observed_at": "2026-02-20T12:00:00Z"},
    {"pair": "ETH/USD", "rate": "1900.5", "observed_at": "2026-03-02T13:00:00+02:00"},
    {"pair": "EUR/USD", "rate": "1.1", "observed_at": "2026-03-02T12:00:00Z"},
]


def written(folder: Path, content: Any, name: str = "rates.json") -> RateFile:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text)
    return RateFile(folder / name, DAY)


CSV = "pair,rate,observed_at\n" + "\n".join(",".join(row.values()) for row in OBSERVED)


class TestAFile:
    @pytest.mark.parametrize("content", [OBSERVED, CSV, "\ufeff" + CSV])
    def test_tells_the_newest_observation_of_a_moment(self, tmp_path: Path, content: Any) -> None:
        file = written(tmp_path, content)
        found = file.rate("ETH", "USD", START, START)
        assert found is not None
        assert (found.numerator, found.denominator) == (3801, 2)
        assert found.observed_at == datetime(2026, 3, 2, 11, tzinfo=UTC)
        assert found.source == "file rates.json"
        then = file.rate("ETH", "USD", BEFORE, START)
        assert then is not None
        assert then.numerator == 1500

    def test_does_not_look_into_the_future_or_too_far_back(self, tmp_path: Path) -> None:
        file = written(tmp_path, OBSERVED)
        for moment in (START - 9 * DAY + timedelta(seconds=1), BEFORE - timedelta(seconds=1)):
            with pytest.raises(RateUnavailable, match="has none for"):
                file.rate("ETH", "USD", moment, START)

    def test_covers_nothing_else(self, tmp_path: Path) -> None:
        assert written(tmp_path, OBSERVED).rate("ETH", "EUR", START, START) is None

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "[1]",
            "[" * 5000,
            '[{"pair": "ETH/USD"}]',
            '[{"pair": "ETH/USD", "rate": 2000, "observed_at": "2026-03-02T12:00:00Z"}]',
            '[{"pair": "ETH/USD", "rate": "-1", "observed_at": "2026-03-02T12:00:00Z"}]',
            '[{"pair": "ETH/USD", "rate": "1", "observed_at": "2026-03-02T12:00:00"}]',
            "pair,rate\nETH/USD,1",
        ],
    )
    def test_that_cannot_be_read_gives_no_rate(self, tmp_path: Path, content: str) -> None:
        file = written(tmp_path, content)
        if content == "":
            assert file.rate("ETH", "USD", START, START) is None
            return
        with pytest.raises(RateUnavailable, match="cannot be read"):
            file.rate("ETH", "USD", START, START)

    def test_that_is_not_there_or_too_large_gives_no_rate(self, tmp_path: Path) -> None:
        for file in (
            RateFile(tmp_path / "no", DAY),
            written(tmp_path, " " * (5 * 1024 * 1024 + 1)),
        ):
            with pytest.raises(RateUnavailable, match="cannot be read"):
                file.rate("ETH", "USD", START, START)


class Stale:
    """A source that covers the pair and cannot say it."""

    def rate(self, base: str, quote: str, at: datetime, now: datetime) -> Rate | None:
        raise RateUnavailable(pair=f"{base}/{quote}", problem="stale")


class TestSources:
    def test_the_first_that_covers_a_pair_decides(self) -> None:
        rates = Rates([FixedRates({"ETH/USD": "1"}), FixedRates({"ETH/USD": "2", "EUR/USD": "3"})])
        assert rates.rate("ETH", "USD", START, START).numerator == 1
        assert rates.rate("EUR", "USD", START, START).numerator == 3

    def test_nobody_else_is_asked_where_it_cannot_say(self) -> None:
        with pytest.raises(RateUnavailable, match="stale"):
            Rates([Stale(), FixedRates({"ETH/USD": "1"})]).rate("ETH", "USD", START, START)

    def test_a_pair_may_be_turned_exactly(self) -> None:
        found = Rates([FixedRates({"ETH/USD": "3"})]).rate("USD", "ETH", START, START)
        assert (found.numerator, found.denominator) == (1, 3)
        assert (found.base, found.quote) == ("USD", "ETH")

    def test_a_currency_in_itself_needs_no_source(self) -> None:
        assert Rates([]).rate("USD", "USD", START, START).convert(Money(7, "USD")).amount == 7

    def test_what_none_covers_is_unavailable(self) -> None:
        with pytest.raises(RateUnavailable, match="ETH/EUR to go by: no source covers it"):
            Rates([FixedRates({"ETH/USD": "1"})]).rate("ETH", "EUR", START, START)


class Two:
    """A rate at the purchase and one now."""

    def __init__(self, then: str | None, now: str | None) -> None:
        self._then, self._now = then, now

    def rate(self, base: str, quote: str, at: datetime, now: datetime) -> Rate | None:
        text = self._now if at == now else self._then
        if (base, quote) != ("ETH", "USD") or text is None:
            return None
        found = read_rate(text)
        return Rate(base, quote, found.numerator, found.denominator, "two", at)


PAID = Money(10**18, "ETH")
MERCHANT, CUSTOMER = CostBearer.MERCHANT, CostBearer.CUSTOMER


class TestPolicies:
    @pytest.mark.parametrize(
        ("policy", "then", "now", "payout", "bearer"),
        [
            ("then", "2000", "1500", 200_000, MERCHANT),
            ("then", "1500", "2000", 150_000, CUSTOMER),
            ("now", "2000", "1500", 150_000, CUSTOMER),
            ("now", "1500", "2000", 200_000, MERCHANT),
            ("lower", "2000", "1500", 150_000, CUSTOMER),
            ("lower", "1500", "2000", 150_000, CUSTOMER),
        ],
    )
    def test_say_what_is_paid_and_who_bears_the_difference(
        self, policy: str, then: str, now: str, payout: int, bearer: CostBearer
    ) -> None:
        rates = Rates([Two(then, now)])
        found = value(rates, PAID, "USD", RatePolicy(policy), BEFORE, START)
        assert found.payout == Money(payout, "USD")
        assert (found.difference, found.bearer) == (50_000, bearer)

    @pytest.mark.parametrize("policy", ["then", "now", "lower"])
    def test_nobody_bears_what_has_not_changed(self, policy: str) -> None:
        found = value(Rates([Two("2", "2")]), PAID, "USD", RatePolicy(policy), BEFORE, START)
        assert (found.difference, found.bearer) == (0, None)

    @pytest.mark.parametrize(("policy", "then", "now"), [("then", "2", None), ("now", None, "2")])
    def test_a_difference_that_is_not_known_is_not_made_up(
        self, policy: str, then: str | None, now: str | None
    ) -> None:
        found = value(Rates([Two(then, now)]), PAID, "USD", RatePolicy(policy), BEFORE, START)
        assert (found.payout.amount, found.difference, found.bearer) == (200, None, None)

    @pytest.mark.parametrize(
        ("policy", "then", "now"),
        [("then", None, "2"), ("now", "2", None), ("lower", "2", None), ("lower", None, "2")],
    )
    def test_a_rate_that_is_needed_and_missing_pays_nothing(
        self, policy: str, then: str | None, now: str | None
    ) -> None:
        with pytest.raises(RateUnavailable):
            value(Rates([Two(then, now)]), PAID, "USD", RatePolicy(policy), BEFORE, START)

    @pytest.mark.parametrize(
        ("paid", "payout"), [(PAID, 2_000_000_000), (Money(1999, "USD"), 19_990_000)]
    )
    def test_stable_pays_the_value_at_purchase_in_coin(self, paid: Money, payout: int) -> None:
        rates = Rates([Two("2000", "1500")])
        found = value(rates, paid, "TUSD", RatePolicy.STABLE, BEFORE, START)
        assert found.payout == Money(payout, "TUSD")
        assert found.rate.source.endswith(", TUSD at par with USD")

    def test_stable_is_only_what_its_issuer_keeps_at_par(self) -> None:
        with pytest.raises(RateUnavailable, match="ETH is not a stable coin"):
            value(Rates([]), Money(1, "USD"), "ETH", RatePolicy.STABLE, BEFORE, START)

    @given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(0, 10**24))
    def test_lower_is_never_above_the_others(self, then: int, now: int, amount: int) -> None:
        rates = Rates([Two(str(then), str(now))])
        paid = Money(amount, "ETH")
        lower, *others = (
            value(rates, paid, "USD", policy, BEFORE, START).payout.amount
            for policy in (RatePolicy.LOWER, RatePolicy.THEN, RatePolicy.NOW)
        )
        assert lower == min(others)
