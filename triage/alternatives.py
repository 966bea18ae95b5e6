"""What a customer may ask for instead: remedies that the same policy would not refuse."""

from __future__ import annotations

from dataclasses import replace

from returns.words import Remedy, Verdict
from triage.hits import Ground, verdict_of
from triage.rules import evaluate
from triage.situation import Situation, situation_of


def alternatives_of(case: Situation) -> tuple[Remedy, ...]:
    """The policy's alternatives that would not be denied, in its order.

    None where the refusal has nothing to do with the remedy, such as a token in another's wallet.
    """
    proposed = [one for one in case.terms.alternatives if one is not case.facts.remedy]
    if not proposed or any(
        hit.verdict is Verdict.DENY and hit.ground is Ground.SAFETY for hit in evaluate(case)
    ):
        return ()
    return tuple(remedy for remedy in proposed if _is_open(case, remedy))


def _is_open(case: Situation, remedy: Remedy) -> bool:
    other = situation_of(case.policy, replace(case.facts, remedy=remedy))
    return verdict_of(evaluate(other)) is not Verdict.DENY
