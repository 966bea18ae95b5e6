"""A wire between two processes over HTTP: passes on what it is given, or whatever else it is to do.

What is armed strikes the next request that it fits, as for the wire before a node.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.chaos.chain.lies import SEND
from tests.chaos.chain.proxy import Armed, Plan

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


class Wire(ABC):
    """One direction."""

    def __init__(self, plan: Plan, target: str) -> None:
        self._plan, self._target = plan, target
        self._http = httpx.Client(timeout=20, limits=httpx.Limits(max_connections=50))

    @abstractmethod
    def handle(self, asked: Asked) -> Reply:
        """Pass on, or not; raises `Hangup`."""

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
