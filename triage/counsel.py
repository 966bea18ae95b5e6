"""What model, rule score and message say about a line: advice, which can only ask for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from triage.facts import Facts
from triage.features import features
from triage.model import Model, Score
from triage.reader import Reader, Reading
from triage.rule_score import RuleScore, rule_score


class Advice(NamedTuple):
    """What was said about one line. None: there was nobody to ask, or nothing to read."""

    score: Score | None
    points: RuleScore
    reading: Reading | None


@dataclass(frozen=True, slots=True)
class Counsel:
    """Who is asked. Without a model the rule score stands alone; without a reader nobody reads."""

    model: Model | None = None
    reader: Reader | None = None

    @property
    def model_hash(self) -> str | None:
        """Names the model that was asked."""
        return None if self.model is None else self.model.model_hash

    @property
    def reader_hash(self) -> str | None:
        """Names the reader that was asked."""
        return None if self.reader is None else self.reader.reader_hash

    def about(self, facts: Facts) -> Advice:
        """Ask about one line."""
        score = None if self.model is None else self.model.score(features(facts))
        return Advice(score, rule_score(facts), self._reading(facts))

    def about_many(self, lines: Sequence[Facts]) -> list[Advice]:
        """Ask about many at once: the same answers, to the bit, several times as fast."""
        scores: Sequence[Score | None] = [None] * len(lines)
        if self.model is not None:
            scores = self.model.score_lines(lines)
        # Texts repeat themselves: a button offers them, and people send one again.
        readings: dict[str, Reading | None] = dict.fromkeys(facts.message for facts in lines)
        if self.reader is not None:
            readings = dict(zip(readings, self.reader.read_many(readings), strict=True))
        return [
            Advice(score, points, readings[facts.message] if facts.message else None)
            for facts, score, points in zip(lines, scores, map(rule_score, lines), strict=True)
        ]

    def _reading(self, facts: Facts) -> Reading | None:
        if self.reader is None or not facts.message:
            return None
        return self.reader.read(facts.message)
