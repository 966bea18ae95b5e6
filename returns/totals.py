"""Sums of amounts that are exact on both databases, whatever their size."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator


class Total(TypeDecorator[int]):
    """A sum of `Uint256`; of no rows it is 0. It may be larger than any single amount."""

    impl = sa.String
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> int:  # noqa: ARG002
        return 0 if value is None else int(value)


class exact_sum(GenericFunction[int]):  # noqa: N801  (named as it is in SQL)
    """The sum of a column of `Uint256`: NUMERIC's own on PostgreSQL, `ExactSum` on SQLite."""

    type = Total()
    inherit_cache = True


@compiles(exact_sum, "postgresql")
def _on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"sum({compiler.process(element.clauses, **options)})"


class ExactSum:
    """SQLite's aggregate `exact_sum` over zero-padded digits, registered on each connection.

    SQLite's own SUM turns what exceeds 63 bits into floats or fails.
    """

    def __init__(self) -> None:
        self._total: int | None = 0

    def step(self, digits: str | None) -> None:
        """One more row."""
        if digits is None or self._total is None:
            return
        try:
            self._total += int(digits)
        except ValueError:
            self._total = None

    def finalize(self) -> str:
        """The sum as digits: no integer of SQLite's holds it. Of no numbers there is no sum."""
        return "not a number" if self._total is None else str(self._total)
