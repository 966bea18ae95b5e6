"""A payout through a processor: intent first, lost answers looked up, paid once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from desk import Desk
from fake_chain import DEPLOYMENT, VAULT
from sqlmodel import col, update

from returns.tables import Hold, JournalEntry, Leg, OrderLine, OutboxItem
from returns.words import HoldState, LegKind, LegState, LineState
from settlement import payouts
from settlement.drain import drain_inbox
from settlement.processors.base import RefundRequest


@pytest.fixture
def rma(desk: Desk) -> str:
    """A line whose commit is final: its payout is due, nothing has been asked yet."""
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    until_payout_is_due(desk)
    assert desk.line(rma).state is LineState.SETTLING
    assert desk.processor.asked == []
    return rma


def until_payout_is_due(desk: Desk) -> None:
    """Everything but the outbox."""
    for _ in range(3):
        desk.relay()
        desk.tell()
        drain_inbox(desk.runtime)


def refund_leg(desk: Desk, rma: str) -> Leg:
    return desk.leg(rma, LegKind.PROCESSOR_REFUND)


def test_intent_is_stored_before_the_processor_is_asked(desk: Desk, rma: str) -> None:
    seen: list[LegState] = []
    ask = desk.processor.refund
    desk.processor.refund = lambda *a: (seen.append(refund_leg(desk, rma).state), ask(*a))[1]
    desk.run()
    assert seen == [LegState.CLAIMED]
    assert desk.processor.asked == [refund_leg(desk, rma).id]


@pytest.mark.parametrize("mode", ["lost", "pending_lost"])
def test_lost_answer_is_looked_up_and_paid_once(desk: Desk, rma: str, mode: str) -> None:
    desk.processor.mode = mode
    desk.work()
    assert refund_leg(desk, rma).state is LegState.UNKNOWN
    desk.processor.mode = "ok"
    desk.clock.move(minutes=2)
    desk.work()
    assert desk.processor.looked_up == [refund_leg(desk, rma).id]
    assert len(desk.processor.asked) == 1
    if mode == "pending_lost":
        desk.webhook(refund_leg(desk, rma), "succeeded")
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert len(desk.processor.log) == 1


def test_processor_that_was_away_pays_once_it_is_back(desk: Desk, rma: str) -> None:
    desk.processor.mode = "down"
    for _ in range(5):
        desk.work()
        desk.clock.move(minutes=2)
    assert desk.processor.log == []
    assert desk.line(rma).state is LineState.SETTLING
    desk.processor.mode = "ok"
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert len(desk.processor.log) == 1


def test_declined_refund_needs_a_person_and_books_no_payout(desk: Desk, rma: str) -> None:
    desk.processor.mode = "decline"
    desk.run()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    assert refund_leg(desk, rma).state is LegState.FAILED
    assert [e.kind for e in desk.rows(JournalEntry)] == ["grant", "deposit"]
    assert desk.processor.log == []
    assert not desk.rows(OutboxItem, col(OutboxItem.done_at).is_(None))


def test_pending_refund_is_asked_about_until_its_webhook_comes(desk: Desk, rma: str) -> None:
    desk.processor.mode = "pending"
    desk.run()
    assert desk.line(rma).state is LineState.SETTLING
    desk.webhook(refund_leg(desk, rma), "succeeded")
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert len(desk.processor.asked) == 1


def test_pending_refund_whose_webhook_is_lost_is_looked_up(desk: Desk, rma: str) -> None:
    desk.processor.mode = "pending"
    desk.run()
    desk.processor.turn(refund_leg(desk, rma).id, "succeeded")
    desk.clock.move(minutes=2)
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert len(desk.processor.asked) == 1


def test_webhook_before_the_answer_pays_once(desk: Desk, rma: str) -> None:
    leg = refund_leg(desk, rma)
    desk.processor.mode = "lost"
    desk.work()
    assert desk.webhook(leg, "succeeded")
    desk.processor.mode = "ok"
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert refund_leg(desk, rma).state is LegState.FINAL
    assert [e.kind for e in desk.rows(JournalEntry)].count("processor_refund") == 1


def test_webhook_told_many_times_is_stored_once(desk: Desk, rma: str) -> None:
    desk.run()
    answers = [desk.webhook(refund_leg(desk, rma), "succeeded") for _ in range(5)]
    assert answers == [False] * 5
    assert [e.kind for e in desk.rows(JournalEntry)].count("processor_refund") == 1


def test_refund_that_fails_later_is_unbooked_and_waits_for_a_person(desk: Desk, rma: str) -> None:
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    desk.webhook(refund_leg(desk, rma), "failed")
    desk.run()
    assert desk.states(rma)[-3:] == ["settled", "settling", "needs_attention"]
    assert refund_leg(desk, rma).state is LegState.FAILED
    kinds = [e.kind for e in desk.rows(JournalEntry)]
    assert kinds == ["grant", "deposit", "processor_refund", "settle", "processor_refund.reversed"]
    assert desk.balances()["refunds_payable", "USD"] == -1000


def test_refund_of_another_amount_is_not_taken_for_ours(desk: Desk, rma: str) -> None:
    desk.processor.mode = "pending"
    desk.run()
    leg = refund_leg(desk, rma)
    desk.processor.log[0] = replace(desk.processor.log[0], amount=999)
    desk.webhook(leg, "succeeded")
    desk.run()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    assert "999" in refund_leg(desk, rma).error


def test_refund_of_an_unknown_key_changes_nothing(desk: Desk, rma: str) -> None:
    asked = RefundRequest(desk.merchant.id, "ch_x", 5, "USD")
    stray = replace(desk.processor._pay(asked), key="no-key")
    with desk.runtime.database.write() as session:
        payouts.receive(session, "sandbox", None, stray, desk.clock())
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert len(desk.rows(JournalEntry)) == 4


class TestPayoutMustNotStart:
    """Law 3: only with a committed hold and more time left than the processor's worst case."""

    def planted(self, desk: Desk, **values: object) -> None:
        with desk.runtime.database.write() as session:
            session.connection().execute(update(Hold).values(**values))

    def refused(self, desk: Desk, rma: str, why: str) -> None:
        desk.work()
        assert desk.processor.asked == desk.processor.log == []
        assert desk.line(rma).state is LineState.NEEDS_ATTENTION
        assert why in refund_leg(desk, rma).error

    def test_without_a_committed_hold(self, desk: Desk, rma: str) -> None:
        self.planted(desk, state=HoldState.HELD)
        self.refused(desk, rma, "not committed")

    def test_when_the_time_left_is_exactly_the_worst_case(self, desk: Desk, rma: str) -> None:
        worst = desk.runtime.terms.processor_worst_case
        self.planted(desk, reclaim_after=desk.clock() + worst)
        self.refused(desk, rma, "could reclaim")

    def test_with_a_second_more_it_pays(self, desk: Desk, rma: str) -> None:
        worst = desk.runtime.terms.processor_worst_case
        self.planted(desk, reclaim_after=desk.clock() + worst)
        desk.clock.move(seconds=-1)
        with desk.runtime.database.write() as session:
            session.connection().execute(update(OutboxItem).values(due_at=desk.clock()))
        desk.work()
        assert len(desk.processor.log) == 1

    def test_above_the_remainder(self, desk: Desk, rma: str) -> None:
        with desk.runtime.database.write() as session:
            session.connection().execute(update(OrderLine).values(price=999))
        self.refused(desk, rma, "more than the 999")


def test_recipient_of_a_payout_on_chain_is_the_one_that_was_signed(desk: Desk) -> None:
    rma = desk.ask(desk.buy(tender="wallet"))["rma"]
    desk.sign(rma)
    assert desk.leg(rma, LegKind.SWAP).recipient == desk.rows(Leg)[0].recipient
    desk.run()
    assert desk.chain.state.paid.popitem()[1][0] == desk.leg(rma, LegKind.SWAP).recipient
    assert desk.chain.state.owners[DEPLOYMENT.collection, 100] == VAULT
