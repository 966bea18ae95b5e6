"""Lanes as the operator of an installation sees and steers them. They belong to no merchant."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from chain.addresses import parse_address
from returns import locks, relay_reads
from returns.errors import AddressInvalid, NotFound
from returns.tables import AuditRow, Lane
from returns.words import LaneMode
from settlement.runtime import Runtime

log = logging.getLogger(__name__)

#: pause: nothing is signed and nothing is repaired, what is in the pool stays there; drain: nothing
#: new, what is under way is brought to its end; resume: everything.
MODES = {"pause": LaneMode.PAUSED, "drain": LaneMode.DRAINING, "resume": LaneMode.RUNNING}


def overview(runtime: Runtime) -> dict[str, Any]:
    """Every lane, and by chain how long the oldest transaction without a nonce has waited."""
    with runtime.database.read() as session:
        now = runtime.clock()
        rows = [_view(runtime, one, now) for one in relay_reads.lanes(session)]
        waiting = relay_reads.waiting_since(session, runtime.chains, now)
    ages = {chain_id: int((now - since).total_seconds()) for chain_id, since in waiting.items()}
    return {
        "lanes": rows,
        "waiting": [{"chain_id": one, "oldest_s": ages[one]} for one in sorted(ages)],
    }


def set_mode(
    runtime: Runtime,
    address: str,
    action: str,
    chain_id: int | None,
    actor: str,
    merchant_id: UUID | None,
) -> dict[str, Any]:
    """Set the mode of a key's lane on one chain or (None) on all. Repeating it is harmless.

    `merchant_id` is the caller's, for the audit. Raises `NotFound` where no lane has the address.
    """
    now = runtime.clock()
    with runtime.database.write() as session:
        found = [locks.lock_lane(session, one) for one in _lanes_of(session, address, chain_id)]
        for lane in found:
            _change(session, lane, MODES[action], action, actor, merchant_id, now)
        session.flush()
        ids = {lane.id for lane in found}
        rows = [one for one in relay_reads.lanes(session) if one.lane.id in ids]
        return {"lanes": [_view(runtime, one, now) for one in rows]}


def _lanes_of(session: Session, text: str, chain_id: int | None) -> list[UUID]:
    try:
        address = parse_address(text)
    except AddressInvalid as fault:
        raise NotFound(what="lane") from fault
    query = select(Lane.id).where(Lane.address == address).order_by(col(Lane.id))
    if chain_id is not None:
        query = query.where(Lane.chain_id == chain_id)
    ids = list(session.exec(query))
    if not ids:
        raise NotFound(what="lane")
    return ids


def _change(
    session: Session,
    lane: Lane,
    mode: LaneMode,
    action: str,
    actor: str,
    merchant_id: UUID | None,
    now: datetime,
) -> None:
    if lane.mode is mode:
        return
    session.add(
        AuditRow(
            merchant_id=merchant_id,
            subject_id=lane.id,
            actor=actor,
            action=f"lane.{action}",
            before=lane.mode.value,
            after=mode.value,
            at=now,
        )
    )
    log.warning("relay.mode lane=%s mode=%s actor=%s", lane.address, mode.value, actor)
    lane.mode = mode


def _view(runtime: Runtime, one: relay_reads.LaneStatus, now: datetime) -> dict[str, Any]:
    return relay_reads.lane_view(one, now, runtime.settings.relay_stuck_seconds)
