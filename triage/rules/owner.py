"""Rules about whose token and whose money it is; the unknown is never taken for the buyer."""

from __future__ import annotations

from returns.words import ORIGINAL, Remedy, Verdict
from triage.facts import ZERO_ADDRESS
from triage.hits import Ground, RuleHit, deny, hit, review
from triage.situation import Situation


def _chosen(case: Situation, code: str, sentence: str, **values: object) -> RuleHit | None:
    """A hit with the verdict that the policy chooses for it."""
    choice = case.policy.choice(code)
    return (
        None if choice == "off" else hit(code, Verdict(choice), sentence, Ground.SAFETY, **values)
    )


def purchase_unproven(case: Situation) -> RuleHit | None:
    if case.facts.purchase_proven is True:
        return None
    sentence = "The requester has not proven a right to this purchase."
    return _chosen(case, "purchase_unproven", sentence)


def asked_again(case: Situation) -> RuleHit | None:
    """What a person has stopped, or was looking at, no other wording gets past them."""
    count = case.facts.stopped_before
    if not count:
        return None
    sentence = "A person had {count} earlier requests for this purchase, denied or withdrawn."
    return review("asked_again", sentence, Ground.SAFETY, count=count)


def not_the_holder(case: Situation) -> RuleHit | None:
    holder, claimant = case.facts.holder, case.facts.claimant
    if holder is None or claimant is None or (holder == claimant and holder != ZERO_ADDRESS):
        return None
    return deny(
        "not_the_holder",
        "The token is held by {holder}, not by the requester's wallet {claimant}.",
        Ground.SAFETY,
        holder=holder,
        claimant=claimant,
    )


def holder_unknown(case: Situation) -> RuleHit | None:
    if case.facts.holder is not None:
        return None
    sentence = "The chain has not told us who holds the token."
    return review("holder_unknown", sentence, Ground.SAFETY)


def wallet_unknown(case: Situation) -> RuleHit | None:
    if case.facts.buyer_wallet is not None:
        return None
    sentence = "The wallet that received the purchase is not known."
    return review("wallet_unknown", sentence, Ground.SAFETY)


def holder_not_buyer(case: Situation) -> RuleHit | None:
    facts, claimant = case.facts, case.facts.claimant
    if claimant is None or facts.holder != claimant or facts.buyer_wallet in (None, claimant):
        return None
    sentence = "The token is held by {claimant}; it was bought by {buyer}."
    values = {"claimant": claimant, "buyer": facts.buyer_wallet}
    return _chosen(case, "holder_not_buyer", sentence, **values)


def tender_mismatch(case: Situation) -> RuleHit | None:
    facts = case.facts
    # Credit can be had for everything; money only the way it came.
    if facts.remedy in (ORIGINAL[facts.tender], Remedy.STORE_CREDIT, Remedy.NOTHING):
        return None
    sentence = "A payment by {tender} would be paid back as {remedy}."
    values = {"tender": facts.tender.value, "remedy": facts.remedy.value}
    return _chosen(case, "tender_mismatch", sentence, **values)


def tender_expired(case: Situation) -> RuleHit | None:
    facts = case.facts
    if facts.tender_expired is not True or facts.remedy is not Remedy.FIAT_REFUND:
        return None
    sentence = "What paid has expired: another way to pay back has to be agreed on."
    return review("tender_expired", sentence, Ground.SAFETY)


def third_party_payout(case: Situation) -> RuleHit | None:
    facts, payee = case.facts, case.facts.payee
    if payee is None or payee == facts.buyer_wallet:
        return None
    sentence = "The payout would go to {payee}; the payer is {payer}."
    values = {"payee": payee, "payer": facts.buyer_wallet or "unknown"}
    return _chosen(case, "third_party_payout", sentence, **values)
