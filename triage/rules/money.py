"""Rules about amounts: never more out than came in, never more than the cap without a person."""

from __future__ import annotations

from returns.money import Money
from triage.hits import Ground, RuleHit, deny, review
from triage.situation import Situation


def nothing_paid(case: Situation) -> RuleHit | None:
    if case.facts.paid > 0:
        return None
    return deny("nothing_paid", "Nothing was paid for this token.", Ground.SAFETY)


def nothing_requested(case: Situation) -> RuleHit | None:
    if case.facts.requested > 0:
        return None
    return deny("nothing_requested", "The request asks for an amount of zero.", Ground.SAFETY)


def already_refunded(case: Situation) -> RuleHit | None:
    facts = case.facts
    if facts.paid == 0 or facts.remainder > 0:
        return None
    return deny(
        "already_refunded",
        "All of the {paid} paid has been granted back or is pending.",
        Ground.SAFETY,
        paid=Money(facts.paid, facts.currency),
        already_refunded=Money(facts.already_refunded, facts.currency),
    )


def above_remainder(case: Situation) -> RuleHit | None:
    facts, remainder = case.facts, case.facts.remainder
    if remainder == 0 or facts.requested <= remainder:
        return None  # a remainder of zero is `already_refunded` or `nothing_paid`: one reason
    return deny(
        "above_remainder",
        "{requested} is more than the {remainder} that is left of what was paid.",
        Ground.SAFETY,
        requested=Money(facts.requested, facts.currency),
        remainder=Money(remainder, facts.currency),
    )


def dispute_open(case: Situation) -> RuleHit | None:
    if case.facts.dispute_open is not True:
        return None
    sentence = "The payment is disputed: a refund now could pay twice."
    return review("dispute_open", sentence, Ground.SAFETY)


def offer_unknown(case: Situation) -> RuleHit | None:
    unknown = case.offer.unknown
    if not unknown:
        return None
    sentence = "What the customer bears cannot be worked out without {facts}."
    return review("offer_unknown", sentence, facts=", ".join(unknown))


def nothing_left(case: Situation) -> RuleHit | None:
    if case.offer.amount > 0 or case.facts.requested == 0:
        return None
    parts = ", ".join(case.offer.deductions)
    return deny("nothing_left", "Nothing is left after deductions: {parts}.", parts=parts)


def cap_missing(case: Situation) -> RuleHit | None:
    if case.facts.currency in case.terms.caps:
        return None
    sentence = "The policy has no cap for {currency}, so nothing in it is automatic."
    return review("cap_missing", sentence, currency=case.facts.currency)


def above_cap(case: Situation) -> RuleHit | None:
    cap = case.terms.caps.get(case.facts.currency)
    if cap is None or case.payout <= cap:
        return None
    return review(
        "above_cap",
        "{payout} is above the cap of {cap} for automatic refunds.",
        payout=case.payout_shown,
        cap=Money(cap, case.facts.currency),
    )
