"""Stands before a node: passes JSON-RPC on, and does what it was told to do next.

Faults are armed through `POST /control` and happen to the next request that they can happen to. The
proxy itself chooses nothing, so that a seed repeats a plan. What happened is kept with its time.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.chaos.chain.lies import LIES, SEND, Answer, Call
from tests.chaos.chain.memory import Memory

#: What happens to a whole HTTP request, whoever asked for what in it.
TRANSPORT = (
    "drop_request",
    "drop_answer",
    "delay",
    "late_request",
    "late_answer",
    "duplicate",
    "http_429",
    "http_500",
    "truncated",
    "shuffled",
    "one_missing",
)
KINDS = (*TRANSPORT, *LIES)
#: Nothing here waits longer for the real node.
_UPSTREAM_TIMEOUT = 20


class Hangup(Exception):
    """The connection ends without an answer."""


@dataclass
class Armed:
    """A fault that waits for its request. `calls`: how many it takes; `sends`: only of sends."""

    kind: str
    calls: int = 1
    amount: int = 1
    seconds: float = 0.0
    sends: bool = False
    fired: bool = False

    @property
    def must_differ(self) -> bool:
        """Whether it waits until it is not true by chance."""
        return self.kind in LIES and LIES[self.kind].differs

    def fits(self, calls: list[Call]) -> bool:
        """Whether it can happen to a request of these calls."""
        if self.kind in LIES:
            return any(LIES[self.kind].fits(call) for call in calls)
        sending = any(call["method"] == SEND for call in calls)
        return sending or not (self.sends or self.kind == "duplicate")


class Plan:
    """What is armed, and what has happened: (Unix time, kind)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Armed] = []
        self._fired: list[tuple[float, str]] = []
        self._dark_until = 0.0

    def arm(self, fault: Armed) -> None:
        """For the next request that it fits."""
        with self._lock:
            self._armed.append(fault)

    def forget(self) -> None:
        """From now on everything is passed on as it is."""
        with self._lock:
            self._armed.clear()
            self._dark_until = 0.0

    def darken(self, seconds: float) -> None:
        """The node is away for a while, as one that starts again."""
        self._dark_until = time.time() + seconds

    def is_dark(self) -> bool:
        """Whether the node is away."""
        return time.time() < self._dark_until

    def take(self, calls: list[Call], kinds: tuple[str, ...]) -> Armed | None:
        """The first fault of these kinds that fits; it is used up by the last of its calls.

        A lie that must differ from the truth is used by `told` alone.
        """
        with self._lock:
            found = next((f for f in self._armed if f.kind in kinds and f.fits(calls)), None)
            if found is not None and not found.must_differ:
                self._use(found)
            return found

    def told(self, lie: Armed) -> None:
        """It was another answer than the true one."""
        with self._lock:
            if lie in self._armed:
                self._use(lie)

    def _use(self, fault: Armed) -> None:
        if not fault.fired:
            fault.fired = True
            self._fired.append((time.time(), fault.kind))
        fault.calls -= 1
        if fault.calls <= 0:
            self._armed.remove(fault)

    def report(self) -> dict[str, Any]:
        """What has happened, and what still waits."""
        with self._lock:
            return {"fired": list(self._fired), "armed": [fault.kind for fault in self._armed]}


class Upstream:
    """The real node. A connection for each thread, since each serves one client's connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._own = threading.local()

    def post(self, body: bytes) -> bytes:
        """Pass bytes on; a connection that has gone stale is opened once more."""
        for last in (False, True):
            try:
                return self._exchange(body)
            except (http.client.HTTPException, OSError):
                self._own.connection = None
                if last:
                    raise
        raise AssertionError("unreachable")

    def ask(self, call: Call) -> Answer:
        """One call."""
        answer: Answer = json.loads(self.post(json.dumps(call).encode()))
        return answer

    def _exchange(self, body: bytes) -> bytes:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(
                "127.0.0.1", self._port, timeout=_UPSTREAM_TIMEOUT
            )
            self._own.connection = connection
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        return bytes(connection.getresponse().read())


class Liar:
    """Answers a request's calls: some with a lie, all others by the real node in one go."""

    def __init__(self, plan: Plan, upstream: Upstream) -> None:
        self._plan, self._upstream, self._memory = plan, upstream, Memory()

    def answer(self, calls: list[Call]) -> list[Answer]:
        """In the order of the calls."""
        told = {index: self._lie(call) for index, call in enumerate(calls)}
        honest = [call for index, call in enumerate(calls) if told[index] is None]
        answers = iter(self._pass_on(honest))
        return [told[index] or next(answers) for index in range(len(calls))]

    def _lie(self, call: Call) -> Answer | None:
        fault = self._plan.take([call], tuple(LIES))
        if fault is None:
            return None
        lie = LIES[fault.kind]
        answer = lie.tell(call, fault.amount, self._recall if lie.recalls else self._upstream.ask)
        if not lie.differs:
            return answer
        if answer == self._upstream.ask(call):
            return None
        self._plan.told(fault)
        return answer

    def _recall(self, call: Call) -> Answer:
        answer = self._upstream.ask(call)
        if "result" not in answer:
            return answer
        return answer | {"result": self._memory.before(call, answer["result"])}

    def _pass_on(self, calls: list[Call]) -> list[Answer]:
        if not calls:
            return []
        answers = json.loads(self._upstream.post(json.dumps(calls).encode()))
        by_id = {answer["id"]: answer for answer in answers}
        for call in calls:
            self._memory.keep(call, by_id[call["id"]])
        return [by_id[call["id"]] for call in calls]


