"""What anybody may know before buying: whether tokens of a collection can be returned, and how."""

from __future__ import annotations

from typing import Any

from settlement.commands import policies
from settlement.commands.access import merchant_by_slug
from settlement.runtime import Runtime
from triage.terms import Bearer, Fees, Terms


def of_collection(
    runtime: Runtime, merchant_slug: str, collection: str, channel: str
) -> dict[str, Any]:
    """The collection's terms by the policy in force. Raises `NotFound` for an unknown merchant."""
    merchant = merchant_by_slug(runtime, merchant_slug)
    with runtime.database.read() as session:
        _, policy = policies.in_force(session, merchant.id, runtime.clock())
    terms = policy.for_line(collection, channel)
    return {
        "collection": collection,
        "returnable": terms.final_sale is not True,
        "window_days": terms.window_days,
        "window_from": terms.window_from.value,
        "window_blocks": terms.window_blocks,
        "windows": {remedy.value: days for remedy, days in terms.windows.items()},
        "condition": sorted(word.value for word in terms.condition),
        "remedies": [remedy.value for remedy in terms.remedies],
        "final_sale_tokens": [] if terms.final_sale is True else _tokens(terms.final_sale),
        "deductions": _deductions(terms),
        "gas_paid_by": terms.fees.gas.value,
        "credit_bonus_bps": terms.credit_bonus_bps,
        "prorated": terms.prorate,
        "policy": policy.name,
    }


def _deductions(terms: Terms) -> list[str]:
    """What the customer bears of a refund, by name; nothing of it from a statutory withdrawal."""
    fees = terms.fees
    borne = [name for name in ("gas", "royalty", "platform_fee") if _is_borne(fees, name)]
    return [*borne, *(["restocking"] if fees.restocking_bps else [])]


def _is_borne(fees: Fees, name: str) -> bool:
    return getattr(fees, name) is Bearer.CUSTOMER


def _tokens(final_sale: Any) -> list[str]:
    return [str(token) for token in sorted(final_sale or [])]
