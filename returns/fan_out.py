"""Gives events their positions and makes a delivery for each endpoint that wants them.

Ids are not in the order in which transactions are committed, so a cursor over them would pass some
by. Each event is therefore found by having no position yet, and is given one under a lock that one
worker has at a time: positions have no gaps, and within a case they are in the order of sequence.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns import locks
from returns.bulk import among, insert_many, update_many
from returns.columns import table_of
from returns.ids import new_id
from returns.tables import Event, WebhookDelivery, WebhookEndpoint
from returns.words import DeliveryState

#: For so long a webhook is tried again.
RETRY_FOR = timedelta(days=3)
#: Events that look for their place in one transaction.
AT_ONCE = 500

_EVENTS, _DELIVERIES = table_of(Event), table_of(WebhookDelivery)


@dataclass(frozen=True, slots=True)
class EventRow:
    """What a delivery needs to know of an event."""

    id: UUID
    merchant_id: UUID
    case_id: UUID
    sequence: int
    kind: str


EVENT_COLUMNS = tuple(
    _EVENTS.c[name] for name in ("id", "merchant_id", "case_id", "sequence", "kind")
)


def is_waiting(session: Session) -> bool:
    """Whether an event has no position yet."""
    unplaced = sa.exists().where(col(Event.position).is_(None))
    return bool(session.connection().execute(sa.select(unplaced)).scalar_one())


def fan_out(session: Session, now: datetime, limit: int = AT_ONCE) -> int:
    """Place the events of up to `limit` changes, with their deliveries; returns how many.

    0 as well where another worker is at it.
    """
    if not locks.try_lock_positions(session):
        return 0
    # Events before endpoints: whoever was committed before an event was, is asked about it.
    events = _in_order(_unplaced(session, limit))
    merchants = {event.merchant_id for event in events}
    endpoints = _listening(session, merchants) if events else {}
    update_many(session, _EVENTS, _positions(session, events, merchants))
    rows = [
        new_row(endpoint, event, now)
        for event in events
        for endpoint in endpoints.get(event.merchant_id, ())
        if wants(endpoint, event.kind)
    ]
    insert_many(session, _DELIVERIES, rows)
    return len(events)


def wants(endpoint: WebhookEndpoint, kind: str) -> bool:
    """Whether an endpoint asked for events of this kind."""
    return not endpoint.kinds or kind in endpoint.kinds.split()


def new_row(endpoint: WebhookEndpoint, event: EventRow, now: datetime) -> dict[str, Any]:
    """A delivery that is due at once."""
    return {
        "id": new_id(),
        "merchant_id": event.merchant_id,
        "endpoint_id": endpoint.id,
        "event_id": event.id,
        "case_id": event.case_id,
        "sequence": event.sequence,
        "kind": event.kind,
        "state": DeliveryState.PENDING,
        "created_at": now,
        "due_at": now,
        "give_up_at": now + RETRY_FOR,
        "attempts": 0,
        "fence": 0,
    }


def _unplaced(session: Session, limit: int) -> list[EventRow]:
    """The oldest events without a position, and all others of their cases that have none."""
    none = col(Event.position).is_(None)
    oldest = sa.select(_EVENTS.c.case_id).where(none).order_by(_EVENTS.c.id).limit(limit)
    query = (
        sa.select(*EVENT_COLUMNS).where(none, _EVENTS.c.case_id.in_(oldest)).order_by(_EVENTS.c.id)
    )
    return [EventRow(*row) for row in session.connection().execute(query)]


def _in_order(events: Sequence[EventRow]) -> list[EventRow]:
    """The order of ids, but for the events of one case, which are in the order of sequence.

    Clocks of two processes differ: a later event of a case can have the smaller id.
    """
    of_case: dict[UUID, deque[EventRow]] = defaultdict(deque)
    for event in sorted(events, key=lambda one: one.sequence):
        of_case[event.case_id].append(event)
    return [of_case[event.case_id].popleft() for event in events]


def _positions(
    session: Session, events: Iterable[EventRow], merchants: Collection[UUID]
) -> list[dict[str, Any]]:
    last = Counter({one: last_position(session, one) for one in merchants})
    rows = []
    for event in events:
        last[event.merchant_id] += 1
        rows.append({"id": event.id, "position": last[event.merchant_id]})
    return rows


def last_position(session: Session, merchant_id: UUID) -> int:
    """The newest position of a merchant's events; 0 where there is none."""
    query = select(sa.func.max(Event.position)).where(Event.merchant_id == merchant_id)
    return session.exec(query.where(col(Event.position).is_not(None))).one() or 0


def _listening(
    session: Session, merchants: Collection[UUID]
) -> Mapping[UUID, list[WebhookEndpoint]]:
    query = select(WebhookEndpoint).where(
        among(session, col(WebhookEndpoint.merchant_id), merchants),
        col(WebhookEndpoint.enabled),
        col(WebhookEndpoint.deleted_at).is_(None),
    )
    found: dict[UUID, list[WebhookEndpoint]] = defaultdict(list)
    for endpoint in session.exec(query):
        found[endpoint.merchant_id].append(endpoint)
    return found
