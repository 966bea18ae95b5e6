"""A linear text model in whole numbers: one vocabulary, several heads, sums exact in any order.

It is JSON on disk, never pickle, like `triage.model`. Weights are integers of 1/1000, so that the
same text gives the same sums to the bit, one by one or in bulk, on any machine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise, repeat
from struct import Struct
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from returns.errors import ModelInvalid
from triage.canonical import canonical_json, sha256_hex
from triage.message_text import ASKS, GRAM, START, clauses, grams, negated

Integers = npt.NDArray[np.int64]
Row = tuple[int, ...]

#: Of the file format. Another one is refused rather than guessed at.
VERSION = 1

#: The reader that ships has about a third of it.
MAX_BYTES = 6 * 1024 * 1024

#: Integer units per unit of weight, of squared length, and of sharpness.
UNIT = 1_000
#: A probability of one, in the unit of floors and answers.
WHOLE = 10_000

#: Four features per character of the longest text stay within 31 bits.
_MAX_NUMBER = 100_000
#: exp(-k / 1000) in units of 1e-9, down to nothing: whole numbers, so that no platform's exp and no
#: order of adding makes a difference.
_POWERS = [round(1e9 * math.exp(-k / UNIT)) for k in range(22_000)]
_POWERLESS = len(_POWERS)
_HALF = 2**31
_KEYS = {"version", "heads", "features", "masses", "weights", "card", "hash"}
_HEAD_KEYS = {"name", "labels", "biases", "sharpness", "floor"}


@dataclass(frozen=True, slots=True)
class Head:
    """A set of labels that exclude each other.

    `biases` are added to the labels' scores, in 1/1000. `sharpness`, in 1/1000, is one over the
    temperature that calibrates them. `floor`, in 1/10,000, is the probability below which no answer
    is better than this one.
    """

    name: str
    labels: tuple[str, ...]
    biases: tuple[int, ...]
    sharpness: int = UNIT
    floor: int = 1


@dataclass(frozen=True, slots=True)
class Sums:
    """What a text adds up to: label sums, then the squared length, for each of its clauses.

    `known` is the share of its words, 0 to 1, that are in the vocabulary.
    """

    clauses: list[Row]
    known: float


@dataclass(frozen=True, eq=False)
class TextModel:
    """Weights of features (words, pairs of words, pieces of words) for the labels of all heads.

    `weights` is features x labels, in the order of the heads; `masses` is what a feature adds to
    the squared length of a text. Raises `ModelInvalid` for anything that could not be read with.
    """

    heads: tuple[Head, ...]
    features: tuple[str, ...]
    masses: Integers
    weights: Integers
    card: Mapping[str, object]
    version: int = VERSION

    def __post_init__(self) -> None:
        self._check()

    @cached_property
    def model_hash(self) -> str:
        """SHA-256 (hex) over the canonical JSON of all of the above, taken once."""
        return sha256_hex(canonical_json(self._body()))

    @cached_property
    def _rows(self) -> _Rows:
        return _Rows(self.features, self.masses, self.weights)

    @cached_property
    def _zeros(self) -> Row:
        return (0,) * (int(self.weights.shape[1]) + 1)

    @cached_property
    def _firsts(self) -> dict[str, int]:
        """Return the column of each head's first label."""
        ends = accumulate((len(head.labels) for head in self.heads), initial=0)
        return {head.name: first for head, first in zip(self.heads, ends, strict=False)}

    def _check(self) -> None:
        if self.version != VERSION:
            raise ModelInvalid(problem=f"its version is not {VERSION}")
        columns = sum(len(head.labels) for head in self.heads)
        count = len(self.features)
        if len(set(self.features)) != count or self.masses.shape != (count,):
            raise ModelInvalid(problem="it does not have one mass per feature")
        if not count or not columns or self.weights.shape != (count, columns):
            raise ModelInvalid(problem="it does not have one weight per feature and label")
        largest = max(self.masses.max(), self.weights.max(), -int(self.weights.min()))
        if self.masses.min() <= 0 or largest > _MAX_NUMBER:
            raise ModelInvalid(problem="it has numbers that cannot be added up")
        if len({head.name for head in self.heads}) != len(self.heads):
            raise ModelInvalid(problem="it has two heads of one name")
        for head in self.heads:
            _check_head(head)

    def _body(self) -> dict[str, object]:
        heads = [
            {**{name: getattr(head, name) for name in _HEAD_KEYS}, "labels": list(head.labels)}
            for head in self.heads
        ]
        return {
            "version": self.version,
            "heads": heads,
            "features": list(self.features),
            "masses": self.masses.tolist(),
            "weights": self.weights.tolist(),
            "card": dict(self.card),
        }

    def to_json(self) -> str:
        """Write the model with its hash; the same model gives the same bytes."""
        return canonical_json({**self._body(), "hash": self.model_hash})

    @classmethod
    def from_json(cls, text: str) -> TextModel:
        """Read what `to_json` wrote. Raises `ModelInvalid` if the hash is not that of it."""
        content = _read(text)
        claimed = content.pop("hash")
        model = cls(**_typed(content))
        if claimed != model.model_hash:
            raise ModelInvalid(problem="its hash is not that of its content")
        return model

    def sums(self, text: str) -> Sums:
        """Add a text up. Takes any string; a text without words has no clauses."""
        return self._rows.sums(text)

    def added(self, rows: Sequence[Row]) -> Row:
        """Add the sums of some clauses; of none, it is a row of zeros."""
        if len(rows) == 1:
            return rows[0]
        totals: Row = tuple(map(sum, zip(*rows, strict=True)))
        return totals or self._zeros

    def scores(self, head: Head, row: Row) -> list[float]:
        """Return the score of each label of a head for some sums, before calibration.

        The sums are divided by the length of what was added up, so that a long text is not more
        certain than a short one only because it is long.
        """
        first = self._firsts[head.name]
        length = _length(row)
        labels = row[first : first + len(head.labels)]
        return [n / length + bias / UNIT for n, bias in zip(labels, head.biases, strict=True)]

    def best(self, head: Head, row: Row) -> tuple[str, float]:
        """Return the most likely label of a head and its calibrated probability."""
        scores, steep = self.scores(head, row), head.sharpness
        top = max(scores)
        gaps = [int((top - score) * steep) for score in scores]
        total = sum([_POWERS[gap] for gap in gaps if gap < _POWERLESS])
        return head.labels[scores.index(top)], _POWERS[0] / total

    def yes(self, head: Head, rows: Sequence[Row]) -> list[float]:
        """Return the probability of the second of a head's two labels, for every row."""
        no = self._firsts[head.name]
        bias = head.biases[1] - head.biases[0]
        leads = [bias + (row[no + 1] - row[no]) * UNIT / _length(row) for row in rows]
        return [_odd(lead * head.sharpness / UNIT) for lead in leads]


