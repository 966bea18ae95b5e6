"""One request: looked up once, connected to what was checked, limited in time and size."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any

import httpcore
import pytest
from fakes import FakeClock

from returns.deliveries import Failure
from settlement.webhooks_out import postman as postmen
from settlement.webhooks_out import road
from settlement.webhooks_out.postman import Postman, Taken
from settlement.webhooks_out.targets import Targets

URL = "https://hooks.example.com/undrop"
OK = [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]


class Wire(httpcore.MockBackend):
    """Notes which addresses are connected to; those in `dead` do not answer."""

    def __init__(self, buffer: Sequence[bytes] = OK, dead: Sequence[str] = ()) -> None:
        super().__init__(list(buffer))
        self.connected: list[tuple[str, int]] = []
        self.names: list[str | None] = []
        self.sent = b""
        self._dead = dead

    def connect_tcp(self, host: str, port: int, *rest: Any, **more: Any) -> Any:
        self.connected.append((host, port))
        if host in self._dead:
            raise httpcore.ConnectError("refused")
        stream, wire = super().connect_tcp(host, port), self

        def write(buffer: bytes, timeout: float | None = None) -> None:
            wire.sent += buffer

        def start_tls(context: ssl.SSLContext, name: str | None = None, timeout: Any = None) -> Any:
            assert context.verify_mode is ssl.CERT_REQUIRED
            assert context.check_hostname
            wire.names.append(name)
            return stream

        stream.write, stream.start_tls = write, start_tls
        return stream


class Names:
    """A name server whose answer changes: the next one each time it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def post(wire: Wire, names: Names, url: str = URL) -> Taken | Failure:
    sender = Postman(Targets(resolver=names), FakeClock(), lambda: wire)
    return sender.post(url, {"webhook-id": "evt_1"}, b"{}")


def answer(status: int, *headers: str, body: bytes = b"") -> Wire:
    lines = [f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body)}", "", ""]
    return Wire(["\r\n".join(lines).encode() + body])


def test_connects_to_the_address_that_was_checked_and_names_the_host() -> None:
    wire, names = Wire(), Names(["93.184.215.14"])
    assert post(wire, names) == Taken(200)
    assert names.asked == [("hooks.example.com", 443)]
    assert wire.connected == [("93.184.215.14", 443)]
    assert wire.names == ["hooks.example.com"]
    head, _, body = wire.sent.partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"POST /undrop HTTP/1.1"
    assert b"Host: hooks.example.com" in head.splitlines()
    assert b"webhook-id: evt_1" in head.splitlines()
    assert body == b"{}"


def test_a_name_that_leads_elsewhere_a_moment_later_is_not_asked_again() -> None:
    wire, names = Wire(), Names(["93.184.215.14"], ["169.254.169.254"])
    assert post(wire, names) == Taken(200)
    assert (len(names.asked), wire.connected) == (1, [("93.184.215.14", 443)])


def test_a_name_that_leads_inside_by_now_is_not_connected_to() -> None:
    names = Names(["93.184.215.14"], ["169.254.169.254"])
    assert post(Wire(), names) == Taken(200)
    wire = Wire()
    assert isinstance(post(wire, names), Failure)
    assert (wire.connected, wire.sent) == ([], b"")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_follows_no_redirect(code: int) -> None:
    wire = answer(code, "Location: https://169.254.169.254/latest/meta-data")
    failure = post(wire, Names(["93.184.215.14"]))
    assert failure == Failure(f"it answered {code}: redirects are not followed", code)
    assert len(wire.connected) == 1


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
def test_every_2xx_is_taken(code: int) -> None:
    assert post(answer(code), Names(["93.184.215.14"])) == Taken(code)


@pytest.mark.parametrize("code", [400, 401, 404, 410, 429, 500, 503, 599])
def test_everything_else_is_a_failure(code: int) -> None:
    failure = post(answer(code), Names(["93.184.215.14"]))
    assert failure == Failure(f"it answered {code}", code)
    assert failure.is_gone is (code == 410)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120), ("0", 0), ("9" * 40, 999_999_999), ("Mon, 02 Mar 2026 12:01:00 GMT", 60),
        ("Mon, 02 Mar 2020 12:00:00 GMT", 0), ("soon", None), ("-5", None), ("", None),
        ("١٢", None), ("1.5", None),
    ],
)  # fmt: skip
def test_reads_how_long_it_is_asked_to_wait(text: str, seconds: int | None) -> None:
    wire = Wire([f"HTTP/1.1 503 X\r\nRetry-After: {text}\r\nContent-Length: 0\r\n\r\n".encode()])
    failure = post(wire, Names(["93.184.215.14"]))
    assert isinstance(failure, Failure)
    assert failure.retry_after == seconds


def test_tries_the_next_address_of_a_name_that_has_several() -> None:
    wire = Wire(dead=["93.184.215.14"])
    assert post(wire, Names(["93.184.215.14", "8.8.8.8"])) == Taken(200)
    assert [host for host, _ in wire.connected] == ["93.184.215.14", "8.8.8.8"]


def test_tries_no_more_than_a_few_addresses() -> None:
    many = [f"8.8.8.{n}" for n in range(50)]
    wire = Wire(dead=many)
    assert isinstance(post(wire, Names(many)), Failure)
    assert len(wire.connected) == road.MAX_ADDRESSES


def test_reads_no_more_of_an_answer_than_it_has_use_for() -> None:
    parts = [b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", *[b"x" * 4096] * 20]
    wire = Wire(parts)
    assert post(wire, Names(["93.184.215.14"])) == Taken(200)
    assert postmen.MAX_ANSWER == 16_384


def test_everything_together_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drop now and then is in time for each read, and still too slow."""
    now = [0.0]

    class Slow(Wire):
        def connect_tcp(self, *args: Any, **more: Any) -> Any:
            stream = super().connect_tcp(*args, **more)

            def read(max_bytes: int, timeout: float | None = None) -> bytes:
                assert timeout is not None
                assert timeout <= postmen.READ_S
                now[0] += 4
                return b"H"

            stream.read = read
            return stream

    monkeypatch.setattr(road.time, "monotonic", lambda: now[0])
    assert post(Slow(), Names(["93.184.215.14"])) == Failure("it did not answer in time")
    assert now[0] == 12


NO_ANSWERS = [
    [b""],
    [b"nonsense\r\n\r\n"],
    [b"HTTP/1.1 200 OK\r\n"],
    [b"HTTP/1.1 999999 X\r\n\r\n"],
    [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000],
]


@pytest.mark.parametrize("buffer", NO_ANSWERS, ids=range(len(NO_ANSWERS)))
def test_an_answer_that_is_none_is_a_failure(buffer: list[bytes]) -> None:
    assert isinstance(post(Wire(buffer), Names(["93.184.215.14"])), Failure)


def test_an_address_that_is_not_allowed_any_more_is_not_looked_up() -> None:
    wire, names = Wire(), Names(["93.184.215.14"])
    assert isinstance(post(wire, names, "http://hooks.example.com/"), Failure)
    assert (names.asked, wire.connected) == ([], [])
