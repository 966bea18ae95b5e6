"""Remedies without a token that moves: nobody signs, the money goes at once, and once."""

from __future__ import annotations

import pytest
from desk import POLICY, Desk

from returns.tables import Authorization, Leg
from returns.words import LegKind, LegState, LineState

KEPT = POLICY.replace("fiat_refund: vault", "fiat_refund: keep").replace(
    "store_credit: vault", "store_credit: keep"
)


@pytest.fixture
def generous(desk: Desk) -> Desk:
    desk.use_policy(KEPT)
    return desk


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


def test_kept_token_is_refunded_once(generous: Desk) -> None:
    order = generous.buy()
    generous.ask(order, "store_credit")
    generous.run()
    with pytest.raises(Exception, match="already being returned"):
        generous.ask(order)
    assert generous.processor.log == []
