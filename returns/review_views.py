"""What the review desk shows of one line: why it is here, and all that a decision needs.

What a stored decision says of itself is read defensively: older ones say less.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Any, NamedTuple
from uuid import UUID

from returns.errors import BadInput
from returns.evidence_reads import evidence_view
from returns.money import parse_amount
from returns.reads import amount_view, decision_view
from returns.tables import (
    Appeal,
    DecisionRow,
    Event,
    Evidence,
    Leg,
    Order,
    OrderLine,
    Proposal,
    ReturnCase,
    ReturnLine,
)
from returns.words import LineState

#: What a person may do with a line on the desk.
_ACTIONS = {
    LineState.IN_REVIEW: ["approve", "deny", "ask"],
    LineState.AWAITING_EVIDENCE: ["deny"],
    LineState.NEEDS_ATTENTION: ["retry", "release"],
}
#: While an approval waits for a second person.
_ACTIONS_PROPOSED = ["confirm", "reject", "deny", "ask"]
#: So many similar cases are shown.
_SIMILAR = 5


@dataclass(frozen=True, slots=True)
class Waiting:
    """A line on the desk with its case, its purchase and its order."""

    line: ReturnLine
    case: ReturnCase
    bought: OrderLine
    order: Order


class Past(NamedTuple):
    """A decided line, as far as it is compared and shown."""

    id: UUID
    rma: str
    reason: str
    verdict: str
    state: LineState
    amount: int
    currency: str
    updated_at: datetime
    collection: str
    customer: str


class Pasts:
    """Decided lines, the newest first, by what makes them similar."""

    def __init__(self, rows: Iterable[Past]) -> None:
        self.by_customer: dict[str, list[Past]] = defaultdict(list)
        self.by_collection: dict[str, list[Past]] = defaultdict(list)
        for row in rows:
            self.by_customer[row.customer].append(row)
            self.by_collection[row.collection].append(row)


@dataclass(frozen=True, slots=True)
class Around:
    """What belongs to the lines of a page, by line."""

    decisions: dict[UUID, list[DecisionRow]]
    evidence: dict[UUID, list[Evidence]]
    proposals: dict[UUID, list[Proposal]]
    appeals: dict[UUID, list[Appeal]]
    legs: dict[UUID, list[Leg]]
    arrivals: dict[UUID, list[Event]]
    past: Pasts


def item_view(waiting: Waiting, around: Around, now: datetime) -> dict[str, Any]:
    """A line as an agent sees it; no wallet and no name beyond what the rules say themselves."""
    line, case, bought = waiting.line, waiting.case, waiting.bought
    decisions = around.decisions[line.id]
    proposals = around.proposals[line.id]
    value = amount_view(line.amount, line.currency)
    return {
        "rma": case.rma,
        "order": waiting.order.number,
        "line": str(line.id),
        "collection": bought.collection,
        "token_id": str(bought.token_id),
        "state": line.state.value,
        "reason": case.reason.value,
        "message": case.message,
        "remedy": line.remedy.value,
        "disposition": line.disposition.value,
        "amount": value,
        "paid": amount_view(bought.price, line.currency),
        "decision": decision_view(decisions[-1], for_staff=True) if decisions else None,
        "legs": [_leg(leg) for leg in around.legs[line.id]],
        "updated_at": line.updated_at.isoformat(),
        "due_at": None if line.due_at is None else line.due_at.isoformat(),
        "overdue": line.due_at is not None and line.due_at < now,
        "why": _why(decisions, around.arrivals[line.id]),
        "proposed": _proposed(decisions),
        "evidence": [evidence_view(row) for row in around.evidence[line.id]],
        "decisions": [_earlier(row) for row in decisions],
        "similar": [_similar_view(past, waiting) for past in _similar(waiting, around.past)],
        "appeal": _appeal(around.appeals[line.id]),
        "proposal": _proposal(proposals),
        "actions": _ACTIONS_PROPOSED
        if _waits_for_second(line, proposals)
        else _ACTIONS[line.state],
    }


def _waits_for_second(line: ReturnLine, proposals: list[Proposal]) -> bool:
    return bool(proposals) and line.state is LineState.IN_REVIEW


def _why(decisions: list[DecisionRow], arrivals: list[Event]) -> dict[str, Any]:
    """Why it is here: how it came, and what the rules and the model said about the request."""
    body = automatic_body(decisions)
    score = body.get("score")
    return {
        "came": _text(json.loads(arrivals[-1].payload).get("reason")) if arrivals else "",
        "since": arrivals[-1].at.isoformat() if arrivals else None,
        "hits": [_hit(hit) for hit in hits_of(body)],
        "score": _score(score) if isinstance(score, dict) else None,
        "explanation": _text(body.get("explanation")),
        "reasons": [str(one) for one in _list(body.get("reasons"))],
    }


def automatic_body(decisions: list[DecisionRow]) -> dict[str, Any]:
    """What the newest automatic decision among these says of itself; {} where there is none."""
    automatic = [row for row in decisions if row.decided_by == "undrop"]
    body: dict[str, Any] = json.loads(automatic[-1].body) if automatic else {}
    return body


def hits_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The rules that applied: each has at least a code."""
    found = _list(body.get("hits"))
    return [hit for hit in found if isinstance(hit, dict) and isinstance(hit.get("code"), str)]


