"""The gate: every rule of a policy, in the order in which hits are listed.

The order is first what makes a return impossible, then whose token and money it is, then limits.
It decides only which reason is named first: the strictest verdict wins wherever it stands.
"""

from __future__ import annotations

from collections.abc import Callable

from triage import rules_money, rules_owner, rules_sale
from triage.facts import Facts
from triage.hits import RuleHit
from triage.schema import Policy, Terms

#: From a policy, the terms of the token's collection, and the facts; None: it does not apply.
Rule = Callable[[Policy, Terms, Facts], RuleHit | None]

RULES: tuple[Rule, ...] = (
    rules_money.nothing_paid,
    rules_money.nothing_requested,
    rules_money.already_refunded,
    rules_money.above_remainder,
    rules_sale.remedy_not_offered,
    rules_sale.final_sale,
    rules_sale.window_passed,
    rules_sale.dates_disagree,
    rules_owner.not_the_holder,
    rules_owner.holder_unknown,
    rules_owner.wallet_unknown,
    rules_owner.holder_not_buyer,
    rules_owner.tender_mismatch,
    rules_owner.third_party_payout,
    rules_money.cap_missing,
    rules_money.above_cap,
    rules_sale.yearly_limit,
    rules_sale.frequent_returns,
)


def evaluate(policy: Policy, facts: Facts) -> list[RuleHit]:
    """Return every rule that the facts hit, in the order of `RULES`; no hit means approval."""
    terms = policy.for_collection(facts.collection)
    hits = (rule(policy, terms, facts) for rule in RULES)
    return [hit for hit in hits if hit is not None]