def _length(row: Row) -> float:
    return math.sqrt(row[-1] * UNIT) or 1.0


def _odd(lead: float) -> float:
    """Return the logistic of a lead in 1/1000."""
    gap = int(abs(lead))
    tail = _POWERS[gap] / _POWERS[0] if gap < _POWERLESS else 0.0
    return 1 / (1 + tail) if lead >= 0 else tail / (1 + tail)


class _Rows:
    """The weights as rows to be added up; a known word's row has its pieces in it.

    A row is one long whole number with 32 bits per column: Python adds all columns at once, and
    exactly. No sum leaves its 32 bits: a text has at most four features per character.
    """

    def __init__(self, features: tuple[str, ...], masses: Integers, weights: Integers) -> None:
        table = np.column_stack([weights, masses])
        self._shape = Struct(f"<{table.shape[1]}i")
        #: The highest bit of every column: added, it keeps a column from borrowing of the next.
        self._lift = int.from_bytes(self._shape.pack(*[-_HALF] * table.shape[1]), "little")
        self._grams: dict[str, int] = {}
        self._pairs: dict[tuple[str, str], int] = {}
        self._words: dict[str, int] = {}
        for name, row in zip(features, self._packed(table), strict=True):
            self._place(name, row)
        for word in self._words:
            self._words[word] += self._pieces(word)
        self._words |= {START: 0, ASKS: 0}

    def _packed(self, table: Integers) -> Iterator[int]:
        data, size = (table + _HALF).astype("<u4").tobytes(), self._shape.size
        for at in range(0, len(data), size):
            yield int.from_bytes(data[at : at + size], "little") - self._lift

    def _place(self, name: str, row: int) -> None:
        first, space, second = name.partition(" ")
        if space:
            self._pairs[first, second] = row
        elif name[0] == GRAM:
            self._grams[name] = row
        else:
            self._words[name] = row

    def _pieces(self, word: str) -> int:
        return sum(map(self._grams.get, grams(word), repeat(0)))

    def sums(self, text: str) -> Sums:
        rows: list[Row] = []
        read = strange = 0
        for words in clauses(text):
            total, missing = self._words_of(words)
            total = sum(map(self._pairs.get, pairwise(words), repeat(0)), total)
            for word in negated(words):
                total += self._pairs.get(("not", word), 0)
            rows.append(self._cut(total))
            read += len(words) - 1 - words.count(ASKS)
            strange += missing
        return Sums(rows, 1 - strange / read if read else 0.0)

    def _words_of(self, words: list[str]) -> tuple[int, int]:
        """Return the sum over the words, and how many of them are not in the vocabulary."""
        own = [*map(self._words.get, words)]
        if None not in own:
            return sum(own), 0  # type: ignore[arg-type]
        missing = [word for word, row in zip(words, own, strict=True) if row is None]
        return sum(filter(None, own)) + sum(map(self._pieces, missing)), len(missing)

    def _cut(self, total: int) -> Row:
        lift, shape = self._lift, self._shape
        # lifted, a column is positive; without its highest bit it is signed again, as C has it
        return shape.unpack(((total + lift) ^ lift).to_bytes(shape.size, "little"))


