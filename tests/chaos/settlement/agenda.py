"""Somebody who has things to do at certain times, one after the other, until told to stop."""

from __future__ import annotations

import heapq
import http.client
import itertools
import threading
import time
from collections.abc import Callable

import httpx

from tests.chaos.chain.evidence import Unreadable

Deed = Callable[[], None]

#: Seconds until something is tried again where nobody answered.
_AGAIN_S = 0.7
_SERVER_ERROR = 500


class Unanswered(Exception):
    """Nobody answered, or not with a word about the matter: it is tried again."""


class Agenda(threading.Thread):
    """What is due is done; what found nobody is done again a moment later."""

    def __init__(self, name: str) -> None:
        super().__init__(daemon=True, name=name)
        self._due: list[tuple[float, int, Deed]] = []
        self._count = itertools.count()
        self._over = threading.Event()
        self._lock = threading.Lock()

    def at(self, moment: float, deed: Deed) -> None:
        """`moment`: of the monotonic clock."""
        with self._lock:
            heapq.heappush(self._due, (moment, next(self._count), deed))

    def after(self, seconds: float, deed: Deed) -> None:
        """So long from now."""
        self.at(time.monotonic() + seconds, deed)

    def run(self) -> None:
        """Until `stop`."""
        while not self._over.is_set():
            deed = self._next()
            if deed is None:
                self._over.wait(0.1)
                continue
            try:
                deed()
            except (Unanswered, Unreadable, OSError, http.client.HTTPException):
                self.after(_AGAIN_S, deed)

    def stop(self) -> None:
        """No more deeds."""
        self._over.set()
        if self.is_alive():
            self.join(timeout=60)

    def _next(self) -> Deed | None:
        with self._lock:
            if not self._due or self._due[0][0] > time.monotonic():
                return None
            return heapq.heappop(self._due)[2]


def ask(client: httpx.Client, method: str, path: str, **options: object) -> httpx.Response:
    """One request; raises `Unanswered` where there was no answer, or the server's fault."""
    try:
        answer = client.request(method, path, **options)  # type: ignore[arg-type]
    except httpx.HTTPError as fault:
        raise Unanswered from fault
    if answer.status_code >= _SERVER_ERROR:
        raise Unanswered
    return answer
