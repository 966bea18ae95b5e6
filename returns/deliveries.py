"""Deliveries as a queue: claimed under a lease, settled under its fence, in order within a case.

A delivery waits while an earlier one of its case to the same endpoint is pending. An endpoint that
fails again and again rests as a whole, so that nobody's time is spent on it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from returns import locks
from returns.columns import table_of
from returns.errors import LeaseLost
from returns.tables import WebhookDelivery, WebhookEndpoint
from returns.words import DeliveryState

#: Seconds before the second try; each further wait is twice as long, up to the longest.
FIRST_WAIT, LONGEST_WAIT = 5, 3 * 3600
#: What an endpoint may ask for by Retry-After, in seconds.
LONGEST_ASKED = 6 * 3600
#: Failures in a row that an endpoint may have before it rests, and seconds of its longest rest.
BEFORE_REST, LONGEST_REST = 3, 300


def is_in(state: DeliveryState, table: type[WebhookDelivery] = WebhookDelivery) -> Any:
    """Whether a delivery is in a state, written out: the indexes are of such rows alone."""
    kind = table_of(WebhookDelivery).c.state.type
    return col(table.state) == sa.literal(state, kind, literal_execute=True)


_PENDING = is_in(DeliveryState.PENDING)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try failed: HTTP status, if there was an answer; seconds that it asked to wait."""

    error: str
    status: int | None = None
    retry_after: int | None = None

    @property
    def is_gone(self) -> bool:
        """The endpoint is not there any more and wants nothing (Standard Webhooks: 410)."""
        return self.status == 410


