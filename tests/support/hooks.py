"""Webhook endpoints of a desk: one that a test scripts, and a real one on this machine."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from desk import Desk

from returns.deliveries import Failure
from returns.tables import WebhookDelivery
from settlement.commands import endpoints
from settlement.commands.endpoint_inputs import EndpointIn
from settlement.webhooks_out.dispatch import Dispatcher
from settlement.webhooks_out.postman import Taken
from settlement.webhooks_out.targets import Targets

URL = "https://hooks.example.com/undrop"
PUBLIC = "93.184.215.14"

Answer = Taken | Failure


@dataclass(frozen=True)
class Got:
    """One message as it was received."""

    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def name(self) -> tuple[str, int]:
        """Case and sequence."""
        return self.said["data"]["rma"], self.said["data"]["sequence"]


class FakePost:
    """Takes messages in memory; `answer` says what becomes of each."""

    def __init__(self, answer: Callable[[Got], Answer] = lambda _: Taken(200)) -> None:
        self.answer = answer
        self.got: list[Got] = []
        self._lock = threading.Lock()

    def post(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        message = Got(url, dict(headers), body)
        with self._lock:
            self.got.append(message)
        return self.answer(message)

    def names(self) -> list[tuple[str, int]]:
        return [one.name for one in self.got if one.said["type"] != "ping"]


def with_post(desk: Desk) -> FakePost:
    """Webhooks of this desk go to a fake, and every name leads to a public address."""
    post, runtime = FakePost(), desk.runtime
    runtime.targets = Targets(resolver=lambda host, port: [PUBLIC])
    runtime.dispatcher = Dispatcher(runtime.database, runtime.clock, post, runtime.sealer)
    return post


def register(desk: Desk, url: str = URL, **changes: Any) -> dict[str, Any]:
    return endpoints.create(
        desk.runtime, desk.shop, EndpointIn.model_validate({"url": url, **changes})
    )


def send(desk: Desk) -> None:
    """Workers go on until nothing is due at this moment."""
    while desk.runtime.dispatcher.run():
        desk.runtime.dispatcher.settle()
    desk.runtime.dispatcher.settle()


def rows(desk: Desk, *conditions: Any) -> list[WebhookDelivery]:
    return desk.rows(WebhookDelivery, *conditions)


def states(desk: Desk) -> list[str]:
    """Of all deliveries, in the order of sequence."""
    found = sorted(rows(desk), key=lambda one: (one.sequence or 0, one.id))
    return [one.state.value for one in found]


@dataclass
class Receiver:
    """A real endpoint: what it got, and what it answers (status and headers)."""

    url: str
    got: list[Got] = field(default_factory=list)
    answers: Callable[[Got], tuple[int, dict[str, str]]] = lambda _: (200, {})
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """An HTTP server at 127.0.0.1 that keeps what it is sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            headers = {key.lower(): value for key, value in self.headers.items()}
            message = Got(self.path, headers, self.rfile.read(length))
            with found.lock:
                found.got.append(message)
            status, more = found.answers(message)
            self.send_response(status)
            for key, value in more.items():
                self.send_header(key, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A client that went away, or did not like the certificate."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    scheme = "http" if tls is None else "https"
    if tls is not None:
        # The handshake is the connection's own thread's: one that fails ends nothing else.
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    found = Receiver(f"{scheme}://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sequences(names: Sequence[tuple[str, int]], rma: str) -> list[int]:
    """What arrived of one case, in the order of arrival."""
    return [sequence for one, sequence in names if one == rma]
