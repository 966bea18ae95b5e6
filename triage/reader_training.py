"""Trains the reader of messages. With its evaluation the only module that needs scikit-learn here.

A linear support vector machine per label over words, pairs of words and pieces of words; its scores
become probabilities by a temperature fitted on messages that the machine had not seen.
Source: Guo et al. (2017), "On Calibration of Modern Neural Networks".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags_array
from sklearn.svm import LinearSVC

from returns.errors import ModelInvalid
from triage.examples import (
    ALARMS,
    FOLDS,
    INSTRUCTIONS,
    NO,
    NO_REASON,
    PRESSURE,
    REASON,
    WANT,
    Example,
)
from triage.message_text import ASKS, GRAM, START, clauses, grams, negated
from triage.reader import Reader
from triage.text_model import UNIT, WHOLE, Head, Row, TextModel

Numbers = npt.NDArray[np.float64]

#: How much a pair or a piece of a word says, against a word.
_PAIR, _PIECE = 0.7, 0.4
_RARITY = 0.5
_C = 1.0
#: The usual 0.0001 takes three times as long to fit, and no figure of the card is better for it.
_TOLERANCE = 0.01
#: Features that ship: the file stays about two megabytes.
SHIPPED = 14_000
_FEWEST = 2

#: Of the answers that say something, this share is to be right (out of fold); else none is given.
#: Of alarms less: to miss one costs more than a person's look.
PRECISION = {WANT: 0.9, REASON: 0.9, PRESSURE: 0.8, INSTRUCTIONS: 0.8}
#: Answers that commit to nothing.
SILENT = frozenset({"other", "unknown", NO_REASON, NO})

_SHIFTS = range(-2_000, 1_001, 200)
_SHARPNESS = range(500, 10_001, 500)
_SOURCE_UNKNOWN = "Messages that were handed in; their origin was not stated."


@dataclass(frozen=True, slots=True)
class _Counts:
    """How often each feature stands in each text: counted once, whatever is trained on it."""

    names: list[str]
    table: csr_matrix

    @classmethod
    def of(cls, examples: Sequence[Example]) -> _Counts:
        found = [Counter(_features(example.text)) for example in examples]
        names = sorted(set().union(*found))
        places = {name: at for at, name in enumerate(names)}
        ends = np.cumsum([0, *map(len, found)])
        counts = [float(count) for one in found for count in one.values()]
        columns = [places[name] for one in found for name in one]
        shape = (len(found), len(names))
        table = csr_matrix((counts, columns, ends), shape=shape)
        table.sort_indices()
        return cls(names, table)

    def rows(self, places: Sequence[int]) -> _Counts:
        """Some of the texts, with the features that they have."""
        table = self.table[places]
        return _Counts(self.names, table).only(np.unique(table.indices))

    def only(self, columns: npt.NDArray[np.integer]) -> _Counts:
        return _Counts([self.names[at] for at in columns], self.table[:, columns])

    def values(self) -> Numbers:
        """Weigh every feature by its kind, and the more the rarer it is."""
        texts, columns = self.table.shape
        spread = np.bincount(self.table.indices, minlength=columns)
        rarity: Numbers = (1 + np.log((1 + texts) / (1 + spread))) ** _RARITY
        return np.array([_kind(name) for name in self.names]) * rarity

    def weighed(self, values: Numbers) -> csr_matrix:
        """Return texts x features, as the text model adds them up."""
        lengths = np.sqrt(self.table @ values**2)
        lengths[lengths == 0] = 1.0
        return diags_array(1 / lengths) @ self.table @ diags_array(values)


def train_reader(examples: Sequence[Example], seed: int, source: str | None = None) -> Reader:
    """Train a reader on messages with labels; `source` says in its card where they come from.

    Same examples and seed, same bytes. Raises `ModelInvalid` if a head has fewer than two labels.
    """
    counts = _Counts.of(examples)
    scores = _out_of_fold(examples, counts, seed)
    model = _model(examples, counts, seed, SHIPPED)
    heads = tuple(calibrated(head, *scores[head.name]) for head in model.heads)
    moved = {
        after.name: (_moved(before, after, scores[after.name][0]), scores[after.name][1])
        for before, after in zip(model.heads, heads, strict=True)
    }
    card: dict[str, object] = {
        "source": source or _SOURCE_UNKNOWN,
        "method": "LinearSVC of scikit-learn per label; temperature and floors out of fold",
        "seed": seed,
        "messages": len(examples),
        "folds": FOLDS,
        "precision_aimed_at": PRECISION,
        "heads": {head.name: _figures(head, *moved[head.name]) for head in heads},
    }
    return Reader(replace(model, heads=heads, card=card))


def fit_model(examples: Sequence[Example], seed: int) -> TextModel:
    """Fit one head per name in the examples' labels, uncalibrated. Raises as `train_reader`."""
    return _model(examples, _Counts.of(examples), seed)


