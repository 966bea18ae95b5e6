"""From the processor to the desk: webhooks are repeated, held back, or not acknowledged.

Those held back are overtaken by later ones. Whatever was acknowledged is delivered in the end.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from tests.chaos.chain.proxy import Plan
from tests.chaos.settlement.amnesia import Amnesia
from tests.chaos.settlement.wires import Asked, Hangup, Reply, Wire

KINDS = ("hook_repeated", "hook_delayed", "hook_unheard", "hook_refused")


class Webhooks(Wire):
    """What the processor tells the desk."""

    def __init__(self, plan: Plan, target: str, amnesia: Amnesia | None) -> None:
        super().__init__(plan, target)
        self._amnesia = amnesia
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._kept: list[tuple[float, Asked]] = []
        threading.Thread(target=self._deliver, daemon=True, name="webhooks").start()

    @property
    def kept(self) -> int:
        """How many were acknowledged and not delivered yet."""
        return len(self._kept)

    def hurry(self) -> None:
        """What is held back goes now."""
        with self._lock:
            self._kept = [(0.0, asked) for _, asked in self._kept]

    def stop(self) -> None:
        """No more deliveries."""
        self._over.set()

    def handle(self, asked: Asked) -> Reply:
        """One webhook, with the fault that waits for it."""
        if self._amnesia is not None:
            asked = Asked(asked.method, asked.path, *self._amnesia.retell(asked.body))
        fault = self._take(asked, KINDS, money=True)
        kind = fault.kind if fault else ""
        if kind == "hook_refused":
            return Reply(500)
        if fault is not None and kind == "hook_delayed":
            self._keep(asked, fault.amount * 2)
            return Reply(202)
        reply = self._pass_on(asked)
        if fault is not None and kind == "hook_repeated":
            for again in range(fault.amount):
                self._keep(asked, again)
        return Reply(500) if kind == "hook_unheard" else reply

    def _keep(self, asked: Asked, seconds: float) -> None:
        with self._lock:
            self._kept.append((time.monotonic() + seconds, asked))

    def _deliver(self) -> None:
        while not self._over.wait(0.1):
            with self._lock:
                due = [one for one in self._kept if one[0] <= time.monotonic()]
            for one in due:
                self._try(one)

    def _try(self, one: tuple[float, Asked]) -> None:
        """Until somebody has taken it."""
        with suppress(Hangup):
            if self._pass_on(one[1]).status < 500:
                with self._lock:
                    self._kept = [other for other in self._kept if other[1] is not one[1]]
