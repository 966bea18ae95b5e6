"""Faults that walks through the life of money found; each test is one of them at its smallest."""

from __future__ import annotations

import pytest
from desk import POLICY, Desk
from fakes import webhook
from sqlmodel import col

from returns.tables import Dispute, InboxItem, Leg, RelayTransaction
from returns.words import DisputeStatus, LegKind, LegState, LineState
from settlement.commands import webhooks
from settlement.commands.inputs import OrderIn
from settlement.drain import drain_inbox
from settlement.processors.base import ProcessorDispute, RefundRequest

FALLS_BACK = POLICY + "\npayouts: {fallback: store_credit}\n"


def credited(desk: Desk, order: OrderIn) -> int:
    return -desk.balances().get((f"store_credit:{order.customer}", "USD"), 0)


def legs(desk: Desk, kind: LegKind) -> list[Leg]:
    return desk.rows(Leg, Leg.kind == kind)


class TestStoreCreditForADisputedPayment:
    """Store credit gives back what a card paid, too: a chargeback of the card stands against it."""

    @pytest.fixture
    def order(self, desk: Desk) -> OrderIn:
        return desk.buy()

    @pytest.fixture
    def rma(self, desk: Desk, order: OrderIn) -> str:
        rma = desk.ask(order, "store_credit")["rma"]
        desk.sign(rma)
        return str(rma)

    @pytest.mark.parametrize("status", ["open", "lost"])
    def test_no_credit_beside_a_chargeback(
        self, desk: Desk, order: OrderIn, rma: str, status: str
    ) -> None:
        desk.dispute(order, "open")
        desk.dispute(order, status)
        desk.run()
        assert desk.line(rma).state is LineState.NEEDS_ATTENTION
        assert credited(desk, order) == 0
        assert desk.leg(rma, LegKind.CREDIT).state is LegState.FAILED

    def test_won_dispute_lets_a_person_give_the_credit(
        self, desk: Desk, order: OrderIn, rma: str
    ) -> None:
        desk.dispute(order, "open")
        desk.run()
        desk.dispute(order, "won")
        desk.work()
        desk.review(rma, "retry")
        desk.run()
        assert desk.line(rma).state is LineState.SETTLED
        assert credited(desk, order) == 1000

    def test_refund_counts_the_credit_that_was_given_for_the_same_payment(self, desk: Desk) -> None:
        """1000 as credit, 999 by a chargeback: of 2000 there are 1 left, not 1001."""
        order = desk.buy(tokens=2)
        lines = [{"collection": x.collection, "token_id": str(x.token_id)} for x in order.lines]
        first = desk.ask(order, "store_credit", lines=lines[:1])["rma"]
        second = desk.ask(order, lines=lines[1:])["rma"]
        desk.sign(first)
        desk.run()
        desk.dispute(order, "lost", amount=999)
        desk.work()
        desk.sign(second)
        desk.run()
        assert desk.line(second).state is LineState.NEEDS_ATTENTION
        assert "more than the 1 " in (desk.leg(second, LegKind.PROCESSOR_REFUND).error or "")
        assert desk.processor.asked == []
        assert credited(desk, order) == 1000


def tell(desk: Desk, leg: Leg, status: str, reason: str = "") -> None:
    told = desk.processor.turn(leg.id, status, reason)
    webhooks.receive(desk.runtime, "sandbox", *webhook(told))


def until_settling_fails(desk: Desk) -> str:
    """A refund failed and was paid anew; then the chain refuses what comes after it."""
    order = desk.buy(tokens=2)
    (place, _) = order.lines
    line = {"collection": place.collection, "token_id": str(place.token_id)}
    rma = str(desk.ask(order, lines=[line])["rma"])
    desk.sign(rma)
    desk.processor.mode = "pending"
    desk.run()
    tell(desk, legs(desk, LegKind.PROCESSOR_REFUND)[0], "failed", "declined")
    desk.work()
    desk.processor.mode = "ok"
    desk.review(rma, "retry")
    desk.work()
    drain_inbox(desk.runtime)
    (settling,) = legs(desk, LegKind.SETTLE)
    (row,) = desk.rows(RelayTransaction, RelayTransaction.id == settling.id)
    desk._relay_failed(row, "EnforcedPause()")
    desk.work()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    return rma


def test_old_attempt_that_is_told_as_over_again_is_not_paid_as_credit(desk: Desk) -> None:
    """Its place was taken by another attempt, which has paid."""
    desk.use_policy(FALLS_BACK)
    rma = until_settling_fails(desk)
    tell(desk, legs(desk, LegKind.PROCESSOR_REFUND)[0], "canceled", "expired_or_canceled_card")
    desk.work()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    assert legs(desk, LegKind.CREDIT) == []
    assert sum(one.amount for one in desk.processor.paid()) == 1000


def test_attempt_is_not_paid_once_an_earlier_one_turns_out_to_be(desk: Desk) -> None:
    """A processor declined, and paid all the same: what it says last is what happened."""
    desk.use_policy(POLICY.replace("fiat_refund: vault", "fiat_refund: keep"))
    order = desk.buy(tokens=2)
    (place, _) = order.lines
    line = {"collection": place.collection, "token_id": str(place.token_id)}
    rma = desk.ask(order, lines=[line])["rma"]
    desk.processor.mode = "decline"
    desk.run()
    (first,) = legs(desk, LegKind.PROCESSOR_REFUND)
    desk.processor.mode = "down"
    desk.review(rma, "retry")
    desk.processor.mode = "ok"
    paid = desk.processor._pay(_request(first, order))
    webhooks.receive(desk.runtime, "sandbox", *webhook(paid))
    drain_inbox(desk.runtime)
    desk.run()
    desk.clock.move(minutes=5)
    desk.run()
    assert [one.key for one in desk.processor.paid()] == [str(first.id)]
    assert [leg.state for leg in legs(desk, LegKind.PROCESSOR_REFUND)] == [
        LegState.FINAL,
        LegState.FAILED,
    ]


def _request(leg: Leg, order: OrderIn) -> RefundRequest:
    return RefundRequest(leg.id, order.payments[0].reference, leg.amount, leg.currency)


def test_token_that_is_reclaimed_after_a_chargeback_paid_goes_to_a_person(desk: Desk) -> None:
    """The bank gave the money back and the holder the token: both, which nobody may overlook."""
    order = desk.buy()
    rma = desk.ask(order)["rma"]
    desk.sign(rma)
    desk.dispute(order, "open")
    desk.run()
    desk.dispute(order, "lost")
    desk.clock.move(minutes=5)
    desk.work()
    assert desk.leg(rma, LegKind.PROCESSOR_REFUND).state is LegState.COMPENSATED
    desk.clock.move(days=40)
    line = "0x" + desk.line(rma).id.bytes.rjust(32, b"\0").hex()
    desk.chain.reclaim(line, int(desk.clock().timestamp()))
    desk.tell()
    desk.work()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    assert ("refunds_payable", "USD") not in desk.balances()


def test_dispute_in_another_currency_is_not_counted_as_if_it_were_ours(desk: Desk) -> None:
    """900 euro cents are not 900 cents: the fact waits, and says why."""
    order = desk.buy()
    reference = order.payments[0].reference
    told = ProcessorDispute("dp_1", reference, 900, "EUR", DisputeStatus.LOST)
    webhooks.receive(desk.runtime, "sandbox", *webhook(told))
    desk.work()
    assert desk.rows(Dispute) == []
    assert desk.balances() == {}
    (waiting,) = desk.rows(InboxItem, col(InboxItem.done_at).is_(None))
    assert "'EUR'" in waiting.last_error
