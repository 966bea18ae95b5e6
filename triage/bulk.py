"""Scores many requests at once with numpy: the same integers as one at a time, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from triage.anomaly import LAST_CELL, Forest
from triage.facts import Facts
from triage.features import column

if TYPE_CHECKING:
    from triage.model import Model, Score, Steps

Numbers = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Cells = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

#: So many rows at a time keep what the trees look at within the processor's cache.
AT_ONCE = 512


def score_many(model: Model, rows: Sequence[Mapping[str, float | None]]) -> list[Score]:
    """Score rows of features, in their order; see `Model.score`."""
    bench = _Bench(model)
    found: list[Score] = []
    for start in range(0, len(rows), AT_ONCE):
        found.extend(bench.scores(table_of(rows[start : start + AT_ONCE], model.names)))
    return found


def score_lines(model: Model, lines: Sequence[Facts]) -> list[Score]:
    """The same for lines: only the features of the model are worked out, a column at a time."""
    bench = _Bench(model)
    found: list[Score] = []
    for start in range(0, len(lines), AT_ONCE):
        found.extend(bench.scores(features_of(lines[start : start + AT_ONCE], model.names)))
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


def features_of(lines: Sequence[Facts], names: Sequence[str]) -> Numbers:
    """The table of lines, laid out column by column; every feature is finite or missing."""
    table = np.empty((len(names), len(lines)))
    for row, name in zip(table, names, strict=True):
        row[:] = np.fromiter(column(name, lines), np.float64, len(lines))
    return table.T


def contributions_of(steps: Sequence[Steps], table: Numbers) -> Whole:
    """What each feature contributes to each row, in millionths of a logit."""
    return _contributions([_laid_out(part) for part in steps], table)


def cells_of(steps: Sequence[Steps], middles: Sequence[int], table: Numbers) -> Cells:
    """The cell of each value in its feature's range; the median's where it is missing."""
    cells = np.empty((len(steps), len(table)), dtype=np.uint8)
    for row, part, middle, values in zip(cells, steps, middles, table.T, strict=True):
        if part.low < part.high:
            share = (np.clip(values, part.low, part.high) - part.low) / (part.high - part.low)
            row[:] = np.where(np.isnan(share), middle, share * LAST_CELL)
        else:
            row[:] = middle
    return cells.T


class Trees:
    """A forest laid out for many rows: all trees take a step at a time; a leaf leads to itself."""

    def __init__(self, forest: Forest) -> None:
        columns, lengths = np.array(forest.columns), np.array(forest.limits)
        leaf, own = columns < 0, np.arange(len(columns))
        self._roots, self._depth, self._lengths = np.array(forest.roots), forest.depth, lengths
        self._column = np.where(leaf, 0, columns)
        self._limit = np.where(leaf, LAST_CELL, lengths).astype(np.uint8)
        #: The left child of node n at 2n, the right one at 2n + 1.
        self._children = np.empty(2 * len(columns), dtype=np.int64)
        self._children[0::2] = np.where(leaf, own, own + 1)
        self._children[1::2] = np.where(leaf, own, np.array(forest.rights))
        self._quantiles = np.array(forest.lengths)
        self._shares = [forest.share_above(rank) for rank in range(len(forest.lengths) + 1)]

    def lengths(self, cells: Cells) -> Whole:
        """`Forest.length` of each row."""
        flat, start = cells.ravel(), np.arange(len(cells))[:, None] * cells.shape[1]
        node = np.tile(self._roots, (len(cells), 1))
        for _ in range(self._depth):
            goes_right = flat.take(self._column.take(node) + start) > self._limit.take(node)
            node = self._children.take(2 * node + goes_right)
        total: Whole = self._lengths.take(node).sum(axis=1)
        return total

    def percentiles(self, cells: Cells) -> list[float]:
        """`Forest.percentile` of each row."""
        ranks = np.searchsorted(self._quantiles, self.lengths(cells), side="right")
        return [self._shares[rank] for rank in ranks.tolist()]


class _Bench:
    """A model laid out for many rows."""

    def __init__(self, model: Model) -> None:
        self._model, self._names, self._steps = model, model.names, model.steps
        self._parts = [_laid_out(part) for part in model.steps]
        self._weights = np.array([part.weight for part in model.steps], dtype=np.int64)
        self._low = np.array([part.low for part in model.steps])
        self._high = np.array([part.high for part in model.steps])
        self._trees = None if model.forest is None else Trees(model.forest)

    def scores(self, table: Numbers) -> Iterator[Score]:
        """`Model.score` of each row."""
        model, names = self._model, self._names
        found, missing = _contributions(self._parts, table), np.isnan(table)
        yield from map(
            model.scored,
            (model.intercept + found.sum(axis=1)).tolist(),
            zip(*found.T.tolist(), strict=True),
            ((~missing) @ self._weights).tolist(),
            _chosen(names, missing),
            _chosen(names, (table < self._low) | (table > self._high)),
            self._anomalies(table),
        )

    def _anomalies(self, table: Numbers) -> list[float] | list[None]:
        forest = self._model.forest
        if forest is None or self._trees is None:
            return [None] * len(table)
        return self._trees.percentiles(cells_of(self._steps, forest.middles, table))


def _laid_out(part: Steps) -> tuple[Numbers, Whole]:
    """Cuts, and values with what is missing behind them."""
    values = np.array((*part.values, part.missing), dtype=np.int64)
    return np.array(part.cuts, dtype=np.float64), values


def _contributions(parts: Sequence[tuple[Numbers, Whole]], table: Numbers) -> Whole:
    found = np.empty((len(parts), len(table)), dtype=np.int64)
    for row, (cuts, values), numbers in zip(found, parts, table.T, strict=True):
        at = np.searchsorted(cuts, numbers, side="right")
        # NaN is searched for as if it were the largest number: it has a place of its own
        at[np.isnan(numbers)] = len(cuts) + 1
        values.take(at, out=row)
    return found.T


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