def _hit(hit: dict[str, Any]) -> dict[str, Any]:
    values = hit.get("values")
    return {
        "code": hit["code"],
        "verdict": _text(hit.get("verdict")),
        "sentence": _text(hit.get("sentence")),
        "values": values if isinstance(values, dict) else {},
    }


def _score(score: dict[str, Any]) -> dict[str, Any]:
    """The model's summary; its contributions stand in the stored decision."""
    return {name: score.get(name) for name in ("probability", "confidence")}


def _proposed(decisions: list[DecisionRow]) -> dict[str, Any] | None:
    """What the automatic decision would do; None where it does not say."""
    body = automatic_body(decisions)
    try:
        amount = amount_view(parse_amount(body["amount"]), str(body["currency"]))
    except (KeyError, BadInput):
        return None
    return {
        **{key: body.get(key) for key in ("verdict", "remedy", "disposition")},
        "amount": amount,
    }


def _earlier(row: DecisionRow) -> dict[str, Any]:
    body = json.loads(row.body)
    return {
        **decision_view(row, for_staff=True),
        "decided_by": row.decided_by,
        "kind": body.get("kind", "automatic"),
        "overrides": body.get("overrides", []),
    }


def _similar(waiting: Waiting, past: Pasts) -> Iterator[Past]:
    """The customer's own first, then the collection's; the newest first in each."""
    line_id, customer = waiting.line.id, waiting.order.customer
    own = (one for one in past.by_customer[customer] if one.id != line_id)
    others = past.by_collection[waiting.bought.collection]
    same = (one for one in others if one.customer != customer)
    return islice(chain(own, same), _SIMILAR)


def _similar_view(past: Past, waiting: Waiting) -> dict[str, Any]:
    return {
        "rma": past.rma,
        "reason": past.reason,
        "verdict": past.verdict,
        "outcome": past.state.value,
        "amount": amount_view(past.amount, past.currency),
        "at": past.updated_at.isoformat(),
        "same_customer": past.customer == waiting.order.customer,
        "same_collection": past.collection == waiting.bought.collection,
    }


def _appeal(appeals: list[Appeal]) -> dict[str, Any] | None:
    """The statement itself stands among the evidence."""
    if not appeals:
        return None
    (row,) = appeals
    return {
        "against": str(row.decision_id),
        "evidence": str(row.evidence_id),
        "at": row.at.isoformat(),
    }


def _proposal(proposals: list[Proposal]) -> dict[str, Any] | None:
    return proposal_view(proposals[-1]) if proposals else None


def proposal_view(row: Proposal) -> dict[str, Any]:
    """An approval that a second person has to confirm."""
    return {
        "state": row.state.value,
        "by": row.by,
        "at": row.at.isoformat(),
        "reason": row.reason,
        "remedy": row.remedy.value,
        "amount": amount_view(row.amount, row.currency),
        "keep": row.keep,
        "limit": amount_view(row.approval_limit, row.currency),
        "abuse": row.abuse,
    }


def _leg(leg: Leg) -> dict[str, Any]:
    return {
        "kind": leg.kind.value,
        "state": leg.state.value,
        "reference": leg.reference,
        "error": leg.error,
    }


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
