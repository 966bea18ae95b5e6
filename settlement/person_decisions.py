"""What stays of a person's decision: the decision's row, whether it overrode, and its label."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from returns.errors import MoveNotAllowed
from returns.ids import new_id
from returns.review_views import automatic_body, hits_of
from returns.tables import DecisionRow, ReturnLine, ReviewLabel
from returns.words import Remedy, Verdict


@dataclass(frozen=True, slots=True)
class Said:
    """A person's word on a line, in the terms it would be granted: `amount` in minor units.

    `keep`: the token stays with the customer.
    """

    verdict: Verdict
    remedy: Remedy
    amount: int
    reason: str
    abuse: bool | None
    proposed_by: str | None = None
    keep: bool = False


def store(session: Session, line: ReturnLine, said: Said, actor: str, now: datetime) -> DecisionRow:
    """Store a person's decision and its label; it keeps the facts and policy that it is about.

    Raises `MoveNotAllowed` for a line about which nothing was decided before.
    """
    query = select(DecisionRow).where(DecisionRow.line_id == line.id)
    before = list(session.exec(query.order_by(col(DecisionRow.id))))
    if not before:
        raise MoveNotAllowed(state=line.state.value, to=said.verdict.value)
    row = DecisionRow(
        id=new_id(),
        merchant_id=line.merchant_id,
        line_id=line.id,
        policy_id=before[-1].policy_id,
        verdict=said.verdict.value,
        decided_by=actor,
        facts=before[-1].facts,
        body=json.dumps(_body(before, said)),
        decided_at=now,
    )
    session.add(row)
    session.flush()
    session.add(_label(line, row, before[-1].verdict, said))
    return row


def overridden(proposed: dict[str, Any], verdict: Verdict) -> list[str]:
    """The codes over which a person approves: of every rule that spoke against it."""
    if verdict is not Verdict.APPROVE:
        return []
    against = [hit for hit in hits_of(proposed) if hit.get("verdict") != Verdict.APPROVE.value]
    return [hit["code"] for hit in against]


def is_override(proposed: dict[str, Any], said: Said) -> bool:
    """Whether a person decides otherwise than was proposed, or over a rule that applied.

    `proposed` is what the automatic decision says of itself. Asked to look, a person may deny
    without overriding anything.
    """
    if said.verdict is Verdict.DENY:
        return bool(proposed.get("verdict") == Verdict.APPROVE.value)
    terms = {"remedy": said.remedy.value, "amount": str(said.amount)}
    differs = any(proposed.get(name, value) != value for name, value in terms.items())
    return bool(overridden(proposed, said.verdict)) or differs


def _body(before: list[DecisionRow], said: Said) -> dict[str, Any]:
    proposed = automatic_body(before)
    return {
        "explanation": said.reason,
        "reasons": ["decided_by_person"],
        "follows": str(before[-1].id),
        "kind": "override" if is_override(proposed, said) else "review",
        "overrides": overridden(proposed, said.verdict),
        "remedy": said.remedy.value,
        "amount": str(said.amount),
        "keep": said.keep,
        "proposed_by": said.proposed_by,
    }


def _label(line: ReturnLine, row: DecisionRow, verdict_before: str, said: Said) -> ReviewLabel:
    return ReviewLabel(
        merchant_id=row.merchant_id,
        line_id=line.id,
        decision_id=row.id,
        verdict_before=verdict_before,
        verdict_after=row.verdict,
        abuse=said.abuse,
        reason=said.reason,
        by=row.decided_by,
        at=row.decided_at,
    )
