"""Limits over rolling windows: of a customer, of a wallet, of all who share something."""

from __future__ import annotations

from returns.words import Verdict
from triage.facts import Facts
from triage.hits import RuleHit, hit, review
from triage.schema import Limit
from triage.situation import Situation

_SENTENCE = "The {of} has {count} {what} in {days} days; the policy allows {most}."


def reached(case: Situation) -> list[RuleHit]:
    """A hit for every limit that this return would pass, or that cannot be told."""
    found = [_held(limit, case.facts) for limit in case.policy.limits if limit.what == "returns"]
    return [hit for hit in found if hit is not None]


def goodwill_reached(case: Situation) -> list[RuleHit]:
    """The same for goodwill: only a return that is denied would need any, and a person gives it."""
    if case.facts.goodwill_365d is None:
        return []
    found = (_held(limit, case.facts) for limit in case.policy.limits if limit.what == "goodwill")
    return [hit for hit in found if hit is not None]


def _held(limit: Limit, facts: Facts) -> RuleHit | None:
    count: int | None = getattr(facts, limit.fact)
    if count is not None and count < limit.most:
        return None
    what = limit.of if limit.what == "returns" else "goodwill"
    if count is None:
        sentence = "The {what} limit over {days} days cannot be told."
        return review("limit_unknown", sentence, what=what, days=limit.days)
    return hit(
        f"{what}_limit",
        Verdict(limit.then),
        _SENTENCE,
        of=limit.of,
        count=count,
        what=limit.what,
        days=limit.days,
        most=limit.most,
    )
