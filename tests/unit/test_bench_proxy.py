"""The benchmark's own clock: when which bytes went by."""

from __future__ import annotations

import json

from tests.bench.relay_latency import first_seen
from tests.bench.relay_proxy import Heard
from tests.bench.relay_setting import record

_ONE, _OTHER = b"\1" * 32, b"\2" * 32


def _request(*calls: tuple[str, str]) -> bytes:
    body = json.dumps([{"method": method, "params": [param]} for method, param in calls]).encode()
    return b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_a_broadcast_is_timed_by_the_end_of_its_request() -> None:
    heard, request = Heard(), _request(("eth_sendRawTransaction", "0x02aa"))
    for part in (request[:20], request[20:], _request(("eth_chainId", ""))):
        heard.add(part)
    [(raw, at)] = heard.broadcasts()
    assert raw == "0x02aa"
    assert at == heard.arrivals[1][1]


def test_what_is_only_simulated_is_no_broadcast() -> None:
    heard = Heard()
    heard.add(_request(("eth_simulateV1", "0x02aa"), ("eth_call", "0x02aa")))
    assert list(heard.broadcasts()) == []


def test_an_intent_is_found_in_the_first_of_its_bytes() -> None:
    early, late = "0x02" + record(_ONE).hex() + "01", "0x02" + record(_ONE).hex() + "02"
    other, foreign = "0x02" + record(_OTHER).hex(), "0x02f0"
    seen = first_seen({late: 9.0, early: 5.0, other: 7.0, foreign: 1.0}, [_ONE, _OTHER])
    assert seen == {_ONE: 5.0, _OTHER: 7.0}
