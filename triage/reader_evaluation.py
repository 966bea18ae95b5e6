"""How well messages are read, on labelled sets, against a baseline on the same folds.

The baseline is TF-IDF with logistic regression, as scikit-learn makes them. Intervals are of 95 %:
Wilson's for a share, a bootstrap of the paired differences for what we gain.
Source of the question "is it about something else?": Arora et al. (2020), "HINT3".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from threadpoolctl import threadpool_limits

from returns.words import Want
from triage.examples import OUTSIDE, WANT, Example, MessageSet, example_of
from triage.reader import Reader
from triage.reader_training import fit_model

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]
#: Labels and how sure one is of each, of texts that were not trained on.
Answers = tuple[npt.NDArray[np.str_], Numbers]
Method = Callable[[Sequence[str], Sequence[str], Sequence[str], int], Answers]

_FOLDS = 5
_DRAWS = 1_000
#: Share of right answers that a threshold keeps: what is asked of both methods.
_KEPT = 0.9
#: A set of more messages is not tried with labels left out: it takes minutes.
_LARGE = 2_000
_HEAD = "label"


def evaluate_reader(sets: Sequence[MessageSet], reader: Reader, seed: int) -> dict[str, object]:
    """Try the architecture on the sets' own labels, and the reader on what they mean to us.

    Per set: accuracy over folds, with labels left out, and on the test part where there is one;
    each for ours and for the baseline. `reader` is tried on test parts only; its own figures out
    of fold stand in its card, which is repeated here.
    """
    # threads that wait for each other take the baseline ten times as long
    with threadpool_limits(1):
        found = {one.name: _of_set(one, reader, seed) for one in sets}
    return {"reader": dict(reader.model.card), "sets": found}


def _of_set(one: MessageSet, reader: Reader, seed: int) -> dict[str, object]:
    found: dict[str, object] = {"messages": len(one.train), "folds": _over_folds(one, seed)}
    if len(one.train) <= _LARGE:
        found["labels_left_out"] = _labels_left_out(one, seed)
    if one.test:
        found["test"] = _on_test(one, seed)
        found["reader_on_test"] = _read(one, reader)
    return found


def ours(train: Sequence[str], labels: Sequence[str], texts: Sequence[str], seed: int) -> Answers:
    """Answer by the reader's architecture, with the set's labels as its only head."""
    examples = [Example(text, {_HEAD: label}, 0) for text, label in zip(train, labels, strict=True)]
    model = fit_model(examples, seed)
    head = model.heads[0]
    totals = (model.added(model.sums(text).clauses) for text in texts)
    scores = np.array([model.scores(head, total) for total in totals])
    return np.array(head.labels)[scores.argmax(axis=1)], scores.max(axis=1)


def baseline(
    train: Sequence[str], labels: Sequence[str], texts: Sequence[str], seed: int
) -> Answers:
    """Answer by TF-IDF with logistic regression."""
    odds = _regression(seed).fit(train, labels)
    table = odds.predict_proba(texts)
    return odds.classes_[table.argmax(axis=1)], table.max(axis=1)


METHODS: dict[str, Method] = {"ours": ours, "baseline": baseline}


def _regression(seed: int) -> Pipeline:
    return make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000, random_state=seed))


def _over_folds(one: MessageSet, seed: int) -> dict[str, object]:
    texts, labels = _columns(one.train)
    right = {name: np.zeros(len(labels), dtype=bool) for name in METHODS}
    for train, tried in _folds(labels, seed):
        for name, method in METHODS.items():
            answers, _ = method(*_taken(texts, labels, train), [texts[i] for i in tried], seed)
            right[name][tried] = answers == labels[tried]
    return _compared(right["ours"], right["baseline"], seed)


def _labels_left_out(one: MessageSet, seed: int) -> dict[str, object]:
    """Leave every fifth label out of training, in five turns; its messages are about no label."""
    texts, labels = _columns(one.train)
    names = np.random.default_rng(seed).permutation(sorted(set(labels.tolist())))
    found: dict[str, list[tuple[Flags, Numbers, Numbers]]] = {name: [] for name in METHODS}
    for turn, (train, tried) in enumerate(_folds(labels, seed)):
        out = np.isin(labels, names[turn::_FOLDS])
        inside, outside = tried[~out[tried]], np.flatnonzero(out)
        asked = [texts[i] for i in (*inside, *outside)]
        for name, method in METHODS.items():
            answers, sure = method(*_taken(texts, labels, train[~out[train]]), asked, seed)
            right = answers[: len(inside)] == labels[inside]
            found[name].append((right, sure[: len(inside)], sure[len(inside) :]))
    joined = {name: [np.concatenate(parts) for parts in zip(*turns, strict=True)]
              for name, turns in found.items()}  # fmt: skip
    return {name: _scoped(parts[0], parts[1], parts[2]) for name, parts in joined.items()}


def _on_test(one: MessageSet, seed: int) -> dict[str, object]:
    """Train on the train part; thresholds come from its folds, never from the test part."""
    texts, labels = _columns(one.train)
    asked, truth = _columns(one.test)
    outside = truth == OUTSIDE
    found: dict[str, object] = {}
    right: dict[str, Flags] = {}
    for name, method in METHODS.items():
        floor = _threshold(*_out_of_fold(method, texts, labels, seed))
        answers, sure = method(texts, labels.tolist(), asked, seed)
        right[name] = (answers == truth)[~outside]
        found[name] = _scoped(right[name], sure[~outside], sure[outside], floor)
    return {**found, "inside": _compared(right["ours"], right["baseline"], seed)}


def _out_of_fold(
    method: Method, texts: list[str], labels: npt.NDArray[np.str_], seed: int
) -> tuple[Flags, Numbers]:
    right, sure = np.zeros(len(labels), dtype=bool), np.zeros(len(labels))
    for train, tried in _folds(labels, seed):
        answers, odds = method(*_taken(texts, labels, train), [texts[i] for i in tried], seed)
        right[tried], sure[tried] = answers == labels[tried], odds
    return right, sure


def _read(one: MessageSet, reader: Reader) -> dict[str, object]:
    """Read the test part: what is about something else must be read as other or unknown."""
    texts, truth = _columns(one.test)
    readings = reader.read_many(texts)
    silent = np.array([reading.want in (Want.OTHER, Want.UNKNOWN) for reading in readings])
    meant = [example_of(one.name, *row).labels.get(WANT) for row in one.test]
    elsewhere = np.array([want == Want.OTHER for want in meant])
    about = np.array([want not in (None, Want.OTHER) for want in meant])
    same = np.array([reading.want == want for reading, want in zip(readings, meant, strict=True)])
    return {
        "outside_recall": _share(silent[truth == OUTSIDE]),
        "elsewhere_recall": _share(silent[elsewhere]),
        "want_said": _share(~silent[about]),
        "want_precision": _share(same[about & ~silent]),
    }


def _folds(
    labels: npt.NDArray[np.str_], seed: int
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    return list(folds.split(np.zeros(len(labels)), labels))


def _columns(rows: Sequence[tuple[str, str]]) -> tuple[list[str], npt.NDArray[np.str_]]:
    return [text for text, _ in rows], np.array([label for _, label in rows])


def _taken(
    texts: Sequence[str], labels: npt.NDArray[np.str_], places: npt.NDArray[np.int64]
) -> tuple[list[str], list[str]]:
    return [texts[i] for i in places], labels[places].tolist()


def _threshold(right: Flags, sure: Numbers) -> float:
    """Return the highest threshold that keeps enough of the right answers."""
    return float(np.quantile(sure[right], 1 - _KEPT)) if right.any() else 0.0


def _scoped(
    right: Flags, inside: Numbers, outside: Numbers, floor: float | None = None
) -> dict[str, object]:
    if floor is None:
        floor = _threshold(right, inside)
    return {
        "accuracy_inside": _share(right),
        "accuracy_inside_over_threshold": _share(right & (inside >= floor)),
        "outside_recall": _share(outside < floor),
    }


def _compared(ours_right: Flags, baseline_right: Flags, seed: int) -> dict[str, object]:
    gain = ours_right.astype(np.float64) - baseline_right
    draws = np.random.default_rng(seed).integers(0, len(gain), (_DRAWS, len(gain)))
    low, high = np.quantile(gain[draws].mean(axis=1), (0.025, 0.975))
    return {
        "ours": _share(ours_right),
        "baseline": _share(baseline_right),
        "gain": {"of": len(gain), **_interval(float(gain.mean()), float(low), float(high))},
    }


def _share(flags: Flags) -> dict[str, object]:
    """Return a share with Wilson's interval."""
    count, z = len(flags), 1.96
    if not count:
        return {"of": 0}
    share = float(flags.mean())
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    half = z * spread / (1 + z * z / count)
    return {"of": count, **_interval(share, middle - half, middle + half)}


def _interval(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}
