"""Read models of the relayer: a transaction with its attempts, lanes with the head of their line.

Wei and fees are strings, since JSON's numbers are too small for them. Ages are taken from stored
times at the moment of reading: they grow where no worker lives to notice anything.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns.errors import FieldInvalid, NotFound
from returns.tables import Lane, RelayAttempt, RelayRule, RelaySlot, RelayTransaction
from returns.words import RelayState, SlotState

#: Every word that a state is shown as, in the order of a transaction's life.
SHOWN_STATES = tuple(dict.fromkeys([RelayState.PENDING.value, *SlotState, *RelayState]))

UNDER_WAY = (SlotState.SENT, SlotState.SUBMITTED)


def shown_state(row: RelayTransaction, slot: RelaySlot | None) -> str:
    """The state as the field names it: that of the nonce, while it is under way."""
    return slot.state.value if row.state is RelayState.SENT and slot else row.state.value


# -- transactions ----------------------------------------------------------------------------------


def relay_view(session: Session, merchant_id: UUID, relay_id: UUID) -> dict[str, Any]:
    """A transaction as its merchant sees it; raises `NotFound`, for others' as for unknown ones."""
    row = session.get(RelayTransaction, relay_id)
    if row is None or row.merchant_id != merchant_id:
        raise NotFound(what="relayed transaction")
    slot = session.get(RelaySlot, row.slot_id) if row.slot_id else None
    lane = session.get(Lane, slot.lane_id) if slot else None
    return _view(row, slot, lane) | {"attempts": _attempts(session, slot)}


