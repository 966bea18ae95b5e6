"""How well scores tell abuse from the rest, how honest probabilities are, and how sure that is.

Everything is computed from counts per distinct score, so that a thousand resamples of a table are
matrices. Intervals hold 95 of 100: percentiles of the bootstrap (Efron 1979) for whole tables,
Wilson's (1927) for shares.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
#: From counts of negatives and of positives, each one line per resample and one column per distinct
#: score in ascending order, to one number per resample.
Measure = Callable[["Groups", Numbers, Numbers], Numbers]

RESAMPLES = 1_000
_BINS = 10
#: Numbers held at a time: resamples times rows.
_AT_ONCE = 2_000_000
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows by distinct score: `scores` ascending, `cells` each row's 2 x group + label."""

    scores: Numbers
    cells: Labels

    @classmethod
    def of(cls, scores: Numbers, truth: Labels) -> Groups:
        """Group rows that no threshold can tell apart."""
        distinct, at = np.unique(scores, return_inverse=True)
        return cls(distinct, 2 * at.astype(np.int64) + truth)

    def counts(self, drawn: Labels) -> tuple[Numbers, Numbers]:
        """Negatives and positives per group, for each line of drawn rows."""
        width = 2 * len(self.scores)
        lines = np.arange(len(drawn), dtype=np.int64)[:, None] * width
        flat = (self.cells[drawn] + lines).ravel()
        found = np.bincount(flat, minlength=len(drawn) * width).reshape(len(drawn), width)
        return found[:, 0::2].astype(np.float64), found[:, 1::2].astype(np.float64)


def auc(_: Groups, negatives: Numbers, positives: Numbers) -> Numbers:
    """Chance that an abusive request scores above another one; ties count half."""
    below = np.cumsum(negatives, axis=1) - negatives / 2
    pairs = negatives.sum(axis=1) * positives.sum(axis=1)
    return _ratio((positives * below).sum(axis=1), pairs)


def average_precision(_: Groups, negatives: Numbers, positives: Numbers) -> Numbers:
    """Precision at each threshold, weighted by the abuse that it adds."""
    found = np.cumsum(positives[:, ::-1], axis=1)
    flagged = found + np.cumsum(negatives[:, ::-1], axis=1)
    precision = found / np.maximum(flagged, 1)
    return _ratio((precision * positives[:, ::-1]).sum(axis=1), positives.sum(axis=1))


def brier(groups: Groups, negatives: Numbers, positives: Numbers) -> Numbers:
    """Mean squared distance of the probability from what happened."""
    squares = positives @ (1 - groups.scores) ** 2 + negatives @ groups.scores**2
    return _ratio(squares, (negatives + positives).sum(axis=1))


def ece(groups: Groups, negatives: Numbers, positives: Numbers) -> Numbers:
    """Expected calibration error over ten bins of equal width.

    Source: Naeini, Cooper and Hauskrecht (2015), "Obtaining Well Calibrated Probabilities".
    """
    width = np.minimum((groups.scores * _BINS).astype(np.int64), _BINS - 1)
    return _calibration_error(groups, width, negatives, positives)


def ece_equal_mass(groups: Groups, negatives: Numbers, positives: Numbers) -> Numbers:
    """The same over ten bins of about as many rows each."""
    sizes = np.bincount(groups.cells // 2, minlength=len(groups.scores))
    middle = np.cumsum(sizes) - sizes / 2
    mass = np.minimum((middle / sizes.sum() * _BINS).astype(np.int64), _BINS - 1)
    return _calibration_error(groups, mass, negatives, positives)


def _calibration_error(
    groups: Groups, bins: Labels, negatives: Numbers, positives: Numbers
) -> Numbers:
    member = np.zeros((len(groups.scores), _BINS))
    member[np.arange(len(bins)), bins] = 1
    both = negatives + positives
    gaps = np.abs((both * groups.scores - positives) @ member).sum(axis=1)
    return _ratio(gaps, both.sum(axis=1))


def _ratio(part: Numbers, whole: Numbers) -> Numbers:
    # a resample without one of the labels has no answer; nanpercentile leaves it out
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


#: Scores of one kind with the measures wanted of them.
Wanted = tuple[Numbers, Sequence[Measure]]
Interval = dict[str, float]


def measured(
    truth: Labels, wanted: Sequence[Wanted], seed: int, resamples: int = RESAMPLES
) -> list[list[tuple[float, Numbers]]]:
    """For each scores and measure: its value, and its values over the same resamples of rows."""
    groups = [(Groups.of(scores, truth), measures) for scores, measures in wanted]
    whole = np.arange(len(truth), dtype=np.int64)[None, :]
    values = _applied(groups, whole)
    rng, step = np.random.default_rng(seed), max(1, _AT_ONCE // len(truth))
    chunks = [
        _applied(groups, rng.integers(0, len(truth), (min(step, resamples - start), len(truth))))
        for start in range(0, resamples, step)
    ]
    return [
        [
            (float(one[0]), np.concatenate([chunk[kind][at] for chunk in chunks]))
            for at, one in enumerate(kinds)
        ]
        for kind, kinds in enumerate(values)
    ]


def _applied(
    groups: Sequence[tuple[Groups, Sequence[Measure]]], drawn: Labels
) -> list[list[Numbers]]:
    found = []
    for group, measures in groups:
        negatives, positives = group.counts(drawn)
        found.append([measure(group, negatives, positives) for measure in measures])
    return found


def interval(value: float, resampled: Numbers) -> Interval:
    """A value with the bounds that 95 of 100 resamples keep, to 4 decimals."""
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    return {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def share(part: int, whole: int) -> dict[str, float | int | None]:
    """A share with Wilson's interval; None where there is nothing to take a share of."""
    if whole == 0:
        return {"of": 0, "value": None, "low": None, "high": None}
    p, spread = part / whole, _Z * _Z / whole
    middle = (p + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(p * (1 - p) / whole + spread / (4 * whole)) / (1 + spread)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return {"of": whole, "value": round(p, 4), "low": round(low, 4), "high": round(high, 4)}
