"""What became of nonces: read from blocks, at their depth, and back again after a reorg.

A node can be behind, or lie. So a nonce counts as mined only in a block of the linked chain that
lists one of its hashes, an outcome is taken from a receipt that fits that block, and bad news is
asked for twice.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from chain.relay import budgets, queue
from chain.relay.batches import item_failures
from chain.relay.canon import Block
from chain.relay.lanes import Held
from chain.relay.nonces import Watch
from returns import locks
from returns.bulk import Among, among, prepared, update_many
from returns.tables import RelayTransaction
from returns.tables.relay import ATTEMPTS, INTENTS, SLOTS
from returns.words import RelayState, SlotState

log = logging.getLogger(__name__)

_UNDER_WAY = (SlotState.SENT, SlotState.SUBMITTED)


@dataclass(slots=True)
class _Nonce:
    """A nonce that the newest blocks may tell something of; true: a hash is of a self-transfer."""

    id: UUID
    state: SlotState
    block_number: int | None
    block_hash: str | None
    fill_as: RelayState | None
    intents: int
    cost: int
    created_at: datetime
    attempts: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a receipt at its depth says of a nonce; `paid` is wei."""

    slot: _Nonce
    hash: str
    filler: bool
    reverted: bool
    gas_used: int
    paid: int
    failed_items: dict[int, str]


def follow(held: Held, watch: Watch, count: int) -> bool:
    """Bring the lane's nonces to what the newest blocks say; True if one has moved.

    `count` is the number of nonces that the chain has used of the lane (`latest`).
    """
    by_state = _read(held, count)
    lost, mined = by_state[SlotState.CONFIRMED], by_state[SlotState.MINED]
    there = {one.id for one in mined if held.parts.canon.has(one.block_number, one.block_hash)}
    moved = _reopen(held, [one.id for one in lost], count)
    moved |= _send_again(held, [one.id for one in mined if one.id not in there], SlotState.MINED)
    found = _found(held, watch, [*by_state[SlotState.SENT], *by_state[SlotState.SUBMITTED]])
    outcomes = _outcomes(held, [*(one for one in mined if one.id in there), *found])
    if found or outcomes:
        _record(held, found, outcomes)
    return moved or bool(found or outcomes)


def _record(held: Held, found: Sequence[_Nonce], outcomes: Sequence[_Outcome]) -> None:
    now, ended = held.parts.clock(), {one.slot.id for one in outcomes}
    with held.write() as session:
        _set_mined(session, [one for one in found if one.id not in ended], now)
        if outcomes:
            _end_slots(session, outcomes, now)
            _end_intents(session, held, outcomes)


def _read(held: Held, count: int) -> dict[SlotState, list[_Nonce]]:
    """The lane's nonces that are not where they should be for good.

    Used by the chain and not mined in the books, mined and not confirmed, or confirmed and, if we
    believe the node, not used at all.
    """
    values = {"lane": held.lane_id, "count": count}
    found: dict[UUID, _Nonce] = {}
    with held.parts.database.read() as session:
        for *slot, tx_hash, filler in session.connection().execute(_NEWS, values):
            one = found.setdefault(slot[0], _Nonce(*slot))
            if tx_hash is not None:
                one.attempts[tx_hash] = filler
    by_state: dict[SlotState, list[_Nonce]] = defaultdict(list)
    for one in found.values():
        by_state[one.state].append(one)
    return by_state


def _of_lane(*conditions: Any) -> Any:
    """Each alternative names the lane: so each is looked up in an index of its own."""
    return sa.and_(SLOTS.c.lane_id == sa.bindparam("lane"), *conditions)


_NEWS = (
    sa.select(
        *(SLOTS.c[name] for name in _Nonce.__dataclass_fields__ if name != "attempts"),
        ATTEMPTS.c.hash,
        ATTEMPTS.c.filler,
    )
    .join_from(SLOTS, ATTEMPTS, ATTEMPTS.c.slot_id == SLOTS.c.id, isouter=True)
    .where(
        sa.or_(
            _of_lane(SLOTS.c.state.in_(_UNDER_WAY), SLOTS.c.nonce < sa.bindparam("count")),
            _of_lane(SLOTS.c.state == SlotState.MINED),
            _of_lane(SLOTS.c.nonce >= sa.bindparam("count"), SLOTS.c.state == SlotState.CONFIRMED),
        )
    )
)


# -- submitted -> mined ----------------------------------------------------------------------------


