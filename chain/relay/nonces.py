"""Nonces that do not fit the chain: holes in the books, and nonces that somebody else has used.

The number of used nonces is the node's word alone, so that one look is no proof of either.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from chain.client import RpcError
from chain.relay import budgets, queue
from chain.relay.lanes import Held
from chain.relay.reserve import Reserved, insert_slots
from returns.ids import new_id
from returns.tables import Lane, RelayAttempt, RelaySlot, RelayTransaction
from returns.tables.relay import INTENTS
from returns.words import RelayState, SlotState

log = logging.getLogger(__name__)


@dataclass
class Watch:
    """What a lane's watchdog remembers between two looks: one look is no proof."""

    missing: frozenset[int] = frozenset()
    ahead: int = 0
    suspects: dict[UUID, datetime] = field(default_factory=dict)
    unseen: frozenset[UUID] | None = None


def close_gaps(held: Held, watch: Watch, count: int, under_way: Sequence[int]) -> bool:
    """Nonces that the chain waits for and the books lack get a self-transfer; lost ones are passed.

    Both only if a second look says the same: the number is the node's word alone.
    """
    with held.parts.database.read() as session:
        next_nonce = session.get_one(Lane, held.lane_id).next_nonce
        first = min(under_way, default=next_nonce)
        known = select(RelaySlot.nonce).where(
            RelaySlot.lane_id == held.lane_id, col(RelaySlot.nonce) >= count
        )
        missing = frozenset(range(count, first)) - set(session.exec(known).all())
    confirmed, watch.missing = missing & watch.missing, missing
    behind = count if count > next_nonce and watch.ahead == count else 0
    watch.ahead = count
    if not confirmed and not behind:
        return False
    log.warning("relay.gap lane=%s missing=%s count=%s", held.address, sorted(confirmed), count)
    with held.write() as session:
        lane = session.get_one(Lane, held.lane_id)
        lane.next_nonce = max(lane.next_nonce, behind)
        holes = [Reserved(new_id(), nonce, None) for nonce in sorted(confirmed)]
        insert_slots(session, held, holes, None, held.parts.clock())
    return True


def find_foreign(held: Held, watch: Watch, passed: Mapping[UUID, int]) -> bool:
    """A nonce that the chain has used, but for none of our bytes: its intents need another one.

    Only after a while, and only if the chain shows at a safe depth what took the nonce: else two
    transactions could be mined for one intent.
    """
    now = held.parts.clock()
    watch.suspects = {one: min(watch.suspects.get(one, now), now) for one in passed}
    patient = now - held.parts.policy.stuck_after
    foreign = {}
    for slot_id, since in watch.suspects.items():
        if since <= patient:
            found = _who_used(held, passed[slot_id])
            if found is not None:
                foreign[slot_id] = found
    if not foreign:
        return False
    ours = _ours(held, list(foreign))
    with held.write() as session:
        for slot_id, (tx_hash, number) in foreign.items():
            if tx_hash not in ours:
                budgets.give_back(session, held.parts.policy, [slot_id])
                _pass_on(session, slot_id, tx_hash, number, now)
    return True


def _who_used(held: Held, nonce: int) -> tuple[str, int] | None:
    """The transaction that used a nonce, and its block, where it is deep enough; else None."""
    client, deep = held.parts.client, held.parts.canon.head().number
    deep -= held.parts.policy.confirmations - 1
    try:
        if _count_at(held, deep) <= nonce:
            return None
        low, high = 0, deep
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if _count_at(held, middle) > nonce else (middle + 1, high)
        block = client.call("eth_getBlockByNumber", hex(low), True)
    except RpcError as error:
        # Nodes without history cannot tell: the nonce stays open, and the alarm on.
        log.warning("relay.foreign_unknown nonce=%s problem=%s", nonce, error)
        return None
    for one in block["transactions"]:
        if (one["from"].lower(), int(one["nonce"], 16)) == (held.address, nonce):
            return str(one["hash"]), low
    return None


def _count_at(held: Held, number: int) -> int:
    answer: Any = held.parts.client.call("eth_getTransactionCount", held.address, hex(number))
    return int(answer, 16)


def _ours(held: Held, slot_ids: Sequence[UUID]) -> set[str]:
    query = select(RelayAttempt.hash).where(col(RelayAttempt.slot_id).in_(slot_ids))
    with held.parts.database.read() as session:
        return set(session.exec(query))


def _pass_on(session: Session, slot_id: UUID, tx_hash: str, number: int, now: datetime) -> None:
    log.error("relay.foreign slot=%s hash=%s: the key was used outside", slot_id, tx_hash)
    slot = session.get_one(RelaySlot, slot_id)
    slot.state, slot.mined_hash, slot.updated_at = SlotState.CONFIRMED, tx_hash, now
    slot.block_number = number
    again = sa.update(INTENTS).where(
        INTENTS.c.slot_id == slot_id, INTENTS.c.state == RelayState.SENT
    )
    values = {"state": RelayState.PENDING, "slot_id": None, "lane_id": None, "due_at": now}
    if slot.fill_as is not None:
        # Nobody wants these any more: they end as they would have by a self-transfer.
        rows = select(RelayTransaction).where(
            RelayTransaction.slot_id == slot_id, RelayTransaction.state == RelayState.SENT
        )
        for row in session.exec(rows):
            queue.end(session, row, slot.fill_as, row.error or "its nonce was used outside", now)
        return
    session.connection().execute(again.values(**values))
