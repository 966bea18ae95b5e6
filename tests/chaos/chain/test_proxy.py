"""Each fault of the wire does what it says, once, and leaves everything else as it was."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from eth_utils.crypto import keccak

from tests.chaos.chain.lies import LIES, SEND
from tests.chaos.chain.proxy import KINDS, TRANSPORT, Armed, Steering, server

RAW = "0x02f8"
HASH = "0x" + keccak(hexstr=RAW).hex()
HEAD = 100
#: One log in block 1, two in block 2.
LOGS = [
    {"blockNumber": f"0x{number}", "blockHash": f"0xa{number}", "logIndex": hex(index)}
    for number, index in ((1, 0), (2, 0), (2, 1))
]
BLOCK = {"number": hex(HEAD), "hash": "0xb100", "baseFeePerGas": "0x7"}
SIMULATED = [{"calls": [{"status": "0x1", "gasUsed": "0x64", "logs": []}]}]


class FakeNode:
    """Answers like a node at block 100, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.logs = LOGS
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                many = isinstance(asked, list)
                answers = [node.answer(call) for call in (asked if many else [asked])]
                body = json.dumps(answers if many else answers[0]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def answer(self, call: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(call)
        return {"jsonrpc": "2.0", "id": call["id"], "result": self.result(call)}

    def result(self, call: dict[str, Any]) -> Any:
        if call["method"] == "eth_getBlockByNumber":
            number = call["params"][0]
            return (
                BLOCK if number == "latest" else BLOCK | {"number": number, "hash": f"0xb{number}"}
            )
        return {
            "eth_chainId": "0x7a69",
            "eth_blockNumber": hex(HEAD),
            "eth_getTransactionCount": "0xa",
            "eth_getBlockReceipts": [{"transactionHash": f"0x{i}"} for i in range(4)],
            "eth_getTransactionReceipt": {"status": "0x1"},
            "eth_simulateV1": SIMULATED,
            "eth_getLogs": self.logs,
            "eth_estimateGas": "0x64",
            "eth_gasPrice": "0x9",
            "eth_feeHistory": {"baseFeePerGas": ["0x7", "0x8"]},
            SEND: HASH,
        }[call["method"]]

    def sends(self) -> int:
        return sum(call["method"] == SEND for call in self.asked)


class Bench:
    """A proxy before a fake node, and a client of it."""

    def __init__(self, node: FakeNode, steering: Steering) -> None:
        self.node, self.steering = node, steering

    def post(self, *calls: tuple[str, Any]) -> tuple[int, bytes]:
        port = int(self.steering.url.rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        asked = [
            {"jsonrpc": "2.0", "id": n, "method": method, "params": params}
            for n, (method, params) in enumerate(calls)
        ]
        try:
            connection.request("POST", "/", json.dumps(asked))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def answers(self, *calls: tuple[str, Any]) -> list[dict[str, Any]]:
        status, body = self.post(*calls)
        assert status == 200
        return list(json.loads(body))

    def one(self, method: str, *params: Any) -> dict[str, Any]:
        return self.answers((method, list(params)))[0]

    def arm(self, kind: str, **more: Any) -> None:
        self.steering.arm(Armed(kind, **more))

    def kinds(self) -> list[str]:
        return [kind for _, kind in self.steering.fired()]


@pytest.fixture
def bench() -> Iterator[Bench]:
    node = FakeNode()
    proxy = server(node.http.server_address[1])
    servers = (node.http, proxy)
    for one in servers:
        threading.Thread(
            target=one.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
    yield Bench(node, Steering(proxy.server_address[1]))
    for one in servers:
        one.shutdown()
        one.server_close()


def test_passes_everything_on_while_nothing_is_armed(bench: Bench) -> None:
    answers = bench.answers(("eth_chainId", []), ("eth_blockNumber", []), (SEND, [RAW]))
    assert [(one["id"], one["result"]) for one in answers] == [
        (0, "0x7a69"),
        (1, "0x64"),
        (2, HASH),
    ]
    assert bench.node.sends() == 1
    assert bench.kinds() == []


@pytest.mark.parametrize("kind", ["drop_request", "drop_answer", "late_request"])
def test_a_request_that_is_dropped_has_no_answer(bench: Bench, kind: str) -> None:
    bench.arm(kind, seconds=0.01)
    with pytest.raises((http.client.HTTPException, OSError)):
        bench.post((SEND, [RAW]))
    assert bench.node.sends() == (kind != "drop_request")
    assert bench.kinds() == [kind]
    assert bench.one(SEND, RAW)["result"] == HASH


@pytest.mark.parametrize("kind", ["delay", "late_answer"])
def test_a_request_that_is_late_is_answered_late(bench: Bench, kind: str) -> None:
    bench.arm(kind, seconds=0.3)
    before = time.monotonic()
    assert bench.one("eth_chainId")["result"] == "0x7a69"
    assert time.monotonic() - before >= 0.3
    assert bench.kinds() == [kind]


def test_a_send_is_duplicated_and_nothing_else(bench: Bench) -> None:
    bench.arm("duplicate")
    bench.one("eth_chainId")
    assert bench.kinds() == []
    assert bench.one(SEND, RAW)["result"] == HASH
    assert (bench.node.sends(), bench.kinds()) == (2, ["duplicate"])


@pytest.mark.parametrize(("kind", "status"), [("http_429", 429), ("http_500", 500)])
def test_an_overloaded_node_passes_nothing_on(bench: Bench, kind: str, status: int) -> None:
    bench.arm(kind)
    assert bench.post((SEND, [RAW]))[0] == status
    assert (bench.node.sends(), bench.kinds()) == (0, [kind])


def test_half_an_answer_is_no_json(bench: Bench) -> None:
    bench.arm("truncated", amount=2)
    _, body = bench.post((SEND, [RAW]))
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    assert bench.node.sends() == 1


def test_an_answer_that_breaks_off_is_shorter_than_promised(bench: Bench) -> None:
    bench.arm("truncated", amount=1)
    with pytest.raises(http.client.IncompleteRead):
        bench.post((SEND, [RAW]))
    assert bench.node.sends() == 1


def test_answers_come_in_another_order_or_one_of_them_not(bench: Bench) -> None:
    calls: tuple[tuple[str, Any], ...] = (("eth_chainId", []), ("eth_blockNumber", []))
    bench.arm("shuffled")
    assert [one["id"] for one in bench.answers(*calls)] == [1, 0]
    bench.arm("one_missing")
    assert [one["id"] for one in bench.answers(*calls)] == [0]
    assert bench.kinds() == ["shuffled", "one_missing"]


def test_a_fault_for_sends_waits_for_one(bench: Bench) -> None:
    bench.arm("http_500", sends=True)
    assert bench.one("eth_chainId")["result"] == "0x7a69"
    assert bench.steering.armed() == ["http_500"]
    assert bench.post((SEND, [RAW]))[0] == 500


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("already_known", "already known"),
        ("nonce_too_low", "nonce too low"),
        ("underpriced", "replacement transaction underpriced"),
        ("insufficient_funds", "insufficient funds for gas * price + value"),
    ],
)
def test_a_refusal_that_is_a_lie_passes_nothing_on(bench: Bench, kind: str, said: str) -> None:
    bench.arm(kind)
    assert bench.one(SEND, RAW)["error"]["message"] == said
    assert bench.node.sends() == 0
    assert bench.one(SEND, RAW)["result"] == HASH


def test_a_success_that_is_a_lie_passes_nothing_on(bench: Bench) -> None:
    bench.arm("claims_sent")
    assert bench.one(SEND, RAW)["result"] == HASH
    assert bench.node.sends() == 0


def test_a_success_that_is_denied_is_passed_on(bench: Bench) -> None:
    bench.arm("denies_sent")
    assert "error" in bench.one(SEND, RAW)
    assert bench.node.sends() == 1


@pytest.mark.parametrize(
    ("kind", "method", "params", "said"),
    [
        ("wrong_chain", "eth_chainId", (), "0x1"),
        ("stale_head", "eth_blockNumber", (), hex(HEAD - 3)),
        ("stale_head", "eth_getBlockByNumber", ("latest", False),
         BLOCK | {"number": hex(HEAD - 3), "hash": f"0xb{hex(HEAD - 3)}"}),
        ("other_block", "eth_getBlockByNumber", ("0x50", False),
         BLOCK | {"number": "0x50", "hash": f"0xb{hex(HEAD - 3)}"}),
        ("null_block", "eth_getBlockByNumber", ("0x50", False), None),
        ("null_receipts", "eth_getTransactionReceipt", (HASH,), None),
        ("null_receipts", "eth_getBlockReceipts", ("0x50",), None),
        ("missing_receipts", "eth_getBlockReceipts", ("0x50",),
         [{"transactionHash": "0x0"}, {"transactionHash": "0x2"}]),
        ("count_high", "eth_getTransactionCount", (), "0xd"),
        ("count_low", "eth_getTransactionCount", (), "0x7"),
        ("little_gas", "eth_estimateGas", (), hex(60)),
        ("little_gas", "eth_simulateV1", (),
         [{"calls": [{"status": "0x1", "gasUsed": hex(60), "logs": []}]}]),
        ("absurd_fee", "eth_gasPrice", (), hex(10**15)),
        ("absurd_fee", "eth_getBlockByNumber", ("latest",), BLOCK | {"baseFeePerGas": hex(10**15)}),
        ("absurd_fee", "eth_feeHistory", (), {"baseFeePerGas": [hex(10**15)] * 2}),
    ],
)  # fmt: skip
def test_a_lie_is_told_once(
    bench: Bench, kind: str, method: str, params: tuple[Any, ...], said: Any
) -> None:
    true = bench.one(method, *params)["result"]
    bench.arm(kind, amount=3)
    assert bench.one(method, *params)["result"] == said != true
    assert bench.one(method, *params)["result"] == true
    assert bench.kinds() == [kind]


def test_a_revert_that_is_a_lie_is_told_of_both_simulations(bench: Bench) -> None:
    bench.arm("false_revert", calls=2)
    assert bench.one("eth_simulateV1")["result"][0]["calls"][0]["status"] == "0x0"
    assert bench.one("eth_estimateGas")["error"]["code"] == 3
    assert bench.one("eth_simulateV1")["result"] == SIMULATED
    assert bench.kinds() == ["false_revert"]


def test_one_call_of_a_request_is_lied_about_and_the_others_are_not(bench: Bench) -> None:
    bench.arm("claims_sent")
    answers = bench.answers((SEND, [RAW]), ("eth_chainId", []), (SEND, [RAW]))
    assert [one["result"] for one in answers] == [HASH, "0x7a69", HASH]
    assert bench.node.sends() == 1


@pytest.mark.parametrize(
    ("kind", "amount", "said"),
    [
        ("logs_left_out", 4, [(2, 0), (2, 1)]),
        ("logs_left_out", 1, [(1, 0), (2, 1)]),
        ("logs_left_out", 2, [(2, 0), (2, 1)]),
        ("logs_left_out", 3, [(1, 0), (2, 1)]),
        ("logs_twice", 1, [(1, 0), (2, 0), (2, 1), (2, 0), (2, 1)]),
        ("logs_twice", 2, [(1, 0), (1, 0), (2, 0), (2, 0), (2, 1), (2, 1)]),
    ],
)
def test_logs_are_left_out_or_told_twice(
    bench: Bench, kind: str, amount: int, said: list[tuple[int, int]]
) -> None:
    bench.arm(kind, amount=amount)
    told = bench.one("eth_getLogs", {})["result"]
    assert [(int(one["blockNumber"], 16), int(one["logIndex"], 16)) for one in told] == said
    assert bench.kinds() == [kind]
    assert bench.one("eth_getLogs", {})["result"] == LOGS


@pytest.mark.parametrize(("amount", "moved"), [(1, [2]), (2, [1, 2])])
def test_logs_are_told_of_another_branch(bench: Bench, amount: int, moved: list[int]) -> None:
    bench.arm("logs_elsewhere", amount=amount)
    told = bench.one("eth_getLogs", {})["result"]
    changed = {
        int(one["blockNumber"], 16)
        for one, true in zip(told, LOGS, strict=True)
        if one["blockHash"] != true["blockHash"]
    }
    assert sorted(changed) == moved


def test_what_was_so_before_is_said_again_once_it_is_not_so_any_more(bench: Bench) -> None:
    bench.one("eth_getLogs", {})
    bench.arm("other_branch")
    assert bench.one("eth_getLogs", {})["result"] == LOGS
    assert (bench.kinds(), bench.steering.armed()) == ([], ["other_branch"])
    bench.node.logs = LOGS[:1]
    assert bench.one("eth_getLogs", {})["result"] == LOGS
    assert bench.kinds() == ["other_branch"]
    assert bench.one("eth_getLogs", {})["result"] == LOGS[:1]


def test_a_lie_that_would_be_true_waits(bench: Bench) -> None:
    bench.node.logs = []
    bench.arm("logs_left_out")
    assert bench.one("eth_getLogs", {})["result"] == []
    assert bench.steering.armed() == ["logs_left_out"]


def test_a_node_that_is_away_answers_nothing_until_it_is_back(bench: Bench) -> None:
    bench.steering.darken(60)
    with pytest.raises((http.client.HTTPException, OSError)):
        bench.one("eth_chainId")
    assert bench.node.asked == []
    bench.steering.forget()
    assert bench.one("eth_chainId")["result"] == "0x7a69"


def test_what_is_forgotten_does_not_happen(bench: Bench) -> None:
    for kind in KINDS:
        bench.arm(kind)
    bench.steering.forget()
    assert bench.one(SEND, RAW)["result"] == HASH
    assert (bench.kinds(), bench.steering.armed()) == ([], [])


def test_every_kind_is_of_the_wire_or_a_lie() -> None:
    assert set(KINDS) == set(TRANSPORT) | set(LIES)
    assert len(KINDS) == len(TRANSPORT) + len(LIES)
