"""What anybody may know before buying: whether tokens of a collection can be returned, and how."""

from __future__ import annotations

from typing import Any

from settlement.commands.access import merchant_by_slug
from settlement.commands.intake import active_policy
from settlement.runtime import Runtime


def of_collection(runtime: Runtime, merchant_slug: str, collection: str) -> dict[str, Any]:
    """The collection's terms by the active policy. Raises `NotFound` for an unknown merchant."""
    merchant = merchant_by_slug(runtime, merchant_slug)
    with runtime.database.read() as session:
        _, policy = active_policy(session, merchant.id)
    terms = policy.for_collection(collection)
    return {
        "collection": collection,
        "returnable": terms.final_sale is not True,
        "window_days": terms.window_days,
        "remedies": [remedy.value for remedy in terms.remedies],
        "final_sale_tokens": [] if terms.final_sale is True else _tokens(terms.final_sale),
        "deductions": "none",
        "gas_paid_by": "merchant",
        "policy": policy.name,
    }


def _tokens(final_sale: Any) -> list[str]:
    return [str(token) for token in sorted(final_sale or [])]
