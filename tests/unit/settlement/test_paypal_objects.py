"""PayPal's objects as facts: decimal strings are read and written exactly."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from returns.errors import AmountInvalid
from returns.money import Money
from returns.words import DisputeStatus, MovementKind, RefundStatus
from settlement.processors import paypal_objects as objects
from settlement.processors.base import RefundDeclined

LEG = str(uuid4())
REFUND: dict[str, Any] = {
    "id": "1JU08902781691411", "status": "COMPLETED", "custom_id": LEG, "invoice_id": LEG,
    "amount": {"currency_code": "USD", "value": "10.99"},
    "links": [
        {"rel": "self", "href": "https://api-m.paypal.com/v2/payments/refunds/1JU08902781691411"},
        {"rel": "up", "href": "https://api-m.paypal.com/v2/payments/captures/2GG279541U471931P"},
    ],
}  # fmt: skip
DISPUTE: dict[str, Any] = {
    "dispute_id": "PP-D-27803", "status": "UNDER_REVIEW", "dispute_life_cycle_stage": "CHARGEBACK",
    "dispute_amount": {"currency_code": "USD", "value": "96.00"},
    "disputed_transactions": [{"seller_transaction_id": "2GG279541U471931P"}],
}  # fmt: skip
LINE: dict[str, Any] = {
    "transaction_id": "1JU08902781691411", "transaction_event_code": "T1107",
    "transaction_initiation_date": "2026-03-02T13:00:00+0100", "transaction_status": "S",
    "transaction_amount": {"currency_code": "USD", "value": "-10.99"},
    "paypal_reference_id": "2GG279541U471931P",
}  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "currency", "value"),
    [
        (1099, "USD", "10.99"),
        (1, "EUR", "0.01"),
        (1200, "JPY", "1200"),
        (4200, "HUF", "42"),
        (300, "TWD", "3"),
        (1234, "KWD", "1.234"),
    ],
)
def test_amounts_are_written_with_the_places_that_paypal_takes(
    amount: int, currency: str, value: str
) -> None:
    written = {"currency_code": currency, "value": value}
    assert objects.to_paypal(amount, currency) == written
    assert objects.from_paypal(written) == Money(amount, currency)


@given(st.integers(0, 10**15), st.sampled_from(["USD", "JPY", "KWD"]), st.booleans())
def test_an_amount_comes_back_as_it_went(amount: int, currency: str, is_negative: bool) -> None:
    written = objects.to_paypal(amount, currency)
    if is_negative:
        written["value"] = f"-{written['value']}"
    assert objects.from_paypal(written).amount == (-amount if is_negative else amount)


@pytest.mark.parametrize("currency", ["HUF", "TWD"])
def test_refuses_an_amount_that_paypal_cannot_pay_exactly(currency: str) -> None:
    with pytest.raises(RefundDeclined, match=f"exactly 4201 {currency}"):
        objects.to_paypal(4201, currency)


@pytest.mark.parametrize("value", ["10.999", "--1", "1e400", "", "ten", "-"])
def test_refuses_what_is_no_amount(value: str) -> None:
    with pytest.raises(AmountInvalid):
        objects.from_paypal({"currency_code": "USD", "value": value})


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("COMPLETED", RefundStatus.SUCCEEDED),
        ("PENDING", RefundStatus.PENDING),
        ("FAILED", RefundStatus.FAILED),
        ("CANCELLED", RefundStatus.CANCELED),
        ("SOMETHING_NEW", RefundStatus.PENDING),
    ],
)
def test_a_refund_is_told_with_its_capture_and_its_key(word: str, status: RefundStatus) -> None:
    refund = objects.refund({**REFUND, "status": word, "status_details": {"reason": "ECHECK"}})
    assert (refund.key, refund.charge) == (LEG, "2GG279541U471931P")
    assert (refund.amount, refund.currency) == (1099, "USD")
    assert (refund.status, refund.reason) == (status, "ECHECK")


@pytest.mark.parametrize("custom", [None, "", "order A-1"])
def test_a_refund_made_by_hand_has_no_key(custom: str | None) -> None:
    assert objects.refund({**REFUND, "custom_id": custom, "invoice_id": None}).key == ""


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, DisputeStatus.OPEN),
        ({"status": "WAITING_FOR_SELLER_RESPONSE"}, DisputeStatus.OPEN),
        ({"outcome": "RESOLVED_SELLER_FAVOUR"}, DisputeStatus.WON),
        ({"outcome": "CANCELED_BY_BUYER"}, DisputeStatus.WON),
        ({"outcome": "RESOLVED_BUYER_FAVOUR"}, DisputeStatus.LOST),
        ({"outcome": "SOMETHING_NEW"}, DisputeStatus.LOST),
    ],
)
def test_a_dispute_is_open_won_or_lost(changes: dict[str, str], status: DisputeStatus) -> None:
    raw: dict[str, Any] = {**DISPUTE, **changes}
    if "outcome" in changes:
        outcome = {"outcome_code": changes["outcome"]}
        raw |= {"status": "RESOLVED", "dispute_outcome": outcome}
    dispute = objects.dispute(raw)
    assert dispute is not None
    assert (dispute.status, dispute.amount) == (status, 9600)
    assert dispute.charge == "2GG279541U471931P"


def test_an_inquiry_is_not_followed() -> None:
    assert objects.dispute({**DISPUTE, "dispute_life_cycle_stage": "INQUIRY"}) is None


@pytest.mark.parametrize(
    ("code", "value", "kind", "about"),
    [
        ("T1107", "-10.99", MovementKind.REFUND, "1JU08902781691411"),
        ("T1107", "10.99", MovementKind.REFUND_FAILURE, "1JU08902781691411"),
        ("T0006", "10.99", MovementKind.CHARGE, "1JU08902781691411"),
        ("T0106", "-20.00", MovementKind.FEE, "1JU08902781691411"),
        ("T0400", "-500.00", MovementKind.PAYOUT, "1JU08902781691411"),
        ("T1201", "-10.99", MovementKind.DISPUTE, "2GG279541U471931P"),
        ("T1202", "10.99", MovementKind.DISPUTE_REVERSAL, "2GG279541U471931P"),
        ("T1900", "1.00", MovementKind.OTHER, "1JU08902781691411"),
    ],
)
def test_a_line_of_the_report_is_told_by_its_event_code(
    code: str, value: str, kind: MovementKind, about: str
) -> None:
    amount = {"currency_code": "USD", "value": value}
    raw = {**LINE, "transaction_event_code": code, "transaction_amount": amount}
    [movement] = objects.movements(raw)
    assert (movement.kind, movement.about) == (kind, about)
    assert movement.amount == int(value.replace(".", ""))
    assert movement.at.isoformat() == "2026-03-02T12:00:00+00:00"
    assert movement.id == f"2026-03-02T12:00:00Z/1JU08902781691411/{code}/{value}/gross"


def test_a_fee_is_a_movement_before_its_line() -> None:
    told = list(
        objects.movements({**LINE, "fee_amount": {"currency_code": "USD", "value": "0.30"}})
    )
    assert [(one.kind, one.amount) for one in told] == [
        (MovementKind.FEE, 30),
        (MovementKind.REFUND, -1099),
    ]
    assert told[0].id < told[1].id
