"""The risk model: a sum of one step function per feature that can be read, added up and hashed.

Every number of the sum is an integer, so that it is exact in any order, and the same for one
request and for a million. It is JSON on disk, never pickle: a model file is data and cannot run
code.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, NamedTuple

from returns.errors import ModelInvalid
from triage.anomaly import LAST_CELL, Forest, read_forest
from triage.canonical import canonical_json, sha256_hex
from triage.facts import Facts
from triage.features import SIGNS

#: Of the file format. Another one is refused rather than guessed at.
VERSION = 2

#: A model of 36 features with its forest has about 200 kB.
MAX_BYTES = 1_000_000

#: Contributions are integers in millionths of a logit.
MICRO = 1_000_000

#: No feature's value, bounded by training, is further from zero.
MAX_NUMBER = 1e9

_MAX_MICRO = 1_000 * MICRO
_MAX_WEIGHT = 10**12
_MAX_CUTS = 255
_KEYS = {"version", "intercept", "features", "forest", "card", "hash"}


class Score(NamedTuple):
    """What the model says of one request.

    `logit` is exactly `base` (the model's intercept) plus all `parts`, in millionths of a logit,
    one for each of the features `names`; `probability` is the logistic of it, to 6 decimals.
    `missing` names the features that were not known, `novel` those further out than anything in
    training: a reason to abstain. `confidence`, 0 to 1, is |2 x probability - 1| x the known share
    of the model's importance (the average size of each feature's contribution in training): how far
    the calibrated probability is from a coin toss, reduced by what was not known and would have
    mattered. A low one is a reason to ask a person; it is not the chance of being right. `anomaly`,
    0 to 1, is the share of requests in training that were less unusual; None if the model has no
    forest.
    """

    probability: float
    logit: int
    base: int
    names: tuple[str, ...]
    parts: tuple[int, ...]
    confidence: float
    missing: tuple[str, ...]
    novel: tuple[str, ...]
    anomaly: float | None

    @property
    def contributions(self) -> dict[str, int]:
        """What each feature contributes, by name."""
        return dict(zip(self.names, self.parts, strict=True))

    def body(self) -> dict[str, object]:
        """What is stored."""
        content = self._asdict()
        del content["names"], content["parts"]
        return {**content, "contributions": self.contributions}


@dataclass(frozen=True, slots=True)
class Steps:
    """One feature's part of the sum.

    A value contributes `values[i]` where i is the number of `cuts` at or below it, an unknown one
    `missing`, which is never below the average of 0. `low` to `high` is the range seen in training
    and a tenth beyond, `weight` the average size of the contribution there. All but cuts and range
    are in millionths of a logit. Raises `ModelInvalid`.
    """

    name: str
    cuts: tuple[float, ...]
    values: tuple[int, ...]
    missing: int
    low: float
    high: float
    weight: int

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in SIGNS:
            raise ModelInvalid(problem="its features are not those that are computed here")
        if not all(map(_is_measure, (*self.cuts, self.low, self.high))) or self.low > self.high:
            raise self._unfit("cuts or a range that cannot be compared with")
        if len(self.cuts) > _MAX_CUTS or not all(one < two for one, two in pairwise(self.cuts)):
            raise self._unfit("cuts that do not ascend")
        micros = (*self.values, self.missing)
        if len(self.values) != len(self.cuts) + 1 or not all(map(_is_micro, micros)):
            raise self._unfit("values that cannot be added up")
        if type(self.weight) is not int or not 0 <= self.weight <= _MAX_WEIGHT:
            raise self._unfit("a weight that is none")
        self._check_promises()

    def _check_promises(self) -> None:
        sign = SIGNS[self.name]
        if not all(sign * one <= sign * two for one, two in pairwise(self.values)):
            raise self._unfit("values that go against its sign")
        if self.missing < 0:
            raise self._unfit("a reward for not being known")

    def _unfit(self, problem: str) -> ModelInvalid:
        return ModelInvalid(problem=f"its feature {self.name} has {problem}")

    def body(self) -> dict[str, object]:
        """What is stored."""
        return {
            "name": self.name,
            "cuts": [float(cut) for cut in self.cuts],
            "values": list(self.values),
            "missing": self.missing,
            "low": float(self.low),
            "high": float(self.high),
            "weight": self.weight,
        }


_Row = tuple[str, tuple[float, ...], tuple[int, ...], int, float, float, int]


@dataclass(frozen=True, slots=True)
class Model:
    """Steps of features and an intercept, and a forest for what is unusual.

    `card` says what it was trained on and how well it did. Raises `ModelInvalid` for anything that
    could not be scored with.
    """

    steps: tuple[Steps, ...]
    intercept: int
    card: Mapping[str, object]
    forest: Forest | None = None
    version: int = VERSION
    #: SHA-256 (hex) over the canonical JSON of all of the above, taken once.
    model_hash: str = field(init=False)
    #: The features that it looks at, in their order.
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _rows: tuple[_Row, ...] = field(init=False, repr=False, compare=False)
    _weight: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(part.name for part in self.steps))
        self._check_shape()
        rows = tuple(
            (s.name, s.cuts, s.values, s.missing, float(s.low), float(s.high), s.weight)
            for s in self.steps
        )
        object.__setattr__(self, "_rows", rows)
        object.__setattr__(self, "_weight", max(1, sum(part.weight for part in self.steps)))
        try:
            digest = sha256_hex(canonical_json(self._body()))
        except (TypeError, ValueError, RecursionError) as bad:
            raise ModelInvalid(problem="its card cannot be written as JSON") from bad
        object.__setattr__(self, "model_hash", digest)

    def _check_shape(self) -> None:
        if type(self.version) is not int or self.version != VERSION:
            raise ModelInvalid(problem=_other_version(self.version))
        if not self.names or len(set(self.names)) != len(self.names):
            raise ModelInvalid(problem="it has no feature, or one twice")
        if not _is_micro(self.intercept):
            raise ModelInvalid(problem="its intercept cannot be added up")
        if self.forest is not None and len(self.forest.middles) != len(self.steps):
            raise ModelInvalid(problem="its forest has not one median per feature")

    def score(self, values: Mapping[str, float | None]) -> Score:
        """Score one request's features.

        Absent, None and not finite is missing; beyond the range of training is the outermost step.
        """
        parts, missing, novel, known, logit = [], [], [], 0, self.intercept
        for name, cuts, steps, unknown, low, high, weight in self._rows:
            value = values.get(name)
            if value is None or not -math.inf < value < math.inf:
                missing.append(name)
                part = unknown
            else:
                if not low <= value <= high:
                    novel.append(name)
                part = steps[bisect_right(cuts, value)]
                known += weight
            parts.append(part)
            logit += part
        anomaly = self._anomaly(values)
        return self.scored(logit, tuple(parts), known, tuple(missing), tuple(novel), anomaly)

    def score_many(self, rows: Sequence[Mapping[str, float | None]]) -> list[Score]:
        """Score many at once; equal to `score` of each, to the bit, and several times as fast."""
        # numpy is half the start of a process: only who scores in bulk pays for it.
        from triage.bulk import score_many  # noqa: PLC0415

        return score_many(self, rows)

    def score_lines(self, lines: Sequence[Facts]) -> list[Score]:
        """Score many lines by those of their features that it looks at, without a row for each."""
        from triage.bulk import score_lines  # noqa: PLC0415

        return score_lines(self, lines)

    def scored(
        self,
        logit: int,
        parts: tuple[int, ...],
        known: int,
        missing: tuple[str, ...],
        novel: tuple[str, ...],
        anomaly: float | None,
    ) -> Score:
        """Complete a score; `known` is the sum of the weights of the features that were known."""
        probability = probability_of(logit)
        confidence = round(abs(2 * probability - 1) * known / self._weight, 4)
        base, names = self.intercept, self.names
        return Score(probability, logit, base, names, parts, confidence, missing, novel, anomaly)

    def _anomaly(self, values: Mapping[str, float | None]) -> float | None:
        if self.forest is None:
            return None
        cells = list(self.forest.middles)
        for column, (name, _, _, _, low, high, _) in enumerate(self._rows):
            value = values.get(name)
            if value is not None and -math.inf < value < math.inf and low < high:
                held = low if value < low else min(value, high)
                cells[column] = int((held - low) / (high - low) * LAST_CELL)
        return self.forest.percentile(self.forest.length(cells))

    def _body(self) -> dict[str, object]:
        return {
            "version": self.version,
            "intercept": self.intercept,
            "features": [part.body() for part in self.steps],
            "forest": None if self.forest is None else self.forest.body(),
            "card": dict(self.card),
        }

    def to_json(self) -> str:
        """Write the model with its hash; the same model gives the same bytes."""
        return canonical_json({**self._body(), "hash": self.model_hash})

    @classmethod
    def from_json(cls, text: str) -> Model:
        """Read what `to_json` wrote.

        Raises `ModelInvalid` if the hash is not that of the content. The hash finds damage and
        confusion; it is no signature: who can write the file can also compute it.
        """
        content = _read(text)
        forest = content["forest"]
        model = cls(
            steps=_read_steps(content["features"]),
            intercept=content["intercept"],
            card=content["card"],
            forest=None if forest is None else read_forest(forest),
        )
        if content["hash"] != model.model_hash:
            raise ModelInvalid(problem="its hash is not that of its content")
        return model


def probability_of(logit: int) -> float:
    """The logistic of a logit in millionths, to 6 decimals."""
    # exp of a large positive number overflows, of a large negative one it is 0: use the latter only
    tail = math.exp(-abs(logit) / MICRO)
    return round(1 / (1 + tail) if logit >= 0 else tail / (1 + tail), 6)


def _is_measure(value: object) -> bool:
    """Tell whether it is a number that a feature can have; true and NaN are not."""
    return isinstance(value, int | float) and type(value) is not bool and abs(value) <= MAX_NUMBER


def _is_micro(value: object) -> bool:
    return type(value) is int and abs(value) <= _MAX_MICRO


def _other_version(version: object) -> str:
    shown = version if type(version) is int else "unknown"
    return f"it is of version {shown}, and what is read here is version {VERSION}"


def _read(text: str) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        raise ModelInvalid(problem=f"it has more than {MAX_BYTES} bytes")
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as bad:
        raise ModelInvalid(problem="it is not JSON") from bad
    if not isinstance(content, dict):
        raise ModelInvalid(problem="it is not an object of JSON")
    version = content.get("version")
    if type(version) is not int or version != VERSION:
        raise ModelInvalid(problem=_other_version(version))
    if content.keys() != _KEYS or not isinstance(content["card"], dict):
        raise ModelInvalid(problem="it does not have exactly the keys of a model")
    return content


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


_STEP_KEYS = tuple(one.name for one in fields(Steps))


def _read_steps(content: Any) -> tuple[Steps, ...]:
    if not isinstance(content, list) or len(content) > len(SIGNS):
        raise ModelInvalid(problem="its features are not a list of at most those computed here")
    return tuple(_read_step(one) for one in content)


def _read_step(content: Any) -> Steps:
    if not isinstance(content, dict) or content.keys() != set(_STEP_KEYS):
        raise ModelInvalid(problem="a feature of it does not have exactly the keys of one")
    if not (isinstance(content["cuts"], list) and isinstance(content["values"], list)):
        raise ModelInvalid(problem="a feature of it has no lists of cuts and values")
    lists = {"cuts": tuple(content["cuts"]), "values": tuple(content["values"])}
    return Steps(**{**content, **lists})
