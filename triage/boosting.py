"""Fits the steps of a model: boosted trees that look at one feature each, read off as a table.

Trees are additive and monotone, so that the fit is exactly one step function per feature. Source:
Lou, Caruana and Gehrke (2012), "Intelligible Models for Classification and Regression".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from returns.errors import ModelInvalid
from triage.features import FEATURES
from triage.model import MICRO, Steps

Numbers = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

FOLDS = 5
BINS = 32
#: So much further out than anything in training, as a share of its range, is nothing new yet: a
#: sample does not hold the youngest customer there will be.
_SLACK = 0.1


@dataclass(frozen=True, slots=True)
class Curve:
    """One feature's part of a fit, in logits: a value per bin, one for missing; mean 0."""

    values: Numbers
    missing: float

    def at(self, bins: Numbers) -> Numbers:
        """What rows of these bins get (NaN is missing)."""
        unknown = np.isnan(bins)
        found = self.values[np.where(unknown, 0, bins).astype(np.int64)]
        found[unknown] = self.missing
        return found


@dataclass(frozen=True, slots=True)
class Fit:
    """Curves of all columns in their order, and the intercept, in logits."""

    curves: tuple[Curve, ...]
    intercept: float

    def logits(self, bins: Numbers) -> Numbers:
        """The sum for every row."""
        total = np.full(len(bins), self.intercept)
        for column, curve in enumerate(self.curves):
            total += curve.at(bins[:, column])
        return total

    def scaled(self, slope: float, offset: float) -> Fit:
        """The fit whose every logit is slope x logit + offset."""
        curves = tuple(Curve(c.values * slope, c.missing * slope) for c in self.curves)
        return replace(self, curves=curves, intercept=self.intercept * slope + offset)


def cuts_of(column: Numbers) -> list[float]:
    """At most 31 cuts halfway between values that occur, into bins of about as many rows.

    A value that fills a bin alone gets one alone, so that the rest is not crowded into few.
    """
    values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    if len(values) < 2:
        return []
    weights = (
        np.minimum(counts, counts.sum() / BINS) if len(values) > BINS else np.ones(len(values))
    )
    reached = np.cumsum(weights) / weights.sum()
    wanted = np.arange(1, BINS) / BINS if len(values) > BINS else reached[:-1]
    at = np.unique(np.searchsorted(reached, wanted - 1e-12))
    at = at[at < len(values) - 1]
    halfway = (values[at] + values[at + 1]) / 2
    rounded = [float(f"{cut:.9g}") for cut in halfway]
    return sorted(set(rounded))


def bins_of(values: Numbers, cuts: Sequence[Sequence[float]]) -> Numbers:
    """The number of cuts at or below each value; NaN stays NaN."""
    bins = np.full(values.shape, np.nan)
    for column, own in enumerate(cuts):
        known = ~np.isnan(values[:, column])
        bins[known, column] = np.searchsorted(own, values[known, column], side="right")
    return bins


def fitted(bins: Numbers, truth: Labels, sizes: Sequence[int], seed: int) -> Fit:
    """Fit curves on binned columns; `sizes` is the number of bins of each.

    On one thread: floats are summed in one order then, and small tables are done sooner.
    """
    trees = HistGradientBoostingClassifier(
        learning_rate=0.3,
        max_iter=100,
        max_leaf_nodes=4,
        # each step chooses from a few features drawn by lot: the strong ones leave room for others
        max_features=0.1,
        min_samples_leaf=20,
        l2_regularization=1.0,
        monotonic_cst=[feature.sign for feature in FEATURES],
        interaction_cst="no_interactions",
        early_stopping=False,
        random_state=seed,
    )
    # it takes no column that nobody filled; one that says the same of everybody splits none
    blank = np.isnan(bins).all(axis=0)
    with threadpool_limits(1):
        trees.fit(np.where(blank, 0.0, bins), truth)
        return _read_off(trees, bins, sizes)


