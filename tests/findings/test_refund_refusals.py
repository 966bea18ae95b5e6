"""What users of other systems complain about in refusals, amounts and remainders.

Each class names the public thread that asks for it.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from desk import ADDRESSES, Desk, part
from hypothesis import given
from hypothesis import strategies as st

from returns.errors import (
    AlreadyReturning,
    RefundAboveRemainder,
)
from returns.money import allocate
from returns.words import LegState, LineState
from settlement import janitor


class TestSaleor14188:
    """ "orderGrantRefundCreate should be clear about already refunded lines"."""

    def test_says_how_much_was_refunded_when_by_whom_and_in_which_case(
        self, generous: Desk
    ) -> None:
        order = generous.buy()
        first = generous.ask(order, lines=part(order, 1000))["rma"]
        generous.run()
        before = generous.count_all()
        with pytest.raises(RefundAboveRemainder) as refused:
            generous.ask(order, lines=part(order, 1))
        assert str(refused.value) == (
            "1 is more than the 0 that is left of what was paid: "
            f"1000 was refunded at 2026-03-02 12:00 UTC by undrop in {first}."
        )
        assert (refused.value.code, refused.value.status) == ("refund_above_remainder", 409)
        assert refused.value.moved == "nothing"
        assert generous.count_all() == before

    @pytest.mark.parametrize("above", [1, 10**30])
    def test_one_minor_unit_above_the_remainder_is_refused_and_the_remainder_is_not(
        self, generous: Desk, above: int
    ) -> None:
        order = generous.buy()
        generous.ask(order, lines=part(order, 300))
        with pytest.raises(
            RefundAboveRemainder, match="700 that is left of what was paid: 300 was"
        ):
            generous.ask(order, lines=part(order, 700 + above))
        rest = generous.ask(order, lines=part(order, 700))["rma"]
        generous.run()
        assert generous.line(rest).state is LineState.SETTLED

    def test_granted_and_not_yet_paid_is_called_granted(self, generous: Desk) -> None:
        order = generous.buy()
        generous.processor.mode = "down"
        generous.ask(order, lines=part(order, 900))
        with pytest.raises(RefundAboveRemainder, match=r"900 was granted at .* by undrop in RMA-"):
            generous.ask(order, lines=part(order, 101))

    def test_person_who_approved_it_is_named_to_the_next_one(self, desk: Desk) -> None:
        order = desk.buy()
        first = desk.ask(order, recipient=ADDRESSES[2])["rma"]
        desk.review(first, "approve", keep=True, amount="400")
        desk.run()
        with pytest.raises(
            RefundAboveRemainder, match=f"400 was refunded .* by key:staff in {first}"
        ):
            desk.ask(order, lines=part(order, 601))

    def test_first_refusal_names_nothing_before_it(self, generous: Desk) -> None:
        order = generous.buy()
        with pytest.raises(RefundAboveRemainder, match=r"left of what was paid\.$"):
            generous.ask(order, lines=part(order, 1001))

    def test_second_return_of_one_token_names_the_first(self, desk: Desk) -> None:
        order = desk.buy()
        first = desk.ask(order)["rma"]
        with pytest.raises(AlreadyReturning, match=rf"already being returned in {first}\.$"):
            desk.ask(order)
        desk.sign(first)
        desk.run()
        paid = f"in {first}: 1000 was refunded at 2026-03-02 12:00 UTC by undrop in {first}"
        with pytest.raises(AlreadyReturning, match=paid):
            desk.ask(order)


def numbers(found: Any) -> list[Any]:
    """Every number of a JSON document."""
    if isinstance(found, dict):
        return [one for value in found.values() for one in numbers(value)]
    if isinstance(found, list):
        return [one for value in found for one in numbers(value)]
    return [found] if type(found) in (int, float) else []


class TestOpenZeppelinRelayer789:
    """ "Serialize fields as strings to avoid precision loss"."""

    def test_amounts_above_what_a_double_holds_stay_exact(self, desk: Desk) -> None:
        price = 2**53 + 1
        order = desk.buy(price=price, tender="wallet")
        view = desk.ask(order, recipient=ADDRESSES[2])
        (line,) = view["lines"]
        assert line["amount"]["amount"] == str(price)
        assert numbers(json.loads(json.dumps(view))) == []

    @pytest.mark.parametrize("amount", [1, 1.0, "1.0", "1e3", "-1", "+1", " 1", "", "0x1", True])
    def test_amount_that_is_no_string_of_digits_is_refused(
        self, desk: Desk, amount: object
    ) -> None:
        order = desk.buy()
        before = desk.count_all()
        with pytest.raises(ValueError, match="amount"):
            desk.ask(order, lines=[{**part(order, 1)[0], "amount": amount}])
        assert desk.count_all() == before


class TestRemainder:
    """Remainders: exact, cumulative, pending ones counted."""

    @given(st.lists(st.integers(0, 10**24), min_size=1, max_size=8), st.integers(0, 10**25))
    def test_parts_sum_to_the_whole(self, weights: list[int], amount: int) -> None:
        if sum(weights):
            parts = allocate(amount, weights)
            assert sum(parts) == amount
            whole = sum(weights)
            for part_, weight in zip(parts, weights, strict=True):
                assert abs(part_ * whole - amount * weight) < whole

    def test_pending_refunds_count_against_the_remainder(self, generous: Desk) -> None:
        order = generous.buy()
        generous.processor.mode = "pending"
        generous.ask(order, lines=part(order, 999))
        generous.run()
        with pytest.raises(RefundAboveRemainder, match="2 is more than the 1"):
            generous.ask(order, lines=part(order, 2))
        generous.ask(order, lines=part(order, 1))
        generous.run()
        assert [one.amount for one in generous.processor.log] == [999, 1]

    def test_failed_refund_counts_again_once_it_is_paid_otherwise(self, generous: Desk) -> None:
        order = generous.buy()
        generous.processor.mode = "decline"
        rma = generous.ask(order)["rma"]
        generous.run()
        generous.processor.mode = "ok"
        generous.review(rma, "retry")
        generous.run()
        assert Counter(leg.state for leg in generous.refunds()) == {
            LegState.FAILED: 1,
            LegState.FINAL: 1,
        }
        assert [one.amount for one in generous.processor.log] == [1000]


class TestUnknownIsAskedAbout:
    """No answer is taken for a payout, or for none, before somebody has asked."""

    def test_unknown_is_asked_about_until_it_is_known_and_reading_changes_nothing(
        self, generous: Desk
    ) -> None:
        generous.processor.mode = "lost"
        rma = generous.ask(generous.buy())["rma"]
        generous.run()
        before = generous.count_all()
        generous.timeline(rma)
        assert generous.count_all() == before
        generous.processor.mode = "down"
        for _ in range(20):
            generous.clock.move(hours=2)
            janitor.ask_again(generous.runtime.database, generous.runtime.clock)
            generous.work()
        assert generous.refunds()[0].state is LegState.UNKNOWN
        generous.processor.mode = "ok"
        generous.clock.move(hours=2)
        generous.run()
        assert generous.line(rma).state is LineState.SETTLED
        assert len(generous.processor.log) == 1
