"""The table that a model is trained on: rows of features with labels, eight bytes per number."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING

from returns.errors import ModelInvalid
from triage.facts import Facts
from triage.features import FEATURE_NAMES, features
from triage.model import MAX_NUMBER

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: Two million rows take 600 MB.
MAX_ROWS = 2_000_000

_KNOWN = frozenset(FEATURE_NAMES)
_MISSING = frozenset({"", "na", "nan", "none", "null"})


class Table:
    """Grows row by row, and refuses what is not a row with the column's name."""

    def __init__(self) -> None:
        self._numbers = array("d")
        self._labels = array("q")

    def __len__(self) -> int:
        return len(self._labels)

    def add(self, row: Mapping[str, float | None], label: int) -> None:
        """Add one row of `triage.features.features`, labelled 1 (abusive) or 0 (not).

        None, absent and not finite is missing; what is absurd is held at `MAX_NUMBER`. Raises
        `ModelInvalid` for another label, a column that is no feature, and a row too many.
        """
        if type(label) is not int or label not in (0, 1):
            raise ModelInvalid(problem=f"the label {str(label)[:20]!r} is neither 0 nor 1")
        for name in row:
            if name not in _KNOWN:
                raise ModelInvalid(problem=f"there is no feature named {str(name)[:60]!r}")
        if len(self) == MAX_ROWS:
            raise ModelInvalid(problem=f"its table has more than {MAX_ROWS} rows")
        numbers = [_held(name, row.get(name)) for name in FEATURE_NAMES]
        self._numbers.extend(numbers)
        self._labels.append(label)

    def add_facts(self, facts: Facts, label: int) -> None:
        """Add the features of one request, made by the very function that decisions use."""
        self.add(features(facts), label)

    def add_text(self, row: Mapping[str, str], label: str) -> None:
        """Add a row as a CSV file has it: an empty cell is missing. Raises as `add`."""
        if label.strip() not in ("0", "1"):
            raise ModelInvalid(problem=f"the label {label[:20]!r} is neither 0 nor 1")
        self.add({name: _number(name, text) for name, text in row.items()}, int(label))

    def values(self) -> npt.NDArray[np.float64]:
        """One line per row, one column per feature in the order of `FEATURES`; NaN is missing."""
        import numpy as np  # noqa: PLC0415  reading a file needs none of it

        return np.array(self._numbers, dtype=np.float64).reshape(len(self), len(FEATURE_NAMES))

    def truth(self) -> npt.NDArray[np.int64]:
        """The labels."""
        import numpy as np  # noqa: PLC0415

        return np.array(self._labels, dtype=np.int64)


def _held(name: str, value: object) -> float:
    if value is None:
        return math.nan
    if not isinstance(value, int | float):
        raise ModelInvalid(problem=f"the column {name!r} holds something that is not a number")
    if not -math.inf < value < math.inf:
        return math.nan
    return float(max(-MAX_NUMBER, min(MAX_NUMBER, value)))


def _number(name: str, text: str) -> float | None:
    if text.strip().lower() in _MISSING:
        return None
    try:
        return float(text)
    except ValueError as bad:
        problem = f"the column {name!r} holds {text[:20]!r}, which is not a number"
        raise ModelInvalid(problem=problem) from bad
