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
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from chain.relay import budgets, queue
from chain.relay.batches import item_failures
from chain.relay.canon import Block
from chain.relay.lanes import Held
from chain.relay.reserve import SLOTS
from chain.relay.sending import ATTEMPTS
from returns import locks
from returns.bulk import among, update_many
from returns.tables import RelayAttempt, RelaySlot, RelayTransaction
from returns.words import RelayState, SlotState

log = logging.getLogger(__name__)

_UNDER_WAY = (SlotState.SENT, SlotState.SUBMITTED)


@dataclass(frozen=True, slots=True)
class _Deep:
    """A nonce in a block that is deep enough, with all its hashes: true for a self-transfer."""

    id: UUID
    block_number: int
    block_hash: str
    fill_as: RelayState | None
    intents: int
    cost: int
    created_at: datetime
    attempts: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a receipt at its depth says of a nonce; `paid` is wei."""

    slot: _Deep
    hash: str
    filler: bool
    reverted: bool
    gas_used: int
    paid: int
    failed_items: dict[int, str]


def follow(held: Held, count: int) -> bool:
    """Bring the lane's nonces to what the newest blocks say; True if one has moved.

    `count` is the number of nonces that the chain has used of the lane (`latest`).
    """
    with held.parts.database.read() as session:
        lost = _lost(session, held, count)
        blocks = _mined_blocks(session, held)
        hashes = _hashes(session, held, count)
    moved = _reopen(held, lost, count)
    moved |= _undo(held, blocks)
    moved |= _mined(held, hashes)
    return _confirm(held) or moved


# -- submitted -> mined ----------------------------------------------------------------------------


def _hashes(session: Session, held: Held, count: int) -> dict[str, UUID]:
    """Every hash of the nonces that the chain has used since the last look, with its slot."""
    query = (
        select(RelayAttempt.hash, RelayAttempt.slot_id)
        .join(RelaySlot, col(RelaySlot.id) == RelayAttempt.slot_id)
        .where(RelaySlot.lane_id == held.lane_id, col(RelaySlot.state).in_(_UNDER_WAY))
        .where(RelaySlot.nonce < count)
    )
    return dict(session.exec(query).all())


def _mined(held: Held, hashes: dict[str, UUID]) -> bool:
    found: dict[Block, set[UUID]] = defaultdict(set)
    missing = []
    for tx_hash, slot_id in hashes.items():
        block = held.parts.canon.find(tx_hash)
        if block is None:
            missing.append(tx_hash)
        else:
            found[block].add(slot_id)
    if missing:
        _ask(held, hashes, missing, found)
    if not found:
        return False
    with held.write() as (session, _):
        for block, slot_ids in found.items():
            _set_mined(session, block, slot_ids, held.parts.clock())
    return True


def _set_mined(session: Session, block: Block, slot_ids: set[UUID], now: datetime) -> None:
    statement = sa.update(SLOTS).where(among(session, SLOTS.c.id, slot_ids))
    statement = statement.where(SLOTS.c.state.in_(_UNDER_WAY))
    values = {"block_number": block.number, "block_hash": block.hash, "updated_at": now}
    session.connection().execute(statement.values(state=SlotState.MINED, **values))


def _ask(
    held: Held,
    hashes: dict[str, UUID],
    missing: Sequence[str],
    found: dict[Block, set[UUID]],
) -> None:
    """Add the blocks of what was mined before the blocks that we remember.

    Other bytes of the same nonce may be the ones that were mined: those are not asked for.
    """
    known = set().union(*found.values())
    asked = [tx_hash for tx_hash in missing if hashes[tx_hash] not in known]
    receipts = held.parts.client.batch([("eth_getTransactionReceipt", (h,)) for h in asked])
    for tx_hash, receipt in zip(asked, receipts, strict=True):
        if isinstance(receipt, dict):
            block = held.parts.canon.block(int(receipt["blockNumber"], 16))
            if block is not None and tx_hash in block.transactions:
                found[block].add(hashes[tx_hash])


# -- back after a reorg ----------------------------------------------------------------------------


def _mined_blocks(session: Session, held: Held) -> Sequence[tuple[int | None, str | None]]:
    """The blocks in which nonces were mined that are not confirmed yet: number and hash."""
    query = select(RelaySlot.block_number, RelaySlot.block_hash).where(*_is_mined(held))
    return session.exec(query.distinct()).all()


def _is_mined(held: Held) -> tuple[Any, ...]:
    return RelaySlot.lane_id == held.lane_id, RelaySlot.state == SlotState.MINED


def _undo(held: Held, blocks: Sequence[tuple[int | None, str | None]]) -> bool:
    """Mined in a block that is no longer of the chain: the bytes are sent again at once."""
    gone = [one for number, one in blocks if not held.parts.canon.has(number, one)]
    if not gone:
        return False
    query = select(RelaySlot.id).where(*_is_mined(held), col(RelaySlot.block_hash).in_(gone))
    with held.parts.database.read() as session:
        slot_ids = session.exec(query).all()
    return _send_again(held, slot_ids, SlotState.MINED)


def _lost(session: Session, held: Held, count: int) -> Sequence[UUID]:
    """Confirmed nonces that the chain says it has not used."""
    query = select(RelaySlot.id).where(
        RelaySlot.lane_id == held.lane_id,
        RelaySlot.state == SlotState.CONFIRMED,
        RelaySlot.nonce >= count,
    )
    return session.exec(query).all()


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
    with held.write() as (session, _):
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
    of_slot, connection = among(session, queue.TABLE.c.slot_id, slot_ids), session.connection()
    done = sa.select(queue.TABLE.c.slot_id).where(
        of_slot, queue.TABLE.c.state.in_([RelayState.CONFIRMED, RelayState.SENT])
    )
    idle = sa.update(SLOTS).where(among(session, SLOTS.c.id, slot_ids), SLOTS.c.fill_as.is_(None))
    connection.execute(idle.where(SLOTS.c.id.not_in(done)).values(fill_as=RelayState.FAILED))
    ended = sa.update(queue.TABLE).where(of_slot)
    connection.execute(ended.values(state=RelayState.SENT, updated_at=now))


# -- mined -> confirmed ----------------------------------------------------------------------------


def _confirm(held: Held) -> bool:
    deep = held.parts.canon.head().number - held.parts.policy.confirmations + 1
    bytes_of: dict[UUID, _Deep] = {}
    of_slot = [
        getattr(RelaySlot, name) for name in _Deep.__dataclass_fields__ if name != "attempts"
    ]
    query: Any = (
        sa.select(*of_slot, col(RelayAttempt.hash), col(RelayAttempt.filler))
        .join(RelayAttempt, col(RelayAttempt.slot_id) == RelaySlot.id)
        .where(col(RelaySlot.lane_id) == held.lane_id)
        .where(col(RelaySlot.state) == SlotState.MINED, col(RelaySlot.block_number) <= deep)
    )
    with held.parts.database.read() as session:
        for *slot, tx_hash, filler in session.exec(query):
            bytes_of.setdefault(slot[0], _Deep(*slot)).attempts[tx_hash] = filler
    outcomes = [one for slot in bytes_of.values() if (one := _outcome(held, slot)) is not None]
    if not outcomes:
        return False
    with held.write() as (session, _):
        _end_slots(session, outcomes, held.parts.clock())
        _end_intents(session, held, outcomes)
    return True


def _outcome(held: Held, slot: _Deep) -> _Outcome | None:
    """What became of a deep nonce; None where the node contradicts itself."""
    block = held.parts.canon.block(slot.block_number)
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


def _failed_items(slot: _Deep, receipt: dict[str, Any]) -> dict[int, str]:
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
    now = held.parts.clock()
    done: list[UUID] = []
    saved: dict[tuple[UUID, date], int] = defaultdict(int)
    for one in outcomes:
        rows = by_slot[one.slot.id]
        for index, (relay_id, merchant_id, state) in enumerate(rows):
            if state is not RelayState.SENT:
                continue
            if merchant_id is not None and held.parts.policy.day_budget is not None:
                before, after = (
                    budgets.part_of(cost, len(rows)) for cost in (one.slot.cost, one.paid)
                )
                saved[merchant_id, one.slot.created_at.date()] += after - before
            if one.filler or one.reverted or index in one.failed_items:
                _end_badly(session, relay_id, one, index, len(rows), now)
            else:
                done.append(relay_id)
    _end_well(session, done, now)
    for (merchant_id, day), by in sorted(saved.items(), key=str):
        budgets.correct(session, merchant_id, day, by)


def _intents(
    session: Session, slot_ids: Sequence[UUID]
) -> dict[UUID, list[tuple[UUID, UUID | None, RelayState]]]:
    """Intents by nonce, with merchant and state, in the order in which a batch has them."""
    query: Any = (
        select(
            RelayTransaction.slot_id,
            RelayTransaction.id,
            RelayTransaction.merchant_id,
            RelayTransaction.state,
        )
        .where(among(session, col(RelayTransaction.slot_id), slot_ids))
        .order_by(col(RelayTransaction.id))
    )
    found: dict[UUID, list[tuple[UUID, UUID | None, RelayState]]] = defaultdict(list)
    for slot_id, *intent in session.exec(query):
        found[slot_id].append(tuple(intent))
    return found


def _end_well(session: Session, done: Sequence[UUID], now: datetime) -> None:
    if done:
        statement = sa.update(queue.TABLE).where(among(session, queue.TABLE.c.id, done))
        session.connection().execute(
            statement.values(state=RelayState.CONFIRMED, error=None, updated_at=now)
        )


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
