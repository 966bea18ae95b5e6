"""How long it took until all was well again: what a recorder was told, block by block."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from tests.chaos.chain.evidence import Node, Unreadable, recorded_ids
from tests.chaos.chain.scene import Scene

_PAUSE_S = 0.1
#: A reorg is seen by the monitor at most so much later than it happened.
_BLINK_S = 0.6

#: By id: when it came into the chain (True) or was thrown out of it (False), in order.
History = Mapping[bytes, Sequence[tuple[float, bool]]]


class Monitor(threading.Thread):
    """Follows the chain's blocks by their hashes, and notes which ids they bring and take."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(daemon=True, name="monitor")
        self.history: dict[bytes, list[tuple[float, bool]]] = defaultdict(list)
        self._scene = scene
        self._chain: dict[int, tuple[str, list[bytes]]] = {}
        self._over = threading.Event()

    def stop(self) -> None:
        """No more looks."""
        self._over.set()
        if self.is_alive():
            self.join(timeout=30)

    def run(self) -> None:
        """Until `stop`."""
        node = self._scene.node()
        while not self._over.wait(_PAUSE_S):
            # The chain moved while it was looked at: the next look sees where to.
            with suppress(Unreadable):
                self._take_over(self._branch(node), time.time())

    def _branch(self, node: Node) -> list[tuple[int, str, list[bytes]]]:
        """The newest blocks down to the last one that is known, as (number, hash, ids)."""
        found: list[tuple[int, str, list[bytes]]] = []
        block = _there(node.call("eth_getBlockByNumber", "latest", False))
        while (number := int(block["number"], 16)) >= self._scene.since:
            if self._chain.get(number, ("",))[0] == block["hash"]:
                break
            found.insert(0, (number, block["hash"], self._ids(node, block)))
            block = _there(node.call("eth_getBlockByHash", block["parentHash"], False))
        return found

    def _ids(self, node: Node, block: dict[str, Any]) -> list[bytes]:
        if not block["transactions"]:
            return []
        wanted = {"blockHash": block["hash"], "address": self._scene.recorder}
        return recorded_ids(node.call("eth_getLogs", wanted))

    def _take_over(self, branch: list[tuple[int, str, list[bytes]]], now: float) -> None:
        if not branch:
            return
        for number in [one for one in self._chain if one >= branch[0][0]]:
            for gone in self._chain.pop(number)[1]:
                self.history[gone].append((now, False))
        for number, block_hash, ids in branch:
            self._chain[number] = (block_hash, ids)
            for come in ids:
                self.history[come].append((now, True))


def _there(block: dict[str, Any] | None) -> dict[str, Any]:
    if block is None:
        raise Unreadable("the chain moved while it was looked at")
    return block


def repairs(
    faults: Sequence[tuple[float, str]], asked: Mapping[bytes, float], history: History
) -> list[float]:
    """For each fault the seconds until all was in the chain that had been asked for before it.

    `asked`: when each id was, as far as it ever came into the chain. What a reorg takes is affected
    by it; what another fault takes later is not. 0 where nothing was affected; infinite where
    something never came back.
    """
    return [
        max((_repair(at, history[one]) for one, when in asked.items() if when < at), default=0.0)
        for at, _ in faults
    ]


def _repair(at: float, events: Sequence[tuple[float, bool]]) -> float:
    """How long one id was away because of a fault, from the fault on."""
    place = sum(when <= at for when, _ in events)
    if place and events[place - 1][1]:
        soon = [is_in for when, is_in in events[place:] if when <= at + _BLINK_S]
        if False not in soon:
            return 0.0
        place += soon.index(False) + 1
    return next((when - at for when, is_in in events[place:] if is_in), float("inf"))
