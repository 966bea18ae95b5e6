"""What each side said, as evidence keeps it."""

from __future__ import annotations

from returns.words import RefundStatus
from settlement.reconciliation.line_facts import EffectFact, LegFact, RefundFact


def money(amount: int, currency: str) -> str:
    """An amount and its currency."""
    return f"{amount} {currency}"


def leg_said(leg: LegFact) -> dict[str, object]:
    """What the books say of a leg."""
    return {
        "leg": leg.id,
        "kind": leg.kind.value,
        "state": leg.state.value,
        "amount": money(leg.amount, leg.currency),
        "recipient": leg.recipient,
        "block": leg.block_number,
        "block_hash": leg.block_hash,
        "updated_at": leg.updated_at.isoformat(),
    }


def refund_said(refund: RefundFact) -> dict[str, object]:
    """What a processor says of a refund."""
    moves = [f"{kind.value} {amount} {currency}" for kind, amount, currency in refund.moves]
    return {
        "refund": refund.id,
        "amount": money(refund.amount, refund.currency),
        "status": RefundStatus(refund.status).value,
        "listed": refund.listed,
        "report": moves,
    }


def effect_said(effect: EffectFact) -> dict[str, object]:
    """What the chain shows of a line."""
    return {
        "event": effect.name,
        "block": effect.block_number,
        "block_hash": effect.block_hash,
        "recipient": effect.recipient,
        "amount": effect.amount,
    }
