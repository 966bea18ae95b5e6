"""The gate: every rule of a policy, in the order in which hits are listed.

Conflicts are resolved in this order:

1. What safety denies is denied: money, ownership, the law.
2. A proven statutory right sets aside what the merchant's terms deny, and their deductions. A right
   that may exist, while a fact is missing, turns what only the terms deny over to a person.
3. What the terms deny is denied.
4. What any rule gives to a person goes to a person; so does what risk asks for.
5. What is left is approved.

Within a verdict the order of `RULES` decides which reason is named first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from returns.words import Verdict
from triage.hits import Ground, RuleHit, review, verdict_of
from triage.rights import Right
from triage.rules import limits, money, owner, parties, sale, token
from triage.situation import Situation

#: None: it does not apply.
Rule = Callable[[Situation], RuleHit | None]

RULES: tuple[Rule, ...] = (
    money.nothing_paid,
    money.nothing_requested,
    money.already_refunded,
    money.above_remainder,
    money.dispute_open,
    owner.purchase_unproven,
    owner.asked_again,
    parties.sanctions_match,
    parties.phishing_match,
    parties.blocked,
    parties.lists_missing,
    sale.remedy_not_offered,
    sale.tender_restricted,
    sale.final_sale,
    sale.window_passed,
    sale.window_unknown,
    sale.dates_disagree,
    token.condition_broken,
    token.condition_unknown,
    token.not_transferable,
    token.token_paused,
    owner.not_the_holder,
    owner.holder_unknown,
    owner.wallet_unknown,
    owner.holder_not_buyer,
    owner.tender_mismatch,
    owner.tender_expired,
    owner.third_party_payout,
    money.offer_unknown,
    money.nothing_left,
    money.cap_missing,
    money.above_cap,
    parties.identity_unproven,
    sale.reason_needs_person,
)


def evaluate(situation: Situation) -> list[RuleHit]:
    """Return every rule that applies, in the order of `RULES`; no hit means approval."""
    hits = [hit for rule in RULES if (hit := rule(situation)) is not None]
    if situation.policy.limits:
        hits += limits.reached(situation)
    if situation.right is not None and hits:
        hits = _under(situation.right, hits)
    if situation.policy.limits and verdict_of(hits) is Verdict.DENY:
        hits += limits.goodwill_reached(situation)
    return hits


def _under(right: Right, hits: Iterable[RuleHit]) -> list[RuleHit]:
    """Mark what the right sets aside; while it is not proven, a person takes its place."""
    marked = [
        replace(hit, set_aside=right.name)
        if hit.verdict is Verdict.DENY and hit.ground is Ground.TERMS
        else hit
        for hit in hits
    ]
    if right.proven or not any(hit.set_aside for hit in marked):
        return marked
    sentence = "The right {right} may hold until {until}; what would prove it is not known."
    values = {"right": right.name, "until": right.until.isoformat()}
    return [*marked, review("right_unproven", sentence, Ground.SAFETY, **values)]
