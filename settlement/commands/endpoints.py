"""Merchants say where their events go: endpoints, their secrets, and a ping to try them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa
from sqlmodel import Session, col

from returns import deliveries, locks
from returns.delivery_reads import (
    delivery_view,
    endpoint_view,
    endpoints,
    find_endpoint,
    secrets_of,
)
from returns.errors import (
    EventKindUnknown,
    WebhookEndpointDisabled,
    WebhookEndpointExists,
    WebhookEndpointsFull,
    WebhookSecretsFull,
)
from returns.event_kinds import PING, all_kinds
from returns.ids import new_id
from returns.tables import AuditRow, WebhookDelivery, WebhookEndpoint, WebhookSecret
from returns.words import DeliveryState
from settlement.broker import WEBHOOKS
from settlement.commands.access import Caller
from settlement.commands.endpoint_inputs import EndpointChangeIn, EndpointIn
from settlement.runtime import Runtime
from settlement.webhooks_out.sealing import Sealer, new_secret

#: Endpoints of a merchant, and secrets of an endpoint that sign at the same time.
MAX_ENDPOINTS, MAX_SECRETS = 20, 4


def create(runtime: Runtime, caller: Caller, asked: EndpointIn) -> dict[str, Any]:
    """Register an endpoint. Its secret is in this answer and in no other.

    Raises `WebhookTargetRefused`, `EventKindUnknown`, `WebhookEndpointExists`,
    `WebhookEndpointsFull`.
    """
    url, now = runtime.targets.check(asked.url), runtime.clock()
    endpoint = WebhookEndpoint(
        merchant_id=caller.merchant_id,
        url=url,
        description=asked.description,
        kinds=_kinds(asked.kinds),
        style=asked.payload,
        created_at=now,
    )
    with runtime.database.write() as session:
        _check_room(session, caller.merchant_id, url)
        session.add(endpoint)
        session.flush()
        secret = _new_secret(session, runtime.sealer, endpoint, now)
        _note(session, caller, endpoint, "webhook.create", _host(url), now)
        return {**endpoint_view(session, endpoint, now), "secret": secret}


def listed(runtime: Runtime, caller: Caller) -> list[dict[str, Any]]:
    """Every endpoint of the merchant."""
    now = runtime.clock()
    with runtime.database.read() as session:
        return [endpoint_view(session, one, now) for one in endpoints(session, caller.merchant_id)]


def change(
    runtime: Runtime, caller: Caller, endpoint_id: str, asked: EndpointChangeIn
) -> dict[str, Any]:
    """Change an endpoint, or switch it on or off. Raises what `create` does, and `NotFound`."""
    url = None if asked.url is None else runtime.targets.check(asked.url)
    now = runtime.clock()
    with runtime.database.write() as session:
        locks.lock_endpoints(session, caller.merchant_id)
        endpoint = _locked(session, caller, endpoint_id)
        if url is not None and url != endpoint.url:
            _check_new(session, caller.merchant_id, url)
            endpoint.url, endpoint.failures, endpoint.rests_until = url, 0, None
        _describe(endpoint, asked)
        _switch(session, endpoint, asked.enabled, now)
        _note(session, caller, endpoint, "webhook.change", _told(asked, url), now)
        return endpoint_view(session, endpoint, now)


def delete(runtime: Runtime, caller: Caller, endpoint_id: str) -> None:
    """Send nothing more there and forget its secrets; raises `NotFound`."""
    now = runtime.clock()
    with runtime.database.write() as session:
        endpoint = _locked(session, caller, endpoint_id)
        deliveries.switch_off(session, endpoint, "it was deleted", now)
        endpoint.deleted_at = now
        _forget_secrets(session, endpoint.id)
        _note(session, caller, endpoint, "webhook.delete", _host(endpoint.url), now)


def rotate(
    runtime: Runtime, caller: Caller, endpoint_id: str, grace_seconds: int
) -> dict[str, Any]:
    """A new secret. Present ones sign beside it for the grace; with 0 seconds they end at once.

    Raises `NotFound`, `WebhookSecretsFull`.
    """
    now = runtime.clock()
    with runtime.database.write() as session:
        endpoint = _locked(session, caller, endpoint_id)
        _forget_secrets(session, endpoint.id, None if grace_seconds == 0 else now)
        valid = secrets_of(session, endpoint.id, now)
        if len(valid) >= MAX_SECRETS:
            raise WebhookSecretsFull(limit=MAX_SECRETS, endpoint=endpoint.id)
        for row in valid:
            row.expires_at = row.expires_at or now + timedelta(seconds=grace_seconds)
        secret = _new_secret(session, runtime.sealer, endpoint, now)
        _note(session, caller, endpoint, "webhook.rotate", f"grace {grace_seconds} s", now)
        return {**endpoint_view(session, endpoint, now), "secret": secret}


def ping(runtime: Runtime, caller: Caller, endpoint_id: str) -> dict[str, Any]:
    """Have a message sent that is about nothing, once. Raises `NotFound`, or that it is off."""
    now = runtime.clock()
    with runtime.database.write() as session:
        endpoint = _locked(session, caller, endpoint_id)
        check_enabled(endpoint)
        deliveries.wake_up(session, endpoint.id)
        delivery = WebhookDelivery(
            merchant_id=caller.merchant_id,
            endpoint_id=endpoint.id,
            kind=PING,
            state=DeliveryState.PENDING,
            created_at=now,
            due_at=now,
            give_up_at=now,
        )
        session.add(delivery)
    runtime.wake(WEBHOOKS, str(delivery.id))
    return delivery_view(delivery, None)


def check_enabled(endpoint: WebhookEndpoint) -> None:
    """Raise `WebhookEndpointDisabled` for one that is switched off."""
    if not endpoint.enabled:
        raise WebhookEndpointDisabled(endpoint=endpoint.id, reason=endpoint.disabled_reason)


def _locked(session: Session, caller: Caller, endpoint_id: str) -> WebhookEndpoint:
    found = find_endpoint(session, caller.merchant_id, endpoint_id)
    locks.lock_endpoint(session, found.id)
    # Somebody may have deleted it before the lock was ours.
    return find_endpoint(session, caller.merchant_id, endpoint_id)


def _check_room(session: Session, merchant_id: UUID, url: str) -> None:
    locks.lock_endpoints(session, merchant_id)
    _check_new(session, merchant_id, url)
    if len(endpoints(session, merchant_id)) >= MAX_ENDPOINTS:
        raise WebhookEndpointsFull(limit=MAX_ENDPOINTS)


def _check_new(session: Session, merchant_id: UUID, url: str) -> None:
    for one in endpoints(session, merchant_id):
        if one.url == url:
            raise WebhookEndpointExists(endpoint=one.id, since=one.created_at.isoformat())


def _kinds(asked: Iterable[str]) -> str:
    known = all_kinds()
    for kind in asked:
        if kind not in known:
            raise EventKindUnknown(kind=kind)
    return " ".join(dict.fromkeys(asked))


def _describe(endpoint: WebhookEndpoint, asked: EndpointChangeIn) -> None:
    if asked.description is not None:
        endpoint.description = asked.description
    if asked.kinds is not None:
        endpoint.kinds = _kinds(asked.kinds)
    if asked.payload is not None:
        endpoint.style = asked.payload


def _told(asked: EndpointChangeIn, url: str | None) -> str:
    """What was changed, for the audit. Of addresses the host alone: the rest may be a secret."""
    changed = asked.model_dump(mode="json", exclude_none=True)
    return json.dumps(changed if url is None else changed | {"url": _host(url)})


def _host(url: str) -> str:
    return httpx.URL(url).host


def _switch(
    session: Session, endpoint: WebhookEndpoint, enabled: bool | None, now: datetime
) -> None:
    if enabled is False:
        deliveries.switch_off(session, endpoint, "it was switched off", now)
    if enabled:
        endpoint.enabled, endpoint.disabled_reason, endpoint.flagged_at = True, "", None
        endpoint.failures, endpoint.rests_until = 0, None


def _new_secret(session: Session, sealer: Sealer, endpoint: WebhookEndpoint, now: datetime) -> str:
    secret, row_id = new_secret(), new_id()
    sealed = sealer.seal(secret, row_id)
    session.add(
        WebhookSecret(
            id=row_id,
            merchant_id=endpoint.merchant_id,
            endpoint_id=endpoint.id,
            sealed=sealed,
            created_at=now,
        )
    )
    session.flush()
    return secret


def _forget_secrets(
    session: Session, endpoint_id: UUID, expired_at: datetime | None = None
) -> None:
    """Remove what does not sign any more; without a moment all of them."""
    gone = sa.delete(WebhookSecret).where(col(WebhookSecret.endpoint_id) == endpoint_id)
    if expired_at is not None:
        gone = gone.where(col(WebhookSecret.expires_at) <= expired_at)
    session.connection().execute(gone)


def _note(
    session: Session,
    caller: Caller,
    endpoint: WebhookEndpoint,
    action: str,
    what: str,
    now: datetime,
) -> None:
    session.add(
        AuditRow(
            merchant_id=caller.merchant_id,
            subject_id=endpoint.id,
            actor=caller.name,
            action=action,
            reason=what[:1000],
            at=now,
        )
    )