@dataclass(frozen=True)
class Reply:
    """What goes back over HTTP; `cut` bytes are promised and not sent."""

    body: bytes
    status: int = 200
    cut: int = 0


class Transport:
    """What happens to requests on their way, by kind."""

    def __init__(self, plan: Plan, upstream: Upstream) -> None:
        self._plan = plan
        self._liar = Liar(plan, upstream)

    def handle(self, body: bytes) -> Reply:
        """One HTTP request; raises `Hangup` where it gets no answer."""
        if self._plan.is_dark():
            raise Hangup
        parsed = json.loads(body)
        calls = parsed if isinstance(parsed, list) else [parsed]
        fault = self._plan.take(calls, TRANSPORT)
        answers = self._suffer(fault, calls)
        if isinstance(answers, Reply):
            return answers
        return _written(fault, answers if isinstance(parsed, list) else answers[0])

    def _suffer(self, fault: Armed | None, calls: list[Call]) -> list[Answer] | Reply:
        if fault is None:
            return self._liar.answer(calls)
        special: dict[str, Callable[[], list[Answer] | Reply]] = {
            "drop_request": _hang_up,
            "drop_answer": lambda: _hang_up(self._liar.answer(calls)),
            "delay": lambda: self._after(fault.seconds, calls),
            "late_request": lambda: _hang_up(self._after(fault.seconds, calls)),
            "late_answer": lambda: self._then_wait(fault.seconds, calls),
            "duplicate": lambda: self._twice(calls),
            "http_429": lambda: Reply(b'{"error": "too many requests"}', 429),
            "http_500": lambda: Reply(b"<html>Internal Server Error</html>", 500),
            "shuffled": lambda: self._liar.answer(calls)[::-1],
            "one_missing": lambda: self._liar.answer(calls)[:-1] or _hang_up(),
        }
        return special.get(fault.kind, lambda: self._liar.answer(calls))()

    def _after(self, seconds: float, calls: list[Call]) -> list[Answer]:
        time.sleep(seconds)
        return self._liar.answer(calls)

    def _then_wait(self, seconds: float, calls: list[Call]) -> list[Answer]:
        answers = self._liar.answer(calls)
        time.sleep(seconds)
        return answers

    def _twice(self, calls: list[Call]) -> list[Answer]:
        self._liar.answer(calls)
        return self._liar.answer(calls)


def _hang_up(_answers: object = None) -> list[Answer]:
    raise Hangup


def _written(fault: Armed | None, answer: Any) -> Reply:
    """An odd amount ends the connection early; an even one sends half of the JSON as if all."""
    body = json.dumps(answer).encode()
    if fault is None or fault.kind != "truncated":
        return Reply(body)
    half = body[: len(body) // 2]
    return Reply(half, cut=len(body) - len(half) if fault.amount % 2 else 0)


class Control:
    """The other side: arm, darken, forget, report."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def handle(self, body: bytes) -> Reply:
        """A command, `{"do": …}`; always answered with what has happened so far."""
        command = json.loads(body)
        what = command.pop("do")
        if what == "arm":
            self._plan.arm(Armed(**command))
        elif what == "darken":
            self._plan.darken(command["seconds"])
        elif what == "forget":
            self._plan.forget()
        return Reply(json.dumps(self._plan.report()).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked is gone: a killed relayer reads no answer."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def server(node_port: int) -> ThreadingHTTPServer:
    """A proxy before the node at this port of the loopback address, on a port of its own."""
    plan = Plan()
    transport, control = Transport(plan, Upstream(node_port)), Control(plan)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:
                # Who asked died in the middle of it.
                self.close_connection = True
                return
            handle = control.handle if self.path == "/control" else transport.handle
            try:
                self._reply(handle(body))
            except (Hangup, OSError, http.client.HTTPException):
                self.close_connection = True

        def _reply(self, reply: Reply) -> None:
            head = f"HTTP/1.1 {reply.status} Reply\r\nContent-Type: application/json\r\n"
            length = len(reply.body) + reply.cut
            self.wfile.write(f"{head}Content-Length: {length}\r\n\r\n".encode() + reply.body)
            self.close_connection = self.close_connection or reply.cut > 0

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Says nothing: the report says it."""

    return _Server(("127.0.0.1", 0), Handler)


class Steering:
    """Speaks to a proxy's control port."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._port = port

    def arm(self, fault: Armed) -> None:
        """Let it happen to the next request that it fits."""
        words = {"kind": fault.kind, "calls": fault.calls, "amount": fault.amount}
        self._do("arm", **words, seconds=fault.seconds, sends=fault.sends)

    def darken(self, seconds: float) -> None:
        """The node is away."""
        self._do("darken", seconds=seconds)

    def forget(self) -> None:
        """No more faults."""
        self._do("forget")

    def fired(self) -> list[tuple[float, str]]:
        """What has happened: (Unix time, kind)."""
        return [(at, kind) for at, kind in self._do("report")["fired"]]

    def armed(self) -> list[str]:
        """What still waits for a request that it fits."""
        return list(self._do("report")["armed"])

    def _do(self, what: str, **more: Any) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("POST", "/control", json.dumps({"do": what} | more))
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return answer
