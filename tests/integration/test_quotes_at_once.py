"""Quotes under competition: one holds, and it is used once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from desk import Desk

from returns.errors import QuoteUsed
from returns.money import Money
from returns.tables import RateQuote
from returns.words import RatePolicy
from settlement.commands import quotes
from settlement.commands.quotes import QuoteAsked
from settlement.rates.sources import FixedRates, Rates

AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]


def asked(desk: Desk) -> QuoteAsked:
    paid = Money(10**18, "ETH")
    return QuoteAsked(uuid4(), paid, desk.clock(), "USD", RatePolicy.NOW)


class Moving:
    """A market that is never at the same rate twice."""

    def __init__(self) -> None:
        self._last = 100_000

    def rate(self, *moment: Any) -> Any:
        self._last += 1
        return FixedRates({"ETH/USD": str(self._last)}).rate(*moment)


def test_of_quotes_asked_for_at_once_one_holds(desk: Desk, at_once: AtOnce) -> None:
    desk.runtime.rates = Rates([Moving()])
    wanted = asked(desk)
    rows = at_once(6, lambda _: quotes.quote(desk.runtime, desk.merchant.id, wanted))
    assert len({(row.id, row.to_amount) for row in rows}) == 1
    desk.clock.move(seconds=120)
    rows = at_once(6, lambda _: quotes.quote(desk.runtime, desk.merchant.id, wanted))
    assert len({(row.id, row.to_amount) for row in rows}) == 1
    assert [row.number for row in desk.rows(RateQuote)] == [1, 2]


def test_a_quote_used_six_times_at_once_is_used_once(desk: Desk, at_once: AtOnce) -> None:
    desk.runtime.rates = Rates([Moving()])
    wanted = asked(desk)
    row = quotes.quote(desk.runtime, desk.merchant.id, wanted)

    def use(_: int) -> RateQuote:
        with desk.runtime.database.write() as session:
            about = (desk.merchant.id, row.id, wanted.subject_id)
            return quotes.use(session, *about, desk.clock())

    results = at_once(6, use)
    assert sum(isinstance(one, QuoteUsed) for one in results) == 5
    assert sum(isinstance(one, RateQuote) for one in results) == 1
