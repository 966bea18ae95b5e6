"""Reads a customer's free text: what is wanted and why, or that it cannot tell.

What a text says is a claim. It may bring a case to a person's desk; it never speaks for a refund.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from returns.errors import ModelInvalid
from returns.words import Bucket, Reason, Want
from triage.examples import INSTRUCTIONS, NO, NO_REASON, PRESSURE, REASON, WANT, YES
from triage.reasons import bucket_of
from triage.text_model import WHOLE, Head, Row, TextModel

#: A text of which fewer words are known is not in a language that was learned.
KNOWN_SHARE = 0.5

_LABELS = {
    WANT: {want.value for want in Want},
    REASON: {NO_REASON, *(reason.value for reason in Reason)},
    PRESSURE: {NO, YES},
    INSTRUCTIONS: {NO, YES},
}
_WANTS: dict[str, Want] = {want.value: want for want in Want}
_REASONS: dict[str, Reason | None] = {
    NO_REASON: None,
    **{reason.value: reason for reason in Reason},
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in a message.

    Confidences are calibrated probabilities, 0 to 1, with four decimals: of the best guess, also
    where it stayed under its floor and was not said. `pressure` is a threat, `instructions` are
    words to a machine; what such a clause says counts for nothing else.
    """

    want: Want
    want_confidence: float
    reason: Reason | None
    reason_confidence: float
    bucket: Bucket
    pressure: bool
    pressure_confidence: float
    instructions: bool
    instructions_confidence: float
    language_known: bool


@dataclass(frozen=True)
class Reader:
    """A text model with the four heads of a message. Raises `ModelInvalid` for another one."""

    model: TextModel

    def __post_init__(self) -> None:
        heads = {head.name: head for head in self.model.heads}
        if heads.keys() != _LABELS.keys():
            raise ModelInvalid(problem="its heads are not those of a reader")
        if any(not set(head.labels) <= _LABELS[name] for name, head in heads.items()):
            raise ModelInvalid(problem="it has labels that are not ours")
        if any(heads[name].labels != (NO, YES) for name in (PRESSURE, INSTRUCTIONS)):
            raise ModelInvalid(problem="it cannot tell yes from no")

    @cached_property
    def reader_hash(self) -> str:
        """SHA-256 (hex) of the model: a reading is known by it."""
        return self.model.model_hash

    @cached_property
    def _heads(self) -> tuple[Head, Head, Head, Head]:
        heads = {head.name: head for head in self.model.heads}
        return heads[WANT], heads[REASON], heads[PRESSURE], heads[INSTRUCTIONS]

    def to_json(self) -> str:
        """Write the reader with its hash; the same reader gives the same bytes."""
        return self.model.to_json()

    @classmethod
    def from_json(cls, text: str) -> Reader:
        """Read what `to_json` wrote. Raises `ModelInvalid` for anything else."""
        return cls(TextModel.from_json(text))

    def read(self, text: str) -> Reading:
        """Read one message. Takes any string, the first 4,000 characters of it; never raises."""
        model, (want, reason, pressure, instructions) = self.model, self._heads
        sums = model.sums(text)
        pressed = self._alarm(pressure, sums.clauses)
        told = self._alarm(instructions, sums.clauses)
        # what a clause says to a machine counts for nothing else
        left = [
            row for row, odd in zip(sums.clauses, told, strict=True) if odd < instructions.floor
        ]
        total = model.added(left)
        known = sums.known >= KNOWN_SHARE and total[-1] > 0
        share = 1.0 if known else sums.known * (total[-1] > 0)
        wanted, want_odd = self._best(want, total, share)
        why, reason_odd = self._best(reason, total, share)
        because = _REASONS[why] if known and reason_odd >= reason.floor else None
        loudest, told_most = max(pressed, default=0), max(told, default=0)
        return Reading(
            _WANTS[wanted] if known and want_odd >= want.floor else Want.UNKNOWN,
            want_odd / WHOLE,
            because,
            reason_odd / WHOLE,
            bucket_of(because),
            loudest >= pressure.floor,
            loudest / WHOLE,
            told_most >= instructions.floor,
            told_most / WHOLE,
            known,
        )

    def read_many(self, texts: Iterable[str]) -> list[Reading]:
        """Read messages as `read` does: the same answers, in the same order."""
        return [*map(self.read, texts)]

    def _best(self, head: Head, total: Row, share: float) -> tuple[str, int]:
        """Return the best label and its probability in 1/10,000."""
        label, odd = self.model.best(head, total)
        return label, round(odd * share * WHOLE)

    def _alarm(self, head: Head, rows: Sequence[Row]) -> list[int]:
        """Return the probability of yes in every clause, in 1/10,000.

        One clause is enough: a threat is not smaller because a long story stands before it.
        """
        return [round(odd * WHOLE) for odd in self.model.yes(head, rows)]