def _found(held: Held, watch: Watch, under_way: Sequence[_Nonce]) -> list[_Nonce]:
    """Those of which one of the hashes is in a block, with that block.

    Where the node was ahead of the newest block that we have read, the next look finds them. What
    two looks have not found, or the first look of a lease, is asked for.
    """
    found, missing = [], []
    for one in under_way:
        blocks = (held.parts.canon.find(tx_hash) for tx_hash in one.attempts)
        block = next((block for block in blocks if block is not None), None)
        if block is None:
            missing.append(one)
        else:
            found.append(_into(block, one))
    before, watch.unseen = watch.unseen, frozenset(one.id for one in missing)
    asked = [one for one in missing if before is None or one.id in before]
    return found + _asked(held, asked)


def _asked(held: Held, missing: Sequence[_Nonce]) -> list[_Nonce]:
    """What was mined before the blocks that we remember: the node is asked for each hash."""
    asked = [(tx_hash, one) for one in missing for tx_hash in one.attempts]
    calls = [("eth_getTransactionReceipt", (tx_hash,)) for tx_hash, _ in asked]
    found = {}
    for (tx_hash, one), receipt in zip(asked, held.parts.client.batch(calls), strict=True):
        if isinstance(receipt, dict):
            block = held.parts.canon.block(int(receipt["blockNumber"], 16))
            if block is not None and tx_hash in block.transactions:
                found[one.id] = _into(block, one)
    return list(found.values())


def _into(block: Block, one: _Nonce) -> _Nonce:
    one.block_number, one.block_hash = block.number, block.hash
    return one


def _set_mined(session: Session, found: Sequence[_Nonce], now: datetime) -> None:
    rows = [
        {
            "id": one.id,
            "state": SlotState.MINED,
            "block_number": one.block_number,
            "block_hash": one.block_hash,
            "updated_at": now,
        }
        for one in found
    ]
    update_many(session, SLOTS, rows)


# -- back after a reorg ----------------------------------------------------------------------------


def _reopen(held: Held, lost: Sequence[UUID], count: int) -> bool:
    """What the chain lost although it was deep (a node restored from a backup): sent again.

    Without its nonce nothing that follows could ever be mined. Only if a second look agrees.
    """
    if not lost or held.parts.client.transaction_count(held.address) > count:
        return False
    return _send_again(held, lost, SlotState.CONFIRMED)


def _send_again(held: Held, slot_ids: Sequence[UUID], was: SlotState) -> bool:
    if not slot_ids:
        return False
    log.warning("relay.thrown_out lane=%s nonces=%d", held.address, len(slot_ids))
    with held.write() as session:
        connection = session.connection()
        connection.execute(
            sa.update(SLOTS)
            .where(among(session, SLOTS.c.id, slot_ids), SLOTS.c.state == was)
            .values(
                state=SlotState.SUBMITTED, block_number=None, block_hash=None, mined_hash=None,
                updated_at=held.parts.clock(),
            )
        )  # fmt: skip
        again = sa.update(ATTEMPTS).where(among(session, ATTEMPTS.c.slot_id, slot_ids))
        connection.execute(again.values(sent_at=None))
        if was is SlotState.CONFIRMED:
            _owed_again(session, slot_ids, held.parts.clock())
    return True


def _owed_again(session: Session, slot_ids: Sequence[UUID], now: datetime) -> None:
    """Intents that ended with these nonces are under way again: whatever is mined now decides.

    A nonce none of whose intents had its effect is filled: its call should not come to an effect
    that nobody expects any more. It may all the same, since its bytes are known.
    """
    of_slot, connection = among(session, INTENTS.c.slot_id, slot_ids), session.connection()
    done = sa.select(INTENTS.c.slot_id).where(
        of_slot, INTENTS.c.state.in_([RelayState.CONFIRMED, RelayState.SENT])
    )
    idle = sa.update(SLOTS).where(among(session, SLOTS.c.id, slot_ids), SLOTS.c.fill_as.is_(None))
    connection.execute(idle.where(SLOTS.c.id.not_in(done)).values(fill_as=RelayState.FAILED))
    ended = sa.update(INTENTS).where(of_slot)
    connection.execute(ended.values(state=RelayState.SENT, updated_at=now))


# -- mined -> confirmed ----------------------------------------------------------------------------


def _outcomes(held: Held, mined: Sequence[_Nonce]) -> list[_Outcome]:
    """What became of the nonces that are deep enough."""
    deep = held.parts.canon.head().number - held.parts.policy.confirmations + 1
    known = (_outcome(held, one) for one in mined if (one.block_number or 0) <= deep)
    return [one for one in known if one is not None]


