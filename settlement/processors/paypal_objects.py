"""PayPal's objects as the facts that settlement follows, and amounts as its decimal strings.

https://developer.paypal.com/api/payments/v2, …/orders/v2, …/customer-disputes/v1,
…/transaction-search/v1
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from returns.money import Money, from_decimal, to_decimal
from returns.words import DisputeStatus, MovementKind, RefundStatus
from settlement.processors.base import Movement, ProcessorDispute, ProcessorRefund, RefundDeclined

#: ISO 4217 gives them two places, PayPal takes whole ones only.
#: https://developer.paypal.com/reference/currency-codes
_WHOLE = {"HUF": 100, "TWD": 100}

_REFUNDS = {
    "COMPLETED": RefundStatus.SUCCEEDED,
    "PENDING": RefundStatus.PENDING,
    "FAILED": RefundStatus.FAILED,
    "CANCELLED": RefundStatus.CANCELED,
}
#: The same in the report: completed, pending, denied, reversed.
_REPORTED = {
    "S": RefundStatus.SUCCEEDED,
    "P": RefundStatus.PENDING,
    "D": RefundStatus.FAILED,
    "V": RefundStatus.FAILED,
}
#: How a case ended. Anything else that ended it left the money with the customer.
_WON = frozenset({"RESOLVED_SELLER_FAVOUR", "CANCELED_BY_BUYER", "DENIED"})

#: The event code of a refund that the merchant made.
REFUND_CODE = "T1107"
#: https://developer.paypal.com/docs/transaction-search/transaction-event-codes
_KINDS = {
    REFUND_CODE: MovementKind.REFUND,
    "T1106": MovementKind.DISPUTE,
    "T1108": MovementKind.FEE,
    "T1110": MovementKind.DISPUTE,
    "T1111": MovementKind.DISPUTE_REVERSAL,
    "T1201": MovementKind.DISPUTE,
    "T1202": MovementKind.DISPUTE_REVERSAL,
}
#: By group, for the codes above do not name them all.
_GROUPS = {"T00": MovementKind.CHARGE, "T01": MovementKind.FEE, "T04": MovementKind.PAYOUT}


def to_paypal(amount: int, currency: str) -> dict[str, str]:
    """Minor units as PayPal's amount. Raises `RefundDeclined` for what it has no amount for."""
    value = to_decimal(Money(amount, currency))
    if currency in _WHOLE:
        units, rest = divmod(amount, _WHOLE[currency])
        value = str(units)
        if rest:
            problem = f"PayPal cannot pay exactly {amount} {currency} (minor units)"
            raise RefundDeclined(problem=problem)
    return {"currency_code": currency, "value": value}


def from_paypal(amount: dict[str, Any]) -> Money:
    """PayPal's amount, which may have a sign, exactly."""
    text, currency = str(amount["value"]), str(amount["currency_code"])
    money = from_decimal(text.removeprefix("-"), currency)
    return Money(-money.amount, currency) if text.startswith("-") else money


def refund(raw: dict[str, Any]) -> ProcessorRefund:
    """A refund; its key is empty if somebody else made it."""
    money = from_paypal(raw["amount"])
    return ProcessorRefund(
        id=str(raw["id"]),
        key=key_of(raw.get("custom_id"), raw.get("invoice_id")),
        charge=capture_of(raw),
        amount=money.amount,
        currency=money.currency,
        # A word that is new to us ends nothing: the refund is followed until a known one comes.
        status=_REFUNDS.get(str(raw.get("status")), RefundStatus.PENDING),
        reason=str((raw.get("status_details") or {}).get("reason", "")),
    )


def dispute(raw: dict[str, Any]) -> ProcessorDispute | None:
    """A dispute; None while buyer and merchant merely talk (`INQUIRY`)."""
    if raw.get("dispute_life_cycle_stage") == "INQUIRY":
        return None
    money = from_paypal(raw["dispute_amount"])
    return ProcessorDispute(
        id=str(raw["dispute_id"]),
        charge=str(raw["disputed_transactions"][0]["seller_transaction_id"]),
        amount=money.amount,
        currency=money.currency,
        status=_dispute_status(raw),
    )


def key_of(*names: Any) -> str:
    """The first of a refund's names that can be a leg's id."""
    for name in names:
        try:
            return str(UUID(str(name)))
        except ValueError:
            continue
    return ""


def capture_of(raw: dict[str, Any]) -> str:
    """What a refund gives back: the capture that it links up to."""
    return link_up(raw, "/captures/")


def link_up(raw: dict[str, Any], folder: str) -> str:
    """The id at the end of the link `up` that leads into a folder; empty if there is none."""
    links = raw.get("links") or []
    ends = [str(one["href"]).rpartition(folder)[2] for one in links
            if one.get("rel") == "up" and folder in str(one.get("href"))]  # fmt: skip
    return ends[0] if ends else ""


def reported_status(info: dict[str, Any]) -> RefundStatus:
    """What the report says of a refund."""
    return _REPORTED.get(str(info.get("transaction_status")), RefundStatus.PENDING)


def place(info: dict[str, Any]) -> str:
    """Where a line of the report stands: by time first, so that places compare as text.

    An id alone is not unique there: what follows it tells lines of one transaction apart.
    """
    at = moment(info).strftime("%Y-%m-%dT%H:%M:%SZ")
    code, value = info.get("transaction_event_code", ""), info["transaction_amount"]["value"]
    return f"{at}/{info['transaction_id']}/{code}/{value}"


def moment(info: dict[str, Any]) -> datetime:
    """When it was started; that does not change any more."""
    text = str(info["transaction_initiation_date"])
    return datetime.fromisoformat(text).astimezone(UTC)


def movements(info: dict[str, Any]) -> Iterator[Movement]:
    """A line of the report: its fee, then its amount; the ids are places to go on from."""
    fee = info.get("fee_amount")
    if fee is not None and from_paypal(fee).amount:
        yield _movement(info, "fee", MovementKind.FEE, from_paypal(fee))
    money = from_paypal(info["transaction_amount"])
    yield _movement(info, "gross", _kind(info, money), money)


def _movement(info: dict[str, Any], part: str, kind: MovementKind, money: Money) -> Movement:
    disputed = kind in (MovementKind.DISPUTE, MovementKind.DISPUTE_REVERSAL)
    about = info.get("paypal_reference_id") if disputed else None
    return Movement(
        id=f"{place(info)}/{part}",
        kind=kind,
        about=str(about or info["transaction_id"]),
        amount=money.amount,
        currency=money.currency,
        at=moment(info),
    )


def _kind(info: dict[str, Any], money: Money) -> MovementKind:
    code = str(info.get("transaction_event_code", ""))
    if code == REFUND_CODE and money.amount > 0:
        return MovementKind.REFUND_FAILURE
    return _KINDS.get(code) or _GROUPS.get(code[:3], MovementKind.OTHER)


def _dispute_status(raw: dict[str, Any]) -> DisputeStatus:
    if raw.get("status") != "RESOLVED":
        return DisputeStatus.OPEN
    outcome = str((raw.get("dispute_outcome") or {}).get("outcome_code", ""))
    return DisputeStatus.WON if outcome in _WON else DisputeStatus.LOST
