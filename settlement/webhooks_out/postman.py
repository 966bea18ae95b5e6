"""One HTTP request to an address that a merchant chose: looked up once, checked, limited, no more.

No redirect is followed and no proxy is asked: what answers is what was checked.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property

import httpcore

from returns.clock import Clock
from returns.deliveries import Failure
from returns.errors import WebhookTargetRefused
from settlement.webhooks_out.road import Road, TooLate
from settlement.webhooks_out.targets import Targets

#: Seconds: to connect, for each wait on the wire, and for everything together.
CONNECT_S, READ_S, TOTAL_S = 5.0, 8.0, 10.0
#: Bytes of an answer that are read.
MAX_ANSWER = 16_384
_TIMEOUTS = {"connect": CONNECT_S, "read": READ_S, "write": READ_S, "pool": CONNECT_S}


@dataclass(frozen=True, slots=True)
class Taken:
    """The endpoint answered 2xx."""

    status: int


class Postman:
    """Sends webhooks within the rules of an installation; each request has its own connection."""

    def __init__(
        self,
        targets: Targets,
        clock: Clock,
        wire: Callable[[], httpcore.NetworkBackend] = httpcore.SyncBackend,
    ) -> None:
        self.targets = targets
        self._clock = clock
        self._wire = wire

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpcore.default_ssl_context()

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Taken | Failure:
        """Send one request; whatever comes of it is an answer, never an exception."""
        try:
            target = self.targets.read(url)
            status, answer = self._send(str(target), headers, body)
        except WebhookTargetRefused as refused:
            return Failure(str(refused))
        except (httpcore.TimeoutException, TooLate):
            return Failure("it did not answer in time")
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError, ValueError) as fault:
            return Failure(f"{type(fault).__name__}: {fault}")
        return self._read(status, answer)

    def _send(
        self, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str]]:
        road = Road(self._wire(), self.targets, TOTAL_S)
        # A connection that is kept would live on where its name does not lead any more.
        with (
            httpcore.ConnectionPool(
                ssl_context=self._tls, network_backend=road, max_keepalive_connections=0
            ) as pool,
            pool.stream(
                "POST",
                url,
                headers=list(headers.items()),
                content=body,
                extensions={"timeout": _TIMEOUTS},
            ) as answer,
        ):
            _drain(answer.iter_stream())
            told = {
                key.decode("ascii").lower(): value.decode("latin-1")
                for key, value in answer.headers
            }
            return answer.status, told

    def _read(self, status: int, headers: Mapping[str, str]) -> Taken | Failure:
        if 200 <= status < 300:
            return Taken(status)
        wait = self._seconds(headers.get("retry-after", ""))
        if 300 <= status < 400:
            return Failure(f"it answered {status}: redirects are not followed", status, wait)
        return Failure(f"it answered {status}", status, wait)

    def _seconds(self, retry_after: str) -> int | None:
        """Retry-After as seconds (RFC 9110, 10.2.3): a number, or a date."""
        if retry_after.isascii() and retry_after.isdigit():
            return int(retry_after[:9])
        try:
            wait = parsedate_to_datetime(retry_after) - self._clock()
        except (ValueError, TypeError, OverflowError):
            return None
        return max(0, int(wait.total_seconds()))


def _drain(parts: Iterable[bytes]) -> None:
    """Read an answer as far as it is of use to the connection: nobody looks at it."""
    seen = 0
    for part in parts:
        seen += len(part)
        if seen > MAX_ANSWER:
            return
