"""The watchdog of a lane: whatever keeps its nonces from being mined is found and mended.

Looked at in the order of nonces, since nothing behind a hole can be mined: nonces without bytes,
bytes that nobody has, fees that have become too low, what a person wants changed, what is too late,
nonces that the books do not have, and nonces that somebody else has used.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from chain.relay import budgets, fees
from chain.relay.batches import Owed, alone, together, with_gas
from chain.relay.claims import OWED, rules_for
from chain.relay.fees import Fee
from chain.relay.intake import denial, objection, second_look
from chain.relay.lanes import Held
from chain.relay.nonces import Watch, close_gaps, find_foreign
from chain.relay.sending import Draft, Stored, broadcast, send
from chain.relay.simulation import Call, confirm_refusals, outlooks
from returns.bulk import among
from returns.tables import RelayAttempt, RelaySlot, RelayTransaction
from returns.tables.relay import INTENTS, SLOTS
from returns.words import RelayState, SlotState

log = logging.getLogger(__name__)

#: Nonces at the head of the line whose bytes are sent again now and then; pools forget.
_HEAD = 16
_UNDER_WAY = (SlotState.SENT, SlotState.SUBMITTED)


@dataclass(frozen=True, slots=True)
class _Newest:
    """The newest bytes of a nonce, but for the bytes."""

    hash: str
    filler: bool
    max_fee: int
    priority_fee: int
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Open:
    """A nonce that is not mined, and the newest bytes for it; `since`: in its present state."""

    slot_id: UUID
    nonce: int
    fill_as: RelayState | None
    bump: bool
    since: datetime
    newest: _Newest | None


_SLOT = ("id", "nonce", "fill_as", "bump", "updated_at")
_NEWEST = [col(getattr(RelayAttempt, name)) for name in _Newest.__dataclass_fields__]


def repair(held: Held, watch: Watch, count: int) -> bool:
    """Mend what can be mended; `count` as in `follow`. True if anything was sent or changed."""
    _expire(held)
    opened = _opened(held)
    held.alarms["head"] = _alarm(held, opened[:1])
    changed = close_gaps(held, watch, count, [one.nonce for one in opened])
    changed |= find_foreign(
        held, watch, {one.slot_id: one.nonce for one in opened if one.nonce < count}
    )
    changed |= _rebroadcast(held, opened)
    if not held.keeper.takes_new:
        return _give_back(held, opened) or changed
    drafts = list(_drafts(held, count, opened))
    return (bool(drafts) and send(held, drafts, anew=True) > 0) or changed


def _alarm(held: Held, head: Sequence[_Open]) -> str | None:
    """The head of the line holds everything up behind it."""
    stuck = [one.nonce for one in head if one.newest is None or _is_stuck(held, one)]
    return f"the head of the line, nonce {stuck[0]}, is not mined" if stuck else None


def _opened(held: Held) -> list[_Open]:
    """The lane's nonces that are not mined, in their order."""
    query = (
        sa.select(*(col(getattr(RelaySlot, name)) for name in _SLOT), *_NEWEST)
        .outerjoin(RelayAttempt, col(RelayAttempt.slot_id) == RelaySlot.id)
        .where(col(RelaySlot.lane_id) == held.lane_id, col(RelaySlot.state).in_(_UNDER_WAY))
        # A clock can jump, a replacement is always dearer: the fee tells which bytes are newest.
        .order_by(col(RelaySlot.nonce), col(RelayAttempt.max_fee))
    )
    found: dict[UUID, _Open] = {}
    with held.parts.database.read() as session:
        for row in session.connection().execute(query):
            # The newest bytes come last, and stay.
            newest = _Newest(*row[len(_SLOT) :]) if row.hash is not None else None
            slot_id, nonce, fill_as, bump, since = row[: len(_SLOT)]
            found[slot_id] = _Open(slot_id, nonce, fill_as, bump, since, newest)
    return list(found.values())


# -- bytes that are wanted -------------------------------------------------------------------------


