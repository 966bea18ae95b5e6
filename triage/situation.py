"""One line held against one policy: all that a rule may look at, worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from returns.money import MAX_AMOUNT, Money
from triage.facts import Facts
from triage.offer import Offer, offer_of
from triage.rights import Right, right_of
from triage.schema import Policy
from triage.terms import Since, Terms


@dataclass(frozen=True, slots=True)
class Situation:
    """Facts, the terms that bind them, the right they may rest on, and what would be paid.

    `since` is when the window began to run; None: unknown, or not yet.
    """

    policy: Policy
    facts: Facts
    terms: Terms
    right: Right | None
    offer: Offer
    since: datetime | None

    @property
    def payout(self) -> int:
        """Minor units that would leave the merchant, bonus included."""
        return self.offer.amount + self.offer.bonus

    @property
    def payout_shown(self) -> Money:
        """The same for sentences; with its bonus it can be more than an amount can be."""
        return Money(min(MAX_AMOUNT, self.payout), self.facts.currency)


def situation_of(policy: Policy, facts: Facts) -> Situation:
    """Work out terms, right and offer of a line."""
    terms = policy.for_line(facts.collection, facts.channel)
    right = right_of(facts)
    by_right = right is not None and right.proven
    offer = offer_of(terms, facts, whole=by_right)
    return Situation(policy, facts, terms, right, offer, _since(terms, facts))


def _since(terms: Terms, facts: Facts) -> datetime | None:
    if terms.window_from is Since.DELIVERY:
        return facts.delivered_at
    if terms.window_from is Since.REVEAL:
        return facts.revealed_at
    return facts.purchased_at
