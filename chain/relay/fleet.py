"""Lanes side by side: a thread for each signer key, woken when there is something for it to do."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from threading import Event, Thread

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from chain.relay.claims import is_waiting
from chain.relay.parts import Parts
from chain.relay.relayer import Relayer
from chain.signers import KeylessSigner, Signer
from returns.errors import LeaseLost, UndropError
from returns.tables import Lane, RelaySlot
from returns.words import LanePurpose, SlotState

log = logging.getLogger(__name__)

#: Seconds between two looks for new intents, and between two looks at the node's newest block.
_LOOK, _BLOCK = 0.02, 0.2
#: Where nothing has come for so many looks, the pauses between them are so many times as long.
_QUIET, _SLOWER = 100, 5
#: Intents that nobody has taken up after so many looks get a lane more than should be needed.
_LATE = 3
#: Seconds of computing after which a thread lets another one go on. Python's own 5 ms would be
#: lost again and again by a lane that has got its answer while another one computes.
_SWITCH = 0.0005
#: New objects after which garbage is looked for: an answer of the node is made of thousands.
_YOUNG = 50_000
#: A lane that nobody wakes looks for itself after this, and one that failed waits so long.
_ASLEEP, _SORE = 1.0, 0.5


class Fleet:
    """All lanes of one chain in this process, until it is told to stop."""

    def __init__(
        self, parts: Parts, signers: Sequence[Signer], treasury: Signer | None = None
    ) -> None:
        self._parts = parts
        known = [*signers, *([treasury] if treasury else [])]
        self._lanes = [_LaneThread(Relayer(parts, signer)) for signer in signers]
        self._treasury = [
            _LaneThread(Relayer(parts, signer, LanePurpose.TOP_UP))
            for signer in known[len(signers) :]
        ]
        self._left = [
            _LaneThread(Relayer(parts, KeylessSigner(address), takes_new=False))
            for address in _left_behind(parts, known)
        ]
        self._late = 0

    def run(self, stop: Event) -> None:
        """Work until `stop` is set; then every lane ends its round and gives its lease back."""
        _settle_in()
        lanes = self._all
        for lane in lanes:
            lane.start(stop)
        passed, empty = 0.0, 0
        while not stop.wait(pause := _LOOK * (_SLOWER if empty > _QUIET else 1)):
            empty = 0 if _guarded("fleet", self._wake_for_intents) else empty + 1
            passed += pause
            if passed >= _BLOCK:
                passed = 0.0
                _guarded("fleet", self._wake_for_block)
        for lane in lanes:
            lane.join()

    def _wake_for_intents(self) -> bool:
        """As many sleeping lanes as the waiting intents need; who works will find them anyway.

        Not more: each has to look for itself, and few full rounds are done sooner than many small
        ones. True if there is something to do.
        """
        idle = [lane for lane in self._lanes if lane.is_idle]
        if not idle:
            return True
        claim = self._parts.policy.claim
        waiting = is_waiting(self._parts, claim * len(idle))
        self._late = self._late + 1 if waiting else 0
        # Who works may be busy with something else for a while.
        needed = -(-waiting // claim) - (len(self._lanes) - len(idle)) + self._late // _LATE
        for lane in idle[: max(0, needed)]:
            lane.wake()
        return waiting > 0

    def _wake_for_block(self) -> None:
        before = self._parts.canon.head().hash
        if self._parts.canon.refresh().hash != before:
            for lane in self._all:
                lane.wake_for_block()

    @property
    def _all(self) -> list[_LaneThread]:
        return [*self._lanes, *self._treasury, *self._left]


def _settle_in() -> None:
    """This process is for lanes from now on.

    What is loaded by now stays: looking through it again and again, the garbage collector took a
    third of a lane's time.
    """
    sys.setswitchinterval(_SWITCH)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)


def _left_behind(parts: Parts, signers: Sequence[Signer]) -> list[str]:
    """Lanes whose key is not here any more, with nonces under way: their bytes are still ours."""
    known = [signer.address for signer in signers]
    query = (
        select(Lane.address)
        .join(RelaySlot, col(RelaySlot.lane_id) == Lane.id)
        .where(Lane.chain_id == parts.chain_id, col(Lane.address).not_in(known))
        .where(col(RelaySlot.state) != SlotState.CONFIRMED)
        .distinct()
    )
    with parts.database.read() as session:
        return list(session.exec(query).all())


class _LaneThread:
    """A relayer in a thread of its own, which no fault ends."""

    def __init__(self, relayer: Relayer) -> None:
        self._relayer = relayer
        self._wanted = Event()
        self._take = True
        self._thread: Thread | None = None
        self.is_idle = False

    def start(self, stop: Event) -> None:
        """Begin to work."""
        self._thread = Thread(target=self._work, args=(stop,), name=self._relayer.address)
        self._thread.start()

    def wake(self) -> None:
        """There is something to take up."""
        self._take = True
        self.is_idle = False
        self._wanted.set()

    def wake_for_block(self) -> None:
        """There may be news of what is under way; a lane without any looks once in a while."""
        if self._relayer.is_busy:
            self._wanted.set()

    def join(self) -> None:
        """Wait until the last round is done."""
        self.wake()
        if self._thread is not None:
            self._thread.join()

    def _work(self, stop: Event) -> None:
        while not stop.is_set():
            take, self._take = self._take, False
            result = _guarded(self._relayer.address, partial(self._relayer.round, take=take))
            if result is None:
                stop.wait(_SORE)
            if result is None or result:
                self._take = True
            else:
                self._sleep()
        _guarded(self._relayer.address, self._relayer.release)

    def _sleep(self) -> None:
        """Until somebody wakes the lane, or it is time to look for itself."""
        self.is_idle = True
        if not self._wanted.wait(_ASLEEP):
            self._take = True
        self._wanted.clear()


def _guarded(who: str, act: Callable[[], object]) -> object:
    """Whatever goes wrong in one round is logged, and the next one tries again; then None."""
    try:
        return act() or False
    except LeaseLost as lost:
        log.warning("relay.lease_lost lane=%s problem=%s", who, lost)
    except UndropError as problem:
        log.warning("relay.interrupted lane=%s problem=%s", who, problem)
    except SQLAlchemyError as problem:
        log.error("relay.storage lane=%s problem=%s", who, problem)
    except Exception:
        log.exception("relay.fault lane=%s", who)
    return None
