"""Does what the plan says to the indexer's process, its registry and the chain, one by one."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlmodel import Session

from chain.index import registry
from returns.db import Database
from returns.tables import IndexScan
from returns.tables.chain import CHAINS
from returns.words import WatchKind
from tests.chaos.chain.deeds import Snapshots
from tests.chaos.chain.plan import DEEPEST, Deed
from tests.chaos.chain.processes import FIRST, Lives, wait
from tests.chaos.chain.proxy import Steering
from tests.chaos.index.ground import Ground
from tests.support.chain_node import CHAIN_ID

#: An indexer that was told to die at a step takes at most so long to get there.
_DOOM_S = 2.0
#: Reorgs that follow each other at once, at most; blocks by which an indexer is behind.
_NESTED, _BEHIND = 5, 120
#: Blocks that are mined while the index reads what will be undone, at most.
_MEANWHILE = 8


class Doer:
    """Has hands. `done`: what happened, as (Unix time, kind)."""

    def __init__(
        self, indexers: Lives, ground: Ground, proxy: Steering, database: Database
    ) -> None:
        self.done: list[tuple[float, str]] = []
        self._indexers, self._ground = indexers, ground
        self._proxy, self._database = proxy, database
        self._snapshots = Snapshots(ground)
        self._further = list(ground.further)
        self._ways: dict[str, Callable[[Deed], None]] = {
            "kill": self._kill,
            "kill_at_a_step": self._kill_at_a_step,
            "reorg": self._reorg,
            "rewind": self._rewind,
            "nested": self._nested,
            "behind": self._behind,
            "watch": self._watch,
            "replay": self._replay,
            "node_away": self._node_away,
        }

    def do(self, deed: Deed) -> None:
        """One deed and its pause."""
        self._snapshots.take()
        self._ways[deed.kind](deed)
        wait(deed.pause, self._indexers)

    def make_up(self) -> None:
        """Nothing is dying or lying any more."""
        self._proxy.forget()
        self._indexers[FIRST].dial.spare()
        self._indexers.tend()

    def _happened(self, kind: str) -> None:
        self.done.append((time.time(), kind))

    # -- the process -------------------------------------------------------------------------------

    def _kill(self, deed: Deed) -> None:
        self._happened(deed.kind)
        self._indexers[FIRST].kill()
        self._indexers[FIRST].start()

    def _kill_at_a_step(self, deed: Deed) -> None:
        """By its own hand, at a moment that is counted from now on; often amid a reorg."""
        first, end = self._indexers[FIRST], time.monotonic() + _DOOM_S
        self._indexers.tend()
        first.dial.doom(deed.step, deed.at)
        if deed.flip:
            self._reorg(deed)
        while first.is_alive() and time.monotonic() < end:
            time.sleep(0.01)
        if first.is_alive():
            first.dial.spare()
        else:
            self._happened(f"{deed.kind} {deed.at}".strip())
            first.start()

    # -- the chain ---------------------------------------------------------------------------------

    def _reorg(self, deed: Deed) -> None:
        self._snapshots.reorg(deed.depth)
        self._happened("reorg")

    def _rewind(self, deed: Deed) -> None:
        """A branch is mined, read and gone; the new one is longer at once, or grows with time."""
        miner = self._ground.miner
        with miner.still():
            self._snapshots.keep()
            miner.blocks(max(1, deed.depth - _MEANWHILE))
        wait(deed.seconds / 2, self._indexers)
        with miner.still():
            depth = self._snapshots.turn_back(deed.depth, empty_pool=True)
            if depth and deed.flip:
                miner.blocks(depth + 1)
        if depth:
            self._happened("rewind")

    def _nested(self, deed: Deed) -> None:
        """Reorg upon reorg, deeper and less deep, sooner than the index can follow."""
        for round_ in range(2 + deed.step % (_NESTED - 1)):
            depth = max(1, min(DEEPEST, (deed.depth * (round_ + 1), deed.depth // 2)[round_ % 2]))
            self._snapshots.reorg(depth)
            self._happened("nested reorg")
            wait(deed.pause / 10, self._indexers)

    def _behind(self, deed: Deed) -> None:
        """The index was away for long, and has not caught up when what it reads is undone."""
        self._indexers.stop(FIRST)
        with self._ground.miner.still():
            self._ground.miner.blocks(_BEHIND)
        self._indexers.start(FIRST)
        self._happened("behind")
        wait(deed.seconds / 5, self._indexers)
        self._reorg(deed)

    def _node_away(self, deed: Deed) -> None:
        self._happened(deed.kind)
        self._proxy.darken(deed.seconds)
        wait(deed.seconds, self._indexers)

    # -- the registry ------------------------------------------------------------------------------

    def _watch(self, deed: Deed) -> None:
        """One more collection, read from where it began; and a reorg while it is."""
        if not self._further:
            self._replay(deed)
            return
        new, now = self._further.pop(), datetime.now(UTC)
        with self._database.write() as session:
            kind = WatchKind.COLLECTION
            registry.add(session, CHAIN_ID, new.address, kind, new.since, now)
        self._ground.wanted.collections[new.address] = new.since
        self._happened("watch")
        self._amid(deed)

    def _replay(self, deed: Deed) -> None:
        """Everything is read once more, up to where the index is."""
        with self._database.write() as session:
            upto = _lock_cursor(session)
            if upto > self._ground.start:
                first, now = self._ground.start, datetime.now(UTC)
                row = IndexScan(
                    chain_id=CHAIN_ID, next_number=first, last_number=upto, created_at=now
                )
                session.add(row)
        if upto > self._ground.start:
            self._happened("replay")
            self._amid(deed)

    def _amid(self, deed: Deed) -> None:
        """While a scan is going on: another branch, and now and then another life."""
        wait(deed.seconds / 10, self._indexers)
        if deed.flip:
            self._kill(deed)
        self._reorg(deed)


def _lock_cursor(session: Session) -> int:
    """Where the index is, and stays as long as the transaction; -1 before it has begun."""
    locked = sa.update(CHAINS).values(events=CHAINS.c.events).returning(CHAINS.c.cursor_number)
    cursor = session.connection().execute(locked).scalar_one_or_none()
    return -1 if cursor is None else int(cursor)
