"""From a nonce to the pool: sign outside any transaction, store the bytes, then broadcast them.

Bytes that are stored may be sent by anybody at any time: the second time they are a duplicate, not
a second transaction. So broadcasting needs no lease, and storing does.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from chain.client import RpcError
from chain.relay import budgets, faults
from chain.relay.faults import Fault
from chain.relay.fees import TRANSFER_GAS, Fee
from chain.relay.lanes import Held
from chain.relay.simulation import Call
from chain.transactions import Transaction, sign
from returns.bulk import Among, among, insert_many, prepared, update_many
from returns.errors import SignerRefused, SignerUnavailable
from returns.tables import RelayAttempt, RelaySlot
from returns.tables.relay import ATTEMPTS, SLOTS
from returns.words import RelayState, SlotState

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Draft:
    """What the bytes of a nonce are to say; without a call it is a self-transfer that fills it."""

    slot_id: UUID
    nonce: int
    call: Call | None
    fee: Fee


@dataclass(frozen=True, slots=True)
class Stored:
    """Signed bytes that the books have."""

    hash: str
    slot_id: UUID
    raw: bytes


def send(held: Held, drafts: Sequence[Draft], *, anew: bool = False) -> int:
    """Sign, store and broadcast; how many were signed. `anew`: in the place of other bytes.

    Raises `LeaseLost` before anything is broadcast, and what the signer raises after the bytes
    that it did sign are on their way: the other nonces are signed in a later round.
    """
    rows, refusal = _signed(held, drafts)
    _store(held, rows, anew=anew)
    broadcast(held, [Stored(row["hash"], row["slot_id"], row["raw"]) for row in rows])
    if refusal is not None:
        raise refusal
    return len(rows)


def _signed(
    held: Held, drafts: Sequence[Draft]
) -> tuple[list[dict[str, Any]], SignerRefused | SignerUnavailable | None]:
    rows: list[dict[str, Any]] = []
    for draft in drafts:
        try:
            rows.append(_sign_one(held, draft))
        except (SignerRefused, SignerUnavailable) as refusal:
            return rows, refusal
    return rows, None


def _sign_one(held: Held, draft: Draft) -> dict[str, Any]:
    call = draft.call or Call(held.address, b"", gas=TRANSFER_GAS)
    transaction = Transaction(
        chain_id=held.parts.chain_id,
        nonce=draft.nonce,
        priority_fee=draft.fee.priority_fee,
        max_fee=draft.fee.max_fee,
        gas=call.gas or 0,
        to=call.to,
        value=call.value,
        data=call.data,
    )
    tx_hash, raw = sign(held.signer, transaction)
    return {
        "hash": tx_hash,
        "slot_id": draft.slot_id,
        "raw": raw,
        "filler": draft.call is None,
        "max_fee": draft.fee.max_fee,
        "priority_fee": draft.fee.priority_fee,
        "gas_limit": transaction.gas,
        "created_at": held.parts.clock(),
    }


def _store(held: Held, rows: Sequence[dict[str, Any]], *, anew: bool) -> None:
    if not rows:
        return
    with held.write() as session:
        insert_many(session, ATTEMPTS, rows)
        if anew:
            _reserve_more(session, held, rows)
            _note_replaced(session, [row["slot_id"] for row in rows], held.parts.clock())


def _reserve_more(session: Session, held: Held, rows: Sequence[dict[str, Any]]) -> None:
    """Dearer bytes count for what they may cost: never refused here, or the lane would be jammed.

    Of a nonce's bytes any may be mined: the dearest count.
    """
    worst = {row["slot_id"]: row["gas_limit"] * row["max_fee"] for row in rows}
    query = sa.select(SLOTS.c.id, SLOTS.c.cost).where(among(session, SLOTS.c.id, worst))
    dearer = {
        slot_id: worst[slot_id]
        for slot_id, cost in session.connection().execute(query)
        if cost < worst[slot_id]
    }
    budgets.change_costs(session, held.parts.policy, dearer)
    update_many(session, SLOTS, [{"id": one, "cost": cost} for one, cost in dearer.items()])


def _note_replaced(session: Session, slot_ids: Sequence[UUID], now: datetime) -> None:
    """A wish is fulfilled, and a time that a clock wrote which ran ahead is put right."""
    slots = sa.update(SLOTS).where(among(session, SLOTS.c.id, slot_ids))
    slots = slots.where(sa.or_(SLOTS.c.bump, SLOTS.c.updated_at > now))
    session.connection().execute(slots.values(bump=False, updated_at=now))


def broadcast(held: Held, attempts: Sequence[Stored]) -> None:
    """Hand stored bytes to the node, in the order of their nonces, and note what it said."""
    if not attempts:
        return
    answers = held.parts.client.batch(
        [("eth_sendRawTransaction", ("0x" + one.raw.hex(),)) for one in attempts]
    )
    now = held.parts.clock()
    refused = [
        (one, answer)
        for one, answer in zip(attempts, answers, strict=True)
        if isinstance(answer, RpcError) and faults.classify(answer) is not Fault.KNOWN
    ]
    in_pool = {one.hash: one for one in attempts}
    for one, _ in refused:
        del in_pool[one.hash]
    with held.write() as session:
        _note_sent(session, list(in_pool.values()), now)
        for one, answer in refused:
            _note_refusal(session, one, answer, now)


def _note_sent(session: Session, attempts: Sequence[Stored], now: datetime) -> None:
    connection = session.connection()
    slots = {"slots": [one.slot_id for one in attempts], "now": now}
    connection.execute(_submitted(session), slots)
    connection.execute(_sent(session), {"hashes": [one.hash for one in attempts], "now": now})


@prepared
def _submitted(among: Among) -> Any:
    now = sa.bindparam("now", type_=SLOTS.c.updated_at.type)
    reserved = sa.update(SLOTS).where(among(SLOTS.c.id, "slots"), SLOTS.c.state == SlotState.SENT)
    return reserved.values(state=SlotState.SUBMITTED, updated_at=now)


@prepared
def _sent(among: Among) -> Any:
    now = sa.bindparam("now", type_=ATTEMPTS.c.sent_at.type)
    sent = sa.update(ATTEMPTS).where(among(ATTEMPTS.c.hash, "hashes"))
    return sent.values(sent_at=now, error=None)


def _note_refusal(session: Session, one: Stored, answer: RpcError, now: datetime) -> None:
    """The bytes stay: they are sent again until the chain has an answer for the nonce."""
    fault, attempt = faults.classify(answer), session.get_one(RelayAttempt, one.hash)
    slot, said_before = session.get_one(RelaySlot, one.slot_id), attempt.error == str(answer)
    attempt.sent_at, attempt.error = now, str(answer)
    if fault in (Fault.UNDERPRICED, Fault.CHEAP):
        slot.bump = True
    elif fault is Fault.NEVER and not said_before:
        # It would end the intent: asked once more, at once.
        attempt.sent_at = None
    elif fault is Fault.NEVER:
        slot.fill_as = slot.fill_as or RelayState.FAILED
    log.warning(
        "relay.refused nonce=%s hash=%s fault=%s answer=%s", slot.nonce, one.hash, fault, answer
    )
