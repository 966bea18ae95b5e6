"""One signer key's lane, brought forward in rounds.

    pending ──nonce──► sent ──bytes stored, broadcast──► submitted ──► mined ──► confirmed
       └── refused, expired, canceled             └──► failed, expired, canceled (a self-transfer)

Each arrow is a transaction of its own, and nothing is broadcast before its bytes are stored: a
restart can only repeat bytes, never make new ones. Every write carries the lane's fence.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select

from chain.relay import intake, purse, repair
from chain.relay.claims import let_go
from chain.relay.fees import Fee
from chain.relay.following import follow
from chain.relay.lanes import Held, LaneKeeper
from chain.relay.nonces import Watch
from chain.relay.parts import Parts
from chain.relay.reserve import Reserved
from chain.relay.sending import Draft, send
from chain.signers import Signer
from returns.errors import ChainMismatch, ChainUnavailable, LeaseLost, UndropError
from returns.tables import Lane, RelaySlot, RelayTransaction
from returns.words import LaneMode, LanePurpose, RelayState, SlotState

log = logging.getLogger(__name__)

_OPEN = (SlotState.SENT, SlotState.SUBMITTED, SlotState.MINED)
#: The watchdog looks at a lane once in this time, and after each new block.
_UPKEEP = timedelta(seconds=1)


class Relayer:
    """A lane as one worker brings it forward."""

    def __init__(
        self,
        parts: Parts,
        signer: Signer,
        purpose: LanePurpose = LanePurpose.OPERATE,
        *,
        takes_new: bool = True,
    ) -> None:
        self._parts = parts
        self._signer = signer
        self._keeper = LaneKeeper(parts, signer.address, purpose, takes_new=takes_new)
        self._held: Held | None = None
        self._forget()

    @property
    def address(self) -> str:
        """The lane's account."""
        return self._signer.address

    def run_once(self) -> bool:
        """One round under a lease of its own; True if anything changed.

        Does nothing without the lease, nor without work. Raises `ChainUnavailable`, `ChainMismatch`
        `LeaseLost` and what the signer raises: every row is then as it can be taken up again.
        """
        changed = self.round()
        self.release()
        return changed

    def round(self, *, take: bool = True) -> bool:
        """One round; the lease is kept for the next one, until `release`.

        Without `take` nothing new is looked for: what is under way is followed.

        The newest block is the one that somebody has read (`Canon.refresh`): lanes share it.
        """
        if self._held is None and not (self._has_work() and self._acquire()):
            return False
        held = self._owned()
        try:
            return self._forward(held, take=take)
        except LeaseLost:
            self._held = None
            raise
        except UndropError as problem:
            held.alarms["round"] = str(problem)
            self._report(held)
            self.release()
            raise

    def release(self) -> None:
        """Let another worker in at once."""
        held, self._held = self._held, None
        if held is not None:
            held.keeper.release(held.lease)

    def _acquire(self) -> bool:
        self._check_chain()
        self._parts.canon.refresh()
        lease = self._keeper.acquire()
        if lease is None:
            return False
        self._held = Held(self._parts, self._signer, self._keeper, lease)
        self._forget()
        return True

    def _owned(self) -> Held:
        assert self._held is not None  # noqa: S101
        return self._held

    def _forget(self) -> None:
        """What was seen under an earlier lease may have changed."""
        #: Whether a new block may have news for this lane.
        self.is_busy = True
        self._watch = Watch()
        self._seen = ""
        #: Whether the last round took up as much as one may: more waits.
        self._has_more = False
        self._upkeep_at: datetime | None = None
        self._balance: int | None = None
        self._reported: tuple[str | None, int | None] = ("unknown", None)

    def _check_chain(self) -> None:
        """On another chain the lane would start at its nonce."""
        actual = self._parts.client.chain_id()
        if actual != self._parts.chain_id:
            raise ChainMismatch(actual=actual, expected=self._parts.chain_id)

    def _has_work(self) -> bool:
        """Intents that wait, or nonces that are not confirmed."""
        slots = select(RelaySlot.id).join(Lane, col(Lane.id) == RelaySlot.lane_id)
        mine = slots.where(Lane.address == self.address, Lane.chain_id == self._parts.chain_id)
        waiting = select(RelayTransaction.id).where(
            RelayTransaction.chain_id == self._parts.chain_id,
            RelayTransaction.state == RelayState.PENDING,
        )
        with self._parts.database.read() as session:
            return (
                session.exec(waiting.limit(1)).first() is not None
                or session.exec(mine.where(col(RelaySlot.state).in_(_OPEN)).limit(1)).first()
                is not None
            )

    def _forward(self, held: Held, *, take: bool) -> bool:
        changed = take and self._keeper.takes_new and self._send_owed(held)
        changed |= self._look_after(held)
        held.alarms["round"] = None
        return changed

    def _mode(self, held: Held) -> LaneMode:
        with self._parts.database.read() as session:
            return session.get_one(Lane, held.lane_id).mode

    def _send_owed(self, held: Held) -> bool:
        reserved, fee = intake.take(held)
        self._has_more = len(reserved) >= self._parts.policy.claim
        if fee is None or not reserved:
            return False
        self.is_busy = True
        return send(held, [_draft(one, fee) for one in reserved]) > 0

    def _has_open(self, held: Held) -> bool:
        """Whether there are nonces that are not confirmed."""
        query = select(RelaySlot.id).where(
            RelaySlot.lane_id == held.lane_id, col(RelaySlot.state).in_(_OPEN)
        )
        with self._parts.database.read() as session:
            return session.exec(query.limit(1)).first() is not None

    def _look_after(self, held: Held) -> bool:
        """Follow what is under way when there is a new block; mend now and then.

        Where more waits than one round takes, what is mined already can wait until then.
        """
        head, now = self._parts.canon.head(), self._parts.clock()
        is_due = self._upkeep_at is None or not now < self._upkeep_at <= now + _UPKEEP
        if not is_due and (self._has_more or head.hash == self._seen):
            return False
        count, self._balance = self._account(held)
        changed = head.hash != self._seen and follow(held, self._watch, count)
        if is_due:
            changed |= self._keep_up(held, count)
            self._upkeep_at = now + _UPKEEP
        self._seen = head.hash
        return changed

    def _keep_up(self, held: Held, count: int) -> bool:
        """Mend, ask for gas, say how the lane is; a paused lane sends nothing."""
        self.is_busy = self._has_open(held)
        changed, mode = False, self._mode(held)
        if mode is not LaneMode.PAUSED:
            changed = repair.repair(held, self._watch, count)
            changed |= purse.top_up(held, self._balance or 0)
        if mode is not LaneMode.RUNNING:
            let_go(held)
        self._report(held)
        return changed

    def _report(self, held: Held) -> None:
        """Leave for others to see how the lane is; only what has changed is written."""
        alarm = "; ".join(text for text in held.alarms.values() if text)[:500] or None
        if (alarm, self._balance) == self._reported:
            return
        with held.write() as session:
            lane = session.get_one(Lane, held.lane_id)
            lane.balance = self._balance
            if lane.alarm != alarm:
                lane.alarm = alarm
                lane.alarm_since = self._parts.clock() if alarm else None
                log.warning("relay.alarm lane=%s alarm=%s", lane.address, alarm or "over")
        self._reported = (alarm, self._balance)

    def _account(self, held: Held) -> tuple[int, int]:
        """Nonces that the chain has used of the lane, and its coin in wei.

        Another chain's nonces would tell that ours are used: its number comes with the answer.
        """
        answers = self._parts.client.batch(
            [
                ("eth_chainId", ()),
                ("eth_getTransactionCount", (held.address, "latest")),
                ("eth_getBalance", (held.address, "latest")),
            ]
        )
        chain_id, count, balance = map(_number, answers)
        if chain_id != self._parts.chain_id:
            raise ChainMismatch(actual=chain_id, expected=self._parts.chain_id)
        return count, balance


def _number(answer: Any) -> int:
    try:
        return int(answer, 16)
    except (TypeError, ValueError) as fault:
        raise ChainUnavailable(problem=f"it does not tell an account: {answer}") from fault


def _draft(one: Reserved, fee: Fee) -> Draft:
    return Draft(one.slot_id, one.nonce, one.plan.call if one.plan else None, fee)
