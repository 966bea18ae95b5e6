"""What people decided, for the next training of the model."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

from sqlmodel import col, select

from returns.tables import DecisionRow, ReviewLabel
from settlement.runtime import Runtime

_AT_ONCE = 1000


def export(runtime: Runtime, merchant_id: UUID, file: Path) -> int:
    """Write a merchant's labels as JSON lines, the oldest first; returns how many.

    Each line: `facts` as the decision saw them, `label` (true, false, or null where the person does
    not say whether it was abuse), `verdict_before`, `verdict_after`, `reason`, `at`. The facts are
    people's messages and wallets: a new file is for its owner alone. Raises `OSError`.
    """
    query = (
        select(ReviewLabel, DecisionRow.facts)
        .join(DecisionRow, col(DecisionRow.id) == ReviewLabel.decision_id)
        .where(ReviewLabel.merchant_id == merchant_id)
        .order_by(col(ReviewLabel.id))
        .execution_options(yield_per=_AT_ONCE)
    )
    count = 0
    file.touch(mode=0o600)
    with runtime.database.read() as session, file.open("w", encoding="utf-8") as lines:
        for label, facts in session.exec(query):
            lines.write(json.dumps(_content(label, facts), sort_keys=True) + "\n")
            count += 1
    return count


def _content(label: ReviewLabel, facts: str) -> dict[str, object]:
    return {
        "facts": json.loads(facts),
        "label": label.abuse,
        "verdict_before": label.verdict_before,
        "verdict_after": label.verdict_after,
        "reason": label.reason,
        "at": label.at.isoformat(),
    }
