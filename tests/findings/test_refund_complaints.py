"""What users of other systems complain about, as promises of this one.

Each class names the public thread that asks for it.
"""

from __future__ import annotations

from typing import Any

import pytest
from desk import ADDRESSES, Desk, part, request_body

from returns import lifecycle
from returns.errors import (
    ConcurrentChange,
    IdempotencyKeyReused,
    RefundAboveRemainder,
)
from returns.tables import Event, IdempotencyRecord, Leg
from returns.words import LegKind, LegState, LineState
from settlement.drain import drain_inbox, drain_outbox


class TestSaleorApps2446:
    """ "Ensure Stripe refunds remain idempotent": its five acceptance criteria."""

    def test_repeated_processing_of_one_action_creates_one_refund(self, generous: Desk) -> None:
        order = generous.buy()
        asked = request_body(order)
        answers = [generous.ask_as(generous.shop, asked, "one-key") for _ in range(3)]
        assert answers[0] == answers[1] == answers[2]
        for _ in range(5):
            drain_outbox(generous.runtime)
            drain_inbox(generous.runtime)
            generous.clock.move(minutes=2)
        assert len(generous.processor.asked) == len(generous.processor.log) == 1

    def test_processing_it_in_two_workers_is_safe(self, generous: Desk) -> None:
        """One is in the middle of its request when another looks for work."""
        generous.ask(generous.buy())
        ask = generous.processor.refund

        def meanwhile(request: Any) -> Any:
            assert drain_outbox(generous.runtime) == 0
            return ask(request)

        generous.processor.refund = meanwhile  # type: ignore[method-assign]
        drain_outbox(generous.runtime)
        assert len(generous.processor.asked) == len(generous.processor.log) == 1

    def test_retry_after_a_lost_answer_creates_no_other_refund(self, generous: Desk) -> None:
        rma = generous.ask(generous.buy())["rma"]
        generous.processor.mode = "lost"
        generous.run()
        generous.processor.mode = "ok"
        generous.clock.move(minutes=2)
        generous.run()
        assert generous.line(rma).state is LineState.SETTLED
        (leg,) = generous.refunds()
        assert generous.processor.asked == [leg.id]
        assert generous.processor.looked_up == [leg.id]
        assert [one.id for one in generous.processor.log] == [leg.reference]

    def test_distinct_actions_of_one_amount_both_succeed(self, generous: Desk) -> None:
        order = generous.buy()
        for _ in range(2):
            generous.ask(order, lines=part(order, 300))
        generous.run()
        assert [one.amount for one in generous.processor.log] == [300, 300]
        assert {leg.state for leg in generous.refunds()} == {LegState.FINAL}

    def test_calls_and_refund_ids_are_counted(self, generous: Desk) -> None:
        order = generous.buy()
        for _ in range(3):
            generous.ask(order, lines=part(order, 100))
        generous.processor.mode = "lost"
        generous.run()
        generous.processor.mode = "ok"
        generous.clock.move(minutes=2)
        generous.run()
        legs = generous.refunds()
        assert generous.processor.asked == generous.processor.looked_up == [leg.id for leg in legs]
        assert [leg.reference for leg in legs] == ["re_1", "re_2", "re_3"]


class TestHyperswitch9622:
    """ "Refund status should be failed if no connector call is made"."""

    def test_refund_that_was_never_sent_is_called_planned_and_then_failed(self, desk: Desk) -> None:
        rma = desk.ask(desk.buy())["rma"]
        desk.sign(rma)
        for _ in range(3):
            desk.relay()
            desk.tell()
            drain_inbox(desk.runtime)
        assert desk.refunds()[0].state is LegState.PLANNED
        desk.clock.move(days=60)  # too late: the holder could reclaim
        desk.work()
        assert desk.processor.asked == []
        assert desk.refunds()[0].state is LegState.FAILED
        assert desk.line(rma).state is LineState.NEEDS_ATTENTION
        assert "could reclaim" in desk.refunds()[0].error

    @pytest.mark.parametrize(
        ("mode", "state"), [("down", LegState.UNKNOWN), ("pending", LegState.SENT)]
    )
    def test_sent_is_said_only_of_what_the_processor_has(
        self, generous: Desk, mode: str, state: LegState
    ) -> None:
        generous.processor.mode = mode
        generous.ask(generous.buy())
        assert generous.refunds()[0].state is LegState.PLANNED
        generous.run()
        assert generous.refunds()[0].state is state


class TestHyperswitch3751:
    """ "Update connector_refund_id in refund webhooks flow"."""

    def test_webhook_after_a_lost_answer_brings_status_and_reference(self, generous: Desk) -> None:
        generous.processor.mode = "lost"
        generous.ask(generous.buy())
        drain_outbox(generous.runtime)
        (leg,) = generous.refunds()
        assert (leg.state, leg.reference) == (LegState.UNKNOWN, None)
        generous.webhook(leg, "succeeded")
        drain_inbox(generous.runtime)
        (leg,) = generous.refunds()
        assert (leg.state, leg.reference) == (LegState.FINAL, "re_1")

    def test_reference_is_stored_with_the_first_answer_before_the_last_one(
        self, generous: Desk
    ) -> None:
        generous.processor.mode = "pending"
        generous.ask(generous.buy())
        drain_outbox(generous.runtime)
        assert generous.refunds()[0].reference == "re_1"


