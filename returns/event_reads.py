"""Events as merchants read them: those of a case by sequence, all of a merchant by position."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from returns.event_kinds import state_of
from returns.tables import Event, ReturnCase


@dataclass(frozen=True, slots=True)
class Placed:
    """An event of the merchant's stream."""

    position: int
    kind: str
    said: dict[str, Any]


def envelope(event: Event, rma: str) -> dict[str, Any]:
    """Type, time and names: what every message about an event says, and no more than that."""
    return {
        "type": event.kind,
        "timestamp": event.at.isoformat(),
        "data": {
            "rma": rma,
            "line": str(event.line_id),
            "sequence": event.sequence,
            "state": state_of(event.kind),
        },
    }


def of_case(session: Session, case: ReturnCase, after: int, limit: int) -> list[dict[str, Any]]:
    """Events of a case behind a sequence number, without a gap, with what was told of each."""
    query = select(Event).where(Event.case_id == case.id, Event.sequence > after)
    events = session.exec(query.order_by(col(Event.sequence)).limit(limit))
    return [
        {"id": str(event.id), **_with_details(envelope(event, case.rma), event)} for event in events
    ]


def of_merchant(session: Session, merchant_id: UUID, after: int, limit: int) -> list[Placed]:
    """A merchant's events behind a position, without a gap."""
    query = (
        select(Event, ReturnCase.rma)
        .join(ReturnCase, col(ReturnCase.id) == Event.case_id)
        .where(Event.merchant_id == merchant_id, col(Event.position) > after)
        .order_by(col(Event.position))
        .limit(limit)
    )
    found = session.exec(query)
    return [Placed(event.position or 0, event.kind, envelope(event, rma)) for event, rma in found]


def _with_details(said: dict[str, Any], event: Event) -> dict[str, Any]:
    return {**said, "data": {**said["data"], "details": json.loads(event.payload)}}
