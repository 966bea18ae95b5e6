"""Rules about the token: in which condition it comes back, and whether it can move at all."""

from __future__ import annotations

from collections.abc import Callable

from triage.facts import Facts
from triage.hits import Ground, RuleHit, deny, review
from triage.situation import Situation
from triage.terms import Condition


def _not(flag: bool | None) -> bool | None:
    return None if flag is None else not flag


def _is_zero(count: int | None) -> bool | None:
    return None if count is None else count == 0


#: Whether a condition is kept; None: not known.
_KEPT: dict[Condition, Callable[[Facts], bool | None]] = {
    Condition.UNREVEALED: lambda facts: _not(facts.revealed),
    Condition.PERKS_UNCLAIMED: lambda facts: _is_zero(facts.perks_claimed),
    Condition.UNLISTED: lambda facts: _not(facts.listed),
    Condition.UNLOCKED: lambda facts: _not(facts.locked),
    Condition.NOT_RENTED: lambda facts: _not(facts.rented),
    Condition.NOT_MOVED: lambda facts: _is_zero(facts.moves_since_purchase),
}


def condition_broken(case: Situation) -> RuleHit | None:
    broken = case.terms.condition and _those(case, False)
    if not broken:
        return None
    return deny("condition_broken", "The token must still be: {broken}.", broken=broken)


def condition_unknown(case: Situation) -> RuleHit | None:
    unknown = case.terms.condition and _those(case, None)
    if not unknown:
        return None
    sentence = "Whether the token is still this is not known: {unknown}."
    return review("condition_unknown", sentence, unknown=unknown)


def not_transferable(case: Situation) -> RuleHit | None:
    if case.facts.transferable is not False:
        return None
    sentence = "The token is bound to its holder (ERC-5192) and cannot come back."
    return deny("not_transferable", sentence, Ground.SAFETY)


def token_paused(case: Situation) -> RuleHit | None:
    if case.facts.paused is not True:
        return None
    sentence = "The token's contract refuses all transfers for now."
    return review("token_paused", sentence, Ground.SAFETY)


def _those(case: Situation, kept: bool | None) -> str:
    found = [word for word in case.terms.condition if _KEPT[word](case.facts) is kept]
    return ", ".join(sorted(found))