def _model(
    examples: Sequence[Example], counts: _Counts, seed: int, limit: int | None = None
) -> TextModel:
    """Fit the heads on what was counted; keep `limit` features."""
    values = counts.values()
    heads, weights, biases = _fitted(examples, counts.weighed(values), seed)
    if limit is not None and len(values) > limit:
        kept = _strongest(counts.names, values, weights, limit)
        counts, values = counts.only(kept), values[kept]
        heads, weights, biases = _fitted(examples, counts.weighed(values), seed)
    ends = iter(biases)
    return TextModel(
        heads=tuple(
            Head(name, labels, tuple(next(ends) for _ in labels)) for name, labels in heads
        ),
        features=tuple(counts.names),
        masses=np.maximum(1, np.rint(UNIT * values**2)).astype(np.int64),
        weights=np.rint(UNIT * values[:, None] * weights).astype(np.int64),
        card={},
    )


def _out_of_fold(
    examples: Sequence[Example], counts: _Counts, seed: int
) -> dict[str, tuple[Numbers, list[str]]]:
    """Score every message by a model that has not seen it, nor a phrase of it.

    Return per head: messages x labels of scores before calibration, and the true labels. Raises
    `ModelInvalid` if a label stands in one fold only: it could not be tried.
    """
    found: dict[str, list[tuple[Numbers, list[str]]]] = {}
    labels: dict[str, set[tuple[str, ...]]] = {}
    for fold in range(FOLDS):
        seen = [at for at, example in enumerate(examples) if example.fold != fold]
        model = _model([examples[at] for at in seen], counts.rows(seen), seed)
        unseen = [example for example in examples if example.fold == fold]
        sums = [model.sums(example.text).clauses for example in unseen]
        for head in model.heads:
            tried = [at for at, example in enumerate(unseen) if head.name in example.labels]
            truth = [str(unseen[at].labels[head.name]) for at in tried]
            scores = _scores(model, head, [sums[at] for at in tried])
            found.setdefault(head.name, []).append((scores, truth))
            labels.setdefault(head.name, set()).add(head.labels)
    if any(len(kinds) > 1 for kinds in labels.values()):
        raise ModelInvalid(problem="its messages have a label too rarely to try it")
    return {
        name: (np.vstack([scores for scores, _ in parts]), [t for _, own in parts for t in own])
        for name, parts in found.items()
    }


def _scores(model: TextModel, head: Head, sums: Sequence[list[Row]]) -> Numbers:
    """Score messages as the reader does: alarms by the loudest clause, the rest by the whole."""
    if head.name in ALARMS:
        loudest = [
            max((model.scores(head, row) for row in rows or [model.added([])]), key=_lead)
            for rows in sums
        ]
        return np.array(loudest)
    return np.array([model.scores(head, model.added(rows)) for rows in sums])


def _lead(scores: list[float]) -> float:
    return scores[1] - scores[0]


def calibrated(head: Head, scores: Numbers, truth: Sequence[str]) -> Head:
    """Fit temperature and floor: the lowest floor at which enough of what is said is right.

    An alarm's balance of yes and no is fitted too: it was trained as if both were as frequent.
    """
    right = np.array([head.labels.index(label) for label in truth])
    shifts = _SHIFTS if head.name in ALARMS else (0,)
    tried = [_biased(head, steep, shift) for steep in _SHARPNESS for shift in shifts]
    losses = [_loss(_odds(head, one, scores), right) for one in tried]
    sharp = tried[int(np.argmin(losses))]
    said, sure, correct = said_of(sharp, _moved(head, sharp, scores), truth)
    return replace(sharp, floor=_floor(sure[said], correct[said], PRECISION.get(head.name, 0.0)))


def _biased(head: Head, steep: int, shift: int) -> Head:
    biases = (*head.biases[:-1], head.biases[-1] + shift)
    return replace(head, sharpness=steep, biases=biases)


def _moved(before: Head, after: Head, scores: Numbers) -> Numbers:
    """Return the scores with the biases of another head."""
    shift: Numbers = (np.array(after.biases) - np.array(before.biases)) / UNIT
    return scores + shift


def _odds(before: Head, after: Head, scores: Numbers) -> Numbers:
    return softmax(_moved(before, after, scores) * after.sharpness / UNIT)


def _loss(odds: Numbers, right: npt.NDArray[np.int64]) -> float:
    return float(-np.log(np.maximum(odds[np.arange(len(right)), right], 1e-12)).mean())


