"""The way to an endpoint: a name is looked up once, and what was checked is what is connected to.

A name that leads elsewhere a moment later (DNS rebinding) changes nothing. Host, SNI and the check
of the certificate keep the name, since only the address of the connection is replaced.
"""

from __future__ import annotations

import ssl
import time
from typing import Any

import httpcore

from settlement.webhooks_out.targets import Targets

#: Addresses of a name that are tried.
MAX_ADDRESSES = 4


class TooLate(Exception):
    """The time for the whole request is over."""


class Road(httpcore.NetworkBackend):
    """Looks a name up once and connects to an address that was checked, until the time is over."""

    def __init__(self, wire: httpcore.NetworkBackend, targets: Targets, seconds: float) -> None:
        self._wire = wire
        self._targets = targets
        self._until = time.monotonic() + seconds

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        fault: Exception = httpcore.ConnectError("no address answers")
        for address in self._targets.addresses(host, port)[:MAX_ADDRESSES]:
            try:
                left = _left(self._until, timeout)
                stream = self._wire.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as refused:
                fault = refused
            else:
                return _Stream(stream, self._until)
        raise fault


class _Stream(httpcore.NetworkStream):
    """A connection with one limit for all that is done on it: a drop now and then is too slow."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._until, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._until, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._until, timeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._until)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(until: float, timeout: float | None) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TooLate
    return left if timeout is None else min(left, timeout)
