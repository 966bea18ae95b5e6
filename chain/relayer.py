"""Sends what we owe to the chain: write-ahead, one nonce per transaction, the same bytes again.

    pending ──reserve nonce──► sent ──store bytes, broadcast──► submitted ──► mined ──► confirmed
       └── would revert ──────────────────────────────────────────────────────────► failed

Each arrow is a transaction of its own and nothing is broadcast before its bytes are stored, so that
a restart can only repeat bytes, never make new ones. A lane (one key's nonces) belongs to one
worker at a time: every write carries the lane's fence.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from chain.addresses import to_checksum
from chain.client import ChainClient, RpcError
from chain.lanes import LaneKeeper, Lease
from chain.signers import Signer
from chain.simulation import Outlook, outlooks
from returns import work
from returns.clock import Clock
from returns.db import Database
from returns.errors import ChainMismatch, ChainUnavailable
from returns.tables import Lane, RelayAttempt, RelayTransaction
from returns.words import RelayState

log = logging.getLogger(__name__)

#: Transactions taken up in one round.
BATCH = 50
#: Wei of tip per gas.
PRIORITY_FEE = 1_000_000_000
#: Bytes that are still not mined are sent again after this.
REBROADCAST_AFTER = timedelta(seconds=5)
#: Room above the estimate: state may change between estimate and mining.
_GAS_MARGIN = (13, 10)
#: What nodes say to bytes that they hold already (Geth, Nethermind, Erigon, Reth, Anvil).
_HARMLESS = ("already known", "alreadyknown", "already imported", "nonce too low")


def enqueue(
    session: Session,
    *,
    relay_id: UUID,
    merchant_id: UUID,
    chain_id: int,
    to: str,
    data: bytes,
    now: datetime,
) -> None:
    """Store a transaction to be sent, within the caller's transaction; a known id is left alone."""
    if session.get(RelayTransaction, relay_id) is None:
        session.add(
            RelayTransaction(
                id=relay_id,
                merchant_id=merchant_id,
                chain_id=chain_id,
                to=to,
                data=data,
                state=RelayState.PENDING,
                created_at=now,
                updated_at=now,
            )
        )


