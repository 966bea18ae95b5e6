"""Webhook endpoints and deliveries as merchants see them; a secret is never part of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns.deliveries import is_in
from returns.errors import NotFound
from returns.tables import Event, ReturnCase, WebhookDelivery, WebhookEndpoint, WebhookSecret
from returns.words import DeliveryState

DEFAULT_PAGE, MAX_PAGE = 50, 200


def find_endpoint(session: Session, merchant_id: UUID, text: str) -> WebhookEndpoint:
    """A merchant's endpoint by its id; raises `NotFound`, for others' as for unknown ones."""
    row = session.get(WebhookEndpoint, _id(text, "webhook endpoint"))
    if row is None or row.merchant_id != merchant_id or row.deleted_at is not None:
        raise NotFound(what="webhook endpoint")
    return row


def find_delivery(session: Session, merchant_id: UUID, text: str) -> WebhookDelivery:
    """A merchant's delivery by its id; raises `NotFound`."""
    row = session.get(WebhookDelivery, _id(text, "webhook delivery"))
    if row is None or row.merchant_id != merchant_id:
        raise NotFound(what="webhook delivery")
    return row


def endpoints(session: Session, merchant_id: UUID) -> list[WebhookEndpoint]:
    """A merchant's endpoints, the oldest first."""
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.merchant_id == merchant_id, col(WebhookEndpoint.deleted_at).is_(None)
    )
    return list(session.exec(query.order_by(col(WebhookEndpoint.id))))


def endpoint_view(session: Session, endpoint: WebhookEndpoint, now: datetime) -> dict[str, Any]:
    """One endpoint; `secrets` says until when each that still signs does so."""
    return {
        "id": str(endpoint.id),
        "url": endpoint.url,
        "description": endpoint.description,
        "kinds": endpoint.kinds.split(),
        "payload": endpoint.style.value,
        "enabled": endpoint.enabled,
        "disabled_reason": endpoint.disabled_reason or None,
        "flagged_at": _iso(endpoint.flagged_at),
        "failures_in_a_row": endpoint.failures,
        "rests_until": _iso(endpoint.rests_until),
        "created_at": endpoint.created_at.isoformat(),
        "secrets": [
            {"created_at": _iso(row.created_at), "expires_at": _iso(row.expires_at)}
            for row in secrets_of(session, endpoint.id, now)
        ],
    }


def secrets_of(session: Session, endpoint_id: UUID, now: datetime) -> list[WebhookSecret]:
    """The secrets that sign at this moment, the newest first."""
    valid = sa.or_(col(WebhookSecret.expires_at).is_(None), col(WebhookSecret.expires_at) > now)
    query = select(WebhookSecret).where(WebhookSecret.endpoint_id == endpoint_id, valid)
    return list(session.exec(query.order_by(col(WebhookSecret.id).desc())))


def page(
    session: Session,
    merchant_id: UUID,
    endpoint_id: UUID | None,
    state: DeliveryState | None,
    cursor: UUID | None,
    limit: int,
) -> dict[str, Any]:
    """A merchant's deliveries, the newest first; on the last page `next` is null."""
    conditions: list[Any] = [WebhookDelivery.merchant_id == merchant_id]
    if endpoint_id is not None:
        conditions.append(WebhookDelivery.endpoint_id == endpoint_id)
    if state is not None:
        conditions.append(is_in(state))
    if cursor is not None:
        conditions.append(col(WebhookDelivery.id) < cursor)
    query = (
        select(WebhookDelivery, ReturnCase.rma)
        .join(ReturnCase, col(ReturnCase.id) == WebhookDelivery.case_id, isouter=True)
        .where(*conditions)
        .order_by(col(WebhookDelivery.id).desc())
        .limit(limit + 1)
    )
    found = list(session.exec(query))
    shown = [delivery_view(row, rma) for row, rma in found[:limit]]
    return {"deliveries": shown, "next": shown[-1]["id"] if len(found) > limit else None}


def delivery_view(row: WebhookDelivery, rma: str | None) -> dict[str, Any]:
    """One delivery; `event` is null for a ping."""
    return {
        "id": str(row.id),
        "endpoint": str(row.endpoint_id),
        "event": None if row.event_id is None else str(row.event_id),
        "kind": row.kind,
        "rma": rma,
        "sequence": row.sequence,
        "state": row.state.value,
        "attempts": row.attempts,
        "created_at": row.created_at.isoformat(),
        "due_at": row.due_at.isoformat() if row.state is DeliveryState.PENDING else None,
        "give_up_at": row.give_up_at.isoformat(),
        "delivered_at": _iso(row.delivered_at),
        "last_status": row.last_status,
        "last_error": row.last_error,
    }


def rma_of(session: Session, row: WebhookDelivery) -> str | None:
    """The case that a delivery is about; None for a ping."""
    case = None if row.case_id is None else session.get(ReturnCase, row.case_id)
    return None if case is None else case.rma


def waiting(session: Session) -> dict[str, int]:
    """Events that have no position yet, and deliveries that are pending or were given up."""
    unplaced = select(sa.func.count()).where(col(Event.position).is_(None))
    by_state = {
        state: session.exec(select(sa.func.count()).where(is_in(state))).one()
        for state in (DeliveryState.PENDING, DeliveryState.DEAD)
    }
    return {"event": session.exec(unplaced).one()} | {
        f"webhook_{state.value}": count for state, count in by_state.items()
    }


def _id(text: str, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as fault:
        raise NotFound(what=what) from fault


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
