"""Rules about amounts: never more out than came in, never more than the cap without a person."""

from __future__ import annotations

from returns.money import Money
from triage.facts import Facts
from triage.hits import RuleHit, deny, review
from triage.schema import Policy, Terms


def nothing_paid(_: Policy, __: Terms, facts: Facts) -> RuleHit | None:
    if facts.paid > 0:
        return None
    return deny("nothing_paid", "Nothing was paid for this token.")


def nothing_requested(_: Policy, __: Terms, facts: Facts) -> RuleHit | None:
    if facts.requested > 0:
        return None
    return deny("nothing_requested", "The request asks for an amount of zero.")


def already_refunded(_: Policy, __: Terms, facts: Facts) -> RuleHit | None:
    if facts.paid == 0 or facts.remainder > 0:
        return None
    return deny(
        "already_refunded",
        "All of the {paid} paid has been granted back or is pending.",
        paid=Money(facts.paid, facts.currency),
        already_refunded=Money(facts.already_refunded, facts.currency),
    )


def above_remainder(_: Policy, __: Terms, facts: Facts) -> RuleHit | None:
    if facts.remainder == 0 or facts.requested <= facts.remainder:
        return None  # a remainder of zero is `already_refunded` or `nothing_paid`: one reason
    return deny(
        "above_remainder",
        "{requested} is more than the {remainder} that is left of what was paid.",
        requested=Money(facts.requested, facts.currency),
        remainder=Money(facts.remainder, facts.currency),
    )


def cap_missing(_: Policy, terms: Terms, facts: Facts) -> RuleHit | None:
    if facts.currency in terms.caps:
        return None
    sentence = "The policy has no cap for {currency}, so nothing in it is automatic."
    return review("cap_missing", sentence, currency=facts.currency)


def above_cap(_: Policy, terms: Terms, facts: Facts) -> RuleHit | None:
    cap = terms.caps.get(facts.currency)
    if cap is None or facts.requested <= cap:
        return None
    return review(
        "above_cap",
        "{requested} is above the cap of {cap} for automatic refunds.",
        requested=Money(facts.requested, facts.currency),
        cap=Money(cap, facts.currency),
    )
