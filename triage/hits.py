"""One rule that applied, and how strict a set of them is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from returns.words import Verdict

_SEVERITY = {Verdict.APPROVE: 0, Verdict.REVIEW: 1, Verdict.DENY: 2}


@dataclass(frozen=True, slots=True)
class RuleHit:
    """One rule that applied: its verdict, a sentence for staff, and the values it compared."""

    code: str
    verdict: Verdict
    sentence: str
    values: dict[str, str]


def strictest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the strictest verdict (deny over review over approve); of none, approve."""
    return max(verdicts, key=_SEVERITY.__getitem__, default=Verdict.APPROVE)


def is_looser(verdict: Verdict, than: Verdict) -> bool:
    """Tell whether `verdict` gives the customer more than `than` does."""
    return _SEVERITY[verdict] < _SEVERITY[than]


def deny(code: str, sentence: str, **values: object) -> RuleHit:
    """Build a hit that denies; see `hit`."""
    return hit(code, Verdict.DENY, sentence, **values)


def review(code: str, sentence: str, **values: object) -> RuleHit:
    """Build a hit that asks for a person; see `hit`."""
    return hit(code, Verdict.REVIEW, sentence, **values)


def hit(code: str, verdict: Verdict, sentence: str, **values: object) -> RuleHit:
    """Build a hit: `sentence` names the values in braces, and all of them are kept as text."""
    texts = {name: str(value) for name, value in values.items()}
    return RuleHit(code, verdict, sentence.format_map(texts), texts)
