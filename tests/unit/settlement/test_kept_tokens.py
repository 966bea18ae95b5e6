"""Remedies without a token that moves: nobody signs, the money goes at once, and once."""

from __future__ import annotations

import pytest
from desk import ADDRESSES, Desk, part

from returns.errors import RefundAboveRemainder, RemedyNotPayable
from returns.tables import Authorization, Leg
from returns.words import LegKind, LegState, LineState
from settlement.commands.inputs import OrderIn


def test_credit_for_a_kept_token_is_booked_with_the_decision(generous: Desk) -> None:
    order = generous.buy()
    rma = generous.ask(order, "store_credit")["rma"]
    assert generous.states(rma) == ["requested", "approved", "settling", "settled"]
    assert generous.balances()[f"store_credit:{order.customer}", "USD"] == -1000
    assert generous.rows(Authorization) == []
    assert [leg.kind for leg in generous.rows(Leg)] == [LegKind.CREDIT]


def test_refund_for_a_kept_token_goes_through_the_processor(generous: Desk) -> None:
    order = generous.buy()
    rma = generous.ask(order)["rma"]
    generous.run()
    assert generous.line(rma).state is LineState.SETTLED
    assert generous.leg(rma, LegKind.PROCESSOR_REFUND).state is LegState.FINAL
    assert [one.amount for one in generous.processor.log] == [1000]
    assert generous.owner(order) == order.buyer_wallet


def test_token_whose_price_was_paid_back_has_nothing_left(generous: Desk) -> None:
    order = generous.buy()
    generous.ask(order, "store_credit")
    generous.run()
    with pytest.raises(RefundAboveRemainder, match="1 is more than the 0"):
        generous.ask(order, lines=part(order, 1))
    assert generous.processor.log == []


def test_two_equal_parts_are_both_paid_and_the_rest_exactly(generous: Desk) -> None:
    order = generous.buy()
    for amount in (300, 300, 400):
        generous.ask(order, lines=part(order, amount))
        generous.run()
    assert [one.amount for one in generous.processor.log] == [300, 300, 400]
    assert len({one.key for one in generous.processor.log}) == 3
    assert generous.balances()["processor:sandbox", "USD"] == -1000
    before = generous.count_all()
    with pytest.raises(RefundAboveRemainder):
        generous.ask(order, lines=part(order, 1))
    assert generous.count_all() == before


def test_person_may_let_the_customer_keep_the_token(desk: Desk) -> None:
    order = desk.buy()
    rma = reviewed(desk, order)
    desk.review(rma, "approve", keep=True, amount="200")
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert [one.amount for one in desk.processor.log] == [200]
    assert desk.rows(Authorization) == []


def reviewed(desk: Desk, order: OrderIn) -> str:
    """A request about which a person has to decide."""
    rma = desk.ask(order, message="", recipient=ADDRESSES[2])["rma"]
    assert desk.line(rma).state is LineState.IN_REVIEW
    return str(rma)


def test_rest_of_the_price_is_returned_after_goodwill(desk: Desk) -> None:
    order = desk.buy()
    first = reviewed(desk, order)
    desk.review(first, "approve", keep=True, amount="200")
    desk.run()
    second = desk.ask(order)["rma"]
    assert desk.line(second).amount == 800
    desk.sign(second)
    desk.run()
    assert desk.line(second).state is LineState.SETTLED
    assert [one.amount for one in desk.processor.log] == [200, 800]


def test_wallet_cannot_be_paid_for_a_token_that_is_kept(desk: Desk) -> None:
    order = desk.buy(tender="wallet")
    rma = reviewed(desk, order)
    before = desk.count_all()
    with pytest.raises(RemedyNotPayable):
        desk.review(rma, "approve", keep=True)
    assert desk.count_all() == before
