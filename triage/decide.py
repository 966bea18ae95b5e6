"""Gate, risk, gate again: the policy decides, the model may only ask for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from returns.words import Disposition, Remedy, Verdict
from triage.alternatives import alternatives_of
from triage.canonical import record_json
from triage.counsel import Advice, Counsel
from triage.explanation import explain
from triage.facts import Facts
from triage.hits import Ground, RuleHit, review, verdict_of
from triage.model import Model
from triage.outcome import Outcome, refusal_of
from triage.reader import Reader, Reading
from triage.risk import risk_hits
from triage.rules import evaluate
from triage.schema import Policy
from triage.situation import Situation, situation_of

#: Of the rules in this folder: a decision is replayed by the engine that made it.
ENGINE = 1


class Decision(NamedTuple):
    """What was decided about one line, and all that it was decided on.

    `amount` and `bonus` (store credit on top) are in minor units of `currency`. On approval remedy,
    disposition and amounts are granted; on review a person is asked to approve them; on denial they
    are nothing, keep and 0. `deductions` are what the customer bears of what was asked for.
    """

    verdict: Verdict
    remedy: Remedy
    disposition: Disposition
    amount: int
    bonus: int
    currency: str
    deductions: dict[str, int]
    alternatives: tuple[Remedy, ...]
    hits: tuple[RuleHit, ...]
    advice: Advice
    right: str | None
    policy_name: str
    policy_hash: str
    model_hash: str | None
    reader_hash: str | None
    facts: Facts

    @property
    def basis(self) -> str:
        """What took part: `rules_only` where there was no model to ask."""
        return "rules_only" if self.model_hash is None else "rules_and_model"

    @property
    def reasons(self) -> tuple[str, ...]:
        """The codes of the rules that count, the first of them first."""
        return tuple(hit.code for hit in self.hits if hit.set_aside is None)

    @property
    def explanation(self) -> str:
        """The reply to the customer."""
        return explain(
            self.verdict, self.facts, self.amount, self.bonus, self.hits, self.alternatives
        )

    def to_json(self) -> str:
        """Write canonical JSON; the same facts, policy and model give the same bytes."""
        return record_json(
            {
                **{name: getattr(self, name) for name in _PLAIN},
                "engine": ENGINE,
                "amount": str(self.amount),
                "bonus": str(self.bonus),
                "deductions": {name: str(minor) for name, minor in self.deductions.items()},
                "hits": [_fields(hit) for hit in self.hits],
                "score": None if self.advice.score is None else self.advice.score.body(),
                "points": self.advice.points._asdict(),
                "reading": None if self.advice.reading is None else _fields(self.advice.reading),
                "facts_hash": self.facts.facts_hash,
            }
        )


#: Written as they are.
_PLAIN = (
    "verdict",
    "remedy",
    "disposition",
    "currency",
    "alternatives",
    "right",
    "policy_name",
    "policy_hash",
    "model_hash",
    "reader_hash",
    "basis",
    "reasons",
    "explanation",
)


def _fields(part: RuleHit | Reading) -> dict[str, object]:
    """The fields of a part by name; `dataclasses.asdict` would copy all that is in them."""
    return {name: getattr(part, name) for name in part.__slots__}


def decide(
    facts: Facts, policy: Policy, model: Model | None, reader: Reader | None = None
) -> Decision:
    """Decide one line. Without a model the rules decide alone, and the decision says so."""
    counsel = counsel_of(policy, model, reader)
    return decide_advised(facts, policy, counsel, counsel.about(facts))


def decide_many(
    lines: Sequence[Facts], policy: Policy, model: Model | None, reader: Reader | None = None
) -> list[Decision]:
    """Decide many lines: the same decisions, to the bit, and many times as fast."""
    counsel = counsel_of(policy, model, reader)
    return [
        decide_advised(facts, policy, counsel, advice)
        for facts, advice in zip(lines, counsel.about_many(lines), strict=True)
    ]


def counsel_of(policy: Policy, model: Model | None, reader: Reader | None) -> Counsel:
    """Who is asked under a policy: one that has switched the model off does without."""
    return Counsel(None if policy.risk.model == "off" else model, reader)


def decide_advised(facts: Facts, policy: Policy, counsel: Counsel, advice: Advice) -> Decision:
    """Gate, risk, gate again, with the advice at hand."""
    case = situation_of(policy, facts)
    hits = evaluate(case)
    verdict = verdict_of(hits)
    if verdict is not Verdict.DENY:
        hits += risk_hits(case, advice)
        verdict = verdict_of(hits)
    outcome = _outcome(case, verdict)
    refusal = refusal_of(case, outcome)
    if refusal is not None:
        hits.append(_outside(refusal))
        outcome = _outcome(case, verdict_of(hits))
    return _decision(case, outcome, hits, counsel, advice)


def _outside(refusal: str) -> RuleHit:
    sentence = "The outcome did not pass the second gate: {refusal}."
    return review("outside_policy", sentence, Ground.SAFETY, refusal=refusal)


def _outcome(case: Situation, verdict: Verdict) -> Outcome:
    if verdict is Verdict.DENY:
        return Outcome(verdict, Remedy.NOTHING, Disposition.KEEP, 0, 0)
    remedy = case.facts.remedy
    # By a right a remedy can be owed that the terms do not offer: its token goes to the vault.
    disposition = case.terms.dispositions.get(remedy, Disposition.VAULT)
    return Outcome(verdict, remedy, disposition, case.offer.amount, case.offer.bonus)


def _decision(
    case: Situation,
    outcome: Outcome,
    hits: list[RuleHit],
    counsel: Counsel,
    advice: Advice,
) -> Decision:
    denied = outcome.verdict is Verdict.DENY
    return Decision(
        verdict=outcome.verdict,
        remedy=outcome.remedy,
        disposition=outcome.disposition,
        amount=outcome.amount,
        bonus=outcome.bonus,
        currency=case.facts.currency,
        deductions={} if denied else case.offer.deductions,
        alternatives=alternatives_of(case) if denied else (),
        hits=tuple(hits),
        advice=advice,
        right=None if case.right is None else case.right.name,
        policy_name=case.policy.name,
        policy_hash=case.policy.policy_hash,
        model_hash=counsel.model_hash,
        reader_hash=counsel.reader_hash,
        facts=case.facts,
    )