def _drafts(held: Held, count: int, opened: Sequence[_Open]) -> Iterator[Draft]:
    """New bytes: for nonces that have none, and in the place of those that will not do."""
    policy, base_fee = held.parts.policy, held.parts.canon.head().base_fee
    market = fees.first(base_fee, policy.tip, policy.fee_cap)
    wanted = [one for one in opened if _wants_bytes(held, one, count)]
    calls = _calls(held, [one for one in wanted if one.fill_as is None])
    for one in wanted:
        call = calls.get(one.slot_id)
        if one.fill_as is None and one.slot_id not in calls:
            continue
        ceiling = policy.fee_cap if call is None else fees.call_ceiling(policy.fee_cap)
        fee = _fee(one, market, ceiling, base_fee)
        if fee is not None:
            _tell(held, one, call)
            yield Draft(one.slot_id, one.nonce, call, fee)


def _wants_bytes(held: Held, one: _Open, count: int) -> bool:
    if one.newest is None or one.bump:
        return True
    if one.fill_as is not None and not one.newest.filler:
        return True
    return one.nonce == count and _is_stuck(held, one)


def _is_stuck(held: Held, one: _Open) -> bool:
    """Whether the node has had the newest bytes for too long.

    Bytes that it has to be told (again) first have had no chance yet, however old they are; and a
    time from the future was written by a clock that ran ahead.
    """
    if one.newest is None or one.newest.sent_at is None:
        return False
    now = held.parts.clock()
    since = max(one.newest.created_at, one.since)
    return not now - held.parts.policy.stuck_after < since <= now


def _fee(one: _Open, market: Fee | None, ceiling: int, base_fee: int) -> Fee | None:
    if one.newest is None:
        # A nonce that is reserved has to be filled, however dear: its successors wait for it.
        return market or Fee(ceiling, min(ceiling, max(1, ceiling - base_fee)))
    return fees.replacement(Fee(one.newest.max_fee, one.newest.priority_fee), market, ceiling)


def _tell(held: Held, one: _Open, call: Call | None) -> None:
    why = "no bytes" if one.newest is None else "filled" if call is None else "replaced"
    log.warning("relay.repaired lane=%s nonce=%s how=%s", held.address, one.nonce, why)


def _calls(held: Held, wanted: Sequence[_Open]) -> dict[UUID, Call | None]:
    """What nonces are to say, looked at as when they were reserved; None where it must not be.

    That is what has become impossible, or would do something else by now: a self-transfer fills it.
    A nonce whose call nobody can simulate now is left out, and looked at again.
    """
    if not wanted:
        return {}
    with held.parts.database.read() as session:
        by_slot = _intents(session, [one.slot_id for one in wanted])
        rows = [row for slot in by_slot.values() for row in slot]
        rules = rules_for(session, held, rows)
    asked = [Call(row.to, row.data, row.value) for row in rows]
    found = outlooks(held.parts.client, held.address, asked)
    found = confirm_refusals(held.parts.client, held.address, asked, found)
    found = second_look(held, rows, found)
    gas = {row.id: one.gas for row, one in zip(rows, found, strict=True) if one.unclear is None}
    why = {
        row.id: denial(held, row, rules[row.merchant_id]) or objection(held, row, one)
        for row, one in zip(rows, found, strict=True)
    }
    calls: dict[UUID, Call | None] = {}
    for one in wanted:
        items = by_slot.get(one.slot_id, [])
        if all(row.id in gas for row in items):
            calls[one.slot_id] = _call(held, one, items, gas, why)
    return calls


def _call(
    held: Held,
    one: _Open,
    items: Sequence[Owed],
    gas: dict[UUID, int],
    why: dict[UUID, str | None],
) -> Call | None:
    able = [row for row in items if why[row.id] is None]
    if not able:
        _give_up(held, one, {row.id: why[row.id] or "it has no call" for row in items})
        return None
    if len(items) == 1:
        return alone(with_gas(items[0], gas[items[0].id])).call
    # Items keep their places in a batch: one that has become impossible fails there, alone.
    most = max(gas[row.id] for row in able)
    return together([with_gas(row, gas[row.id] or most) for row in items]).call


def _give_up(held: Held, one: _Open, reasons: dict[UUID, str]) -> None:
    """Why a self-transfer stands in for a call must not be overwritten by later refusals."""
    with held.write() as session:
        slot = session.get_one(RelaySlot, one.slot_id)
        slot.fill_as = slot.fill_as or RelayState.FAILED
        for relay_id, reason in reasons.items():
            session.get_one(RelayTransaction, relay_id).error = reason[:1000]


