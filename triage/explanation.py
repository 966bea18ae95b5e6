"""The one sentence that the customer reads: the policy's reason, and nothing besides.

It never names a score, another person's wallet or another order.
"""

from __future__ import annotations

from collections.abc import Sequence

from returns.money import Money
from returns.words import Remedy, Verdict
from triage.facts import Facts
from triage.hits import RuleHit

REVIEW = "Thank you; a colleague will look at your request before anything moves."

#: Why a request is denied, by the code of the first rule that denies it. Values are the rule's own.
DENIALS = {
    "nothing_paid": "We are sorry, we cannot refund this token because nothing was paid for it.",
    "nothing_requested": "We are sorry, we cannot act on a request for an amount of zero.",
    "already_refunded": "We are sorry, what you paid for this token has been given back already.",
    "above_remainder": "We are sorry, you asked for {requested} but {remainder} is left to refund.",
    "remedy_not_offered": "We are sorry, this is not offered here; you can ask for: {offered}.",
    "final_sale": "We are sorry, this token was sold as final and cannot be returned.",
    "window_passed": "We are sorry, the {window_days} days for returning this token have passed.",
    "not_the_holder": "We are sorry, the token is not in the wallet that asked for its return.",
    "holder_not_buyer": "We are sorry, only the wallet that bought this token can return it.",
    "yearly_limit": "We are sorry, you have reached the limit of {limit} returns in a year.",
}

_APPROVALS = {
    Remedy.FIAT_REFUND: "{amount} goes to your card once we hold the token.",
    Remedy.CRYPTO_REFUND: "you get {amount} as the token leaves your wallet.",
    Remedy.STORE_CREDIT: "{amount} is credited to you once we hold the token.",
}


def explain(verdict: Verdict, facts: Facts, hits: Sequence[RuleHit]) -> str:
    """Return one courteous sentence for the customer."""
    if verdict is Verdict.APPROVE:
        money = Money(facts.requested, facts.currency)
        return "Your return is approved: " + _APPROVALS[facts.remedy].format(amount=money)
    if verdict is Verdict.REVIEW:
        return REVIEW
    first = next(hit for hit in hits if hit.verdict is Verdict.DENY)
    return DENIALS[first.code].format_map(first.values)
