"""Gate, risk, gate again: the policy decides, the model may only ask for a person."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from returns.errors import UndropError
from returns.words import ALLOWED_PAIRS, Disposition, Remedy, Verdict
from triage.canonical import canonical_json
from triage.explanation import explain
from triage.facts import Facts
from triage.features import features
from triage.hits import RuleHit, is_looser, review, strictest
from triage.model import Model, Score
from triage.rules import evaluate
from triage.schema import Policy


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one line, and all that it was decided on.

    `amount` is in minor units of `currency`. On approval remedy, disposition and amount are
    granted; on review a person is asked to approve them; on denial they are nothing, keep and 0.
    """

    verdict: Verdict
    remedy: Remedy
    disposition: Disposition
    amount: int
    currency: str
    hits: tuple[RuleHit, ...]
    score: Score | None
    policy_name: str
    policy_hash: str
    model_hash: str | None
    facts_hash: str
    explanation: str
    reasons: tuple[str, ...]

    @property
    def basis(self) -> str:
        """What took part: `rules_only` where there was no model to ask."""
        return "rules_only" if self.model_hash is None else "rules_and_model"

    def to_json(self) -> str:
        """Write canonical JSON; the same facts, policy and model give the same bytes."""
        content = {**asdict(self), "amount": str(self.amount), "basis": self.basis}
        return canonical_json(content)


def decide(facts: Facts, policy: Policy, model: Model | None) -> Decision:
    """Decide one line. Without a model the rules decide alone, and the decision says so.

    Raises `UndropError` if the outcome breaks the policy, which would be a fault in this folder.
    """
    gate = evaluate(policy, facts)
    score = None if model is None else model.score(features(facts))
    denied = strictest(hit.verdict for hit in gate) is Verdict.DENY
    risk = [] if score is None or denied else _risk(policy, score)
    decision = _decision(facts, policy, (*gate, *risk), score, model)
    _gate_again(decision, facts, policy)
    return decision


def _risk(policy: Policy, score: Score) -> list[RuleHit]:
    """Turn a score into hits. Only reviews are made here: a model neither denies nor approves."""
    hits: list[RuleHit] = []
    band = policy.risk
    if score.probability >= band.review_from:
        sentence = "The model's risk {value} is at or above {limit}."
        values = _values(score.probability, band.review_from)
        hits.append(review("risk_high", sentence, **values))
    if score.confidence < band.confidence_below:
        sentence = "The model's confidence {value} is below {limit}."
        values = _values(score.confidence, band.confidence_below)
        hits.append(review("confidence_low", sentence, **values))
    return hits


def _values(value: float, limit: float) -> dict[str, str]:
    return {"value": f"{value:.4f}", "limit": f"{limit:.4f}"}


def _decision(
    facts: Facts,
    policy: Policy,
    hits: tuple[RuleHit, ...],
    score: Score | None,
    model: Model | None,
) -> Decision:
    verdict = strictest(hit.verdict for hit in hits)
    remedy, disposition, amount = _grant(verdict, facts, policy)
    return Decision(
        verdict=verdict,
        remedy=remedy,
        disposition=disposition,
        amount=amount,
        currency=facts.currency,
        hits=hits,
        score=score,
        policy_name=policy.name,
        policy_hash=policy.policy_hash,
        model_hash=None if model is None else model.model_hash,
        facts_hash=facts.facts_hash,
        explanation=explain(verdict, facts, hits),
        reasons=tuple(hit.code for hit in hits),
    )


def _grant(verdict: Verdict, facts: Facts, policy: Policy) -> tuple[Remedy, Disposition, int]:
    if verdict is Verdict.DENY:
        return Remedy.NOTHING, Disposition.KEEP, 0
    terms = policy.for_collection(facts.collection)
    return facts.remedy, terms.dispositions[facts.remedy], facts.requested


def _gate_again(decision: Decision, facts: Facts, policy: Policy) -> None:
    """Hold the outcome against the policy once more, whatever happened in between.

    A model can make a decision stricter, never looser; money out never exceeds money in.
    """
    gate = strictest(hit.verdict for hit in evaluate(policy, facts))
    if is_looser(decision.verdict, gate) or decision.amount > facts.remainder:
        raise UndropError(problem="a decision would be looser than its policy")
    if decision.verdict is Verdict.DENY and gate is not Verdict.DENY:
        raise UndropError(problem="only a rule may deny")
    if (decision.remedy, decision.disposition) not in ALLOWED_PAIRS:
        raise UndropError(problem="a decision would pair what may not be paired")
