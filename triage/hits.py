"""One rule that applied, and what a set of them comes to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from returns.words import Verdict

_SEVERITY = {Verdict.APPROVE: 0, Verdict.REVIEW: 1, Verdict.DENY: 2}


class Ground(StrEnum):
    """What a rule rests on. A statutory right sets aside the merchant's terms, and only those."""

    #: Money, ownership and the law: no policy and no right loosens it.
    SAFETY = "safety"
    #: What the merchant's policy says.
    TERMS = "terms"
    #: What model, rule score, anomaly and message say; it can only ask for a person.
    RISK = "risk"


@dataclass(frozen=True, slots=True)
class RuleHit:
    """One rule that applied: its verdict, a sentence for staff, and the values it compared.

    `set_aside` names the right that took its effect away; it stays on record.
    """

    code: str
    verdict: Verdict
    sentence: str
    values: dict[str, str]
    ground: Ground = Ground.TERMS
    set_aside: str | None = None


def verdict_of(hits: Iterable[RuleHit]) -> Verdict:
    """Return the strictest verdict (deny over review over approve); of none, approve."""
    verdict = Verdict.APPROVE
    for hit in hits:
        if hit.set_aside is None and _SEVERITY[hit.verdict] > _SEVERITY[verdict]:
            verdict = hit.verdict
    return verdict


def deny(code: str, sentence: str, /, ground: Ground = Ground.TERMS, **values: object) -> RuleHit:
    """Build a hit that denies; see `hit`."""
    return hit(code, Verdict.DENY, sentence, ground, **values)


def review(code: str, sentence: str, /, ground: Ground = Ground.TERMS, **values: object) -> RuleHit:
    """Build a hit that asks for a person; see `hit`."""
    return hit(code, Verdict.REVIEW, sentence, ground, **values)


def hit(
    code: str, verdict: Verdict, sentence: str, /, ground: Ground = Ground.TERMS, **values: object
) -> RuleHit:
    """Build a hit: `sentence` names the values in braces, and all of them are kept as text."""
    texts = {name: str(value) for name, value in values.items()}
    return RuleHit(code, verdict, sentence.format_map(texts), texts, ground)
