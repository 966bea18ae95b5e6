"""Chargebacks in the middle of a return: the customer is paid once, by whoever came first."""

from __future__ import annotations

import json

import pytest
from desk import Desk

from returns import reads
from returns.tables import Dispute, JournalEntry, Leg
from returns.words import DisputeStatus, LegKind, LegState, LineState
from settlement.commands.inputs import OrderIn


@pytest.fixture
def order(desk: Desk) -> OrderIn:
    return desk.buy()


@pytest.fixture
def rma(desk: Desk, order: OrderIn) -> str:
    """A line that is approved and signed; its token is on its way."""
    rma = desk.ask(order)["rma"]
    desk.sign(rma)
    return str(rma)


def refund(desk: Desk, rma: str) -> Leg:
    return desk.leg(rma, LegKind.PROCESSOR_REFUND)


def test_payout_waits_while_its_payment_is_disputed(desk: Desk, order: OrderIn, rma: str) -> None:
    desk.dispute(order, "open")
    desk.run()
    assert desk.line(rma).state is LineState.SETTLING
    assert refund(desk, rma).state is LegState.PLANNED
    assert "disputed" in (refund(desk, rma).error or "")
    assert desk.processor.asked == []
    assert desk.balances()["chargebacks", "USD"] == 1000


def test_won_dispute_lets_the_payout_go(desk: Desk, order: OrderIn, rma: str) -> None:
    desk.dispute(order, "open")
    desk.run()
    desk.dispute(order, "won")
    desk.clock.move(minutes=15)
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert len(desk.processor.log) == 1
    assert ("chargebacks", "USD") not in desk.balances()


def test_a_payout_that_waited_for_the_bank_for_days_goes_the_moment_it_is_over(
    desk: Desk, order: OrderIn, rma: str
) -> None:
    desk.dispute(order, "open")
    for _ in range(20):
        desk.run()
        desk.clock.move(hours=2)
    assert refund(desk, rma).state is LegState.PLANNED
    desk.run()
    desk.dispute(order, "won")
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert len(desk.processor.log) == 1


def test_lost_dispute_has_paid_and_the_token_goes_its_way(
    desk: Desk, order: OrderIn, rma: str
) -> None:
    desk.dispute(order, "open")
    desk.run()
    desk.dispute(order, "lost")
    desk.clock.move(minutes=15)
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert (refund(desk, rma).state, refund(desk, rma).reference) == (
        LegState.COMPENSATED,
        f"dp_{order.number}",
    )
    assert desk.processor.asked == []
    balances = desk.balances()
    assert balances["processor:sandbox", "USD"] == -1000
    assert ("refunds_payable", "USD") not in balances
    assert ("chargebacks", "USD") not in balances


def test_small_lost_dispute_pays_for_nothing_and_a_person_looks(
    desk: Desk, order: OrderIn, rma: str
) -> None:
    desk.dispute(order, "open", amount=300)
    desk.run()
    desk.dispute(order, "lost", amount=300)
    desk.clock.move(minutes=15)
    desk.run()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    assert "1000 is more than the 700" in (refund(desk, rma).error or "")
    assert desk.processor.asked == []


def test_dispute_told_twice_and_backwards_counts_once(desk: Desk, order: OrderIn) -> None:
    desk.dispute(order, "won")
    desk.work()
    desk.dispute(order, "open")
    desk.work()
    desk.dispute(order, "won")
    desk.work()
    (row,) = desk.rows(Dispute)
    assert row.status is DisputeStatus.WON
    assert [entry.kind for entry in desk.rows(JournalEntry)] == ["dispute", "dispute.reversed"]


def test_dispute_of_a_charge_that_nobody_knows_changes_nothing(desk: Desk, order: OrderIn) -> None:
    before = desk.count_all()
    unknown = order.model_copy(
        update={"payments": [order.payments[0].model_copy(update={"reference": "ch_foreign"})]}
    )
    desk.dispute(unknown, "open")
    desk.work()
    assert desk.count_all() == {**before, "inbox": before["inbox"] + 1}


def test_dispute_after_the_refund_is_booked_and_moves_no_line(
    desk: Desk, order: OrderIn, rma: str
) -> None:
    desk.run()
    states = desk.states(rma)
    desk.dispute(order, "open")
    desk.run()
    assert desk.states(rma) == states
    assert desk.balances()["chargebacks", "USD"] == 1000


def test_request_about_a_disputed_payment_goes_to_a_person(desk: Desk, order: OrderIn) -> None:
    desk.dispute(order, "open")
    desk.work()
    rma = desk.ask(order)["rma"]
    assert desk.line(rma).state is LineState.IN_REVIEW
    with desk.runtime.database.read() as session:
        decision = reads.newest_decision(session, desk.line(rma).id)
    assert decision is not None
    assert "dispute_open" in json.loads(decision.body)["reasons"]
    assert json.loads(decision.facts)["chargebacks_365d"] == 1
