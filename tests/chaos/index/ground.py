"""The chain on which it happens: what is watched from the beginning, what later, what before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chain.local import TREASURER
from returns.words import WatchKind
from tests.chaos.chain.evidence import Node
from tests.chaos.index.raw_chain import Wanted
from tests.chaos.index.traffic import Traffic
from tests.support.chain_node import Stage, create, person, stage

#: Blocks from which an event is confirmed and final. Less than the deepest reorg: what is final is
#: undone now and then.
CONFIRMED, FINAL = 3, 24
#: Seconds between blocks.
BLOCK_TIME = 0.25
#: Collections that are watched later, each used from before; blocks before what is ours is there,
#: and blocks with which the index begins.
_FURTHER, _BEFORE, _BEGIN = 10, 40, 500
_SOURCE = "HonestTokens"
#: Anvil keeps 500 states in memory and others on disk, whence a reorg does not get them back: the
#: chain's contracts would be gone.
_KEEP_STATES = ("--prune-history", "10000")


@dataclass
class Further:
    """A collection that is not watched yet."""

    address: str
    since: int


@dataclass
class Ground:
    """A chain that mines by itself. `ours`: what is watched from `start` on, by what it is."""

    stage: Stage
    miner: Traffic
    ours: dict[str, str]
    start: int
    further: list[Further]
    wanted: Wanted

    @property
    def node_port(self) -> int:
        """Where the node itself listens."""
        return self.stage.anvil.port

    def node(self) -> Node:
        """A connection of one's own, past every proxy."""
        return Node(self.node_port)

    def require_contracts(self) -> None:
        """A node that has lost its state would be taken for an index that is wrong."""
        if self.node().call("eth_getCode", self.stage.deployment.escrow, "latest") == "0x":
            raise SystemExit("the node has lost its contracts")


@contextmanager
def ground(seed: int) -> Iterator[Ground]:
    """A fresh chain with some history; the node is stopped in the end, whatever happens."""
    with stage(*_KEEP_STATES) as built:
        prepared = _prepared(built, seed)
        prepared.miner.start()
        try:
            yield prepared
        finally:
            prepared.miner.stop()


def _prepared(built: Stage, seed: int) -> Ground:
    built.anvil.automine(True)
    several = create(built.client, "Plain1155", file=_SOURCE)
    further = [_collection(built) for _ in range(_FURTHER)]
    built.anvil.automine(False)
    miner = Traffic(built, several, [one.address for one in further], seed)
    miner.blocks(_BEFORE)
    start = built.client.block_number() + 1
    miner.everything = True
    miner.blocks(_BEGIN)
    miner.pause_s = BLOCK_TIME
    ours = _ours(built, several)
    return Ground(built, miner, ours, start, further, _wanted(ours, start))


def _collection(built: Stage) -> Further:
    address = create(built.client, "PlainNFT", file=_SOURCE)
    return Further(address, built.client.block_number())


def _ours(built: Stage, several: str) -> dict[str, str]:
    return {
        built.deployment.escrow: WatchKind.ESCROW.value,
        built.deployment.collection: WatchKind.COLLECTION.value,
        several: WatchKind.COLLECTION.value,
        person(TREASURER).address: WatchKind.TREASURY.value,
    }


def _wanted(ours: dict[str, str], start: int) -> Wanted:
    def kind(one: WatchKind) -> frozenset[str]:
        return frozenset(address for address, its in ours.items() if its == one.value)

    return Wanted(
        told=kind(WatchKind.ESCROW),
        collections=dict.fromkeys(kind(WatchKind.COLLECTION), start),
        treasuries=kind(WatchKind.TREASURY),
        since=start,
    )
