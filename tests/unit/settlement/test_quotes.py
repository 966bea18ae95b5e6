"""A quote holds for a while, is used once, and never changes silently."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from desk import Desk

from returns.errors import (
    NotFound,
    QuoteDiffers,
    QuoteExpired,
    QuoteUsed,
    RateSlipped,
    RateUnavailable,
)
from returns.money import Money
from returns.tables import RateQuote
from returns.words import RatePolicy
from settlement.commands import quotes
from settlement.commands.quotes import QuoteAsked
from settlement.rates.sources import FixedRates, Rates

SUBJECT = uuid4()


def asked(desk: Desk, **changes: Any) -> QuoteAsked:
    about = {"subject_id": SUBJECT, "paid": Money(10**18, "ETH"), "paid_at": desk.clock.now}
    return QuoteAsked(**{**about, "to": "USD", "policy": RatePolicy.NOW, **changes})


@pytest.fixture
def market(desk: Desk) -> Desk:
    at(desk, "2000")
    return desk


def at(desk: Desk, rate: str) -> None:
    """The market's rate from now on."""
    desk.runtime.rates = Rates([FixedRates({"ETH/USD": rate})])


def quote(desk: Desk, wanted: QuoteAsked, accepted: int | None = None) -> RateQuote:
    return quotes.quote(desk.runtime, desk.merchant.id, wanted, accepted)


def use(desk: Desk, row: RateQuote, **changes: Any) -> RateQuote:
    about = {"merchant_id": desk.merchant.id, "quote_id": row.id, "subject_id": SUBJECT}
    with desk.runtime.database.write() as session:
        return quotes.use(session, **{**about, **changes}, now=desk.clock())


def test_a_quote_says_both_amounts_the_rate_its_source_and_its_time(market: Desk) -> None:
    row = quote(market, asked(market))
    assert (row.from_amount, row.from_currency) == (10**18, "ETH")
    assert (row.to_amount, row.to_currency) == (200_000, "USD")
    assert (row.rate_numerator, row.rate_denominator, row.source) == (2000, 1, "fixed")
    assert row.observed_at == row.quoted_at == market.clock()
    assert (row.expires_at - row.quoted_at).total_seconds() == 120
    assert (row.fx_difference, row.fx_bearer, row.used_at) == (0, None, None)


def test_asked_for_again_it_is_the_same_one_whatever_the_market_does(market: Desk) -> None:
    wanted = asked(market)
    first = quote(market, wanted)
    at(market, "9999")
    market.clock.move(seconds=119)
    assert quote(market, wanted) == first
    assert len(market.rows(RateQuote)) == 1


def test_it_is_used_once(market: Desk) -> None:
    row = quote(market, wanted := asked(market))
    assert use(market, row).used_at == market.clock()
    before = market.rows(RateQuote)
    market.clock.move(seconds=5)
    with pytest.raises(QuoteUsed, match=r"2000\.00 USD for .* ETH was used already, at 2026-03-02"):
        use(market, row)
    with pytest.raises(QuoteUsed):
        quote(market, wanted)
    assert market.rows(RateQuote) == before


def test_it_expires_to_the_second(market: Desk) -> None:
    row = quote(market, asked(market))
    market.clock.move(seconds=120)
    with pytest.raises(QuoteExpired, match=r"was good until 2026-03-02T12:02:00\+00:00"):
        use(market, row)
    assert [one.used_at for one in market.rows(RateQuote)] == [None]
    market.clock.move(seconds=-1)
    assert use(market, row).used_at is not None


def test_it_is_given_back_where_the_payout_fails_in_its_transaction(market: Desk) -> None:
    row = quote(market, asked(market))
    with suppress(ZeroDivisionError), market.runtime.database.write() as session:
        quotes.use(session, market.merchant.id, row.id, SUBJECT, market.clock())
        raise ZeroDivisionError
    assert [one.used_at for one in market.rows(RateQuote)] == [None]
    assert use(market, row).used_at is not None


def test_it_is_of_one_payout_and_one_merchant(market: Desk) -> None:
    row = quote(market, asked(market))
    for other in ({"subject_id": uuid4()}, {"merchant_id": uuid4()}, {"quote_id": uuid4()}):
        with pytest.raises(NotFound):
            use(market, row, **other)
    assert [one.used_at for one in market.rows(RateQuote)] == [None]


@pytest.mark.parametrize(
    "changes",
    [{"paid": Money(1, "ETH")}, {"to": "EUR"}, {"policy": RatePolicy.THEN}],
)
def test_another_payment_under_its_name_is_refused(market: Desk, changes: dict[str, Any]) -> None:
    quote(market, asked(market))
    with pytest.raises(QuoteDiffers):
        quote(market, asked(market, **changes))
    assert len(market.rows(RateQuote)) == 1


class TestExpired:
    @pytest.mark.parametrize("rate", ["1980", "2020", "2000"])
    def test_a_new_one_within_the_limit_takes_its_place(self, market: Desk, rate: str) -> None:
        first = quote(market, wanted := asked(market))
        at(market, rate)
        market.clock.move(seconds=120)
        second = quote(market, wanted)
        assert (second.number, second.to_amount) == (2, int(rate) * 100)
        assert market.rows(RateQuote)[0] == first

    @pytest.mark.parametrize(("rate", "after"), [("1979.99", "1979.99"), ("2020.01", "2020.01")])
    def test_one_beyond_it_is_refused_with_both_amounts(
        self, market: Desk, rate: str, after: str
    ) -> None:
        quote(market, wanted := asked(market))
        at(market, rate)
        market.clock.move(seconds=120)
        with pytest.raises(RateSlipped, match=rf"at 2000\.00 USD and would now be {after} USD"):
            quote(market, wanted)
        assert len(market.rows(RateQuote)) == 1

    def test_a_person_may_accept_the_new_amount(self, market: Desk) -> None:
        quote(market, wanted := asked(market))
        at(market, "1500")
        market.clock.move(seconds=120)
        row = quote(market, wanted, accepted=150_000)
        assert (row.to_amount, row.promised_amount) == (150_000, 150_000)
        at(market, "1510")
        market.clock.move(seconds=120)
        assert quote(market, wanted).to_amount == 151_000

    def test_what_was_accepted_is_held_against_the_market_too(self, market: Desk) -> None:
        quote(market, wanted := asked(market))
        at(market, "1400")
        market.clock.move(seconds=120)
        with pytest.raises(RateSlipped, match=r"1500\.00 USD and would now be 1400\.00 USD"):
            quote(market, wanted, accepted=150_000)
        assert len(market.rows(RateQuote)) == 1

    def test_it_does_not_creep_away_in_small_steps(self, market: Desk) -> None:
        quote(market, wanted := asked(market))
        for rate in ("1990", "1980"):
            at(market, rate)
            market.clock.move(seconds=120)
            quote(market, wanted)
        at(market, "1970")
        market.clock.move(seconds=120)
        with pytest.raises(RateSlipped, match=r"2000\.00 USD and would now be 1970"):
            quote(market, wanted)

    def test_an_older_one_cannot_be_used(self, market: Desk) -> None:
        first = quote(market, wanted := asked(market))
        market.clock.move(seconds=120)
        quote(market, wanted)
        with pytest.raises(QuoteExpired):
            use(market, first)


def test_without_a_rate_there_is_no_quote(market: Desk) -> None:
    market.runtime.rates = Rates([])
    with pytest.raises(RateUnavailable):
        quote(market, asked(market))
    assert market.rows(RateQuote) == []