def wait_after(attempts: int, jitter: int = 0) -> int:
    """Seconds until the next try after so many: doubled, at most a quarter added by `jitter`."""
    wait = min(LONGEST_WAIT, FIRST_WAIT << min(attempts - 1, 16))
    return wait + jitter % (wait // 4 + 1)


def rest_after(failures: int) -> int:
    """Seconds that an endpoint rests after so many failures in a row."""
    return 0 if failures < BEFORE_REST else min(LONGEST_REST, 2 << min(failures - BEFORE_REST, 16))


def endpoints_with_work(session: Session, now: datetime) -> list[UUID]:
    """Endpoints that are switched on and awake, and have a delivery that is due, by their ids."""
    due = sa.exists().where(
        col(WebhookDelivery.endpoint_id) == WebhookEndpoint.id, *_is_due(WebhookDelivery, now)
    )
    query = select(WebhookEndpoint.id).where(
        col(WebhookEndpoint.enabled),
        col(WebhookEndpoint.deleted_at).is_(None),
        sa.or_(col(WebhookEndpoint.rests_until).is_(None), col(WebhookEndpoint.rests_until) <= now),
        due,
    )
    return list(session.exec(query.order_by(col(WebhookEndpoint.id))))


def claim(
    session: Session,
    endpoint_id: UUID,
    now: datetime,
    lease: timedelta,
    in_flight: int,
    limit: int,
) -> list[WebhookDelivery]:
    """Take up to `limit` due deliveries of an endpoint, until `in_flight` are on their way."""
    free = min(limit, in_flight - _on_their_way(session, endpoint_id, now))
    if free <= 0:
        return []
    earlier = aliased(WebhookDelivery)
    waits = sa.exists().where(
        col(earlier.endpoint_id) == WebhookDelivery.endpoint_id,
        col(earlier.case_id) == WebhookDelivery.case_id,
        is_in(DeliveryState.PENDING, earlier),
        col(earlier.sequence) < col(WebhookDelivery.sequence),
    )
    query = (
        select(WebhookDelivery)
        .where(WebhookDelivery.endpoint_id == endpoint_id, *_is_due(WebhookDelivery, now), ~waits)
        .order_by(col(WebhookDelivery.due_at), col(WebhookDelivery.id))
        .limit(free)
    )
    claimed = list(session.exec(locks.skip_locked(query)))
    for delivery in claimed:
        delivery.fence += 1
        delivery.attempts += 1
        delivery.lease_until = now + lease
    return claimed


def delivered(
    session: Session, delivery: WebhookDelivery, status: int, now: datetime, *, was_failing: bool
) -> None:
    """The endpoint took it. Raises `LeaseLost` where the row has another owner by now."""
    if was_failing:
        wake_up(session, delivery.endpoint_id)
    values = {"state": DeliveryState.DELIVERED, "delivered_at": now, "last_status": status}
    # Taken is taken, also where the endpoint was switched off meanwhile.
    _settle(session, delivery, {**values, "last_error": None})


def failed(session: Session, delivery: WebhookDelivery, failure: Failure, now: datetime) -> None:
    """Try again later, or give up. Raises `LeaseLost` where the row has another owner by now."""
    endpoint = locks.lock_endpoint(session, delivery.endpoint_id)
    told = {"last_status": failure.status, "last_error": failure.error[:300]}
    if failure.is_gone:
        switch_off(session, endpoint, "it answered 410 Gone", now)
        _settle(session, delivery, {**told, "state": DeliveryState.DEAD})
        return
    _tire(endpoint, failure, now)
    if now < delivery.give_up_at:
        due = min(delivery.give_up_at, now + timedelta(seconds=_wait(delivery, failure)))
        _settle(session, delivery, {**told, "due_at": due}, _PENDING)
        return
    if delivery.event_id is not None:
        endpoint.flagged_at = endpoint.flagged_at or now
    _settle(session, delivery, {**told, "state": DeliveryState.DEAD}, _PENDING)


def switch_off(session: Session, endpoint: WebhookEndpoint, reason: str, now: datetime) -> None:
    """Send nothing more to a (locked) endpoint; what was on its way is skipped."""
    endpoint.enabled, endpoint.disabled_reason = False, reason
    session.flush()
    skip = sa.update(WebhookDelivery).where(
        col(WebhookDelivery.endpoint_id) == endpoint.id, _PENDING
    )
    session.connection().execute(skip.values(state=DeliveryState.SKIPPED, due_at=now))


def wake_up(session: Session, endpoint_id: UUID) -> None:
    """Forget the failures of an endpoint: it is tried at once."""
    awake = sa.update(WebhookEndpoint).where(col(WebhookEndpoint.id) == endpoint_id)
    session.connection().execute(awake.values(failures=0, rests_until=None))


def _tire(endpoint: WebhookEndpoint, failure: Failure, now: datetime) -> None:
    endpoint.failures += 1
    asked = min(failure.retry_after or 0, LONGEST_ASKED)
    rest = max(rest_after(endpoint.failures), asked)
    # One that asked for an hour is not woken by another answer that came a moment later.
    endpoint.rests_until = max(endpoint.rests_until or now, now + timedelta(seconds=rest))


def _wait(delivery: WebhookDelivery, failure: Failure) -> int:
    asked = min(failure.retry_after or 0, LONGEST_ASKED)
    return max(asked, wait_after(delivery.attempts, secrets.randbelow(LONGEST_WAIT)))


def _is_due(table: type[WebhookDelivery], now: datetime) -> tuple[Any, ...]:
    free = sa.or_(col(table.lease_until).is_(None), col(table.lease_until) < now)
    return (is_in(DeliveryState.PENDING, table), col(table.due_at) <= now, free)


def _on_their_way(session: Session, endpoint_id: UUID, now: datetime) -> int:
    query = select(sa.func.count()).where(
        WebhookDelivery.endpoint_id == endpoint_id, col(WebhookDelivery.lease_until) >= now
    )
    return session.exec(query).one()


def _settle(
    session: Session, delivery: WebhookDelivery, values: dict[str, Any], *conditions: Any
) -> None:
    statement = (
        sa.update(WebhookDelivery)
        .where(col(WebhookDelivery.id) == delivery.id)
        .where(col(WebhookDelivery.fence) == delivery.fence, *conditions)
        .values(lease_until=None, **values)
    )
    if session.connection().execute(statement).rowcount != 1:
        raise LeaseLost(row=f"webhook_delivery {delivery.id}")
