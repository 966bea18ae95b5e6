"""What processors tell of a refund, in any order: the last word counts, and counts once."""

from __future__ import annotations

from itertools import permutations

import pytest
from desk import POLICY, Desk
from fakes import webhook

from returns.tables import InboxItem, Leg
from returns.words import LegKind, LegState, LineState, RefundStatus
from settlement.commands import webhooks

FALLS_BACK = POLICY + "\npayouts: {fallback: store_credit}\n"


@pytest.fixture
def rma(desk: Desk) -> str:
    """A line whose refund is pending at the processor."""
    desk.processor.mode = "pending"
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    desk.run()
    assert refund(desk, rma).state is LegState.SENT
    return str(rma)


def refund(desk: Desk, rma: str) -> Leg:
    return desk.leg(rma, LegKind.PROCESSOR_REFUND)


def tell(desk: Desk, rma: str, status: str, reason: str = "") -> None:
    told = desk.processor.turn(refund(desk, rma).id, status, reason)
    webhooks.receive(desk.runtime, "sandbox", *webhook(told))


ORDERS = list(permutations(["requires_action", "succeeded", "failed"]))


@pytest.mark.parametrize("order", ORDERS, ids=["-".join(one) for one in ORDERS])
def test_a_refund_that_failed_stays_failed_however_late_the_rest_is_told(
    desk: Desk, rma: str, order: tuple[str, ...]
) -> None:
    for status in order:
        tell(desk, rma, status)
        desk.work()
    assert refund(desk, rma).state is LegState.FAILED
    assert refund(desk, rma).told is RefundStatus.FAILED
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    assert ("processor:sandbox", "USD") not in desk.balances()
    assert len(desk.rows(Leg, Leg.kind == LegKind.PROCESSOR_REFUND)) == 1


def test_refund_that_needs_the_customer_waits_and_says_why(desk: Desk, rma: str) -> None:
    tell(desk, rma, "requires_action", "the customer has to name an account")
    desk.work()
    assert (refund(desk, rma).state, refund(desk, rma).error) == (
        LegState.SENT,
        "the customer has to name an account",
    )
    assert desk.line(rma).state is LineState.SETTLING


def test_canceled_refund_goes_to_a_person(desk: Desk, rma: str) -> None:
    tell(desk, rma, "canceled")
    desk.work()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION


def test_failure_after_settlement_is_reversed_and_paid_anew_once(desk: Desk, rma: str) -> None:
    tell(desk, rma, "succeeded")
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    tell(desk, rma, "failed", "declined")
    desk.run()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    desk.processor.mode = "ok"
    desk.review(rma, "retry")
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert [one.status for one in desk.processor.log] == ["failed", "succeeded"]
    assert desk.balances()["processor:sandbox", "USD"] == -1000


@pytest.mark.parametrize("reason", ["expired_or_canceled_card", "AC04 closed account"])
def test_method_that_is_gone_becomes_store_credit_where_the_policy_says_so(
    desk: Desk, reason: str
) -> None:
    desk.use_policy(FALLS_BACK)
    desk.processor.mode = "pending"
    order = desk.buy()
    rma = desk.ask(order)["rma"]
    desk.sign(rma)
    desk.run()
    tell(desk, rma, "failed", reason)
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert desk.leg(rma, LegKind.CREDIT).state is LegState.FINAL
    balances = desk.balances()
    assert balances[f"store_credit:{order.customer}", "USD"] == -1000
    assert ("refunds_payable", "USD") not in balances
    told = desk.timeline(rma)
    assert any("given as store credit" in event["reason"] for event in told)


def test_method_that_is_gone_goes_to_a_person_otherwise(desk: Desk, rma: str) -> None:
    tell(desk, rma, "failed", "expired_or_canceled_card")
    desk.run()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    assert desk.rows(Leg, Leg.kind == LegKind.CREDIT) == []


def test_every_status_is_taken_in_once(desk: Desk, rma: str) -> None:
    for _ in range(3):
        tell(desk, rma, "succeeded")
        desk.run()
    told = desk.rows(InboxItem, InboxItem.kind == "processor.refund")
    assert len(told) == 2
