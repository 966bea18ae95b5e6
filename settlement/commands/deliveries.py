"""Merchants look at what was sent to them, and have it sent again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns import deliveries, delivery_reads, locks, reads
from returns.bulk import among, insert_many, update_many
from returns.columns import table_of
from returns.delivery_reads import delivery_view, find_delivery, find_endpoint, rma_of
from returns.errors import ReplayTooLarge, WebhookDeliveryPending
from returns.fan_out import EVENT_COLUMNS, RETRY_FOR, EventRow, new_row, wants
from returns.tables import AuditRow, Event, WebhookDelivery, WebhookEndpoint
from returns.words import DeliveryState
from settlement.broker import WEBHOOKS
from settlement.commands.access import Caller
from settlement.commands.endpoint_inputs import StartIn
from settlement.commands.endpoints import check_enabled
from settlement.runtime import Runtime

#: Events of one replay.
MAX_REPLAY = 10_000

_EVENTS, _DELIVERIES = table_of(Event), table_of(WebhookDelivery)


def listed(
    runtime: Runtime,
    caller: Caller,
    endpoint: str | None,
    state: DeliveryState | None,
    cursor: UUID | None,
    limit: int,
) -> dict[str, Any]:
    """The merchant's deliveries, the newest first; raises `NotFound` for an unknown endpoint."""
    with runtime.database.read() as session:
        merchant_id = caller.merchant_id
        of = None if endpoint is None else find_endpoint(session, merchant_id, endpoint).id
        return delivery_reads.page(session, merchant_id, of, state, cursor, limit)


def resend(runtime: Runtime, caller: Caller, delivery_id: str) -> dict[str, Any]:
    """Send one delivery again, or now if it waits for its next try.

    Raises `NotFound`, `WebhookEndpointDisabled`, `WebhookDeliveryPending`.
    """
    now = runtime.clock()
    with runtime.database.write() as session:
        row = find_delivery(session, caller.merchant_id, delivery_id)
        endpoint = _locked(session, caller, str(row.endpoint_id))
        locked = _locked_rows(session, col(WebhookDelivery.id) == row.id)
        again = _again(locked, now)
        if not again:
            raise WebhookDeliveryPending(delivery=row.id)
        update_many(session, _DELIVERIES, again)
        deliveries.wake_up(session, endpoint.id)
        _note(session, caller, row.id, "webhook.resend", row.kind, now)
        session.refresh(row)
        view = delivery_view(row, rma_of(session, row))
    runtime.wake(WEBHOOKS, view["id"])
    return view


def replay(runtime: Runtime, caller: Caller, endpoint_id: str, start: StartIn) -> dict[str, Any]:
    """Send an endpoint the events from somewhere on, whatever became of them; returns how many.

    Raises `NotFound`, `WebhookEndpointDisabled`, `ReplayTooLarge`; nothing is sent then.
    """
    now = runtime.clock()
    with runtime.database.write() as session:
        endpoint = _locked(session, caller, endpoint_id)
        events = [one for one in _events_from(session, caller, start) if wants(endpoint, one.kind)]
        _send_again(session, endpoint, events, now)
        deliveries.wake_up(session, endpoint.id)
        told = f"{len(events)} events from {start.model_dump_json(exclude_none=True)}"
        _note(session, caller, endpoint.id, "webhook.replay", told, now)
    runtime.wake(WEBHOOKS, endpoint_id)
    return {"endpoint": str(endpoint.id), "events": len(events)}


def _locked(session: Session, caller: Caller, endpoint_id: str) -> WebhookEndpoint:
    found = find_endpoint(session, caller.merchant_id, endpoint_id)
    endpoint = locks.lock_endpoint(session, found.id)
    check_enabled(endpoint)
    return endpoint


def _events_from(session: Session, caller: Caller, start: StartIn) -> list[EventRow]:
    """What has been placed already; the rest reaches the endpoint anyway."""
    query = sa.select(*EVENT_COLUMNS).where(_EVENTS.c.position.is_not(None))
    if start.rma is not None:
        case = reads.find_case(session, caller.merchant_id, start.rma)
        query = query.where(_EVENTS.c.case_id == case.id, _EVENTS.c.sequence >= start.sequence)
    else:
        mine = _EVENTS.c.merchant_id == caller.merchant_id
        query = query.where(mine, _EVENTS.c.at >= start.since)
    # The newest first, so that a replay that is too large is known without reading all of it.
    newest = query.order_by(_EVENTS.c.position.desc()).limit(MAX_REPLAY + 1)
    found = [EventRow(*row) for row in session.connection().execute(newest)]
    if len(found) > MAX_REPLAY:
        raise ReplayTooLarge(limit=MAX_REPLAY)
    return found[::-1]


def _send_again(
    session: Session, endpoint: WebhookEndpoint, events: Sequence[EventRow], now: datetime
) -> None:
    known = _known(session, endpoint, events)
    missing = [event for event in events if event.id not in known]
    update_many(session, _DELIVERIES, _again(list(known.values()), now))
    insert_many(session, _DELIVERIES, [new_row(endpoint, event, now) for event in missing])


def _known(
    session: Session, endpoint: WebhookEndpoint, events: Sequence[EventRow]
) -> dict[UUID, WebhookDelivery]:
    if not events:
        return {}
    rows = _locked_rows(
        session,
        col(WebhookDelivery.endpoint_id) == endpoint.id,
        among(session, col(WebhookDelivery.event_id), [event.id for event in events]),
    )
    return {row.event_id: row for row in rows if row.event_id is not None}


def _locked_rows(session: Session, *conditions: Any) -> list[WebhookDelivery]:
    """Deliveries as they are now; no worker can take one of them meanwhile."""
    query = locks.for_update(select(WebhookDelivery).where(*conditions))
    return list(session.exec(query.execution_options(populate_existing=True)))


def _again(rows: Sequence[WebhookDelivery], now: datetime) -> list[dict[str, Any]]:
    """The values with which these begin anew; none for those that are on their way right now."""
    begun = []
    for row in rows:
        pending = row.state is DeliveryState.PENDING
        if pending and row.lease_until is not None and row.lease_until >= now:
            continue
        begun.append(
            {
                "id": row.id,
                "state": DeliveryState.PENDING,
                "due_at": now,
                "give_up_at": now if row.event_id is None else now + RETRY_FOR,
                "attempts": 0,
                "fence": row.fence + 1,
                "lease_until": None,
            }
        )
    return begun


def _note(
    session: Session, caller: Caller, subject_id: UUID, action: str, what: str, now: datetime
) -> None:
    session.add(
        AuditRow(
            merchant_id=caller.merchant_id,
            subject_id=subject_id,
            actor=caller.name,
            action=action,
            reason=what[:1000],
            at=now,
        )
    )