def _check_head(head: Head) -> None:
    if len(set(head.labels)) != len(head.labels) or len(head.labels) != len(head.biases):
        raise ModelInvalid(problem="a head does not have one bias per label")
    if any(abs(bias) > _MAX_NUMBER for bias in head.biases):
        raise ModelInvalid(problem="it has numbers that cannot be added up")
    if not (0 < head.sharpness <= 100 * UNIT and 0 < head.floor <= WHOLE):
        raise ModelInvalid(problem="a head's sharpness or floor cannot be used")


def _read(text: str) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        raise ModelInvalid(problem=f"it has more than {MAX_BYTES} bytes")
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as bad:
        raise ModelInvalid(problem="it is not JSON") from bad
    if not isinstance(content, dict) or content.keys() != _KEYS:
        raise ModelInvalid(problem="it does not have exactly the keys of a reader")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _typed(content: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(content["card"], dict) or type(content["version"]) is not int:
        raise ModelInvalid(problem="its card or version cannot be read")
    features = content["features"]
    if not isinstance(features, list) or not all(isinstance(f, str) and f for f in features):
        raise ModelInvalid(problem="its features are not words")
    if not isinstance(content["heads"], list):
        raise ModelInvalid(problem="its heads cannot be read")
    return {
        **content,
        "heads": tuple(_head(one) for one in content["heads"]),
        "features": tuple(features),
        "masses": _integers(content["masses"], 1),
        "weights": _integers(content["weights"], 2),
    }


def _head(content: object) -> Head:
    if not isinstance(content, dict) or content.keys() != _HEAD_KEYS:
        raise ModelInvalid(problem="its heads cannot be read")
    numbers, labels = content["biases"], content["labels"]
    fit = isinstance(numbers, list) and all(type(number) is int for number in numbers)
    fit = fit and all(type(content[name]) is int for name in ("sharpness", "floor"))
    if not (fit and isinstance(labels, list) and all(isinstance(one, str) for one in labels)):
        raise ModelInvalid(problem="its heads cannot be read")
    if not isinstance(content["name"], str):
        raise ModelInvalid(problem="its heads cannot be read")
    return Head(**{**content, "labels": tuple(labels), "biases": tuple(numbers)})


def _integers(content: object, dimensions: int) -> Integers:
    """Read lists of whole numbers; true, 1.0 and ragged rows are not."""
    try:
        numbers = np.array(content)
    except (ValueError, OverflowError) as bad:
        raise ModelInvalid(problem="its numbers do not form a table") from bad
    if numbers.dtype != np.int64 or numbers.ndim != dimensions:
        raise ModelInvalid(problem="its numbers are not a table of whole numbers")
    return numbers