def _intents(session: Session, slot_ids: Sequence[UUID]) -> dict[UUID, list[Owed]]:
    """All intents of nonces that still carry one: an item of a batch keeps its place."""
    alive = select(RelayTransaction.slot_id).where(
        col(RelayTransaction.slot_id).in_(slot_ids), RelayTransaction.state == RelayState.SENT
    )
    query: Any = (
        select(RelayTransaction.slot_id, *OWED)
        .where(col(RelayTransaction.slot_id).in_(alive))
        .order_by(col(RelayTransaction.id))
    )
    found: dict[UUID, list[Owed]] = {slot_id: [] for slot_id in slot_ids}
    for slot_id, *row in session.exec(query):
        found[slot_id].append(Owed(*row))
    return found


def _expire(held: Held) -> None:
    """What is under way and too late is taken back, if a self-transfer is faster."""
    now = held.parts.canon.head().time
    late = (
        select(RelayTransaction.slot_id)
        .join(RelaySlot, col(RelaySlot.id) == RelayTransaction.slot_id)
        .where(RelayTransaction.lane_id == held.lane_id)
        .where(col(RelayTransaction.state) == RelayState.SENT, col(RelaySlot.fill_as).is_(None))
        # What shares its nonce stays: the escrow itself refuses what is too late.
        .where(col(RelaySlot.state).in_(_UNDER_WAY), col(RelaySlot.intents) == 1)
        .where(col(RelayTransaction.expires_at) <= now)
    )
    with held.parts.database.read() as session:
        slots = session.exec(late).all()
    if slots:
        with held.write() as session:
            filled = sa.update(SLOTS).where(SLOTS.c.id.in_(slots), SLOTS.c.state.in_(_UNDER_WAY))
            session.connection().execute(filled.values(fill_as=RelayState.EXPIRED))


def _give_back(held: Held, opened: Sequence[_Open]) -> bool:
    """Where the key is gone, what it has never signed goes on in another lane.

    The nonce stays reserved: should the key come back, a self-transfer fills it.
    """
    unsigned = [one.slot_id for one in opened if one.newest is None and one.fill_as is None]
    if not unsigned:
        return False
    now = held.parts.clock()
    with held.write() as session:
        budgets.give_back(session, held.parts.policy, unsigned)
        held_up = sa.update(INTENTS).where(INTENTS.c.slot_id.in_(unsigned))
        session.connection().execute(
            held_up.where(INTENTS.c.state == RelayState.SENT).values(
                state=RelayState.PENDING, slot_id=None, lane_id=None, due_at=now, updated_at=now
            )
        )
        filled = sa.update(SLOTS).where(SLOTS.c.id.in_(unsigned))
        session.connection().execute(filled.values(fill_as=RelayState.FAILED))
    return True


# -- bytes that the pool may have lost -------------------------------------------------------------


def _rebroadcast(held: Held, opened: Sequence[_Open]) -> bool:
    now = held.parts.clock()
    again = [
        one.newest.hash
        for place, one in enumerate(opened)
        if one.newest is not None
        and not _is_unwanted(held, one)
        and _is_overdue(held, one.newest, place, now)
    ]
    if not again:
        return False
    with held.parts.database.read() as session:
        query = (
            select(RelayAttempt.hash, RelayAttempt.slot_id, RelayAttempt.raw)
            .join(RelaySlot, col(RelaySlot.id) == RelayAttempt.slot_id)
            .where(among(session, col(RelayAttempt.hash), again))
            .order_by(col(RelaySlot.nonce))
        )
        stored = [Stored(*row) for row in session.exec(query)]
    broadcast(held, stored)
    return True


def _is_unwanted(held: Held, one: _Open) -> bool:
    """A call that a self-transfer is to replace: not sent again, unless there is no key for it."""
    is_call = one.newest is not None and not one.newest.filler
    return is_call and one.fill_as is not None and held.keeper.takes_new


def _is_overdue(held: Held, newest: _Newest, place: int, now: datetime) -> bool:
    if newest.sent_at is None:
        return True
    is_fresh = now - held.parts.policy.rebroadcast_after < newest.sent_at <= now
    return place < _HEAD and not is_fresh
