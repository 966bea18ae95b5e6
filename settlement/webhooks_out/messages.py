"""What a webhook says and how it proves itself (the Standard Webhooks specification)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session
from standardwebhooks import Webhook

from returns import delivery_reads, event_reads, reads
from returns.errors import WebhookSecretUnreadable
from returns.event_kinds import PING
from returns.tables import Event, ReturnCase, WebhookDelivery, WebhookEndpoint
from returns.words import PayloadStyle
from settlement.webhooks_out.sealing import CannotUnseal, Sealer


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent where. `message_id` stays the same however often an event is sent."""

    url: str
    message_id: str
    body: bytes
    secrets: Sequence[str]
    was_failing: bool


def compose(session: Session, sealer: Sealer, delivery: WebhookDelivery, now: datetime) -> Message:
    """Everything that a delivery needs. Raises `WebhookSecretUnreadable`."""
    endpoint = session.get_one(WebhookEndpoint, delivery.endpoint_id)
    event = None if delivery.event_id is None else session.get_one(Event, delivery.event_id)
    said = _ping(endpoint, delivery) if event is None else _told(session, endpoint, event)
    return Message(
        url=endpoint.url,
        message_id=f"ping_{delivery.id.hex}" if event is None else message_id(event.id),
        body=json.dumps(said, separators=(",", ":")).encode(),
        secrets=valid_secrets(session, sealer, endpoint.id, now),
        was_failing=bool(endpoint.failures or endpoint.rests_until),
    )


def message_id(event_id: UUID) -> str:
    """The name by which a receiver tells a repetition."""
    return f"evt_{event_id.hex}"


def headers(message: Message, now: datetime) -> dict[str, str]:
    """The headers of one attempt: a signature by each secret that is valid, the newest first."""
    text = message.body.decode()
    signed = [Webhook(one).sign(message.message_id, now, text) for one in message.secrets]
    return {
        "content-type": "application/json",
        "user-agent": "Undrop-Webhooks",
        "webhook-id": message.message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signed),
    }


def valid_secrets(
    session: Session, sealer: Sealer, endpoint_id: UUID, now: datetime
) -> Sequence[str]:
    """The secrets that sign now, the newest first. Raises `WebhookSecretUnreadable`."""
    rows = delivery_reads.secrets_of(session, endpoint_id, now)
    try:
        found = [sealer.unseal(row.sealed, row.id) for row in rows]
    except CannotUnseal as fault:
        raise WebhookSecretUnreadable(endpoint=endpoint_id) from fault
    if not found:
        # Nothing is ever sent without a signature.
        raise WebhookSecretUnreadable(endpoint=endpoint_id)
    return found


def _told(session: Session, endpoint: WebhookEndpoint, event: Event) -> dict[str, Any]:
    case = session.get_one(ReturnCase, event.case_id)
    said = event_reads.envelope(event, case.rma)
    if endpoint.style is PayloadStyle.FAT:
        details = {"details": json.loads(event.payload), "case": reads.case_view(session, case)}
        said["data"] |= details
    return said


def _ping(endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> dict[str, Any]:
    return {
        "type": PING,
        "timestamp": delivery.created_at.isoformat(),
        "data": {"endpoint": str(endpoint.id)},
    }
