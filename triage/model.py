"""The risk model: a logistic regression whose every part can be read, added up and hashed.

It is JSON on disk, never pickle: a model file is data and cannot run code.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from returns.errors import ModelInvalid
from triage.canonical import canonical_json, sha256_hex
from triage.features import FEATURES

#: Of the file format. Another one is refused rather than guessed at.
VERSION = 1

#: A model of nine features has about 2 kB.
MAX_BYTES = 64 * 1024

#: Further from the mean than this many standard deviations is as far as the model has ever seen: an
#: absurd value may not drown all other features, and a sum stays exact.
MAX_DEVIATION = 8.0

_MAX_NUMBER = 1e9
#: e**100 to one is certainty; beyond it the sum of contributions would lose digits.
_MAX_COEF = 100.0
_NUMBERS = ("means", "scales", "coefs")
_KEYS = {"version", "names", *_NUMBERS, "intercept", "card", "hash"}
_KNOWN = frozenset(feature.name for feature in FEATURES)


@dataclass(frozen=True, slots=True)
class Score:
    """What the model says of one request.

    `logit` is the model's intercept plus all `contributions` (to 1e-12), `probability` the
    logistic of it. `missing` names the features that were not known; each contributes exactly 0.
    `confidence`, 0 to 1, is |2 x probability - 1| x the share of features known: how far the
    calibrated probability is from a coin toss, reduced by what was not known. A low one is a
    reason to ask a person; it is not the chance of being right.
    """

    probability: float
    logit: float
    contributions: dict[str, float]
    confidence: float
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """Coefficients over standardised features: contribution = coef x (value - mean) / scale.

    `names`, `means`, `scales`, `coefs` run in parallel. `card` says what it was trained on and
    how well it did. Raises `ModelInvalid` for anything that could not be scored with.
    """

    names: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefs: tuple[float, ...]
    intercept: float
    card: Mapping[str, object]
    version: int = VERSION
    #: SHA-256 (hex) over the canonical JSON of all of the above, taken once.
    model_hash: str = field(init=False)

    def __post_init__(self) -> None:
        self._check_shape()
        weights, measures = (*self.coefs, self.intercept), (*self.means, *self.scales)
        fit = all(_is_number(number, _MAX_COEF) for number in weights)
        if not (fit and all(_is_number(number, _MAX_NUMBER) for number in measures)):
            raise ModelInvalid(problem="it has numbers that cannot be scored with")
        if min(self.scales) <= 0:
            raise ModelInvalid(problem="it has a scale that is not positive")
        object.__setattr__(self, "model_hash", sha256_hex(canonical_json(self._body())))

    def _check_shape(self) -> None:
        if self.version != VERSION:
            raise ModelInvalid(problem=f"its version is not {VERSION}")
        names = set(self.names)
        if not names or len(names) != len(self.names) or not names <= _KNOWN:
            raise ModelInvalid(problem="its features are not those that are computed here")
        if {len(self.means), len(self.scales), len(self.coefs)} != {len(names)}:
            raise ModelInvalid(problem="it does not have one number per feature")

    def _body(self) -> dict[str, object]:
        lists = {name: [float(number) for number in getattr(self, name)] for name in _NUMBERS}
        names, intercept = list(self.names), float(self.intercept)
        return {
            **lists,
            "version": self.version,
            "names": names,
            "intercept": intercept,
            "card": dict(self.card),
        }

    def to_json(self) -> str:
        """Write the model with its hash; the same model gives the same bytes."""
        return canonical_json({**self._body(), "hash": self.model_hash})

    @classmethod
    def from_json(cls, text: str) -> Model:
        """Read what `to_json` wrote.

        Raises `ModelInvalid` if the hash is not that of the content. The hash finds damage and
        edits; who may replace a model is decided where it is stored.
        """
        content = _read(text)
        claimed = content.pop("hash")
        model = cls(**_typed(content))
        if claimed != model.model_hash:
            raise ModelInvalid(problem="its hash is not that of its content")
        return model

    def score(self, features: Mapping[str, float | None]) -> Score:
        """Score one request. Absent, None and not finite are all missing: mean in, nothing out."""
        contributions: dict[str, float] = {}
        missing: list[str] = []
        columns = zip(self.names, self.means, self.scales, self.coefs, strict=True)
        for name, mean, scale, coef in columns:
            value = features.get(name)
            if value is None or not math.isfinite(value):
                missing.append(name)
                contributions[name] = 0.0
                continue
            deviation = (value - mean) / scale
            contributions[name] = coef * max(-MAX_DEVIATION, min(MAX_DEVIATION, deviation))
        return self._scored(contributions, tuple(missing))

    def _scored(self, contributions: dict[str, float], missing: tuple[str, ...]) -> Score:
        logit = math.fsum((self.intercept, *contributions.values()))
        probability = _logistic(logit)
        known = 1 - len(missing) / len(self.names)
        return Score(probability, logit, contributions, abs(2 * probability - 1) * known, missing)


def _logistic(logit: float) -> float:
    # exp of a large positive number overflows, of a large negative one it is 0: use the latter only
    tail = math.exp(-abs(logit))
    return 1 / (1 + tail) if logit >= 0 else tail / (1 + tail)


def _is_number(value: object, largest: float) -> bool:
    """Tell whether it is a number of at most `largest` either way; true and NaN are not."""
    return isinstance(value, int | float) and type(value) is not bool and abs(value) <= largest


def _read(text: str) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        raise ModelInvalid(problem=f"it has more than {MAX_BYTES} bytes")
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as bad:
        raise ModelInvalid(problem="it is not JSON") from bad
    if not isinstance(content, dict) or content.keys() != _KEYS:
        raise ModelInvalid(problem="it does not have exactly the keys of a model")
    return content


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def _typed(content: dict[str, Any]) -> dict[str, Any]:
    lists = {name: content[name] for name in ("names", *_NUMBERS)}
    if not all(isinstance(value, list) for value in lists.values()):
        raise ModelInvalid(problem="it does not have one number per feature")
    if not all(isinstance(name, str) for name in content["names"]):
        raise ModelInvalid(problem="its features are not those that are computed here")
    if not isinstance(content["card"], dict) or type(content["version"]) is not int:
        raise ModelInvalid(problem="its card or version cannot be read")
    return {**content, **{name: tuple(value) for name, value in lists.items()}}