class Relayer:
    """One signer's lane on one chain."""

    def __init__(
        self,
        database: Database,
        client: ChainClient,
        signer: Signer,
        chain_id: int,
        clock: Clock,
        *,
        confirmations: int = 1,
        lease: timedelta = timedelta(seconds=10),
    ) -> None:
        self._database = database
        self._client = client
        self._signer = signer
        self._chain_id = chain_id
        self._clock = clock
        self._confirmations = confirmations
        self._lanes = LaneKeeper(database, client, signer.address, chain_id, clock, lease)

    def run_once(self) -> bool:
        """One round over the lane; True if anything changed. Does nothing without the lease.

        Raises `ChainUnavailable` where the node does not answer, `LeaseLost` where another worker
        took the lane over, `ChainMismatch` where the node serves another chain: all of them leave
        every row as it can be taken up again.
        """
        if not self._has_work():
            return False
        self._check_chain()
        lease = self._lanes.acquire()
        if lease is None:
            return False
        try:
            changed = self._round(lease)
        except ChainUnavailable:
            # The next wake-up need not wait until the lease has run out.
            self._lanes.release(lease)
            raise
        self._lanes.release(lease)
        return changed

    def _round(self, lease: Lease) -> bool:
        changed = self._reopen(lease)
        changed |= self._reserve(lease)
        changed |= self._sign(lease)
        changed |= self._broadcast(lease)
        changed |= self._follow(lease)
        return changed

    def _check_chain(self) -> None:
        """On another chain every simulation would lie, and the lane would start at its nonce."""
        actual = self._client.chain_id()
        if actual != self._chain_id:
            raise ChainMismatch(actual=actual, expected=self._chain_id)

    def _has_work(self) -> bool:
        with self._database.read() as session:
            return session.exec(self._in_states(*_OPEN).limit(1)).first() is not None

    # -- pending -> sent -----------------------------------------------------------------------

    def _reserve(self, lease: Lease) -> bool:
        with self._database.read() as session:
            waiting = list(session.exec(self._in_states(RelayState.PENDING).limit(BATCH)))
        if not waiting:
            return False
        expected = outlooks(self._client, self._signer.address, waiting)
        with self._database.write() as session:
            lane = self._lanes.owned(session, lease)
            reserved = [
                self._reserve_one(session, lane, row, outlook)
                for row, outlook in zip(waiting, expected, strict=True)
            ]
        return any(reserved)

    def _reserve_one(
        self, session: Session, lane: Lane, row: RelayTransaction, outlook: Outlook
    ) -> bool:
        if outlook.unclear is not None:
            # Neither a nonce nor a verdict for a call that nobody could simulate.
            self._take(session, row, error=outlook.unclear)
            log.warning("relay.unclear relay=%s problem=%s", row.id, outlook.unclear)
            return False
        if outlook.refusal is not None:
            return self._take(session, row, state=RelayState.FAILED) and self._fail(
                session, session.get_one(RelayTransaction, row.id), outlook.refusal
            )
        nonce = lane.next_nonce
        taken = self._take(
            session, row, state=RelayState.SENT, lane_id=lane.id, nonce=nonce, error=None
        )
        lane.next_nonce += taken
        return taken

    def _take(self, session: Session, row: RelayTransaction, **values: Any) -> bool:
        """Compare and set: rows that wait belong to no lane, another one may be faster."""
        statement = (
            sa.update(RelayTransaction)
            .where(col(RelayTransaction.id) == row.id)
            .where(col(RelayTransaction.state) == RelayState.PENDING)
            .values(updated_at=self._clock(), **values)
        )
        return session.connection().execute(statement).rowcount == 1

    # -- sent -> submitted ---------------------------------------------------------------------

    def _sign(self, lease: Lease) -> bool:
        unsigned = (
            self._in_states(RelayState.SENT)
            .where(RelayTransaction.lane_id == lease.lane_id)
            .where(col(RelayTransaction.id).not_in(select(RelayAttempt.relay_id)))
        )
        with self._database.read() as session:
            rows = list(session.exec(unsigned))
        if not rows:
            return False
        expected = outlooks(self._client, self._signer.address, rows)
        clear = [
            (row, outlook)
            for row, outlook in zip(rows, expected, strict=True)
            if outlook.unclear is None
        ]
        max_fee = self._max_fee()
        attempts = [self._signed(row, outlook, max_fee) for row, outlook in clear]
        with self._database.write() as session:
            self._lanes.owned(session, lease)
            session.add_all(attempts)
            for row, outlook in clear:
                session.get_one(RelayTransaction, row.id).error = outlook.refusal
        return bool(attempts)

    def _max_fee(self) -> int:
        header = self._client.header(self._client.block_number())
        return 2 * (header.base_fee if header else 0) + PRIORITY_FEE

    def _signed(self, row: RelayTransaction, outlook: Outlook, max_fee: int) -> RelayAttempt:
        """Bytes for a reserved nonce. If the call no longer works, a self-transfer fills it."""
        transaction = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": row.nonce,
            "maxFeePerGas": max_fee,
            "maxPriorityFeePerGas": PRIORITY_FEE,
            **self._content(row, outlook),
        }
        tx_hash, raw = self._signer.sign(transaction)
        return RelayAttempt(
            hash=tx_hash,
            relay_id=row.id,
            raw=raw,
            max_fee=max_fee,
            priority_fee=PRIORITY_FEE,
            created_at=self._clock(),
        )

    def _content(self, row: RelayTransaction, outlook: Outlook) -> dict[str, Any]:
        if outlook.gas is None:
            own = to_checksum(self._signer.address)
            return {"to": own, "value": 0, "data": b"", "gas": 21_000}
        gas = outlook.gas * _GAS_MARGIN[0] // _GAS_MARGIN[1]
        return {"to": to_checksum(row.to), "value": row.value, "data": row.data, "gas": gas}

    def _broadcast(self, lease: Lease) -> bool:
        now = self._clock()
        overdue = sa.or_(
            col(RelayAttempt.sent_at).is_(None),
            col(RelayAttempt.sent_at) < now - REBROADCAST_AFTER,
        )
        query = (
            select(RelayAttempt)
            .join(RelayTransaction, col(RelayTransaction.id) == RelayAttempt.relay_id)
            .where(col(RelayTransaction.state).in_([RelayState.SENT, RelayState.SUBMITTED]))
            .where(RelayTransaction.lane_id == lease.lane_id, overdue)
            .order_by(col(RelayTransaction.nonce))
        )
        with self._database.read() as session:
            attempts = list(session.exec(query))
        if not attempts:
            return False
        answers = self._client.batch(
            [("eth_sendRawTransaction", ("0x" + attempt.raw.hex(),)) for attempt in attempts]
        )
        with self._database.write() as session:
            self._lanes.owned(session, lease)
            for attempt, answer in zip(attempts, answers, strict=True):
                self._record_broadcast(session, attempt, answer, now)
        return True

    def _record_broadcast(
        self, session: Session, attempt: RelayAttempt, answer: Any, now: datetime
    ) -> None:
        row = session.get_one(RelayTransaction, attempt.relay_id)
        session.get_one(RelayAttempt, attempt.hash).sent_at = now
        if isinstance(answer, RpcError) and not _is_harmless(answer):
            # The bytes stay: they are sent again until the chain has an answer for the nonce.
            # Why a self-transfer stands in for the call must not be overwritten.
            row.error = row.error or str(answer)
            log.warning(
                "relay.broadcast_refused relay=%s nonce=%s error=%s", row.id, row.nonce, answer
            )
            return
        if row.state is RelayState.SENT:
            self._move(row, RelayState.SUBMITTED)

    # -- submitted -> mined -> confirmed -------------------------------------------------------

    def _follow(self, lease: Lease) -> bool:
        query = (
            select(RelayAttempt)
            .join(RelayTransaction, col(RelayTransaction.id) == RelayAttempt.relay_id)
            .where(col(RelayTransaction.state).in_([RelayState.SUBMITTED, RelayState.MINED]))
            .where(RelayTransaction.lane_id == lease.lane_id)
        )
        with self._database.read() as session:
            attempts = list(session.exec(query))
        if not attempts:
            return False
        head = self._client.block_number()
        calls = [("eth_getTransactionReceipt", (attempt.hash,)) for attempt in attempts]
        receipts = self._client.batch(calls)
        with self._database.write() as session:
            self._lanes.owned(session, lease)
            moved = [
                self._record_receipt(session, attempt, receipt, head)
                for attempt, receipt in zip(attempts, receipts, strict=True)
            ]
        return any(moved)

    def _record_receipt(
        self, session: Session, attempt: RelayAttempt, receipt: Any, head: int
    ) -> bool:
        row = session.get_one(RelayTransaction, attempt.relay_id)
        if isinstance(receipt, RpcError):
            return False
        if receipt is None:
            return self._thrown_out(session, row)
        row.block_number = int(receipt["blockNumber"], 16)
        row.gas_used = int(receipt["gasUsed"], 16)
        if head - row.block_number + 1 < self._confirmations:
            return self._move(row, RelayState.MINED)
        if receipt["to"] != row.to:
            return self._fail(session, row, row.error or "the call had become impossible")
        if receipt["status"] != "0x1":
            return self._fail(session, row, "the transaction was mined and reverted")
        row.error = None
        return self._move(row, RelayState.CONFIRMED)

    def _thrown_out(self, session: Session, row: RelayTransaction) -> bool:
        """A reorg took a mined transaction back: its bytes are sent again at once."""
        if row.state is not RelayState.MINED:
            return False
        row.block_number = None
        self._send_again(session, row)
        return self._move(row, RelayState.SUBMITTED)

    def _reopen(self, lease: Lease) -> bool:
        """What the chain lost although it was final (a node restored from a backup): sent again.

        Without its nonce nothing that follows could ever be mined. A node that is merely behind
        costs a look at the receipts.
        """
        count = self._client.transaction_count(self._signer.address)
        lost = (
            self._in_states(RelayState.CONFIRMED)
            .where(RelayTransaction.lane_id == lease.lane_id)
            .where(col(RelayTransaction.nonce) >= count)
        )
        with self._database.read() as session:
            if session.exec(lost.limit(1)).first() is None:
                return False
        with self._database.write() as session:
            self._lanes.owned(session, lease)
            for row in session.exec(lost):
                row.block_number = None
                self._move(row, RelayState.SUBMITTED)
                self._send_again(session, row)
        return True

    def _send_again(self, session: Session, row: RelayTransaction) -> None:
        attempts = select(RelayAttempt).where(RelayAttempt.relay_id == row.id)
        for attempt in session.exec(attempts):
            attempt.sent_at = None

    # -- shared --------------------------------------------------------------------------------

    def _in_states(self, *states: RelayState) -> Any:
        return (
            select(RelayTransaction)
            .where(RelayTransaction.chain_id == self._chain_id)
            .where(col(RelayTransaction.state).in_(states))
            .order_by(col(RelayTransaction.created_at), col(RelayTransaction.id))
        )

    def _move(self, row: RelayTransaction, state: RelayState) -> bool:
        changed = row.state is not state
        row.state, row.updated_at = state, self._clock()
        return changed

    def _fail(self, session: Session, row: RelayTransaction, reason: str) -> bool:
        """Say so through the inbox: nothing of this transaction has had an effect."""
        row.error = reason[:1000]
        self._move(row, RelayState.FAILED)
        work.receive(
            session,
            source="relay",
            external_id=f"{row.id}:failed",
            kind="relay.failed",
            payload=json.dumps({"relay": str(row.id), "reason": row.error}),
            now=self._clock(),
            merchant_id=row.merchant_id,
        )
        return True


_OPEN = (RelayState.PENDING, RelayState.SENT, RelayState.SUBMITTED, RelayState.MINED)


def _is_harmless(error: RpcError) -> bool:
    text = str(error).lower()
    return any(phrase in text for phrase in _HARMLESS)
