"""A stand-in for Web3Signer's eth1 API over real HTTP: it holds keys, and misbehaves when told to.

Written against Web3Signer's OpenAPI document and handlers: keys are named by their 64 bytes, the
data is hashed by the signer, the answer is plain text, an unknown key is 404, unreadable data 400.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from eth_account import Account

from chain.signers import LocalSigner

#: From the bytes to be signed to status and body.
Answer = Callable[[bytes], tuple[int, bytes]]

_KEYS, _SIGN = "/api/v1/eth1/publicKeys", "/api/v1/eth1/sign/"


class Web3Signer:
    """Its url, what it was asked, and how it answers."""

    def __init__(self, *keys: str) -> None:
        self._signers = {name_of(key): LocalSigner(key) for key in keys}
        self.listed: bytes = json.dumps(list(self._signers)).encode()
        self.answer: Answer | None = None
        self.asked: list[str] = []
        self.delay_s = 0.0
        self._server = _Listener(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Close its port."""
        self._server.shutdown()
        self._server.server_close()

    def reply(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body for one request."""
        self.asked.append(f"{method} {path}")
        time.sleep(self.delay_s)
        if (method, path) == ("GET", _KEYS):
            return 200, self.listed
        if method != "POST" or not path.startswith(_SIGN):
            return 405, b""
        return self._sign(path.removeprefix(_SIGN), body)

    def _sign(self, name: str, body: bytes) -> tuple[int, bytes]:
        signer = self._signers.get(name)
        if signer is None:
            return 404, b"Resource not found"
        try:
            data = bytes.fromhex(json.loads(body)["data"].removeprefix("0x"))
        except (ValueError, KeyError, TypeError, AttributeError):
            return 400, b"Bad Request"
        if self.answer is not None:
            return self.answer(data)
        return 200, hexed(signer.sign(data))


def name_of(key: str) -> str:
    """How Web3Signer names a key: its point without the byte before it."""
    return "0x" + bytes(Account.from_key(key)._key_obj.public_key.to_bytes()).hex()


def hexed(signature: bytes) -> bytes:
    """How it writes a signature."""
    return b"0x" + signature.hex().encode()


@contextmanager
def running(*keys: str) -> Iterator[Web3Signer]:
    """A signer with these keys, until the end of the block."""
    started = Web3Signer(*keys)
    try:
        yield started
    finally:
        started.stop()


class _Listener(ThreadingHTTPServer):
    #: With the library's five, a burst of connections waits a second for its first packet again.
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle of an answer is what some tests want."""


def _handler(outer: Web3Signer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, text = outer.reply(self.command, self.path, body)
            self.send_response(status)
            self.send_header("content-type", "text/plain; charset=utf-8")
            self.send_header("content-length", str(len(text)))
            if status in (301, 302, 307, 308):
                self.send_header("location", outer.url + self.path)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _reply  # noqa: N815  (the library's names)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    return Handler
