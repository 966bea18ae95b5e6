"""Stored answers: same key and body, same answer; another body is refused (R1).

The record is written in the transaction that does the work, so only accepted requests bind a key
and the unique key decides races.
"""

import hashlib
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from returns.errors import IdempotencyKeyMissing, IdempotencyKeyReused
from returns.tables import IdempotencyRecord


def check_key(key: str | None) -> str:
    """Return a usable key or raise `IdempotencyKeyMissing`."""
    if not key or len(key) > 200 or not key.isprintable():
        raise IdempotencyKeyMissing
    return key


def request_hash(*parts: str | bytes) -> str:
    """What makes two requests the same: caller, path and body."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


def stored_answer(
    session: Session, merchant_id: UUID, key: str, body_hash: str
) -> IdempotencyRecord | None:
    """The earlier answer under this key, None if there is none; raises `IdempotencyKeyReused`."""
    record = session.get(IdempotencyRecord, (merchant_id, key))
    if record is not None and record.request_hash != body_hash:
        raise IdempotencyKeyReused
    return record


def store_answer(
    session: Session,
    merchant_id: UUID,
    key: str,
    body_hash: str,
    status: int,
    body: str,
    now: datetime,
) -> IdempotencyRecord:
    """Bind the key to an accepted request, within the transaction that accepts it."""
    record = IdempotencyRecord(
        merchant_id=merchant_id,
        key=key,
        request_hash=body_hash,
        status=status,
        body=body,
        created_at=now,
    )
    session.add(record)
    session.flush()
    return record
