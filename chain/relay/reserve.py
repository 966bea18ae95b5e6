"""Nonces for plans, within the gas budgets: one transaction, before anything is signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from chain.relay import queue
from chain.relay.batches import Plan
from chain.relay.budgets import Budgets
from chain.relay.fees import Fee
from chain.relay.lanes import Held
from returns import locks
from returns.bulk import among, insert_many, update_many
from returns.ids import new_id
from returns.tables import Lane, RelaySlot, RelayTransaction
from returns.words import RelayState, SlotState

SLOTS: sa.Table = RelaySlot.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Reserved:
    """A nonce whose bytes are to be made; without a plan a self-transfer fills it."""

    slot_id: UUID
    nonce: int
    plan: Plan | None


def reserve(
    session: Session, held: Held, lane: Lane, wanted: Sequence[Plan], fee: Fee
) -> list[Reserved]:
    """A nonce for each plan whose intents are all still owed, and within every budget."""
    now = held.parts.clock()
    owed = _still_owed(session, held, wanted)
    plans = [plan for plan in wanted if all(row.id in owed for row in plan.rows)]
    budgets = Budgets(session, held.parts.policy, plans, now)
    chosen = [plan for plan in plans if budgets.admit(plan, plan.gas * fee.max_fee)]
    reserved = [
        Reserved(new_id(), lane.next_nonce + index, plan) for index, plan in enumerate(chosen)
    ]
    lane.next_nonce += len(reserved)
    budgets.store()
    insert_slots(session, held, reserved, fee, now)
    _attach(session, reserved, now)
    return reserved


def insert_slots(
    session: Session, held: Held, reserved: Sequence[Reserved], fee: Fee | None, now: datetime
) -> None:
    """Nonces of a lane as rows, to be signed; those without a plan are to be filled."""
    rows = [
        {
            "id": one.slot_id,
            "lane_id": held.lane_id,
            "nonce": one.nonce,
            "state": SlotState.SENT,
            "fill_as": None if one.plan else RelayState.FAILED,
            "bump": False,
            "intents": len(one.plan.rows) if one.plan else 0,
            "cost": one.plan.gas * fee.max_fee if one.plan and fee else 0,
            "created_at": now,
            "updated_at": now,
        }
        for one in reserved
    ]
    insert_many(session, SLOTS, rows)


def _still_owed(session: Session, held: Held, wanted: Sequence[Plan]) -> set[UUID]:
    """Locked, so that none is canceled between this look and its nonce."""
    ids = [row.id for plan in wanted for row in plan.rows]
    query = (
        select(RelayTransaction.id)
        .where(among(session, col(RelayTransaction.id), ids))
        .where(col(RelayTransaction.lane_id) == held.lane_id)
        .where(col(RelayTransaction.state) == RelayState.PENDING)
        .order_by(col(RelayTransaction.id))
    )
    return set(session.exec(locks.for_update(query)))


def _attach(session: Session, reserved: Sequence[Reserved], now: datetime) -> None:
    """Tell the intents which nonce carries them."""
    rows = [
        {
            "id": row.id,
            "slot_id": one.slot_id,
            "state": RelayState.SENT,
            "error": None,
            "updated_at": now,
        }
        for one in reserved
        if one.plan is not None
        for row in one.plan.rows
    ]
    update_many(session, queue.TABLE, rows)
