"""How unusual a request is among those that were trained on, whether they were abusive or not.

An isolation forest: what is unusual is cut off from the rest by few random cuts. Source: Liu, Ting
and Zhou (2008), "Isolation Forest". Every feature's range is divided into 256 equal cells, so that
each cut compares integers, and path lengths are added up as integers: the same on every machine.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from returns.errors import ModelInvalid

#: The last cell of a feature's range; the first is 0.
LAST_CELL = 255
#: Path lengths are stored in millionths of a step.
MICRO = 1_000_000

_LEAF = -1
_MAX_NODES = 100_000
_MAX_DEPTH = 64
_MAX_LENGTH = 1_000 * MICRO


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees in one list of nodes, each tree in preorder: the left child follows its parent.

    `columns`, `limits` and `rights` run in parallel, a node each: the index of the feature whose
    cell is compared (-1 in a leaf), the last cell that goes left (in a leaf: the length of the path
    down to it, in millionths), and the right child (0 in a leaf). `roots` are the trees' first
    nodes, `middles` the cell of each feature's median, which stands for a missing value, `lengths`
    the quantiles of the summed path lengths in training, ascending. Raises `ModelInvalid`.
    """

    middles: tuple[int, ...]
    roots: tuple[int, ...]
    columns: tuple[int, ...]
    limits: tuple[int, ...]
    rights: tuple[int, ...]
    lengths: tuple[int, ...]
    #: Steps from a root to the deepest leaf.
    depth: int = field(init=False)

    def __post_init__(self) -> None:
        for name in FOREST_KEYS:
            if not all(type(number) is int for number in getattr(self, name)):
                raise ModelInvalid(problem=f"its forest has {name} that are not whole numbers")
        self._check_sizes()
        object.__setattr__(self, "depth", self._checked_depth())

    def _check_sizes(self) -> None:
        size = len(self.columns)
        if size > _MAX_NODES or not (size == len(self.limits) == len(self.rights)):
            raise ModelInvalid(problem="its forest has lists of nodes that do not fit together")
        if not all(0 <= cell <= LAST_CELL for cell in self.middles):
            raise ModelInvalid(problem="its forest has a median outside of the cells")
        ordered = list(self.roots) == sorted({0, *self.roots}) and self.roots[-1] < size
        if not ordered or not self.lengths or list(self.lengths) != sorted(self.lengths):
            raise ModelInvalid(problem="its forest has roots or lengths out of order")

    def _checked_depth(self) -> int:
        """Follow every branch: children come after their parent, so that every walk ends."""
        depths = [0] * len(self.columns)
        for first, end in zip(self.roots, (*self.roots[1:], len(self.columns)), strict=True):
            for node in range(first, end):
                if self._is_branch(node, end):
                    below = depths[node] + 1
                    depths[node + 1] = depths[self.rights[node]] = below
        if max(depths) > _MAX_DEPTH:
            raise ModelInvalid(problem=f"its forest is deeper than {_MAX_DEPTH} steps")
        return max(depths)

    def _is_branch(self, node: int, end: int) -> bool:
        column, limit, right = self.columns[node], self.limits[node], self.rights[node]
        if column == _LEAF:
            fit = right == 0 and 0 <= limit <= _MAX_LENGTH
        else:
            fit = 0 <= column < len(self.middles) and 0 <= limit <= LAST_CELL
            fit = fit and node + 1 < right < end
        if not fit:
            raise ModelInvalid(problem=f"its forest has a node that leads nowhere: {node}")
        return column != _LEAF

    def length(self, cells: Sequence[int]) -> int:
        """Sum of the lengths of the paths that these cells take, in millionths of a step."""
        columns, limits, rights, total = self.columns, self.limits, self.rights, 0
        for root in self.roots:
            node = root
            while (column := columns[node]) >= 0:
                node = node + 1 if cells[column] <= limits[node] else rights[node]
            total += limits[node]
        return total

    def percentile(self, length: int) -> float:
        """Share of the requests in training that took longer to isolate: 1 is most unusual."""
        return self.share_above(bisect_right(self.lengths, length))

    def share_above(self, rank: int) -> float:
        """Share of the quantiles above the first `rank`, to 4 decimals."""
        return round(1 - rank / len(self.lengths), 4)

    def body(self) -> dict[str, list[int]]:
        """What is stored."""
        return {name: list(getattr(self, name)) for name in FOREST_KEYS}


FOREST_KEYS = ("middles", "roots", "columns", "limits", "rights", "lengths")


def read_forest(content: Any) -> Forest:
    """Read what `Forest.body` wrote. Raises `ModelInvalid`."""
    if not isinstance(content, dict) or content.keys() != set(FOREST_KEYS):
        raise ModelInvalid(problem="its forest does not have exactly the keys of a forest")
    if not all(isinstance(content[name], list) for name in FOREST_KEYS):
        raise ModelInvalid(problem="its forest is not made of lists")
    return Forest(**{name: tuple(content[name]) for name in FOREST_KEYS})
