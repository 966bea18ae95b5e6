"""Words of ISO 20022's external code sets that banks answer with."""

from __future__ import annotations

from types import MappingProxyType

from returns.words import RefundStatus

_PENDING, _SUCCEEDED = RefundStatus.PENDING, RefundStatus.SUCCEEDED

#: ExternalPaymentTransactionStatus1Code. Accepted and in process is not yet paid.
CODES = MappingProxyType(
    {
        "RCVD": _PENDING,
        "ACTC": _PENDING,
        "ACCP": _PENDING,
        "ACFC": _PENDING,
        "ACSP": _PENDING,
        "ACWC": _PENDING,
        "PDNG": _PENDING,
        "PATC": _PENDING,
        "ACSC": _SUCCEEDED,
        "ACCC": _SUCCEEDED,
        "RJCT": RefundStatus.FAILED,
        "CANC": RefundStatus.CANCELED,
    }
)

#: ExternalStatusReason1Code: those that SEPA banks give.
_REASONS = {
    "AC01": "wrong account number",
    "AC04": "closed account",
    "AC06": "blocked account",
    "AC13": "wrong kind of account",
    "AG01": "transfers to this account are forbidden",
    "AG02": "wrong operation code",
    "AM02": "amount not allowed",
    "AM03": "currency not allowed",
    "AM04": "insufficient funds",
    "AM05": "duplicate",
    "AM09": "wrong amount",
    "AM10": "wrong control sum",
    "BE01": "name does not fit the account",
    "BE04": "missing address of the payee",
    "BE05": "unknown initiating party",
    "CNOR": "the payee's bank takes no part",
    "CURR": "wrong currency",
    "CUST": "canceled at the debtor's request",
    "DNOR": "the debtor's bank takes no part",
    "DT01": "wrong date",
    "DUPL": "duplicate payment",
    "FF01": "wrong file format",
    "FOCR": "canceled at the payer's request",
    "MD07": "the account's holder has died",
    "MS02": "refused by the customer, without a reason",
    "MS03": "refused by the bank, without a reason",
    "NARR": "see the bank's note",
    "RC01": "wrong bank identifier",
    "RR01": "regulation: missing account of the debtor",
    "RR02": "regulation: missing name or address of the debtor",
    "RR03": "regulation: missing name or address of the payee",
    "RR04": "regulation",
    "TM01": "after the cut-off time",
}
_MAX_REASON = 200


def reason_of(code: str, more: str = "") -> str:
    """`AC04 closed account`, and what the bank adds; nothing where it gives no reason."""
    words = (code[:35], _REASONS.get(code, ""), f"({more})" if more else "")
    text = " ".join(word for word in words if word)
    return "".join(char if char.isprintable() else "?" for char in text)[:_MAX_REASON]
