"""What a node may say that is not so, by kind. Each lie answers one call, if need be half truly.

Everything that is forwarded is forwarded as it came: only answers are bent, and sends held back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from tests.chaos.chain import log_lies
from tests.chaos.chain.log_lies import Logs

Call = dict[str, Any]
Answer = dict[str, Any]
#: Asks the real node one call.
Ask = Callable[[Call], Answer]

SEND = "eth_sendRawTransaction"
_GWEI = 10**9
#: Base fees that no chain has: nothing, and a million gwei.
_ABSURD = (0, 10**6 * _GWEI)


@dataclass(frozen=True)
class Lie:
    """What is lied about, and how: (call, amount, the real node) to the answer.

    `recalls`: the node is asked what it said before. `differs`: the truth is no such lie.
    """

    methods: tuple[str, ...]
    tell: Callable[[Call, int, Ask], Answer]
    about: Callable[[Call], bool] = lambda call: True
    recalls: bool = False
    differs: bool = False

    def fits(self, call: Call) -> bool:
        """Whether this call can be answered with it."""
        return call["method"] in self.methods and self.about(call)


def _newest(call: Call) -> bool:
    return bool(call["method"] == "eth_blockNumber" or call["params"][0] == "latest")


def _says(call: Call, result: Any) -> Answer:
    return {"jsonrpc": "2.0", "id": call.get("id"), "result": result}


def _refuses(call: Call, message: str, code: int = -32000, data: str | None = None) -> Answer:
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return {"jsonrpc": "2.0", "id": call.get("id"), "error": error}


def _bent(call: Call, ask: Ask, bend: Callable[[Any], Any]) -> Answer:
    """The true answer, changed; an error or nothing stays as it is."""
    answer = ask(call)
    if answer.get("result") is None:
        return answer
    return answer | {"result": bend(answer["result"])}


def _shifted(by: int) -> Callable[[str], str]:
    return lambda text: hex(max(0, int(text, 16) + by))


def _head(ask: Ask) -> int:
    return int(
        ask({"jsonrpc": "2.0", "id": 0, "method": "eth_blockNumber", "params": []})["result"], 16
    )


def _stale(call: Call, amount: int, ask: Ask) -> Answer:
    """A node that is `amount` blocks behind."""
    if call["method"] == "eth_blockNumber":
        return _bent(call, ask, _shifted(-amount))
    number = hex(max(0, _head(ask) - amount))
    return ask(call | {"params": [number, *call["params"][1:]]})


def _other_block(call: Call, amount: int, ask: Ask) -> Answer:
    """Some block of before, under the number or the hash that was asked for."""
    before = hex(max(0, _head(ask) - amount))
    other = ask(call | {"params": [before, *call["params"][1:]]})
    if call["method"] == "eth_getBlockReceipts" or call["params"][0] == "latest":
        return other
    return other | {"result": other["result"] | {"number": call["params"][0]}}


def _fewer(receipts: list[Any]) -> list[Any]:
    return receipts[::2]


def _absurd_fee(call: Call, amount: int, ask: Ask) -> Answer:
    fee = hex(_ABSURD[amount % 2])
    if call["method"] == "eth_gasPrice":
        return _says(call, fee)
    if call["method"] == "eth_feeHistory":
        return _bent(
            call,
            ask,
            lambda found: found | {"baseFeePerGas": [fee for _ in found["baseFeePerGas"]]},
        )
    return _bent(call, ask, lambda block: block | {"baseFeePerGas": fee})


def _false_revert(call: Call, amount: int, ask: Ask) -> Answer:
    """A call that works is said to revert; of several simulated calls, the first."""
    if call["method"] != "eth_simulateV1":
        return _refuses(call, "execution reverted", 3, "0x")
    return _bent(call, ask, _one_reverted)


def _one_reverted(blocks: list[Any]) -> list[Any]:
    failed = {
        "status": "0x0",
        "returnData": "0x",
        "logs": [],
        "error": {"code": 3, "message": "execution reverted", "data": "0x"},
    }
    first, *rest = blocks
    calls = [one | failed for one in first["calls"][:1]] + first["calls"][1:]
    return [first | {"calls": calls}, *rest]


def _too_little_gas(call: Call, amount: int, ask: Ask) -> Answer:
    if call["method"] != "eth_simulateV1":
        return _bent(call, ask, lambda gas: hex(int(gas, 16) * 6 // 10))
    return _bent(call, ask, lambda blocks: [_cheaper(block) for block in blocks])


def _cheaper(block: dict[str, Any]) -> dict[str, Any]:
    calls = [one | {"gasUsed": hex(int(one["gasUsed"], 16) * 6 // 10)} for one in block["calls"]]
    return block | {"calls": calls}


def _claims_sent(call: Call, amount: int, ask: Ask) -> Answer:
    """The hash of a transaction that was never passed on."""
    return _says(call, "0x" + keccak(hexstr=call["params"][0]).hex())


def _denies_sent(call: Call, amount: int, ask: Ask) -> Answer:
    """Passed on, and refused to the sender."""
    ask(call)
    return _refuses(
        call, ("internal error", "nonce too low", "transaction underpriced")[amount % 3]
    )


def _holds_back(message: str) -> Callable[[Call, int, Ask], Answer]:
    return lambda call, amount, ask: _refuses(call, message)


def _nothing(call: Call, amount: int, ask: Ask) -> Answer:
    return _says(call, None)


def _of_logs(bend: Callable[[Logs, int], Logs]) -> Lie:
    return Lie(
        _LOGS,
        lambda call, amount, ask: _bent(call, ask, lambda logs: bend(logs, amount)),
        differs=True,
    )


_LOGS = ("eth_getLogs",)
_BLOCKS = ("eth_getBlockByNumber",)
_RECEIPTS = ("eth_getTransactionReceipt", "eth_getBlockReceipts")
_SIMULATIONS = ("eth_simulateV1", "eth_estimateGas")

LIES: dict[str, Lie] = {
    "wrong_chain": Lie(("eth_chainId",), lambda call, amount, ask: _says(call, "0x1")),
    "stale_head": Lie(("eth_blockNumber", *_BLOCKS), _stale, _newest),
    "null_receipts": Lie(_RECEIPTS, _nothing),
    "missing_receipts": Lie(
        ("eth_getBlockReceipts",), lambda call, amount, ask: _bent(call, ask, _fewer)
    ),
    "null_block": Lie(_BLOCKS, _nothing),
    "other_block": Lie((*_BLOCKS, "eth_getBlockReceipts"), _other_block),
    "already_known": Lie((SEND,), _holds_back("already known")),
    "nonce_too_low": Lie((SEND,), _holds_back("nonce too low")),
    "underpriced": Lie((SEND,), _holds_back("replacement transaction underpriced")),
    "insufficient_funds": Lie((SEND,), _holds_back("insufficient funds for gas * price + value")),
    "claims_sent": Lie((SEND,), _claims_sent),
    "denies_sent": Lie((SEND,), _denies_sent),
    "count_high": Lie(
        ("eth_getTransactionCount",), lambda call, amount, ask: _bent(call, ask, _shifted(amount))
    ),
    "count_low": Lie(
        ("eth_getTransactionCount",), lambda call, amount, ask: _bent(call, ask, _shifted(-amount))
    ),
    "false_revert": Lie(_SIMULATIONS, _false_revert),
    "little_gas": Lie(_SIMULATIONS, _too_little_gas),
    "logs_left_out": _of_logs(log_lies.left_out),
    "logs_twice": _of_logs(log_lies.twice),
    "logs_elsewhere": _of_logs(log_lies.elsewhere),
    "other_branch": Lie(
        (*_BLOCKS, *_LOGS), lambda call, amount, ask: ask(call), recalls=True, differs=True
    ),
    "absurd_fee": Lie((*_BLOCKS, "eth_gasPrice", "eth_feeHistory"), _absurd_fee),
}
