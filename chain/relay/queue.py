"""Intents: stored in the transaction that makes them necessary, ended once, told to settlement."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, select

from chain.relay.simulation import Move, moves_to_json
from returns import locks, work
from returns.bulk import among
from returns.errors import NotCancelable, NotFound
from returns.relay_reads import UNDER_WAY, shown_state
from returns.tables import RelaySlot, RelayTransaction
from returns.tables.relay import INTENTS
from returns.words import RelayState


@dataclass(frozen=True, slots=True)
class Intent:
    """A call that is owed to a chain. Addresses are lower-case 0x-hex, `value` is wei.

    `facts`: what the guard holds its arguments to; `moves`: the asset changes that it must make,
    None where nobody said; `batch_limit`: how many may share its transaction; `send_by`: until when
    it may wait for a cheap block, None if it is urgent; until `due_at` it waits for company; after
    `expires_at` it is not sent any more.
    """

    id: UUID
    merchant_id: UUID | None
    chain_id: int
    to: str
    data: bytes = b""
    value: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    moves: Sequence[Move] | None = None
    case_id: UUID | None = None
    customer: str | None = None
    lane_id: UUID | None = None
    batch_limit: int = 1
    send_by: datetime | None = None
    expires_at: datetime | None = None
    due_at: datetime | None = None


def enqueue(session: Session, intent: Intent, now: datetime) -> None:
    """Store what is owed, within the caller's transaction; a known id is left alone."""
    if session.get(RelayTransaction, intent.id) is not None:
        return
    session.add(
        RelayTransaction(
            id=intent.id,
            merchant_id=intent.merchant_id,
            chain_id=intent.chain_id,
            to=intent.to,
            data=intent.data,
            value=intent.value,
            facts=json.dumps(dict(intent.facts)),
            moves=None if intent.moves is None else moves_to_json(intent.moves),
            case_id=intent.case_id,
            customer=intent.customer,
            lane_id=intent.lane_id,
            batch_limit=intent.batch_limit,
            state=RelayState.PENDING,
            due_at=intent.due_at or now,
            send_by=intent.send_by,
            expires_at=intent.expires_at,
            created_at=now,
            updated_at=now,
        )
    )


def cancel(session: Session, merchant_id: UUID, relay_id: UUID, now: datetime) -> RelayTransaction:
    """Take an intent back: at once while it has no nonce, by a self-transfer in its place after.

    Which of the two is mined is the chain's to say. Raises `NotFound`, and `NotCancelable` for what
    is mined, has ended, or shares its transaction with others.
    """
    row = _owned(session, merchant_id, relay_id)
    if row.state is RelayState.PENDING:
        end(session, row, RelayState.CANCELED, "it was canceled before it had a nonce", now)
    elif row.state is not RelayState.CANCELED:
        slot = _open_slot(session, row)
        if len(_sharing(session, slot)) > 1:
            raise NotCancelable(relay=relay_id, problem="it shares its transaction with others")
        # What is given up already ends as it was to.
        slot.fill_as, slot.updated_at = slot.fill_as or RelayState.CANCELED, now
    return row


def speed_up(
    session: Session, merchant_id: UUID, relay_id: UUID, now: datetime
) -> RelayTransaction:
    """Ask for a higher fee, or, without a nonce, not to wait for a cheap block any more."""
    row = _owned(session, merchant_id, relay_id)
    if row.state is RelayState.PENDING:
        row.send_by, row.due_at, row.updated_at = None, now, now
    else:
        slot = _open_slot(session, row)
        slot.bump, slot.updated_at = True, now
    return row


def end(
    session: Session, row: RelayTransaction, state: RelayState, reason: str, now: datetime
) -> None:
    """An intent ended without its effect: nothing of it has moved, and settlement is told."""
    row.state, row.error, row.updated_at = state, reason[:1000], now
    work.receive(
        session,
        source="relay",
        external_id=f"{row.id}:failed",
        kind="relay.failed",
        payload=json.dumps({"relay": str(row.id), "reason": row.error}),
        now=now,
        merchant_id=row.merchant_id,
    )


def put_off(session: Session, ids: Sequence[UUID], now: datetime, **values: object) -> None:
    """Change intents that have no nonce yet, and only those."""
    if ids:
        changed = sa.update(INTENTS).where(among(session, INTENTS.c.id, ids))
        changed = changed.where(INTENTS.c.state == RelayState.PENDING)
        session.connection().execute(changed.values(updated_at=now, **values))


def _owned(session: Session, merchant_id: UUID, relay_id: UUID) -> RelayTransaction:
    row = locks.lock_relay(session, relay_id)
    if row.merchant_id != merchant_id:
        raise NotFound(what="relayed transaction")
    return row


def _open_slot(session: Session, row: RelayTransaction) -> RelaySlot:
    slot = session.get(RelaySlot, row.slot_id) if row.state is RelayState.SENT else None
    if slot is None or slot.state not in UNDER_WAY:
        raise NotCancelable(relay=row.id, problem=f"it is {shown_state(row, slot)}")
    return slot


def _sharing(session: Session, slot: RelaySlot) -> Sequence[UUID]:
    query = select(RelayTransaction.id).where(RelayTransaction.slot_id == slot.id)
    return session.exec(query).all()
