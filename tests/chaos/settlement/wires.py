"""Stands between the desk and its processor, both ways, and does what it was told to do next.

Requests to the processor are lost, repeated, late, answered wrongly; webhooks are repeated, held
back so that later ones overtake them, or not acknowledged. Whatever was acknowledged to the
processor is delivered in the end. Sabotaged, it makes a processor of it that knows no keys.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.chaos.chain.lies import SEND
from tests.chaos.chain.proxy import Armed, Plan
from tests.chaos.settlement.amnesia import Amnesia

#: Seconds that the product waits for its processor: late is later than that.
_LATE_S = 5.5
_TO_PROCESSOR = (
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
_WEBHOOKS = ("hook_repeated", "hook_delayed", "hook_unheard", "hook_refused")
KINDS = (*_TO_PROCESSOR, *_WEBHOOKS)
#: Headers that belong to one connection.
_HOP = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding"}


class Hangup(Exception):
    """The connection ends without an answer."""


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def is_refund(self) -> bool:
        """Whether it asks for money."""
        return self.method == "POST" and self.path.startswith("/v1/refunds")


@dataclass(frozen=True)
class Reply:
    """What goes back."""

    status: int
    body: bytes = b"{}"


class Wire:
    """One direction."""

    def __init__(self, plan: Plan, target: str) -> None:
        self._plan, self._target = plan, target
        self._http = httpx.Client(timeout=20, limits=httpx.Limits(max_connections=50))

    def handle(self, asked: Asked) -> Reply:
        """Pass on, or not; raises `Hangup`."""
        raise NotImplementedError

    def _pass_on(self, asked: Asked) -> Reply:
        try:
            answer = self._http.request(
                asked.method,
                self._target + asked.path,
                content=asked.body,
                headers=asked.headers,
            )
        except httpx.HTTPError as fault:
            raise Hangup from fault
        return Reply(answer.status_code, answer.content)

    def _take(self, asked: Asked, kinds: tuple[str, ...], *, money: bool) -> Armed | None:
        return self._plan.take([{"method": SEND if money else asked.path}], kinds)


class ToProcessor(Wire):
    """What the desk asks of its processor."""

    def __init__(self, plan: Plan, target: str, amnesia: Amnesia | None) -> None:
        super().__init__(plan, target)
        self._amnesia = amnesia

    def handle(self, asked: Asked) -> Reply:
        """One request, with the fault that waits for it."""
        if self._plan.is_dark():
            raise Hangup
        fault = self._take(asked, _TO_PROCESSOR, money=asked.is_refund)
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
        match fault.kind:
            case "drop_request":
                raise Hangup
            case "late_request":
                threading.Timer(_LATE_S, self._quietly, [asked]).start()
                raise Hangup
            case "http_429":
                return Reply(429)
            case "http_500":
                return Reply(500)
            case "delay":
                time.sleep(fault.seconds)
            case "duplicate":
                self._pass_on(asked)
        reply = self._pass_on(asked)
        if fault.kind == "drop_answer":
            raise Hangup
        if fault.kind == "late_answer":
            time.sleep(_LATE_S)
        return Reply(500) if fault.kind == "answer_500" else reply

    def _quietly(self, asked: Asked) -> None:
        with suppress(Hangup):
            self._pass_on(asked)


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
        fault = self._take(asked, _WEBHOOKS, money=True)
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked is gone: a killed process reads no answer."""


def server(wire: Wire) -> ThreadingHTTPServer:
    """A wire on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self._serve()

        def do_GET(self) -> None:
            self._serve()

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length))
            try:
                self._reply(wire.handle(asked))
            except (Hangup, OSError):
                self.close_connection = True

        def _reply(self, reply: Reply) -> None:
            head = f"HTTP/1.1 {reply.status} Reply\r\nContent-Type: application/json\r\n"
            length = f"Content-Length: {len(reply.body)}\r\n\r\n"
            self.wfile.write((head + length).encode() + reply.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Says nothing: the report says it."""

    return _Server(("127.0.0.1", 0), Handler)


@contextmanager
def serving(wire: Wire) -> Iterator[str]:
    """The address at which a wire listens."""
    with server(wire) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.server_address[1]}"
        finally:
            listening.shutdown()


@dataclass
class Wires:
    """Both directions, as they are steered: what is armed strikes the next one that it fits."""

    plan: Plan
    webhooks: Webhooks

    def arm(self, fault: Armed) -> None:
        """Let it happen to the next that it fits."""
        self.plan.arm(fault)

    def fired(self) -> list[tuple[float, str]]:
        """What has happened: (Unix time, kind)."""
        return [(at, kind) for at, kind in self.plan.report()["fired"]]

    def darken(self, seconds: float) -> None:
        """Nothing gets through to the processor."""
        self.plan.darken(seconds)

    def heal(self) -> None:
        """No more faults."""
        self.plan.forget()
        self.webhooks.hurry()
