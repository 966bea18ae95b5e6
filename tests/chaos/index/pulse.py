"""How long it took until the index was at the chain's head again: node and books, side by side."""

from __future__ import annotations

import sqlite3
import threading
import time
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg

from tests.chaos.chain.evidence import Node, Unreadable

_PAUSE_S = 0.04
#: A fault makes itself felt at most so much later than it happened.
_BLINK_S = 1.0
_CURSOR = "SELECT cursor_number, cursor_hash FROM chain"

#: When the index was seen to be at the head (True) or not any more (False), in order.
Turns = Sequence[tuple[float, bool]]


class Pulse(threading.Thread):
    """Looks again and again whether the index is where the chain is."""

    def __init__(self, node: Node, url: str) -> None:
        super().__init__(daemon=True, name="pulse")
        self.turns: list[tuple[float, bool]] = []
        self._node, self._url = node, url
        self._over = threading.Event()

    def stop(self) -> None:
        """No more looks."""
        self._over.set()
        if self.is_alive():
            self.join(timeout=30)

    def run(self) -> None:
        """Until `stop`."""
        books = _connect(self._url)
        try:
            while not self._over.wait(_PAUSE_S):
                with suppress(Unreadable, sqlite3.OperationalError):
                    self._note(self._is_there(books))
        finally:
            books.close()

    def _is_there(self, books: Any) -> bool:
        head = self._node.call("eth_getBlockByNumber", "latest", False)
        cursor = books.execute(_CURSOR).fetchone()
        return head is not None and cursor == (int(head["number"], 16), head["hash"])

    def _note(self, is_there: bool) -> None:
        if not self.turns or self.turns[-1][1] != is_there:
            self.turns.append((time.time(), is_there))


def _connect(url: str) -> Any:
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        return sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def repairs(faults: Sequence[tuple[float, str]], turns: Turns) -> list[float]:
    """For each fault the seconds until the index was at the head again.

    0 where it stayed there; infinite where it never came back. That it is a block behind for a
    moment is of every block, with a fault or without.
    """
    return [_repair(at, turns) for at, _ in faults]


def _repair(at: float, turns: Turns) -> float:
    place = bisect_right([when for when, _ in turns], at)
    fell = place > 0 and not turns[place - 1][1]
    while not fell and place < len(turns) and turns[place][0] <= at + _BLINK_S:
        fell = not turns[place][1]
        place += 1
    if not fell:
        return 0.0
    return next((when - at for when, is_there in turns[place:] if is_there), float("inf"))
