"""The second gate: an outcome held against policy and facts, whatever has happened in between.

Written apart from the rules on purpose: it looks at what would be given, not at why, so that a rule
that is wrong or left out does not let money go.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

from returns.words import ALLOWED_PAIRS, Disposition, Remedy, Verdict
from triage.facts import Facts
from triage.situation import Situation
from triage.terms import Since

_BEGINS: dict[Since, Callable[[Facts], datetime | None]] = {
    Since.PURCHASE: attrgetter("purchased_at"),
    Since.DELIVERY: attrgetter("delivered_at"),
    Since.REVEAL: attrgetter("revealed_at"),
}


class Outcome(NamedTuple):
    """What a line would get; amounts in minor units of its currency."""

    verdict: Verdict
    remedy: Remedy
    disposition: Disposition
    amount: int
    bonus: int


def refusal_of(case: Situation, outcome: Outcome) -> str | None:
    """Say why this outcome may not leave the house without a person; None if it may."""
    facts = case.facts
    if (outcome.remedy, outcome.disposition) not in ALLOWED_PAIRS:
        return "what it pairs may not be paired"
    if outcome.verdict is not Verdict.APPROVE:
        return None
    if not 0 < outcome.amount <= min(facts.requested, facts.paid - facts.already_refunded):
        return "it would pay more than is left of what was paid, or nothing"
    if facts.holder is None or facts.holder != facts.claimant or facts.buyer_wallet is None:
        return "the requester does not hold the token, as far as is known"
    if facts.purchase_proven is not True:
        return "the right to the purchase is not proven"
    if facts.stopped_before:
        return "a person has stopped an earlier request for this purchase"
    if outcome.remedy is Remedy.CRYPTO_REFUND and facts.payee != facts.buyer_wallet:
        return "somebody else than the payer would be paid"
    return _beyond_terms(case, outcome)


def _beyond_terms(case: Situation, outcome: Outcome) -> str | None:
    cap = case.terms.caps.get(case.facts.currency)
    if cap is None or outcome.amount + outcome.bonus > cap:
        return "it is above the cap"
    if case.right is not None and case.right.proven:
        return None
    if outcome.remedy not in case.terms.remedies:
        return "the remedy is not offered"
    if case.terms.final_sale is True:
        return "the sale was final"
    return "the window is closed" if _is_late(case, outcome.remedy) else None


def _is_late(case: Situation, remedy: Remedy) -> bool:
    facts, terms = case.facts, case.terms
    begun = _BEGINS[terms.window_from](facts)
    if begun is None:
        return not (terms.window_from is Since.REVEAL and facts.revealed is False)
    days = terms.windows.get(remedy, terms.window_days)
    gone_by = facts.requested_at - begun
    return gone_by.days >= days and gone_by > timedelta(days=days)
