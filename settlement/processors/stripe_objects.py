"""Stripe's objects as the facts that settlement follows, and amounts in both ways of counting.

https://docs.stripe.com/api/refunds/object, …/disputes/object, …/balance_transactions/object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from returns.errors import AmountInvalid
from returns.words import DisputeStatus, MovementKind, RefundStatus
from settlement.processors.base import (
    Movement,
    ProcessorDispute,
    ProcessorRefund,
    RefundDeclined,
    RefundRequest,
)

#: What we write on a refund: the id of its leg, and the reference under which the order knows it.
LEG, PAYMENT = "undrop_leg", "undrop_payment"
#: A fee is a part of the balance transaction that it was taken with; our report lists it apart.
FEE = ":fee"

#: Where Stripe counts otherwise than ISO 4217: so many of its units are one of ours, or one of
#: its units is so many of ours. https://docs.stripe.com/currencies#special-cases
_FINER = {"ISK": 100, "UGX": 100}
_COARSER = {"MGA": 100}
#: Three places of which the last must be 0.
_IN_TENS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})

#: An inquiry (`warning_…`) and a prevented dispute have moved nothing: nobody follows them. An
#: appeal comes after a loss, and the money stays away meanwhile.
_DISPUTES = {
    "needs_response": DisputeStatus.OPEN,
    "under_review": DisputeStatus.OPEN,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
    "appeal_needs_response": DisputeStatus.LOST,
    "appeal_under_review": DisputeStatus.LOST,
}
#: By reporting category, which tells disputes and failed refunds from other adjustments.
_KINDS = {
    "charge": MovementKind.CHARGE,
    "charge_failure": MovementKind.CHARGE,
    "partial_capture_reversal": MovementKind.CHARGE,
    "refund": MovementKind.REFUND,
    "refund_failure": MovementKind.REFUND_FAILURE,
    "dispute": MovementKind.DISPUTE,
    "dispute_reversal": MovementKind.DISPUTE_REVERSAL,
    "fee": MovementKind.FEE,
    "network_cost": MovementKind.FEE,
    "payout": MovementKind.PAYOUT,
    "payout_reversal": MovementKind.PAYOUT,
}
#: Money that is neither out nor on its way.
_CAME_BACK = (RefundStatus.FAILED, RefundStatus.CANCELED)


def to_stripe(amount: int, currency: str) -> int:
    """Our minor units in Stripe's. Raises `RefundDeclined` for what Stripe has no amount for."""
    units, rest = divmod(amount * _FINER.get(currency, 1), _COARSER.get(currency, 1))
    if rest or (currency in _IN_TENS and units % 10):
        raise RefundDeclined(problem=f"Stripe cannot pay exactly {amount} {currency} (minor units)")
    return units


def from_stripe(units: int, currency: str) -> int:
    """Stripe's units of a currency (as Stripe writes it) in our minor units, never rounded."""
    code = currency.upper()
    amount, rest = divmod(units * _COARSER.get(code, 1), _FINER.get(code, 1))
    if rest:
        raise AmountInvalid(amount=f"{units} {currency}")
    return amount


def refund(raw: dict[str, Any]) -> ProcessorRefund:
    """A refund; its key is empty if somebody else made it, in the dashboard for example."""
    ours = raw.get("metadata") or {}
    return ProcessorRefund(
        id=str(raw["id"]),
        key=str(ours.get(LEG, "")),
        charge=str(ours.get(PAYMENT) or _id(raw.get("charge")) or _id(raw.get("payment_intent"))),
        amount=from_stripe(raw["amount"], raw["currency"]),
        currency=str(raw["currency"]).upper(),
        status=_status(raw.get("status")),
        reason=str(raw.get("failure_reason") or ""),
    )


def dispute(raw: dict[str, Any]) -> ProcessorDispute | None:
    """A dispute; None while it is a mere inquiry."""
    status = _DISPUTES.get(str(raw["status"]))
    if status is None:
        return None
    return ProcessorDispute(
        id=str(raw["id"]),
        charge=_id(raw["charge"]),
        amount=from_stripe(raw["amount"], raw["currency"]),
        currency=str(raw["currency"]).upper(),
        status=status,
        payment=_id(raw.get("payment_intent")),
    )


def movements(raw: dict[str, Any]) -> Iterator[Movement]:
    """A balance transaction: its fee, and then itself, whose id is the cursor behind both."""
    if raw.get("fee"):
        yield _movement(raw, FEE, MovementKind.FEE, -raw["fee"])
    kind = _KINDS.get(str(raw.get("reporting_category")), MovementKind.OTHER)
    yield _movement(raw, "", kind, raw["amount"])


def remainder(charge: dict[str, Any], refunds: Iterable[dict[str, Any]], disputed: int) -> int:
    """What is left of a charge in Stripe's units: neither refunded, under way, nor disputed.

    What was authorized but not captured is on some accounts a refund of its own in the list, on
    others not; therefore it is counted from the whole amount, and what was captured is the limit.
    """
    gone = sum(one["amount"] for one in refunds if _status(one.get("status")) not in _CAME_BACK)
    # A peer may leave the captured amount out.
    captured = charge.get("amount_captured", charge["amount"])
    return int(min(captured, charge["amount"] - gone) - disputed)


def check_charge(request: RefundRequest, charge: dict[str, Any], *, live: bool) -> None:
    """Whether a charge can be refunded at all. Raises `RefundDeclined`."""
    currency = str(charge["currency"]).upper()
    if request.amount <= 0:
        raise RefundDeclined(problem=f"{request.amount} is nothing that could be paid back")
    if bool(charge.get("livemode")) is not live:
        raise RefundDeclined(problem="the charge is of the other mode, test or live, than our key")
    if currency != request.currency:
        problem = f"the charge is in {currency}, and not in {request.currency}"
        raise RefundDeclined(problem=problem)
    if charge.get("status") != "succeeded" or not charge.get("captured"):
        raise RefundDeclined(problem="the charge was not captured, so there is nothing to refund")


def _movement(raw: dict[str, Any], suffix: str, kind: MovementKind, units: int) -> Movement:
    currency = str(raw["currency"])
    return Movement(
        id=f"{raw['id']}{suffix}",
        kind=kind,
        about=_id(raw.get("source")),
        amount=from_stripe(units, currency),
        currency=currency.upper(),
        at=datetime.fromtimestamp(raw["created"], UTC),
    )


def _status(word: Any) -> RefundStatus:
    """A word that is new to us ends nothing: the refund is followed until a known one comes."""
    try:
        return RefundStatus(word)
    except ValueError:
        return RefundStatus.PENDING


def _id(reference: Any) -> str:
    """The id of what may be expanded, or absent."""
    if isinstance(reference, dict):
        return str(reference["id"])
    return str(reference or "")
