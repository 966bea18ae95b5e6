"""The client against servers that are not well: each fault is one typed error."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from chain_node import free_port

from chain.client import BATCH, CONNECTIONS, BlockHeader, ChainClient, RpcError
from returns.errors import ChainUnavailable

Answer = Callable[[list[dict[str, Any]]], tuple[int, bytes]]


class Server:
    """A node whose answers a test chooses."""

    def __init__(self) -> None:
        self.answer: Answer = well
        self.requests: list[list[dict[str, Any]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.requests.append(body)
                status, text = outer.answer(body)
                self.send_response(status)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                return

        class Listener(ThreadingHTTPServer):
            request_queue_size = 128

        self._server = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def well(calls: list[dict[str, Any]]) -> tuple[int, bytes]:
    """Each call's answer is its own first parameter."""
    return 200, _encode(
        [_ok(call, call["params"][0] if call["params"] else "0x1") for call in calls]
    )


def _ok(call: dict[str, Any], result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call["id"], "result": result}


def _encode(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.stop()


def client(server: Server) -> ChainClient:
    return ChainClient(server.url, timeout=0.5)


def test_a_batch_is_cut_and_answered_in_order(server: Server) -> None:
    calls = [("eth_call", (str(index),)) for index in range(2 * BATCH + 5)]
    assert client(server).batch(calls) == [str(index) for index in range(2 * BATCH + 5)]
    assert [len(request) for request in server.requests] == [BATCH, BATCH, 5]


def test_answers_in_another_order_are_put_right(server: Server) -> None:
    server.answer = lambda calls: (200, _encode(json.loads(well(calls)[1])[::-1]))
    assert client(server).batch([("a", ("1",)), ("b", ("2",))]) == ["1", "2"]


def test_an_empty_batch_asks_nothing(server: Server) -> None:
    assert client(server).batch([]) == []
    assert server.requests == []


def _at_most(count: int, otherwise: tuple[int, bytes]) -> Answer:
    """A node that takes so many calls at a time."""
    return lambda calls: well(calls) if len(calls) <= count else otherwise


REFUSED = {
    "error": (200, _encode({"jsonrpc": "2.0", "id": None, "error": {"message": "too many"}})),
    "413": (413, b"length limit exceeded"),
}


@pytest.mark.parametrize("refusal", REFUSED)
def test_a_batch_that_is_too_large_is_asked_in_halves(server: Server, refusal: str) -> None:
    server.answer = _at_most(3, REFUSED[refusal])
    calls = [("eth_call", (str(index),)) for index in range(11)]
    assert client(server).batch(calls) == [str(index) for index in range(11)]
    assert [len(request) for request in server.requests] == [11, 5, 2, 3, 6, 3, 3]


@pytest.mark.parametrize("refusal", REFUSED)
def test_a_call_that_is_too_large_by_itself_is_no_answer(server: Server, refusal: str) -> None:
    server.answer = _at_most(0, REFUSED[refusal])
    with pytest.raises(ChainUnavailable, match=r"too (many|large)"):
        client(server).batch([("eth_call", ("0x",))] * 4)
    assert [len(request) for request in server.requests] == [4, 2, 1]


SICK: dict[str, Answer] = {
    "one answer missing": lambda calls: (200, _encode(json.loads(well(calls)[1])[:-1])),
    "one answer twice": lambda calls: (200, _encode([_ok(calls[0], "0x1")] * len(calls))),
    "one answer too many": lambda c: (200, _encode([*json.loads(well(c)[1]), _ok(c[0], "0x2")])),
    "no ids": lambda calls: (200, _encode([{"jsonrpc": "2.0", "result": "0x1"} for _ in calls])),
    "neither result nor error": lambda c: (
        200,
        _encode([{"jsonrpc": "2.0", "id": one["id"]} for one in c]),
    ),
    "an error that is no object": lambda c: (
        200,
        _encode([{"id": o["id"], "error": "no"} for o in c]),
    ),
    "an error code that is no number": lambda c: (
        200,
        _encode([{"id": one["id"], "error": {"code": "x"}} for one in c]),
    ),
    "numbers": lambda calls: (200, _encode([1 for _ in calls])),
    "one error for all": lambda _: (200, _encode({"id": None, "error": {"code": -32005}})),
    "a string": lambda _: (200, b'"hello"'),
    "null": lambda _: (200, b"null"),
    "an empty body": lambda _: (200, b""),
    "a page": lambda _: (200, b"<html>Bad gateway</html>"),
    "bytes that are no text": lambda _: (200, b"\xff\xfe\x00"),
    "an endless nest": lambda _: (200, b"[" * 3_000 + b"]" * 3_000),
    "a deeper nest": lambda _: (200, b'{"a":' * 200_000 + b"1" + b"}" * 200_000),
    "a number without end": lambda _: (200, b"[" + b"9" * 100_000 + b"]"),
    "an error code without end": lambda c: (
        200,
        _encode([{"id": one["id"], "error": {"code": 1}} for one in c]).replace(b"1}}", b"1e999}}"),
    ),
    "no number": lambda calls: (200, b'[{"id":%d,"result":NaN}]' % calls[0]["id"]),
    "infinity": lambda calls: (200, b'[{"id":%d,"result":-Infinity}]' % calls[0]["id"]),
    "text that is no UTF-8": lambda calls: (200, b'[{"id":0,"result":"\xff"}]'),
    "another coding": lambda calls: (200, well(calls)[1].decode().encode("utf-16")),
    "something behind the answer": lambda calls: (200, well(calls)[1] + b"[]"),
    "ids of two types": lambda c: (200, _encode([_ok({"id": "a"}, "0x1"), _ok(c[0], "0x1")])),
    "answers to other calls": lambda calls: (
        200,
        _encode([_ok({"id": one["id"] + 1}, "0x1") for one in calls]),
    ),
    "ids as text": lambda calls: (
        200,
        _encode([_ok({"id": str(one["id"])}, "0x1") for one in calls]),
    ),
    "an id that is a list": lambda c: (200, _encode([_ok({"id": [1]}, "0x1"), _ok(c[0], "0x1")])),
    "too many requests": lambda _: (429, b"slow down"),
    "bad gateway": lambda _: (502, b"<html>"),
    "unauthorized": lambda _: (401, b"{}"),
}


@pytest.mark.filterwarnings("ignore:Received batch response with missing:RuntimeWarning")
@pytest.mark.parametrize("name", SICK)
def test_a_sick_answer_is_no_answer(server: Server, name: str) -> None:
    server.answer = SICK[name]
    with pytest.raises(ChainUnavailable):
        client(server).batch([("eth_call", ("1",)), ("eth_call", ("2",))])


def test_what_cannot_be_said_in_json_is_not_sent(server: Server) -> None:
    with pytest.raises(ChainUnavailable):
        client(server).call("eth_call", float("nan"))
    assert server.requests == []


def test_the_environments_proxies_are_asked_as_before(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node behind a proxy is asked through it, one that needs none directly."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url)
    assert ChainClient("http://node.example:8545", timeout=5).call("web3_sha3", "0x") == "0x"
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert client(server).call("web3_sha3", "0x") == "0x"
    assert len(server.requests) == 2


def test_a_text_that_nothing_can_store_is_only_an_answer(server: Server) -> None:
    server.answer = lambda calls: (200, b'[{"id":%d,"result":"\\ud800"}]' % calls[0]["id"])
    assert client(server).call("web3_clientVersion") == "\ud800"
    with pytest.raises(ChainUnavailable):
        client(server).chain_id()


def test_threads_that_share_a_client_each_get_their_own_answers(server: Server) -> None:
    """More threads than connections, and each takes its time, so that answers cross."""
    open_now, most = 0, 0
    lock = threading.Lock()

    def answer(calls: list[dict[str, Any]]) -> tuple[int, bytes]:
        nonlocal open_now, most
        with lock:
            open_now += 1
            most = max(most, open_now)
        time.sleep(0.002)
        with lock:
            open_now -= 1
        return well(calls)

    server.answer = answer
    shared = ChainClient(server.url, timeout=20)

    def ask(name: int) -> bool:
        return all(
            shared.batch([("a", (f"{name}.{turn}.1",)), ("b", (f"{name}.{turn}.2",))])
            == [f"{name}.{turn}.1", f"{name}.{turn}.2"]
            for turn in range(20)
        )

    with ThreadPoolExecutor(3 * CONNECTIONS) as pool:
        assert list(pool.map(ask, range(3 * CONNECTIONS))) == [True] * 3 * CONNECTIONS
    assert len(server.requests) == 3 * CONNECTIONS * 20
    ids = [call["id"] for request in server.requests for call in request]
    assert len(set(ids)) == len(ids)
    assert 1 < most <= CONNECTIONS


def test_a_server_that_sleeps_is_given_up(server: Server) -> None:
    def sleep(calls: list[dict[str, Any]]) -> tuple[int, bytes]:
        time.sleep(1.2)
        return well(calls)

    server.answer = sleep
    start = time.monotonic()
    with pytest.raises(ChainUnavailable):
        client(server).block_number()
    assert time.monotonic() - start < 1.1


def test_nobody_listening_is_said_without_the_address() -> None:
    port = free_port()
    with pytest.raises(ChainUnavailable) as caught:
        ChainClient(f"http://user:secret@127.0.0.1:{port}", timeout=0.5).chain_id()
    assert "secret" not in str(caught.value)


def test_a_refused_call_keeps_code_and_revert_data(server: Server) -> None:
    error = {"code": 3, "message": "execution reverted", "data": "0x08c379a0"}
    server.answer = lambda calls: (200, _encode([{"id": c["id"], "error": error} for c in calls]))
    with pytest.raises(RpcError) as caught:
        client(server).eth_call("0x" + "11" * 20, b"")
    assert (caught.value.code, caught.value.data) == (3, "0x08c379a0")
    assert str(caught.value) == "execution reverted"


def test_one_refused_call_of_a_batch_costs_only_itself(server: Server) -> None:
    def answer(calls: list[dict[str, Any]]) -> tuple[int, bytes]:
        refused = {"id": calls[1]["id"], "error": {"code": -32000, "message": "no"}}
        return 200, _encode([_ok(calls[0], "0x1"), refused, _ok(calls[2], "0x3")])

    server.answer = answer
    first, second, third = client(server).batch([("a", ()), ("b", ()), ("c", ())])
    assert (first, str(second), third) == ("0x1", "no", "0x3")
    assert isinstance(second, RpcError)


@pytest.mark.parametrize(
    "ask",
    [
        lambda node: node.chain_id(),
        lambda node: node.block_number(),
        lambda node: node.header(1),
        lambda node: node.newest(),
        lambda node: node.transaction_count("0x" + "11" * 20),
        lambda node: node.code("0x" + "11" * 20),
    ],
)
@pytest.mark.parametrize("result", [7, "seven", "0xzz", ["0x1"], {"number": None}, True])
def test_an_answer_of_another_type_is_no_answer(
    server: Server, ask: Callable[[ChainClient], Any], result: Any
) -> None:
    server.answer = lambda calls: (200, _encode([_ok(call, result) for call in calls]))
    with pytest.raises(ChainUnavailable):
        ask(client(server))


def test_a_block_that_is_not_there_is_none(server: Server) -> None:
    server.answer = lambda calls: (200, _encode([_ok(call, None) for call in calls]))
    assert client(server).headers([1, 2]) == [None, None]


def test_a_node_without_a_newest_block_is_no_answer(server: Server) -> None:
    server.answer = lambda calls: (200, _encode([_ok(call, None) for call in calls]))
    with pytest.raises(ChainUnavailable, match="it has no newest block"):
        client(server).newest()


def test_views_are_asked_of_one_block_by_its_hash(server: Server) -> None:
    block = BlockHeader(7, "0xb10c", "0x00", 0, 0)
    error = {"code": 3, "message": "execution reverted"}
    server.answer = lambda calls: (
        200,
        _encode([_ok(calls[0], "0x0102"), {"id": calls[1]["id"], "error": error}]),
    )
    first, second = client(server).eth_calls([("0xaa", b"\x01"), ("0xbb", b"")], block)
    assert (first, str(second)) == (b"\x01\x02", "execution reverted")
    asked = [call["params"] for call in server.requests[0]]
    assert asked == [
        [{"to": "0xaa", "data": "0x01"}, {"blockHash": "0xb10c"}],
        [{"to": "0xbb", "data": "0x"}, {"blockHash": "0xb10c"}],
    ]
