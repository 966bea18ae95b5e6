"""What the customer reads: the policy's reason and what can be asked for instead.

It never names a score, another person's wallet or another order, and gives nothing away before a
right to the purchase is proven.
"""

from __future__ import annotations

from collections.abc import Sequence

from returns.money import Money
from returns.words import Remedy, Verdict
from triage.facts import Facts
from triage.hits import RuleHit

REVIEW = "Thank you; a colleague will look at your request before anything moves."
UNPROVEN = "Thank you; please show us first that this purchase is yours."

#: Why a request is denied, by the code of the first rule that denies it. Values are the rule's own.
DENIALS = {
    "nothing_paid": "We are sorry, we cannot refund this token because nothing was paid for it.",
    "nothing_requested": "We are sorry, we cannot act on a request for an amount of zero.",
    "already_refunded": "We are sorry, what you paid for this token has been given back already.",
    "above_remainder": "We are sorry, you asked for {requested} but {remainder} is left to refund.",
    "sanctions_match": "We are sorry, we cannot act on this request.",
    "phishing_match": "We are sorry, we cannot act on this request.",
    "blocked": "We are sorry, we cannot act on this request.",
    "remedy_not_offered": "We are sorry, this is not offered here; you can ask for: {offered}.",
    "tender_restricted": "We are sorry, what paid for this can be given back as {allowed} only.",
    "final_sale": "We are sorry, this token was sold as final and cannot be returned.",
    "window_passed": "We are sorry, the {window_days} days for returning this token have passed.",
    "condition_broken": "We are sorry, to be returned the token must still be: {broken}.",
    "not_transferable": "We are sorry, this token is bound to its holder and cannot come back.",
    "not_the_holder": "We are sorry, the token is not in the wallet that asked for its return.",
    "holder_not_buyer": "We are sorry, only the wallet that bought this token can return it.",
    "tender_mismatch": "We are sorry, we can only pay back the way the purchase was paid.",
    "third_party_payout": "We are sorry, we can only pay back who paid.",
    "nothing_left": "We are sorry, after what you have used nothing is left to refund.",
    "customer_limit": "We are sorry, you have reached the limit of {most} returns in {days} days.",
    "wallet_limit": "We are sorry, you have reached the limit of {most} returns in {days} days.",
    "cluster_limit": "We are sorry, you have reached the limit of {most} returns in {days} days.",
}

_APPROVALS = {
    Remedy.FIAT_REFUND: "{amount} goes to your card once we hold the token",
    Remedy.CRYPTO_REFUND: "you get {amount} as the token leaves your wallet",
    Remedy.STORE_CREDIT: "{amount} is credited to you once we hold the token",
}

_INSTEAD = {
    Remedy.FIAT_REFUND: "a refund to your card",
    Remedy.CRYPTO_REFUND: "a refund to your wallet",
    Remedy.STORE_CREDIT: "store credit",
}


def explain(
    verdict: Verdict,
    facts: Facts,
    amount: int,
    bonus: int,
    hits: Sequence[RuleHit],
    alternatives: Sequence[Remedy],
) -> str:
    """Return a courteous sentence for the customer, two where there is an alternative."""
    if verdict is Verdict.APPROVE:
        return "Your return is approved: " + _granted(facts, amount, bonus)
    counted = [hit for hit in hits if hit.set_aside is None]
    if any(hit.code == "purchase_unproven" for hit in counted):
        return UNPROVEN
    if verdict is Verdict.REVIEW:
        return REVIEW
    first = next(hit for hit in counted if hit.verdict is Verdict.DENY)
    return DENIALS[first.code].format_map(_spelled(first.values)) + _instead(alternatives)


def _granted(facts: Facts, amount: int, bonus: int) -> str:
    sentence = _APPROVALS[facts.remedy].format(amount=Money(amount + bonus, facts.currency))
    parts = []
    if bonus:
        parts.append(f"with a bonus of {Money(bonus, facts.currency)}")
    if amount < facts.requested:
        parts.append(f"after {Money(facts.requested - amount, facts.currency)} that you bear")
    return ", ".join([sentence, *parts]) + "."


def _spelled(values: dict[str, str]) -> dict[str, str]:
    return {name: value.replace("_", " ") for name, value in values.items()}


def _instead(alternatives: Sequence[Remedy]) -> str:
    if not alternatives:
        return ""
    return " You can ask for " + " or ".join(_INSTEAD[one] for one in alternatives) + " instead."
