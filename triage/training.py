"""Trains the risk model on a table handed to it. Needs scikit-learn, as nothing that decides does.

The same table and seed give the same bytes: nothing stops early, and no clock is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import IsolationForest

from returns.errors import ModelInvalid
from triage import metrics
from triage.anomaly import LAST_CELL, Forest
from triage.anomaly import MICRO as STEP
from triage.boosting import (
    BINS,
    FOLDS,
    bins_of,
    calibrated,
    calibration,
    cuts_of,
    fitted,
    out_of_fold,
    steps_of,
)
from triage.bulk import AT_ONCE, Trees, cells_of
from triage.features import FEATURE_NAMES
from triage.generator import SOURCE, compose
from triage.model import MICRO, Model, Steps
from triage.table import Table

Numbers = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Row = dict[str, float | None]

#: Rows of the generator that the shipped model is trained on.
GENERATED_ROWS = 20_000

_FEWEST_PER_LABEL = 20
_CARD_RESAMPLES = 200
_TREES, _TREE_ROWS = 64, 128
_QUANTILES = 1_000
_MAX_FOREST_ROWS = 50_000
_SOURCE_UNKNOWN = "A table that was handed in; its origin was not stated."
_METHOD = (
    "Boosted trees of one feature each (scikit-learn), monotone by each feature's sign, calibrated "
    "out of fold (Platt) and read off as step functions; an isolation forest for what is unusual"
)


def train(
    rows: Iterable[Row], labels: Sequence[int], seed: int, source: str | None = None
) -> Model:
    """Fit a model on rows of `triage.features.features` and labels (1 abusive, 0 not).

    None and values that are not finite are missing. `source` says in the card where the table comes
    from. Raises `ModelInvalid` for a table that is too small, with other labels or columns.
    """
    held = list(rows)
    if len(held) != len(labels):
        raise ModelInvalid(problem=f"its table has {len(held)} rows and {len(labels)} labels")
    table = Table()
    for row, label in zip(held, labels, strict=True):
        table.add(row, label)
    return train_table(table, seed, source)


def train_on_generated(seed: int, count: int = GENERATED_ROWS) -> Model:
    """Train on the generator that ships with the product; the card says that it is one."""
    return train_table(generated_table(seed, count), seed, SOURCE)


def generated_table(seed: int, count: int = GENERATED_ROWS) -> Table:
    """What the generator composes, as a table."""
    table = Table()
    for facts, label in zip(*compose(count, seed), strict=True):
        table.add_facts(facts, label)
    return table


def train_table(table: Table, seed: int, source: str | None = None) -> Model:
    """Fit a model on a table. Raises `ModelInvalid` if it cannot be learned from."""
    values, truth = table.values(), table.truth()
    learned = learn(values, truth, seed)
    steps = learned.steps
    names = {one.name for one in steps}
    card = {
        "source": source or _SOURCE_UNKNOWN,
        "method": _METHOD,
        "seed": seed,
        "rows": len(table),
        "abusive_share": round(float(truth.mean()), 6),
        "bins": BINS,
        "dropped": [name for name in FEATURE_NAMES if name not in names],
        "importance": {one.name: round(one.weight / MICRO, 4) for one in steps},
        **_measured(calibrated(learned.logits, truth, learned.fold), truth, seed),
    }
    chosen = [FEATURE_NAMES.index(one.name) for one in steps]
    forest = _forest(steps, values[:, chosen], seed)
    return Model(steps, learned.intercept, card, forest)


@dataclass(frozen=True, slots=True)
class Learned:
    """Calibrated steps and intercept; `logits` of every row by a fit that had not seen its `fold`,
    not calibrated."""

    steps: tuple[Steps, ...]
    intercept: int
    logits: Numbers
    fold: Whole


def learn(values: Numbers, truth: Whole, seed: int) -> Learned:
    """Fit and calibrate the steps of a model. Raises `ModelInvalid` as `train_table`."""
    _check_labels(truth)
    cuts = [cuts_of(values[:, column]) for column in range(values.shape[1])]
    bins, sizes = bins_of(values, cuts), [len(own) + 1 for own in cuts]
    logits, fold = out_of_fold(bins, truth, sizes, seed)
    fit = fitted(bins, truth, sizes, seed).scaled(*calibration(logits, truth))
    steps = tuple(steps_of(fit, cuts, values, bins))
    if not steps:
        raise ModelInvalid(problem="its table supports none of the features")
    return Learned(steps, round(fit.intercept * MICRO), logits, fold)


def _check_labels(truth: Whole) -> None:
    if min(int(truth.sum()), len(truth) - int(truth.sum())) < _FEWEST_PER_LABEL:
        raise ModelInvalid(problem=f"its table has fewer than {_FEWEST_PER_LABEL} of a label")


def _measured(logits: Numbers, truth: Whole, seed: int) -> dict[str, object]:
    """How right and how honest the model is on rows that it has not seen."""
    kinds = {
        "auc": metrics.auc,
        "average_precision": metrics.average_precision,
        "brier": metrics.brier,
        "ece": metrics.ece,
    }
    risk = np.round(1 / (1 + np.exp(-logits)), 6)
    (found,) = metrics.measured(truth, [(risk, list(kinds.values()))], seed, _CARD_RESAMPLES)
    intervals = [metrics.interval(*one) for one in found]
    return {"folds": FOLDS, **dict(zip(kinds, intervals, strict=True))}


def _forest(steps: Sequence[Steps], values: Numbers, seed: int) -> Forest:
    """Fit an isolation forest on cells; more rows than it samples from would change little."""
    values = values[:: 1 + len(values) // _MAX_FOREST_ROWS]
    typical = np.nanmedian(values, axis=0)[None, :]
    middles = cells_of(steps, [0] * len(steps), typical)[0].tolist()
    cells = cells_of(steps, middles, values)
    grown = IsolationForest(n_estimators=_TREES, max_samples=_TREE_ROWS, random_state=seed)
    roots, columns, limits, rights = _nodes(grown.fit(cells))
    trees = Trees(Forest(tuple(middles), roots, columns, limits, rights, (0,)))
    starts = range(0, len(cells), AT_ONCE)
    lengths = np.concatenate([trees.lengths(cells[at : at + AT_ONCE]) for at in starts])
    ranks = np.linspace(0, len(lengths) - 1, _QUANTILES + 1).round().astype(np.int64)
    quantiles = np.sort(lengths)[ranks].tolist()
    return Forest(tuple(middles), roots, columns, limits, rights, tuple(quantiles))


def _nodes(grown: IsolationForest) -> tuple[tuple[int, ...], ...]:
    """Roots, columns, limits and rights of all trees in one list; see `Forest`."""
    roots: list[int] = []
    columns: list[int] = []
    limits: list[int] = []
    rights: list[int] = []
    for one in grown.estimators_:
        tree, first = one.tree_, len(columns)
        roots.append(first)
        depths = [0] * tree.node_count
        for node in range(tree.node_count):
            right = int(tree.children_right[node])
            leaf = right < 0
            if not leaf:
                # scikit-learn builds depth first, as `Forest` stores: the left child comes next
                depths[node + 1] = depths[right] = depths[node] + 1
            length = depths[node] * STEP + _expected_length(int(tree.n_node_samples[node]))
            columns.append(-1 if leaf else int(tree.feature[node]))
            limits.append(length if leaf else min(LAST_CELL, floor(tree.threshold[node])))
            rights.append(0 if leaf else first + right)
    return tuple(roots), tuple(columns), tuple(limits), tuple(rights)


def _expected_length(rows: int) -> int:
    """What it takes on average to tell `rows` apart, in millionths; equation 1 of the paper."""
    if rows <= 2:
        return (rows - 1) * STEP if rows else 0
    harmonic = float(np.log(rows - 1)) + float(np.euler_gamma)
    return round((2 * harmonic - 2 * (rows - 1) / rows) * STEP)
