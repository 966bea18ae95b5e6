"""A payout in another currency costs what was quoted, within a limit, and happens once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from desk import Desk
from ramp_stand_in import SECRET, RampStandIn, signed

from returns.errors import ProcessorUnavailable, WebhookRefused
from returns.money import Money
from returns.tables import RateQuote
from returns.words import MovementKind, RatePolicy, RefundStatus
from settlement.commands import quotes
from settlement.commands.quotes import QuoteAsked
from settlement.processors.base import ProcessorRefund, RefundDeclined, RefundRequest
from settlement.processors.ramp import RampProcessor
from settlement.rates.sources import FixedRates, Rates
from settlement.rates.stored import used_quotes

#: One ether was paid, and is given back as 2,000.00 dollars.
PAID, WORTH = 10**18, 200_000


class Ramp:
    """A desk with a ramp, and a payout that may begin."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.market = RampStandIn(desk.clock, PAID, "ETH")
        quote_of = used_quotes(desk.runtime.database)
        self.processor = RampProcessor(
            "http://ramp.example", "key", SECRET, quote_of, 100, self.market.transport
        )
        desk.runtime.rates = Rates([FixedRates({"ETH/USD": "2000"})])
        self.request = self.ask()

    def ask(self, *, use: bool = True) -> RefundRequest:
        request = RefundRequest(uuid4(), "0xpaid", WORTH, "USD", payee="DE89", note="thanks")
        paid, now = Money(PAID, "ETH"), self.desk.clock()
        wanted = QuoteAsked(request.key, paid, now, "USD", RatePolicy.NOW)
        row = quotes.quote(self.desk.runtime, self.desk.merchant.id, wanted)
        if use:
            with self.desk.runtime.database.write() as session:
                quotes.use(session, self.desk.merchant.id, row.id, request.key, now)
        return request

    def refund(self, **changes: Any) -> ProcessorRefund:
        return self.processor.refund(replace(self.request, **changes))

    def declined(self, problem: str, **changes: Any) -> None:
        with pytest.raises(RefundDeclined, match=problem):
            self.refund(**changes)
        assert self.market.payouts == []


@pytest.fixture
def ramp(desk: Desk) -> Ramp:
    return Ramp(desk)


def test_a_payout_is_asked_for_at_the_ramps_price_under_our_key(ramp: Ramp) -> None:
    refund = ramp.refund()
    about = ("po_1", str(ramp.request.key), "0xpaid", WORTH, "USD")
    assert refund == ProcessorRefund(*about, RefundStatus.PENDING)
    assert ramp.market.asked == ["POST /v1/quotes", "POST /v1/payouts"]
    assert all(one.headers["authorization"] == "Bearer key" for one in ramp.market.seen)
    assert ramp.processor.find(ramp.request) == refund


def test_asked_for_again_it_is_the_same_payout(ramp: Ramp) -> None:
    assert ramp.refund() == ramp.refund()
    assert len(ramp.market.payouts) == 1


def test_after_a_lost_answer_it_is_found_by_its_key(ramp: Ramp) -> None:
    ramp.market.mode = "lost"
    with pytest.raises(ProcessorUnavailable):
        ramp.refund()
    found = ramp.processor.find(ramp.request)
    assert found is not None
    assert found.key == str(ramp.request.key)
    assert ramp.refund() == found
    assert len(ramp.market.payouts) == 1


