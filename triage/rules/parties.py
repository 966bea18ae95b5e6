"""Rules about who takes part: lists that name somebody, and identities that must be proven."""

from __future__ import annotations

from returns.money import Money
from returns.words import Verdict
from triage.hits import Ground, RuleHit, hit, review
from triage.situation import Situation

_NEEDED = {"sanctions", "phishing"}


def sanctions_match(case: Situation) -> RuleHit | None:
    sentence = "A sanctions list names: {roles}."
    return _named(case, "sanctions", "sanctions_match", sentence)


def phishing_match(case: Situation) -> RuleHit | None:
    sentence = "A list of phishing and exploits names: {roles}."
    return _named(case, "phishing", "phishing_match", sentence)


def blocked(case: Situation) -> RuleHit | None:
    return _named(case, "block", "blocked", "The merchant's block list names: {roles}.")


def lists_missing(case: Situation) -> RuleHit | None:
    if not case.policy.lists_required or set(case.facts.lists_searched or ()) >= _NEEDED:
        return None
    sentence = "Lists of sanctions and phishing have not both been imported and looked into."
    return review("lists_missing", sentence, Ground.SAFETY)


def identity_unproven(case: Situation) -> RuleHit | None:
    above = case.policy.identity_above.get(case.facts.currency)
    if above is None or case.payout <= above or case.facts.identity_verified is True:
        return None
    return review(
        "identity_unproven",
        "{payout} is above {above}, from where the identity has to be proven.",
        payout=case.payout_shown,
        above=Money(above, case.facts.currency),
    )


def _named(case: Situation, kind: str, code: str, sentence: str) -> RuleHit | None:
    if not case.facts.on_lists:
        return None
    choice = case.policy.choice(code)
    if choice == "off":
        return None
    names = (name.partition("/") for name in case.facts.on_lists)
    roles = [role for listed, _, role in names if listed == kind]
    if not roles:
        return None
    return hit(code, Verdict(choice), sentence, Ground.SAFETY, roles=", ".join(roles))