def said_of(
    head: Head, scores: Numbers, truth: Sequence[str]
) -> tuple[npt.NDArray[np.bool_], Numbers, npt.NDArray[np.bool_]]:
    """Return per message: is the best label one that says something, its odds, is it right."""
    odds = softmax(scores * head.sharpness / UNIT)
    best = np.array(head.labels)[odds.argmax(axis=1)]
    said = np.array([label not in SILENT for label in best])
    return said, odds.max(axis=1), best == np.array(truth)


def softmax(scores: Numbers) -> Numbers:
    """Return odds, row by row, that sum to one."""
    powers: Numbers = np.exp(scores - scores.max(axis=1, keepdims=True))
    odds: Numbers = powers / powers.sum(axis=1, keepdims=True)
    return odds


def _floor(sure: Numbers, correct: npt.NDArray[np.bool_], aim: float) -> int:
    """Return in 1/10,000 the lowest confidence from which on the share of right answers is `aim`.

    9,999 if there is none: then next to nothing is said.
    """
    units = np.rint(sure * WHOLE)
    order = np.argsort(-units, kind="stable")
    share = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    # a floor lets in all that share its confidence, so only the last of them counts
    last = np.diff(units[order], append=-1) != 0
    enough = np.flatnonzero((share >= aim) & last)
    return max(1, int(units[order][enough[-1]])) if len(enough) else WHOLE - 1


def _figures(head: Head, scores: Numbers, truth: Sequence[str]) -> dict[str, object]:
    said, sure, correct = said_of(head, scores, truth)
    over = said & (np.rint(sure * WHOLE) >= head.floor)
    return {
        "messages": len(truth),
        "accuracy": _rounded(correct.mean()),
        "to_say": sum(label not in SILENT for label in truth),
        "ece": _rounded(calibration_error(sure, correct)),
        "floor": head.floor / WHOLE,
        "said": int(over.sum()),
        "precision": _rounded(correct[over].mean() if over.any() else 0.0),
    }


def calibration_error(sure: Numbers, correct: npt.NDArray[np.bool_]) -> float:
    """Return the expected calibration error over ten bins of equal width."""
    bins = np.minimum((sure * 10).astype(np.int64), 9)
    gaps = [abs(float(sure[bins == b].sum() - correct[bins == b].sum())) for b in range(10)]
    return sum(gaps) / max(1, len(sure))


def _rounded(value: float) -> float:
    return round(float(value), 4)


def _features(text: str) -> Iterator[str]:
    """Yield the name of every feature of a text, as often as it occurs."""
    for words in clauses(text):
        for word in words:
            if word not in (START, ASKS):
                yield word
                yield from grams(word)
        yield from (f"{first} {second}" for first, second in pairwise(words))
        yield from (f"not {word}" for word in negated(words))


def _kind(name: str) -> float:
    if " " in name:
        return _PAIR
    return _PIECE if name[0] == GRAM else 1.0


def _fitted(
    examples: Sequence[Example], table: csr_matrix, seed: int
) -> tuple[list[tuple[str, tuple[str, ...]]], Numbers, list[int]]:
    """Fit every head; return their names and labels, features x labels, and the biases."""
    heads: list[tuple[str, tuple[str, ...]]] = []
    weights: list[Numbers] = []
    biases: list[int] = []
    for name in sorted({name for example in examples for name in example.labels}):
        rows = [at for at, example in enumerate(examples) if name in example.labels]
        truth = [str(examples[at].labels[name]) for at in rows]
        if len(set(truth)) < _FEWEST:
            raise ModelInvalid(problem=f"its messages have fewer than two labels of {name[:80]!r}")
        # one message in a hundred is an alarm: both answers weigh the same all together
        weight = "balanced" if name in ALARMS else None
        machine = LinearSVC(C=_C, tol=_TOLERANCE, class_weight=weight, random_state=seed).fit(
            table[rows], truth
        )
        coefs, bias = _both_sides(machine.coef_, machine.intercept_)
        heads.append((name, tuple(map(str, machine.classes_))))
        weights.append(coefs.T)
        biases += np.rint(UNIT * bias).astype(np.int64).tolist()
    if not heads:
        raise ModelInvalid(problem="there is no message with a label to train it on")
    return heads, np.hstack(weights), biases


def _both_sides(coefs: Numbers, bias: Numbers) -> tuple[Numbers, Numbers]:
    """Give each of two labels a side of its own; more than two have one already."""
    if len(coefs) > 1:
        return coefs, bias
    return np.vstack([-coefs, coefs]) / 2, np.hstack([-bias, bias]) / 2


def _strongest(
    names: Sequence[str], values: Numbers, weights: Numbers, limit: int
) -> npt.NDArray[np.intp]:
    """Return where all words stand that are in two messages or more, then what weighs most."""
    strength = abs(weights).max(axis=1) * values
    whole = np.array([" " not in name and name[0] != GRAM for name in names])
    order = np.lexsort((np.array(names), -strength, ~whole))
    return np.sort(order[:limit])
