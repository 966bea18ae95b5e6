"""Stripe's objects as facts: amounts are exact in both ways of counting, words are mapped once."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from returns.errors import AmountInvalid
from returns.words import DisputeStatus, MovementKind, RefundStatus
from settlement.processors import stripe_objects as objects
from settlement.processors.base import RefundDeclined, RefundRequest

REFUND: dict[str, Any] = {
    "id": "re_1", "charge": "ch_1", "payment_intent": "pi_1", "amount": 1200, "currency": "eur",
    "status": "succeeded", "metadata": {},
}  # fmt: skip
CHARGE: dict[str, Any] = {
    "id": "ch_1", "amount": 1000, "amount_captured": 1000, "currency": "eur", "captured": True,
    "status": "succeeded", "livemode": False,
}  # fmt: skip
TRANSACTION: dict[str, Any] = {
    "id": "txn_1", "amount": -1200, "fee": 0, "currency": "eur", "created": 1_772_452_800,
    "reporting_category": "refund", "source": "re_1",
}  # fmt: skip
DISPUTE: dict[str, Any] = {
    "id": "dp_1", "charge": "ch_1", "payment_intent": "pi_1", "amount": 900, "currency": "eur",
}  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        (1234, "USD", 1234),
        (1234, "JPY", 1234),
        (5, "ISK", 500),
        (7, "UGX", 700),
        (300, "MGA", 3),
        (1230, "KWD", 1230),
    ],
)
def test_amounts_are_counted_as_stripe_counts(amount: int, currency: str, units: int) -> None:
    assert objects.to_stripe(amount, currency) == units
    assert objects.from_stripe(units, currency.lower()) == amount


@given(st.integers(1, 10**12), st.sampled_from(["USD", "JPY", "ISK", "UGX", "EUR"]))
def test_an_amount_comes_back_as_it_went(amount: int, currency: str) -> None:
    assert objects.from_stripe(objects.to_stripe(amount, currency), currency) == amount


@pytest.mark.parametrize(("amount", "currency"), [(301, "MGA"), (1234, "KWD"), (1, "TND")])
def test_refuses_an_amount_that_stripe_cannot_pay_exactly(amount: int, currency: str) -> None:
    with pytest.raises(RefundDeclined, match=f"exactly {amount} {currency}"):
        objects.to_stripe(amount, currency)


def test_never_rounds_what_stripe_tells() -> None:
    with pytest.raises(AmountInvalid):
        objects.from_stripe(501, "isk")


@pytest.mark.parametrize("status", list(RefundStatus))
def test_every_status_of_a_refund_is_known(status: RefundStatus) -> None:
    assert objects.refund({**REFUND, "status": status.value}).status is status


@pytest.mark.parametrize("word", ["on_its_way", "", None])
def test_a_status_that_is_new_ends_nothing(word: str | None) -> None:
    assert objects.refund({**REFUND, "status": word}).status is RefundStatus.PENDING


def test_a_refund_of_ours_has_its_leg_and_the_order_s_own_reference() -> None:
    ours = {**REFUND, "metadata": {"undrop_leg": "leg", "undrop_payment": "pi_1"}}
    refund = objects.refund({**ours, "failure_reason": "expired_or_canceled_card"})
    assert (refund.key, refund.charge, refund.currency) == ("leg", "pi_1", "EUR")
    assert refund.reason == "expired_or_canceled_card"


@pytest.mark.parametrize("metadata", [{}, None, {"order": "A-1"}])
def test_a_refund_made_by_hand_has_no_key(metadata: dict[str, str] | None) -> None:
    refund = objects.refund({**REFUND, "metadata": metadata})
    assert (refund.key, refund.charge) == ("", "ch_1")


def test_what_is_expanded_is_told_by_its_id() -> None:
    assert objects.refund({**REFUND, "charge": {"id": "ch_9"}}).charge == "ch_9"
    assert objects.refund({**REFUND, "charge": None}).charge == "pi_1"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("needs_response", DisputeStatus.OPEN),
        ("under_review", DisputeStatus.OPEN),
        ("won", DisputeStatus.WON),
        ("lost", DisputeStatus.LOST),
        ("appeal_under_review", DisputeStatus.LOST),
    ],
)
def test_a_dispute_is_open_won_or_lost(word: str, status: DisputeStatus) -> None:
    dispute = objects.dispute({**DISPUTE, "status": word})
    assert dispute is not None
    assert (dispute.status, dispute.amount, dispute.charge) == (status, 900, "ch_1")
    assert dispute.to_payload()["payment"] == "pi_1"


@pytest.mark.parametrize(
    "word", ["warning_needs_response", "warning_under_review", "warning_closed", "prevented"]
)
def test_an_inquiry_moves_nothing_and_is_not_followed(word: str) -> None:
    assert objects.dispute({**DISPUTE, "status": word}) is None


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("charge", MovementKind.CHARGE),
        ("charge_failure", MovementKind.CHARGE),
        ("refund", MovementKind.REFUND),
        ("refund_failure", MovementKind.REFUND_FAILURE),
        ("dispute", MovementKind.DISPUTE),
        ("dispute_reversal", MovementKind.DISPUTE_REVERSAL),
        ("fee", MovementKind.FEE),
        ("payout", MovementKind.PAYOUT),
        ("transfer", MovementKind.OTHER),
    ],
)
def test_a_balance_transaction_is_told_by_its_category(category: str, kind: MovementKind) -> None:
    [movement] = objects.movements({**TRANSACTION, "reporting_category": category})
    assert (movement.id, movement.kind, movement.about) == ("txn_1", kind, "re_1")
    assert (movement.amount, movement.currency) == (-1200, "EUR")
    assert movement.at.isoformat() == "2026-03-02T12:00:00+00:00"


def test_fee_and_amount_are_two_movements_that_sum_to_what_the_balance_changed() -> None:
    told = list(objects.movements({**TRANSACTION, "amount": 5000, "fee": 175}))
    assert [(one.id, one.amount) for one in told] == [("txn_1:fee", -175), ("txn_1", 5000)]
    assert told[0].kind is MovementKind.FEE


@given(st.lists(st.tuples(st.integers(1, 400), st.sampled_from(RefundStatus)), max_size=6))
def test_the_remainder_counts_what_is_out_or_on_its_way(
    refunds: list[tuple[int, RefundStatus]],
) -> None:
    raw = [{"amount": amount, "status": status.value} for amount, status in refunds]
    back = (RefundStatus.FAILED, RefundStatus.CANCELED)
    gone = sum(amount for amount, status in refunds if status not in back)
    assert objects.remainder(CHARGE, raw, 0) == 1000 - gone
    assert objects.remainder(CHARGE, raw, 100) == 900 - gone


@pytest.mark.parametrize("released", [[], [{"amount": 400, "status": "succeeded"}]])
def test_what_was_never_captured_is_never_left(released: list[dict[str, Any]]) -> None:
    part = {**CHARGE, "amount_captured": 600}
    assert objects.remainder(part, released, 0) == 600


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"captured": False}, "not captured"),
        ({"status": "pending"}, "not captured"),
        ({"status": "failed"}, "not captured"),
        ({"currency": "usd"}, "in USD, and not in EUR"),
        ({"livemode": True}, "test or live"),
    ],
)
def test_refuses_a_charge_that_cannot_be_refunded(change: dict[str, Any], problem: str) -> None:
    request = RefundRequest(uuid4(), "ch_1", 100, "EUR")
    with pytest.raises(RefundDeclined, match=problem):
        objects.check_charge(request, {**CHARGE, **change}, live=False)
    objects.check_charge(request, CHARGE, live=False)