class TestThePrice:
    @pytest.mark.parametrize("cost", [PAID * 101 // 100, PAID, PAID // 2])
    def test_within_the_limit_is_taken(self, ramp: Ramp, cost: int) -> None:
        ramp.market.cost = cost
        assert ramp.refund().status is RefundStatus.PENDING

    def test_above_the_limit_by_one_wei_pays_nothing(self, ramp: Ramp) -> None:
        ramp.market.cost = PAID * 101 // 100 + 1
        ramp.declined(
            r"takes 1\.010000000000000001 ETH, more than 100 .* above the 1\.0* ETH quoted"
        )

    def test_in_another_currency_pays_nothing(self, ramp: Ramp) -> None:
        ramp.market.currency = "TUSD"
        ramp.declined("the ramp quotes")

    def test_that_expires_is_asked_for_again_and_then_given_up(self, ramp: Ramp) -> None:
        ramp.market.mode = "slow"
        ramp.declined("prices expire before they can be taken")
        assert ramp.market.asked == ["POST /v1/quotes", "POST /v1/payouts"] * 2

    def test_that_has_risen_when_it_is_asked_for_again_pays_nothing(self, ramp: Ramp) -> None:
        ramp.market.mode = "slow"
        answer = ramp.market._price

        def rising(body: dict[str, str]) -> Any:
            found = answer(body)
            ramp.market.cost = PAID * 2
            return found

        ramp.market._price = rising  # type: ignore[method-assign]
        ramp.declined("the ramp takes 2")
        assert ramp.market.asked.count("POST /v1/payouts") == 1

    def test_of_other_amounts_pays_nothing(self, ramp: Ramp) -> None:
        other: Callable[..., Any] = ramp.market._price
        ramp.market._price = lambda body: other({**body, "to_amount": "1"})  # type: ignore[method-assign]
        ramp.declined(r"the ramp quotes 0\.01 USD")


class TestOurQuote:
    def test_must_have_been_used_for_this_payout(self, ramp: Ramp) -> None:
        ramp.request = ramp.ask(use=False)
        ramp.declined("no quote was used for it")
        assert ramp.market.asked == []

    def test_is_of_no_other_payout(self, ramp: Ramp) -> None:
        ramp.declined("no quote was used for it", key=uuid4())

    @pytest.mark.parametrize("changes", [{"amount": WORTH + 1}, {"currency": "EUR"}])
    def test_says_what_may_be_paid(self, ramp: Ramp, changes: dict[str, Any]) -> None:
        ramp.declined("is asked for, and 2000.00 USD was quoted", **changes)
        assert ramp.market.asked == []


class TestARampThatDoesNotPay:
    def test_declines_in_its_own_words(self, ramp: Ramp) -> None:
        ramp.market.mode = "decline"
        ramp.declined("the account is closed")

    def test_may_not_know_the_currency(self, ramp: Ramp) -> None:
        with ramp.desk.runtime.database.write() as session:
            row = session.get_one(RateQuote, ramp.desk.rows(RateQuote)[0].id)
            row.to_currency = "JPY"
        ramp.declined(r"no yen\?", currency="JPY")

    @pytest.mark.parametrize("mode", ["down", "garbage"])
    def test_that_does_not_answer_is_unknown(self, ramp: Ramp, mode: str) -> None:
        ramp.market.mode = mode
        for ask in (ramp.refund, lambda: ramp.processor.find(ramp.request)):
            with pytest.raises(ProcessorUnavailable):
                ask()
        for log in (ramp.processor.refunds(), ramp.processor.movements()):
            with pytest.raises(ProcessorUnavailable):
                list(log)


def test_its_log_and_its_report_are_read_page_by_page(ramp: Ramp) -> None:
    keys = [ramp.processor.refund(ramp.ask()).key for _ in range(3)]
    assert [one.key for one in ramp.processor.refunds()] == keys
    moved = list(ramp.processor.movements())
    assert [(one.kind, one.amount, one.currency) for one in moved] == [
        (MovementKind.REFUND, -PAID, "ETH")
    ] * 3
    assert list(ramp.processor.movements(after=moved[0].id)) == moved[1:]


class TestItsWebhook:
    @pytest.mark.parametrize("status", ["succeeded", "failed"])
    def test_tells_what_became_of_a_payout(self, ramp: Ramp, status: str) -> None:
        ramp.refund()
        fact = ramp.processor.read_webhook(*ramp.market.turn(status, "why"))
        assert isinstance(fact, ProcessorRefund)
        assert (fact.key, fact.status, fact.reason) == (str(ramp.request.key), status, "why")

    def test_about_something_else_is_left_alone(self, ramp: Ramp) -> None:
        body = '{"type": "account.updated", "data": {}}'
        assert ramp.processor.read_webhook(body.encode(), signed(body, datetime.now(UTC))) is None

    @pytest.mark.parametrize("body", ["", "[]", "{}", '{"type": "payout.updated", "data": {}}'])
    def test_that_cannot_be_read_is_refused(self, ramp: Ramp, body: str) -> None:
        with pytest.raises(WebhookRefused):
            ramp.processor.read_webhook(body.encode(), signed(body, datetime.now(UTC)))

    def test_with_a_changed_byte_is_refused(self, ramp: Ramp) -> None:
        ramp.refund()
        body, headers = ramp.market.turn("succeeded")
        with pytest.raises(WebhookRefused):
            ramp.processor.read_webhook(body + b" ", headers)
