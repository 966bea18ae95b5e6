"""Does what the plan says to processes, disks, clocks and the chain, one thing after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tests.chaos.chain.disks import FileLimit, RefusedWrites
from tests.chaos.chain.evidence import Node
from tests.chaos.chain.plan import DEEPEST, Deed
from tests.chaos.chain.processes import FIRST, SECOND, Lives, wait
from tests.chaos.chain.proxy import Steering
from tests.chaos.chain.relayer_process import POLICY
from tests.chaos.chain.scene import Miner, Scene

#: Beyond the lease, by how much an owner sleeps.
_OVERSLEEP_S = 0.7
#: A relayer that was told to die at a step takes at most so long to get there.
_DOOM_S = 5.0
#: Seconds between snapshots of the chain that it may be rewound to.
_SNAPSHOT_S = 3.0


class Ground(Protocol):
    """A chain that mines by itself and can be turned back."""

    @property
    def miner(self) -> Miner:
        """Who mines."""

    def node(self) -> Node:
        """A connection of one's own."""


@dataclass
class Snapshots:
    """Moments of the chain to which it can be rewound: (block, name), oldest first."""

    scene: Ground
    kept: list[tuple[int, str]] = field(default_factory=list)
    taken_at: float = 0.0

    def take(self) -> None:
        """Remember the present, unless that was done a moment ago."""
        if time.monotonic() - self.taken_at >= _SNAPSHOT_S:
            with self.scene.miner.still():
                self.keep()

    def keep(self) -> None:
        """Remember the present, where the miner is still already."""
        node = self.scene.node()
        self.kept.append((node.head(), node.call("evm_snapshot")))
        self.taken_at = time.monotonic()

    def forget(self, after: int) -> None:
        """Blocks after this one are replaced: nothing of them can be gone back to."""
        self.kept = [one for one in self.kept if one[0] <= after]

    def rewind(self, depth: int, *, empty_pool: bool) -> int:
        """Go back by at least `depth` blocks if that is possible, never by more than the deepest.

        How many blocks it were. What is rewound over cannot be rewound to any more.
        """
        with self.scene.miner.still():
            return self.turn_back(depth, empty_pool=empty_pool)

    def turn_back(self, depth: int, *, empty_pool: bool) -> int:
        """As `rewind`, where the miner is still already."""
        node = self.scene.node()
        head = node.head()
        allowed = [one for one in self.kept if head - one[0] <= DEEPEST]
        if not allowed:
            return 0
        deep = (one for one in reversed(allowed) if head - one[0] >= depth)
        block, name = next(deep, allowed[0])
        self.forget(block - 1)
        if empty_pool:
            node.call("anvil_dropAllTransactions")
        node.call("evm_revert", name)
        return head - block

    def reorg(self, depth: int) -> None:
        """Put as many new, empty blocks in the place of the newest ones."""
        node = self.scene.node()
        with self.scene.miner.still():
            self.forget(node.head() - depth)
            node.call("anvil_reorg", depth, [])


