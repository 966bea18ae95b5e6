"""Scores many requests at once with numpy: the same integers as one at a time, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from triage.anomaly import LAST_CELL, Forest

if TYPE_CHECKING:
    from triage.model import Model, Score, Steps

Numbers = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: So many rows at a time keep what the trees look at within the processor's cache.
AT_ONCE = 512


def score_many(model: Model, rows: Sequence[Mapping[str, float | None]]) -> list[Score]:
    """Score rows of features, in their order; see `Model.score`."""
    trees = None if model.forest is None else Trees(model.forest)
    found: list[Score] = []
    for start in range(0, len(rows), AT_ONCE):
        table = table_of(rows[start : start + AT_ONCE], model.names)
        found.extend(_scores(model, trees, table))
    return found


def table_of(rows: Sequence[Mapping[str, float | None]], names: Sequence[str]) -> Numbers:
    """One line per row, one column per name; what is missing or not finite is NaN."""
    try:
        picked = list(map(itemgetter(*names), rows))  # one call per row, if it has every feature
    except KeyError:
        picked = [tuple(row.get(name) for name in names) for row in rows]
    table = np.array(picked, dtype=np.float64)
    table[~np.isfinite(table)] = np.nan
    return table.reshape(len(rows), len(names))


def contributions_of(steps: Sequence[Steps], table: Numbers) -> Whole:
    """What each feature contributes to each row, in millionths of a logit."""
    found = np.empty(table.shape, dtype=np.int64)
    for column, part in enumerate(steps):
        values = table[:, column]
        at = np.searchsorted(part.cuts, values, side="right")
        # NaN is searched for as if it were the largest number: it has a place of its own
        at[np.isnan(values)] = len(part.values)
        found[:, column] = np.array((*part.values, part.missing), dtype=np.int64)[at]
    return found


def cells_of(steps: Sequence[Steps], middles: Sequence[int], table: Numbers) -> Whole:
    """The cell of each value in its feature's range; the median's where it is missing."""
    cells = np.tile(np.array(middles, dtype=np.int64), (len(table), 1))
    for column, part in enumerate(steps):
        known = ~np.isnan(table[:, column])
        if part.low < part.high:
            held = np.clip(table[known, column], part.low, part.high)
            share = (held - part.low) / (part.high - part.low)
            cells[known, column] = (share * LAST_CELL).astype(np.int64)
    return cells


class Trees:
    """A forest laid out for many rows: all trees take a step at a time; a leaf leads to itself."""

    def __init__(self, forest: Forest) -> None:
        columns, lengths = np.array(forest.columns), np.array(forest.limits)
        leaf, own = columns < 0, np.arange(len(columns))
        self._roots, self._depth, self._lengths = np.array(forest.roots), forest.depth, lengths
        self._column = np.where(leaf, 0, columns)
        self._limit = np.where(leaf, LAST_CELL, lengths)
        #: The left child of node n at 2n, the right one at 2n + 1.
        self._children = np.empty(2 * len(columns), dtype=np.int64)
        self._children[0::2] = np.where(leaf, own, own + 1)
        self._children[1::2] = np.where(leaf, own, np.array(forest.rights))
        self._quantiles = np.array(forest.lengths)
        self._shares = [forest.share_above(rank) for rank in range(len(forest.lengths) + 1)]

    def lengths(self, cells: Whole) -> Whole:
        """`Forest.length` of each row."""
        flat, start = cells.ravel(), np.arange(len(cells))[:, None] * cells.shape[1]
        node = np.tile(self._roots, (len(cells), 1))
        for _ in range(self._depth):
            goes_right = flat.take(self._column.take(node) + start) > self._limit.take(node)
            node = self._children.take(2 * node + goes_right)
        total: Whole = self._lengths.take(node).sum(axis=1)
        return total

    def percentiles(self, cells: Whole) -> list[float]:
        """`Forest.percentile` of each row."""
        ranks = np.searchsorted(self._quantiles, self.lengths(cells), side="right")
        return [self._shares[rank] for rank in ranks.tolist()]


def _scores(model: Model, trees: Trees | None, table: Numbers) -> Iterator[Score]:
    steps, names = model.steps, model.names
    found = contributions_of(steps, table)
    missing = np.isnan(table)
    known = (~missing) @ np.array([part.weight for part in steps], dtype=np.int64)
    for logit, row, weight, unknown, new, anomaly in zip(
        (model.intercept + found.sum(axis=1)).tolist(),
        found.tolist(),
        known.tolist(),
        _chosen(names, missing),
        _chosen(names, _novel(steps, table)),
        _anomalies(model, trees, table),
        strict=True,
    ):
        parts = dict(zip(names, row, strict=True))
        yield model.scored(logit, parts, weight, unknown, new, anomaly)


def _novel(steps: Sequence[Steps], table: Numbers) -> Mask:
    low, high = np.array([part.low for part in steps]), np.array([part.high for part in steps])
    outside: Mask = (table < low) | (table > high)
    return outside


def _anomalies(model: Model, trees: Trees | None, table: Numbers) -> list[float] | list[None]:
    forest = model.forest
    if forest is None or trees is None:
        return [None] * len(table)
    return trees.percentiles(cells_of(model.steps, forest.middles, table))


def _chosen(names: Sequence[str], mask: Mask) -> Iterator[tuple[str, ...]]:
    """The names that each line chooses. Few patterns occur: each is spelled out once."""
    known: dict[bytes, tuple[str, ...]] = {}
    flat, width = mask.tobytes(), len(names)
    for start in range(0, len(flat), width):
        key = flat[start : start + width]
        found = known.get(key)
        if found is None:
            found = known[key] = tuple(compress(names, key))
        yield found