class TestMidaz709:
    """ "Create idempotency key only for validated transactions"."""

    def test_refused_request_leaves_its_key_free(self, generous: Desk) -> None:
        order = generous.buy()
        refused = request_body(order) | {"lines": part(order, 1001)}
        with pytest.raises(RefundAboveRemainder):
            generous.ask_as(generous.shop, refused, "key")
        assert generous.rows(IdempotencyRecord) == []
        mended = request_body(order) | {"lines": part(order, 1000)}
        first = generous.ask_as(generous.shop, mended, "key")
        assert generous.ask_as(generous.shop, mended, "key") == first

    def test_accepted_key_is_bound_to_its_body(self, generous: Desk) -> None:
        order = generous.buy()
        generous.ask_as(generous.shop, request_body(order) | {"lines": part(order, 10)}, "key")
        before = generous.count_all()
        with pytest.raises(IdempotencyKeyReused):
            generous.ask_as(generous.shop, request_body(order) | {"lines": part(order, 11)}, "key")
        assert generous.count_all() == before


class TestSolidus2645:
    """ "A store credit is not created, only a store reimbursement credit"."""

    def test_credit_stands_in_the_books_as_soon_as_the_line_is_settled(
        self, generous: Desk
    ) -> None:
        order = generous.buy()
        rma = generous.ask(order, "store_credit")["rma"]
        assert generous.line(rma).state is LineState.SETTLED
        assert generous.balances()[f"store_credit:{order.customer}", "USD"] == -1000

    def test_credit_that_cannot_be_booked_settles_nothing(
        self, generous: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order = generous.buy()
        before = generous.count_all()

        def full(*_args: object) -> None:
            raise ConcurrentChange

        monkeypatch.setattr("settlement.bookings.book", full)
        with pytest.raises(ConcurrentChange):
            generous.ask(order, "store_credit")
        assert generous.count_all() == before


class TestSolidus518:
    """ "Gift returns": who holds the token did not pay for it."""

    @pytest.mark.parametrize("remedy", [None, "store_credit"])
    def test_gift_brought_back_by_its_receiver_goes_to_a_person(
        self, desk: Desk, remedy: str | None
    ) -> None:
        order = desk.buy()
        (token,) = order.lines
        desk.chain.give(token.token_id, ADDRESSES[1])
        rma = desk.ask(order, remedy, wallet=ADDRESSES[1])["rma"]
        assert desk.line(rma).state is LineState.IN_REVIEW
        assert desk.balances() == {}

    def test_money_goes_to_whoever_paid(self, desk: Desk) -> None:
        order = desk.buy()
        (token,) = order.lines
        desk.chain.give(token.token_id, ADDRESSES[1])
        rma = desk.ask(order, wallet=ADDRESSES[1])["rma"]
        desk.review(rma, "approve")
        desk.sign(rma, owner=1)
        desk.run()
        assert desk.line(rma).state is LineState.SETTLED
        assert [one.charge for one in desk.processor.log] == [order.payments[0].reference]


class TestMedusa10491:
    """ "Unable to refund captured payments in orders with $0 outstanding amount"."""

    def test_captured_payment_is_given_back_without_a_return(self, desk: Desk) -> None:
        order = desk.buy()
        rma = desk.ask(order, recipient=ADDRESSES[2])["rma"]
        desk.review(rma, "approve", keep=True)
        desk.run()
        assert desk.line(rma).state is LineState.SETTLED
        assert [one.amount for one in desk.processor.log] == [1000]
        assert desk.owner(order) == order.buyer_wallet

    def test_several_refunds_of_one_payment_go_down_to_nothing(self, generous: Desk) -> None:
        order = generous.buy(parts={"card": 600, "gift_card": 400})
        for amount in (1, 499, 500):
            generous.ask(order, lines=part(order, amount))
            generous.run()
        paid = {kind: sum(leg.amount for leg in generous.rows(Leg, Leg.kind == kind))
                for kind in (LegKind.PROCESSOR_REFUND, LegKind.CREDIT)}  # fmt: skip
        assert paid == {LegKind.PROCESSOR_REFUND: 600, LegKind.CREDIT: 400}


class TestMedusa12123:
    """ "refundPaymentsWorkflow does not emit event"; and #15851: one for what did not happen."""

    def test_every_move_has_one_event_and_no_event_is_without_a_move(self, desk: Desk) -> None:
        desk.processor.mode = "decline"
        rma = desk.ask(desk.buy())["rma"]
        desk.sign(rma)
        desk.run()
        desk.processor.mode = "ok"
        desk.review(rma, "retry")
        desk.run()
        moves = [(row.before, row.after) for row in desk.audit() if row.action == "line.move"]
        events = [one.kind.removeprefix("return.line.") for one in desk.rows(Event)]
        assert events == [after for _, after in moves]
        for before, after in moves[1:]:
            assert LineState(after) in lifecycle.MOVES[LineState(before)]
        assert "settled" in events
        assert events.index("settled") > events.index("needs_attention")

    def test_refund_that_was_declined_is_told_as_no_refund(self, generous: Desk) -> None:
        generous.processor.mode = "decline"
        rma = generous.ask(generous.buy())["rma"]
        generous.run()
        assert generous.states(rma) == ["requested", "approved", "settling", "needs_attention"]
        assert generous.processor.log == []

    def test_status_told_again_emits_nothing(self, generous: Desk) -> None:
        rma = generous.ask(generous.buy())["rma"]
        generous.run()
        before = generous.states(rma)
        for _ in range(3):
            generous.webhook(generous.refunds()[0], "succeeded")
            generous.run()
        assert generous.states(rma) == before