def relay_list(
    session: Session, merchant_id: UUID, state: str | None, cursor: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """A merchant's transactions, the newest first, without their attempts.

    `cursor` is the id of the last one that was seen. Raises `FieldInvalid` for one that is not the
    merchant's, or none at all.
    """
    query = (
        select(RelayTransaction, RelaySlot, Lane)
        .join(RelaySlot, col(RelaySlot.id) == RelayTransaction.slot_id, isouter=True)
        .join(Lane, col(Lane.id) == RelaySlot.lane_id, isouter=True)
        .where(RelayTransaction.merchant_id == merchant_id, *_is_shown_as(state))
        .order_by(col(RelayTransaction.created_at).desc(), col(RelayTransaction.id).desc())
        .limit(limit)
    )
    if cursor is not None:
        query = query.where(_is_before(session, merchant_id, cursor))
    return [_view(row, slot, lane) for row, slot, lane in session.exec(query)]


def relay_counts(session: Session) -> dict[str, int]:
    """Transactions by the state that is shown. Only what is under way is looked up by its nonce."""
    by_chain: Any = select(
        RelayTransaction.chain_id, RelayTransaction.state, sa.func.count()
    ).group_by(col(RelayTransaction.chain_id), col(RelayTransaction.state))
    counts: Counter[str] = Counter()
    for chain_id, state, count in session.exec(by_chain).all():
        is_under_way = state is RelayState.SENT
        counts.update(_under_way(session, chain_id) if is_under_way else {str(state): count})
    return dict(counts)


def _under_way(session: Session, chain_id: int) -> dict[str, int]:
    query = (
        select(RelaySlot.state, sa.func.count())
        .join(RelayTransaction, col(RelayTransaction.slot_id) == RelaySlot.id)
        .where(RelayTransaction.chain_id == chain_id, RelayTransaction.state == RelayState.SENT)
        .group_by(col(RelaySlot.state))
    )
    return {str(state): count for state, count in session.exec(query)}


def _is_shown_as(state: str | None) -> Sequence[sa.ColumnElement[bool]]:
    if state is None:
        return ()
    if state in tuple(RelayState) and state != RelayState.SENT:
        return (col(RelayTransaction.state) == state,)
    under_way = col(RelayTransaction.state) == RelayState.SENT
    return (under_way, col(RelaySlot.state) == state)


def _is_before(session: Session, merchant_id: UUID, cursor: UUID) -> sa.ColumnElement[bool]:
    last = session.get(RelayTransaction, cursor)
    if last is None or last.merchant_id != merchant_id:
        raise FieldInvalid(field="cursor", problem="it is not the id of a transaction of yours")
    return sa.or_(
        col(RelayTransaction.created_at) < last.created_at,
        sa.and_(
            col(RelayTransaction.created_at) == last.created_at,
            col(RelayTransaction.id) < last.id,
        ),
    )


def _view(row: RelayTransaction, slot: RelaySlot | None, lane: Lane | None) -> dict[str, Any]:
    # A nonce that is given up is said before its self-transfer is mined.
    ends_as = slot.fill_as if slot and row.state is RelayState.SENT else None
    return {
        "id": str(row.id),
        "state": shown_state(row, slot),
        "ends_as": None if ends_as is None else ends_as.value,
        "chain_id": row.chain_id,
        "to": row.to,
        "data": "0x" + row.data.hex(),
        "value": str(row.value),
        "expects": None if row.moves is None else [_move(*one) for one in json.loads(row.moves)],
        "case": json.loads(row.facts).get("case"),
        "customer": row.customer,
        "lane": lane.address if lane else None,
        "nonce": slot.nonce if slot else None,
        "hash": slot.mined_hash if slot else None,
        "block_number": slot.block_number if slot else None,
        "gas_used": slot.gas_used if slot else None,
        "cost": str(slot.cost) if slot else "0",
        "shared_by": slot.intents if slot else 1,
        "error": row.error,
        "send_by": _iso(row.send_by),
        "expires_at": _iso(row.expires_at),
        "created_at": _iso(row.created_at),
        "updated_at": _iso(max(row.updated_at, slot.updated_at if slot else row.updated_at)),
    }


def _move(
    asset: str, sender: str, recipient: str, amount: str, token_id: str | None
) -> dict[str, str | None]:
    """An expected asset change, with the names that callers use."""
    fields = {"asset": asset, "from": sender, "to": recipient, "amount": amount}
    return {**fields, "token_id": token_id}


def _attempts(session: Session, slot: RelaySlot | None) -> list[dict[str, Any]]:
    """Every signed transaction of a nonce, the oldest first."""
    if slot is None:
        return []
    query = (
        select(RelayAttempt)
        .where(RelayAttempt.slot_id == slot.id)
        .order_by(col(RelayAttempt.created_at), col(RelayAttempt.max_fee))
    )
    return [
        {
            "hash": one.hash,
            "filler": one.filler,
            "max_fee": str(one.max_fee),
            "priority_fee": str(one.priority_fee),
            "gas_limit": one.gas_limit,
            "created_at": _iso(one.created_at),
            "sent_at": _iso(one.sent_at),
            "error": one.error,
        }
        for one in session.exec(query)
    ]


# -- lanes -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """A lane with its nonces that are not mined; the head is the first of them."""

    lane: Lane
    under_way: int
    head_nonce: int | None
    head_since: datetime | None

    def head_age_s(self, now: datetime) -> int:
        """Seconds since the head of the line got its nonce, 0 where nothing is under way."""
        return (
            0 if self.head_since is None else max(0, int((now - self.head_since).total_seconds()))
        )

    def alarms(self, now: datetime, stuck_after_s: int) -> list[dict[str, Any]]:
        """What is wrong with the lane: what its worker noticed, and a head that stands still."""
        found = []
        if self.lane.alarm is not None:
            found.append({"problem": self.lane.alarm, "since": _iso(self.lane.alarm_since)})
        age = self.head_age_s(now)
        if age >= stuck_after_s:
            problem = f"nonce {self.head_nonce} is not mined after {age} seconds"
            found.append({"problem": problem, "since": _iso(self.head_since)})
        return found


def lanes(session: Session) -> list[LaneStatus]:
    """Every lane by chain and address. A lane's window bounds what is read here of it."""
    rows = session.exec(select(Lane).order_by(col(Lane.chain_id), col(Lane.address))).all()
    open_slots = (
        select(RelaySlot.lane_id, RelaySlot.nonce, RelaySlot.created_at)
        .where(col(RelaySlot.lane_id).in_([row.id for row in rows]))
        .where(col(RelaySlot.state).in_(UNDER_WAY))
        .order_by(col(RelaySlot.nonce))
    )
    waiting: dict[UUID, list[tuple[int, datetime]]] = defaultdict(list)
    for lane_id, nonce, since in session.exec(open_slots):
        waiting[lane_id].append((nonce, since))
    return [_status(row, waiting[row.id]) for row in rows]


def _status(row: Lane, waiting: Sequence[tuple[int, datetime]]) -> LaneStatus:
    nonce, since = waiting[0] if waiting else (None, None)
    return LaneStatus(row, len(waiting), nonce, since)


def lane_view(status: LaneStatus, now: datetime, stuck_after_s: int) -> dict[str, Any]:
    """A lane as the operator of the installation sees it."""
    row = status.lane
    head = {"nonce": status.head_nonce, "age_s": status.head_age_s(now)}
    return {
        "address": row.address,
        "chain_id": row.chain_id,
        "purpose": row.purpose.value,
        "mode": row.mode.value,
        "next_nonce": row.next_nonce,
        "under_way": status.under_way,
        "head": None if status.head_nonce is None else head,
        "balance": None if row.balance is None else str(row.balance),
        "checked_at": _iso(row.checked_at),
        "alarms": status.alarms(now, stuck_after_s),
    }


def waiting_since(session: Session, chains: Iterable[int], now: datetime) -> dict[int, datetime]:
    """By chain, since when the oldest transaction without a nonce should have had one.

    What may wait for a cheap block is late only after the time that was promised for it.
    """
    due = sa.func.coalesce(RelayTransaction.send_by, RelayTransaction.created_at)
    query: Any = (
        select(RelayTransaction.chain_id, sa.func.min(due))
        .where(col(RelayTransaction.chain_id).in_(chains))
        .where(col(RelayTransaction.state) == RelayState.PENDING, due <= now)
        .group_by(col(RelayTransaction.chain_id))
    )
    return dict(session.exec(query).all())


# -- rules -----------------------------------------------------------------------------------------


def rules(session: Session, merchant_id: UUID) -> list[RelayRule]:
    """What a merchant may have relayed, in the order in which it was allowed."""
    query = select(RelayRule).where(RelayRule.merchant_id == merchant_id)
    return list(session.exec(query.order_by(col(RelayRule.id))))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
