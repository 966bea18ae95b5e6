"""What a break is when it is found, and the rules of what counts as one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

#: Evidence that a break keeps: JSON of at most so many characters.
_MAX_EVIDENCE = 4_000
_MAX_VALUE = 200

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One break as it was found; `owner` is the desk that looks into it first."""

    code: str
    subject: str
    line_id: UUID | None
    expected: str
    found: str
    owner: str = "finance"
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What tells a break from others of the merchant."""
        return self.code, self.subject

    def evidence_json(self) -> str:
        """What each side said; values are cut, and what is too long in all is left out."""
        kept = {name: _cut(value) for name, value in self.evidence.items()}
        text = json.dumps(kept, sort_keys=True)
        return text if len(text) <= _MAX_EVIDENCE else json.dumps({"cut": len(text)})


@dataclass(frozen=True, slots=True)
class Rules:
    """When a difference is none yet, or none at all.

    A leg may be under way for `patience`; what the books say may be shown by another side up to
    `late` later. `tolerance`: minor units of a currency by which a processor's amount may differ.
    """

    now: datetime
    patience: timedelta
    late: timedelta
    tolerance: Mapping[str, int]

    def is_same(self, one: int, other: int, currency: str) -> bool:
        """Whether two amounts of a currency agree."""
        return abs(one - other) <= self.tolerance.get(currency, 0)


def _cut(value: Any) -> Any:
    if isinstance(value, list):
        return [_cut(one) for one in value[:10]]
    if isinstance(value, Mapping):
        return {str(name): _cut(one) for name, one in value.items()}
    return None if value is None else str(value)[:_MAX_VALUE]