class Doer:
    """Has hands. `done`: what happened, as (Unix time, kind): of its beginning, or of its end where
    nothing can go on before.
    """

    def __init__(
        self, relayers: Lives, scene: Scene, proxy: Steering, disk: FileLimit | RefusedWrites
    ) -> None:
        self.done: list[tuple[float, str]] = []
        self._relayers, self._proxy, self._disk = relayers, proxy, disk
        self._node, self._snapshots = scene.node(), Snapshots(scene)
        self._ways: dict[str, Callable[[Deed], None]] = {
            "kill": self._kill,
            "kill_at_a_step": self._kill_at_a_step,
            "two_at_once": self._two_at_once,
            "freeze": self._freeze,
            "reorg": self._reorg,
            "rewind": self._rewind,
            "full_disk": self._full_disk,
            "clock_forward": self._clock_forward,
            "clock_back": self._clock_back,
            "node_away": self._node_away,
            "pool_lost": self._pool_lost,
        }

    def do(self, deed: Deed) -> None:
        """One deed and its pause."""
        self._snapshots.take()
        self._ways[deed.kind](deed)
        self._pass(deed.pause)

    def make_up(self) -> None:
        """Clocks right again, one relayer, a proxy that passes everything on."""
        self._proxy.forget()
        self._relayers.stop(SECOND)
        for relayer in self._relayers.all.values():
            relayer.dial.spare()
            relayer.dial.turn(0.0)
        self._relayers.tend()

    def _happened(self, kind: str) -> None:
        self.done.append((time.time(), kind))

    def _pass(self, seconds: float) -> None:
        wait(seconds, self._relayers)

    # -- processes ---------------------------------------------------------------------------------

    def _kill(self, deed: Deed) -> None:
        self._happened(deed.kind)
        self._relayers[FIRST].kill()
        self._relayers[FIRST].start()

    def _kill_at_a_step(self, deed: Deed) -> None:
        """By its own hand, at a moment that is counted from now on."""
        first, end = self._relayers[FIRST], time.monotonic() + _DOOM_S
        self._relayers.tend()
        first.dial.doom(deed.step, deed.at)
        while first.is_alive() and time.monotonic() < end:
            time.sleep(0.02)
        if first.is_alive():
            first.dial.spare()
        else:
            self._happened(f"{deed.kind} {deed.at}".strip())
            first.start()

    def _two_at_once(self, deed: Deed) -> None:
        """A second one beside the first; in the end one of the two is killed."""
        self._happened(deed.kind)
        self._relayers.start(SECOND)
        self._pass(deed.seconds)
        if deed.flip:
            self._relayers[FIRST].kill()
            self._relayers[FIRST].start()
        self._pass(deed.seconds)
        self._relayers.stop(SECOND)

    def _freeze(self, deed: Deed) -> None:
        """The owner sleeps past its lease, another takes over, the owner wakes beside it."""
        first = self._relayers[FIRST]
        self._happened(deed.kind)
        self._relayers.start(SECOND)
        first.freeze()
        self._pass(POLICY.lease.total_seconds() + _OVERSLEEP_S)
        first.thaw()
        self._pass(deed.seconds)
        self._relayers.stop(SECOND)

    # -- the chain ---------------------------------------------------------------------------------

    def _reorg(self, deed: Deed) -> None:
        self._snapshots.reorg(deed.depth)
        self._happened(deed.kind)

    def _rewind(self, deed: Deed) -> None:
        """Back to a snapshot; then the new branch is longer at once, or grows as time passes."""
        depth = self._snapshots.rewind(deed.depth, empty_pool=deed.flip)
        if depth == 0:
            return
        self._happened(deed.kind)
        if deed.flip:
            self._node.call("anvil_mine", hex(depth + 1))

    def _node_away(self, deed: Deed) -> None:
        """As a node that starts again; now and then its pool is empty afterwards."""
        self._proxy.darken(deed.seconds)
        if deed.flip:
            self._node.call("anvil_dropAllTransactions")
        self._pass(deed.seconds)
        self._happened(deed.kind)

    def _pool_lost(self, deed: Deed) -> None:
        self._node.call("anvil_dropAllTransactions")
        self._happened(deed.kind)

    # -- disks and clocks --------------------------------------------------------------------------

    def _full_disk(self, deed: Deed) -> None:
        alive = [one.pid for one in self._relayers.all.values() if one.is_alive()]
        with self._disk.full(alive):
            self._pass(deed.seconds)
        self._happened(deed.kind)

    def _clock_forward(self, deed: Deed) -> None:
        self._jump(deed, deed.jump)

    def _clock_back(self, deed: Deed) -> None:
        self._jump(deed, -deed.jump)

    def _jump(self, deed: Deed, seconds: float) -> None:
        """The first one's clock is wrong for a while, and then jumps back to where it should be."""
        dial = self._relayers[FIRST].dial
        dial.turn(seconds)
        self._pass(deed.seconds)
        dial.turn(0.0)
        self._happened(deed.kind)