def _outcome(held: Held, slot: _Nonce) -> _Outcome | None:
    """What became of a deep nonce; None where the node contradicts itself."""
    block = held.parts.canon.block(slot.block_number or 0)
    if block is None or block.hash != slot.block_hash:
        return None
    tx_hash = next((one for one in slot.attempts if one in block.transactions), None)
    if tx_hash is None:
        return None
    receipt = held.parts.canon.receipts(block)[tx_hash]
    reverted = receipt["status"] != "0x1"
    if reverted and not _says_again(held, tx_hash):
        return None
    gas_used = int(receipt["gasUsed"], 16)
    return _Outcome(
        slot=slot,
        hash=tx_hash,
        filler=slot.attempts[tx_hash],
        reverted=reverted,
        gas_used=gas_used,
        paid=gas_used * int(receipt.get("effectiveGasPrice", "0x0"), 16),
        failed_items=_failed_items(slot, receipt),
    )


def _failed_items(slot: _Nonce, receipt: dict[str, Any]) -> dict[int, str]:
    if slot.intents < 2:
        return {}
    return item_failures(receipt["logs"], str(receipt["to"]).lower())


def _says_again(held: Held, tx_hash: str) -> bool:
    """A revert ends an intent: the node has to say so in another answer too."""
    [receipt] = held.parts.client.batch([("eth_getTransactionReceipt", (tx_hash,))])
    return isinstance(receipt, dict) and receipt.get("status") == "0x0"


def _end_slots(session: Session, outcomes: Sequence[_Outcome], now: datetime) -> None:
    rows = [
        {
            "id": one.slot.id,
            "state": SlotState.CONFIRMED,
            "block_number": one.slot.block_number,
            "block_hash": one.slot.block_hash,
            "mined_hash": one.hash,
            "gas_used": one.gas_used,
            "cost": one.paid,
            "updated_at": now,
        }
        for one in outcomes
    ]
    update_many(session, SLOTS, rows)


def _end_intents(session: Session, held: Held, outcomes: Sequence[_Outcome]) -> None:
    by_slot = _intents(session, [one.slot.id for one in outcomes])
    now, policy = held.parts.clock(), held.parts.policy
    done: list[UUID] = []
    saved: dict[budgets.Account, int] = defaultdict(int)
    for one in outcomes:
        rows, day = by_slot[one.slot.id], one.slot.created_at.date()
        by = _part(one.paid, rows) - _part(one.slot.cost, rows)
        for index, row in enumerate(rows):
            if row.state is not RelayState.SENT:
                continue
            for account in budgets.accounts(policy, row.merchant_id, row.customer, day):
                saved[account] += by
            if one.filler or one.reverted or index in one.failed_items:
                _end_badly(session, row.id, one, index, len(rows), now)
            else:
                done.append(row.id)
    _end_well(session, done, now)
    budgets.correct(session, saved)


def _part(cost: int, rows: Sequence[object]) -> int:
    return budgets.part_of(cost, len(rows))


def _intents(session: Session, slot_ids: Sequence[UUID]) -> dict[UUID, list[Any]]:
    """Intents by nonce: id, merchant, customer and state, in the order that a batch has them in."""
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in session.connection().execute(_of_slots(session), {"slots": slot_ids}):
        found[row.slot_id].append(row)
    return found


@prepared
def _of_slots(among: Among) -> Any:
    columns = INTENTS.c
    wanted = (columns.slot_id, columns.id, columns.merchant_id, columns.customer, columns.state)
    return sa.select(*wanted).where(among(columns.slot_id, "slots")).order_by(columns.id)


def _end_well(session: Session, done: Sequence[UUID], now: datetime) -> None:
    if done:
        session.connection().execute(_done(session), {"ids": done, "now": now})


@prepared
def _done(among: Among) -> Any:
    now = sa.bindparam("now", type_=INTENTS.c.updated_at.type)
    done = sa.update(INTENTS).where(among(INTENTS.c.id, "ids"))
    return done.values(state=RelayState.CONFIRMED, error=None, updated_at=now)


def _end_badly(
    session: Session, relay_id: UUID, one: _Outcome, index: int, shared_by: int, now: datetime
) -> None:
    row = locks.lock_relay(session, relay_id)
    if index in one.failed_items:
        queue.end(session, row, RelayState.FAILED, one.failed_items[index], now)
    elif shared_by > 1:
        _halve(row, shared_by, now)
    elif one.filler:
        state = one.slot.fill_as or RelayState.FAILED
        queue.end(session, row, state, row.error or _FILLED[state], now)
    else:
        queue.end(session, row, RelayState.FAILED, "the transaction was mined and reverted", now)


_FILLED = {
    RelayState.CANCELED: "it was canceled: a self-transfer took its nonce",
    RelayState.EXPIRED: "its time was over: a self-transfer took its nonce",
    RelayState.FAILED: "the call had become impossible",
}


def _halve(row: RelayTransaction, shared_by: int, now: datetime) -> None:
    """A batch that reverted or was given up as a whole: its intents go on in smaller company."""
    row.state, row.lane_id, row.slot_id = RelayState.PENDING, None, None
    row.batch_limit, row.due_at, row.updated_at = shared_by // 2, now, now
