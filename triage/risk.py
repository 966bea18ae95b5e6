"""What advice makes of a line that the gate has not denied: only requests for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from returns.money import Money
from returns.words import Verdict
from triage.counsel import Advice
from triage.hits import Ground, RuleHit, hit, review
from triage.model import Score
from triage.reader import Reading
from triage.reasons import bucket_of
from triage.rule_score import RuleScore
from triage.situation import Situation

_MILLION = 10**6
_BPS = 10_000

#: What takes the effect of a hit away: a model that is only tried, and the merchant's allow list.
SHADOW, ALLOWED = "shadow", "allow_list"


def risk_hits(case: Situation, advice: Advice) -> list[RuleHit]:
    """Hits of score, points and message. None of them can deny or approve.

    What a model on trial says stays on record without counting; so do score and points for whom the
    merchant's allow list names. A threat or an instruction in a message counts for everybody.
    """
    scored = [] if advice.score is None else _of_score(case, advice.score)
    if scored and case.policy.risk.model == SHADOW:
        scored = [replace(one, set_aside=SHADOW) for one in scored]
    scored += _of_points(case, advice.points)
    if scored and any(name.startswith("allow/") for name in case.facts.on_lists or ()):
        scored = [replace(one, set_aside=one.set_aside or ALLOWED) for one in scored]
    return scored if advice.reading is None else [*scored, *_of_reading(case, advice.reading)]


def _of_score(case: Situation, score: Score) -> list[RuleHit]:
    band, hits = case.policy.risk, list[RuleHit]()
    if score.probability >= band.review_from:
        hits.append(_high("risk_high", "risk", score.probability, band.review_from))
    if band.costs:
        hits += _loss_expected(case, score)
    if score.confidence < band.confidence_below:
        hits.append(_low("confidence_low", "confidence", score.confidence, band.confidence_below))
    if score.anomaly is not None and score.anomaly >= band.anomaly_from:
        hits.append(_high("anomaly_high", "anomaly", score.anomaly, band.anomaly_from))
    if score.novel:
        sentence = "The model has never seen the like of: {names}."
        hits.append(review("never_seen", sentence, Ground.RISK, names=", ".join(score.novel)))
    return hits


def _high(code: str, name: str, value: float, limit: float) -> RuleHit:
    return _compared(code, name, value, "is at or above", limit)


def _low(code: str, name: str, value: float, limit: float) -> RuleHit:
    return _compared(code, name, value, "is below", limit)


def _compared(code: str, name: str, value: float, how: str, limit: float) -> RuleHit:
    sentence = "The model's {name} {value} {how} {limit}."
    values = {"name": name, "value": f"{value:.4f}", "how": how, "limit": f"{limit:.4f}"}
    return review(code, sentence, Ground.RISK, **values)


def _loss_expected(case: Situation, score: Score) -> Iterator[RuleHit]:
    """A look by a person is worth its price where no less than that would be lost on average."""
    costs = case.policy.risk.costs.get(case.facts.currency)
    if costs is None:
        return
    millionths = round(score.probability * _MILLION)
    expected = case.payout * costs.loss_bps * millionths // (_BPS * _MILLION)
    if expected >= costs.review:
        yield review(
            "loss_expected",
            "The loss to expect, {expected}, is not below {review}, the cost of a person's look.",
            Ground.RISK,
            expected=Money(expected, case.facts.currency),
            review=Money(costs.review, case.facts.currency),
        )


def _of_points(case: Situation, score: RuleScore) -> Sequence[RuleHit]:
    """From 100 on nobody is looked at for points alone: that is how a policy switches them off."""
    points, limit = score.points, case.policy.risk.score_from
    if points < limit or limit >= 100:
        return ()
    sentence = "The rule score {points} is at or above {limit}: {parts}."
    parts = ", ".join(score.parts)
    return (review("score_high", sentence, Ground.RISK, points=points, limit=limit, parts=parts),)


def _of_reading(case: Situation, reading: Reading) -> Iterator[RuleHit]:
    """A threat is noted and looked at; neither it nor an instruction is ever rewarded."""
    if reading.pressure:
        sentence = "The message threatens; it is answered by a person."
        yield review("pressure", sentence, Ground.RISK)
    if reading.instructions:
        sentence = "The message speaks to a machine; a person reads it."
        yield review("machine_instructions", sentence, Ground.RISK)
    choice = case.policy.choice("reason_disputed")
    said = reading.reason
    if choice != "off" and said is not None and bucket_of(said) is not bucket_of(case.facts.reason):
        sentence = "The reason {given} was chosen; the message says {said}."
        values = {"given": case.facts.reason.value, "said": said.value}
        yield hit("reason_disputed", Verdict(choice), sentence, Ground.RISK, **values)
