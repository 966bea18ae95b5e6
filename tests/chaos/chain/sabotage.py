"""Relayers without what keeps the product from sending twice: the auditor has to see it.

They are subclasses that only the chaos run has: the product has no switch for it. Both send each
intent alone, from one lane; what is under way they follow and mend as the product does.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from chain.relay.fees import Fee, first
from chain.relay.fleet import Fleet
from chain.relay.lanes import Held, LaneKeeper, Lease
from chain.relay.parts import Parts
from chain.relay.relayer import Relayer
from chain.signers import Signer
from chain.transactions import Transaction, sign
from returns import locks
from returns.errors import UndropError
from returns.ids import new_id
from returns.tables import Lane, RelayAttempt, RelaySlot, RelayTransaction
from returns.words import RelayState, SlotState

#: Gas limit of every call; intents taken up in one round.
_GAS, _AT_ONCE = 600_000, 8
#: Seconds between two rounds, and for which an intent is in a careless relayer's hands only.
_PAUSE_S, _HANDS_S = 0.05, 0.15


class Runnable(Protocol):
    """What a relayer process runs."""

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""


@dataclass(frozen=True)
class _Signed:
    """An intent at the nonce that it was given, as bytes."""

    intent: RelayTransaction
    nonce: int
    hash: str
    raw: bytes
    fee: Fee


class _Careless(Relayer, ABC):
    """Gives intents the nonces that it takes to be free."""

    def _send_owed(self, held: Held) -> bool:
        rows = self._waiting(held)
        fee = first(held.parts.canon.head().base_fee, held.parts.policy.tip, 10**15)
        if not rows or fee is None:
            return False
        nonce = self._free_nonce(held)
        self._bring(held, [_signed(held, row, nonce + i, fee) for i, row in enumerate(rows)])
        return True

    def _waiting(self, held: Held) -> Sequence[RelayTransaction]:
        query = (
            select(RelayTransaction)
            .where(RelayTransaction.state == RelayState.PENDING)
            .order_by(col(RelayTransaction.id))
        )
        with held.parts.database.read() as session:
            rows = session.exec(query.limit(_AT_ONCE)).all()
        time.sleep(_HANDS_S if rows else 0)
        return rows

    @abstractmethod
    def _free_nonce(self, held: Held) -> int:
        """Where its next transactions go."""

    @abstractmethod
    def _bring(self, held: Held, signed: Sequence[_Signed]) -> None:
        """Store and broadcast, in its own order."""


class WithoutWriteAhead(_Careless):
    """Asks the node for the nonce, broadcasts, and stores afterwards what it has sent."""

    def _free_nonce(self, held: Held) -> int:
        return held.parts.client.transaction_count(held.address, "pending")

    def _bring(self, held: Held, signed: Sequence[_Signed]) -> None:
        _broadcast(held, signed)
        _store(held, signed)


class WithoutFence(_Careless):
    """Owns its lane whatever others think, and counts nonces by itself."""

    def __init__(self, parts: Parts, signer: Signer) -> None:
        super().__init__(parts, signer)
        self._keeper = _Open(parts, signer.address)
        self._next = 0

    def _free_nonce(self, held: Held) -> int:
        """Where the chain is, if that is further; then what it thinks itself."""
        count = held.parts.client.transaction_count(held.address, "pending")
        self._next = max(self._next, count)
        return self._next

    def _bring(self, held: Held, signed: Sequence[_Signed]) -> None:
        self._next += len(signed)
        _store(held, signed)
        _broadcast(held, signed)


class _Open(LaneKeeper):
    """Lets everybody in, and believes every fence."""

    def acquire(self) -> Lease:
        """At once, whoever has it."""
        return Lease(self._lane_id(), 0)

    @contextmanager
    def write(self, lease: Lease) -> Iterator[Session]:
        """One transaction of anybody."""
        with self._parts.database.write() as session:
            locks.lock_lane(session, lease.lane_id)
            yield session


class Careless:
    """One lane of a careless kind, without the fleet's threads."""

    def __init__(self, kind: type[Relayer], parts: Parts, signers: Sequence[Signer]) -> None:
        self._relayer = kind(parts, signers[0])

    def run(self, stop: threading.Event) -> None:
        """Round after round, whatever goes wrong in one."""
        while not stop.wait(_PAUSE_S):
            with suppress(UndropError, SQLAlchemyError):
                self._relayer.round()


#: What a relayer process runs, by the name of what is sabotaged.
FLEETS: dict[str, Callable[[Parts, Sequence[Signer]], Runnable]] = {
    "": Fleet,
    "fence": lambda parts, signers: Careless(WithoutFence, parts, signers),
    "write-ahead": lambda parts, signers: Careless(WithoutWriteAhead, parts, signers),
}


def _signed(held: Held, row: RelayTransaction, nonce: int, fee: Fee) -> _Signed:
    transaction = Transaction(
        chain_id=held.parts.chain_id,
        nonce=nonce,
        priority_fee=fee.priority_fee,
        max_fee=fee.max_fee,
        gas=_GAS,
        to=row.to,
        value=row.value,
        data=row.data,
    )
    return _Signed(row, nonce, *sign(held.signer, transaction), fee)


def _broadcast(held: Held, signed: Sequence[_Signed]) -> None:
    sends = [("eth_sendRawTransaction", ("0x" + one.raw.hex(),)) for one in signed]
    held.parts.client.batch(sends)


def _store(held: Held, signed: Sequence[_Signed]) -> None:
    """As well as the tables let it: what another one has stored already is left as it is."""
    for one in signed:
        with suppress(SQLAlchemyError), held.write() as session:
            _store_one(session, one, held)


def _store_one(session: Session, one: _Signed, held: Held) -> None:
    now, lane = held.parts.clock(), session.get_one(Lane, held.lane_id)
    known = select(RelaySlot).where(RelaySlot.lane_id == lane.id, RelaySlot.nonce == one.nonce)
    slot = session.exec(known).first() or RelaySlot(
        id=new_id(), lane_id=lane.id, nonce=one.nonce, state=SlotState.SUBMITTED,
        created_at=now, updated_at=now,
    )  # fmt: skip
    session.add(slot)
    session.flush()
    session.add(
        RelayAttempt(
            hash=one.hash,
            slot_id=slot.id,
            raw=one.raw,
            max_fee=one.fee.max_fee,
            priority_fee=one.fee.priority_fee,
            gas_limit=_GAS,
            created_at=now,
            sent_at=now,
        )
    )
    lane.next_nonce = max(lane.next_nonce, one.nonce + 1)
    taken = sa.update(RelayTransaction).where(col(RelayTransaction.id) == one.intent.id)
    session.connection().execute(
        taken.values(state=RelayState.SENT, lane_id=lane.id, slot_id=slot.id, updated_at=now)
    )
