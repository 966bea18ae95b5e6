"""From the desk to its processor: requests are lost, repeated, late, or answered wrongly.

Sabotaged, it makes a processor of it that knows no keys.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from tests.chaos.chain.proxy import Armed, Plan
from tests.chaos.settlement.amnesia import Amnesia
from tests.chaos.settlement.wires import Asked, Hangup, Reply, Wire

#: Seconds that the product waits for its processor: late is later than that.
_LATE_S = 5.5
KINDS = (
    "drop_request",
    "drop_answer",
    "delay",
    "late_request",
    "late_answer",
    "duplicate",
    "http_429",
    "http_500",
    "answer_500",
)
#: Answered without being asked.
_REFUSED = {"http_429": 429, "http_500": 500}


class ToProcessor(Wire):
    """What the desk asks of its processor."""

    def __init__(self, plan: Plan, target: str, amnesia: Amnesia | None) -> None:
        super().__init__(plan, target)
        self._amnesia = amnesia

    def handle(self, asked: Asked) -> Reply:
        """One request, with the fault that waits for it."""
        if self._plan.is_dark():
            raise Hangup
        fault = self._take(asked, KINDS, money=asked.is_refund)
        return self._suffer(fault, asked) if fault else self._pass_on(asked)

    def _pass_on(self, asked: Asked) -> Reply:
        if self._amnesia is None:
            return super()._pass_on(asked)
        if self._amnesia.finds_nothing(asked.method, asked.path):
            return Reply(200, b'{"refunds": []}')
        body = self._amnesia.forget(asked.body) if asked.is_refund else asked.body
        reply = super()._pass_on(Asked(asked.method, asked.path, asked.headers, body))
        return Reply(reply.status, self._amnesia.hide(reply.body))

    def _suffer(self, fault: Armed, asked: Asked) -> Reply:
        """What never gets there, or not in time; what gets there late, or twice; or its answer."""
        if fault.kind in _REFUSED:
            return Reply(_REFUSED[fault.kind])
        if fault.kind == "late_request":
            threading.Timer(_LATE_S, self._quietly, [asked]).start()
        if fault.kind in ("drop_request", "late_request"):
            raise Hangup
        if fault.kind == "delay":
            time.sleep(fault.seconds)
        if fault.kind == "duplicate":
            self._pass_on(asked)
        return self._answer(fault, self._pass_on(asked))

    def _answer(self, fault: Armed, reply: Reply) -> Reply:
        if fault.kind == "drop_answer":
            raise Hangup
        if fault.kind == "late_answer":
            time.sleep(_LATE_S)
        return Reply(500) if fault.kind == "answer_500" else reply

    def _quietly(self, asked: Asked) -> None:
        with suppress(Hangup):
            self._pass_on(asked)
