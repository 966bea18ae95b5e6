"""Rules about whose token and whose money it is; the unknown is never taken for the buyer."""

from __future__ import annotations

from returns.words import Remedy, Tender
from triage.facts import ZERO_ADDRESS, Facts
from triage.hits import RuleHit, deny, hit, review
from triage.schema import Policy, Terms


def not_the_holder(_: Policy, __: Terms, facts: Facts) -> RuleHit | None:
    if facts.holder is None or facts.claimant is None:
        return None
    if facts.holder == facts.claimant and facts.holder != ZERO_ADDRESS:
        return None
    return deny(
        "not_the_holder",
        "The token is held by {holder}, not by the requester's wallet {claimant}.",
        holder=facts.holder,
        claimant=facts.claimant,
    )


def holder_unknown(_: Policy, __: Terms, facts: Facts) -> RuleHit | None:
    if facts.holder is not None:
        return None
    return review("holder_unknown", "The chain has not told us who holds the token.")


def wallet_unknown(_: Policy, __: Terms, facts: Facts) -> RuleHit | None:
    if facts.buyer_wallet is not None:
        return None
    return review("wallet_unknown", "The wallet that received the purchase is not known.")


def holder_not_buyer(policy: Policy, _: Terms, facts: Facts) -> RuleHit | None:
    if facts.claimant is None or facts.holder != facts.claimant:
        return None
    if facts.buyer_wallet in (None, facts.claimant):
        return None
    return hit(
        "holder_not_buyer",
        policy.third_party,
        "The token is held by {claimant}; it was bought by {buyer}.",
        claimant=facts.claimant,
        buyer=facts.buyer_wallet,
    )


#: The remedy that would pay one tender's money out through the other one.
_MISMATCH = {Tender.CARD: Remedy.CRYPTO_REFUND, Tender.WALLET: Remedy.FIAT_REFUND}


def tender_mismatch(_: Policy, __: Terms, facts: Facts) -> RuleHit | None:
    if facts.remedy is not _MISMATCH[facts.tender]:
        return None
    sentence = "A payment by {tender} would be paid back as {remedy}."
    return review("tender_mismatch", sentence, tender=facts.tender.value, remedy=facts.remedy.value)


def third_party_payout(_: Policy, __: Terms, facts: Facts) -> RuleHit | None:
    if facts.payee is None or facts.payee == facts.buyer_wallet:
        return None
    return review(
        "third_party_payout",
        "The payout would go to {payee}; the payer is {payer}.",
        payee=facts.payee,
        payer=facts.buyer_wallet or "unknown",
    )
