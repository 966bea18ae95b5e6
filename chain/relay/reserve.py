"""Nonces for plans, within the gas budgets: one transaction, before anything is signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from chain.relay.batches import Plan
from chain.relay.budgets import Budgets
from chain.relay.fees import Fee
from chain.relay.lanes import Held
from returns import locks
from returns.bulk import Among, insert_many, prepared, update_many
from returns.ids import new_id
from returns.tables.relay import INTENTS, LANES, SLOTS
from returns.words import RelayState, SlotState


@dataclass(frozen=True, slots=True)
class Reserved:
    """A nonce whose bytes are to be made; without a plan a self-transfer fills it."""

    slot_id: UUID
    nonce: int
    plan: Plan | None


def reserve(session: Session, held: Held, wanted: Sequence[Plan], fee: Fee) -> list[Reserved]:
    """A nonce for each plan whose intents are all still owed, and within every budget."""
    now = held.parts.clock()
    owed = _still_owed(session, held, wanted)
    plans = [plan for plan in wanted if all(row.id in owed for row in plan.rows)]
    budgets = Budgets(session, held.parts.policy, plans, now)
    chosen = [plan for plan in plans if budgets.admit(plan, plan.gas * fee.max_fee)]
    nonces = _next_nonces(session, held, len(chosen))
    reserved = [Reserved(new_id(), nonce, plan) for nonce, plan in zip(nonces, chosen, strict=True)]
    budgets.store()
    insert_slots(session, held, reserved, fee, now)
    _attach(session, reserved, now)
    return reserved


def _next_nonces(session: Session, held: Held, count: int) -> range:
    """So many nonces that nobody has had; the lane is locked by whoever may ask."""
    values = {"lane": held.lane_id, "count": count}
    end: int = session.connection().execute(_TAKE_NONCES, values).scalar_one()
    return range(end - count, end)


_TAKE_NONCES = (
    sa.update(LANES)
    .where(LANES.c.id == sa.bindparam("lane"))
    .values(next_nonce=LANES.c.next_nonce + sa.bindparam("count"))
    .returning(LANES.c.next_nonce)
)


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
    values = {"ids": ids, "lane": held.lane_id}
    return set(session.connection().execute(_owed(session), values).scalars())


@prepared
def _owed(among: Among) -> Any:
    table = INTENTS
    query = sa.select(table.c.id).where(among(table.c.id, "ids"))
    query = query.where(table.c.lane_id == sa.bindparam("lane"))
    query = query.where(table.c.state == RelayState.PENDING).order_by(table.c.id)
    return locks.for_update(query)


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
    update_many(session, INTENTS, rows)