def _read_off(trees: HistGradientBoostingClassifier, bins: Numbers, sizes: Sequence[int]) -> Fit:
    """Ask for the logit of each bin of each column while all others stay in their first bin."""
    places = [(column, place) for column, n in enumerate(sizes) for place in (*range(n), np.nan)]
    probes = np.zeros((len(places) + 1, len(sizes)))
    for line, (column, place) in enumerate(places, start=1):
        probes[line, column] = place
    base, *found = trees.decision_function(probes)
    curves, intercept, start = [], float(base), 0
    for column, n in enumerate(sizes):
        raw = np.array(found[start : start + n + 1]) - base
        curve, middle = _centred(raw[:-1], float(raw[-1]), bins[:, column])
        curves.append(curve)
        intercept += middle
        start += n + 1
    return Fit(tuple(curves), intercept)


def _centred(values: Numbers, missing: float, bins: Numbers) -> tuple[Curve, float]:
    """Move a curve so that its training mean is 0; return the mean that was taken off.

    Not knowing is held at 0 where trees would reward it: who keeps silent must not do better than
    the average. Where nothing was missing the trees do not know, and it is 0 as well.
    """
    unknown = np.isnan(bins)
    if unknown.all():
        return Curve(np.zeros_like(values), 0.0), 0.0
    middle = float(values[bins[~unknown].astype(np.int64)].mean())
    hidden = float(unknown.mean())
    if hidden and missing > middle:
        middle += hidden * (missing - middle)
        return Curve(values - middle, missing - middle), middle
    return Curve(values - middle, 0.0), middle


def out_of_fold(
    bins: Numbers, truth: Labels, sizes: Sequence[int], seed: int
) -> tuple[Numbers, Labels]:
    """The logit of every row by a fit that has not seen it, and each row's fold."""
    logits, fold = np.zeros(len(truth)), np.zeros(len(truth), dtype=np.int64)
    splits = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(bins, truth)
    for number, (seen, unseen) in enumerate(splits):
        logits[unseen] = fitted(bins[seen], truth[seen], sizes, seed).logits(bins[unseen])
        fold[unseen] = number
    return logits, fold


def calibration(logits: Numbers, truth: Labels) -> tuple[float, float]:
    """Slope and offset that make logits honest. Raises `ModelInvalid` if they say nothing.

    Source: Platt (1999), "Probabilistic Outputs for Support Vector Machines".
    """
    with threadpool_limits(1):
        line = LogisticRegression(C=1e6).fit(logits[:, None], truth)
    slope, offset = float(line.coef_[0, 0]), float(line.intercept_[0])
    if slope <= 0.05:
        raise ModelInvalid(problem="its table supports none of the features")
    return slope, offset


def calibrated(logits: Numbers, truth: Labels, fold: Labels) -> Numbers:
    """Each fold's logits made honest by what the other folds say: for measuring only."""
    found = np.zeros_like(logits)
    for number in range(FOLDS):
        own = fold == number
        slope, offset = calibration(logits[~own], truth[~own])
        found[own] = logits[own] * slope + offset
    return found


def steps_of(
    fit: Fit, cuts: Sequence[Sequence[float]], values: Numbers, bins: Numbers
) -> list[Steps]:
    """The curves in whole millionths, without those that say the same of everybody."""
    found = []
    for column, curve in enumerate(fit.curves):
        micros = [round(float(value) * MICRO) for value in curve.values]
        if micros[0] == micros[-1] == min(micros) == max(micros):
            continue
        known = values[~np.isnan(values[:, column]), column]
        low, high = float(known.min()), float(known.max())
        slack = (high - low) * _SLACK
        weight = round(float(np.abs(curve.at(bins[:, column])).mean()) * MICRO)
        found.append(
            Steps(
                name=FEATURES[column].name,
                cuts=tuple(cuts[column]),
                values=tuple(micros),
                missing=max(0, round(curve.missing * MICRO)),
                low=low - slack,
                high=high + slack,
                weight=weight,
            )
        )
    return found
