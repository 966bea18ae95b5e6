"""A node, spoken to over JSON-RPC: batches, short time-outs, answers checked, faults typed.

web3's provider carries the calls. Its contract and middleware layers are left out: this product
needs raw answers in bulk, and decodes its few event types itself (`chain.contracts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from requests import RequestException
from web3 import HTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from returns.errors import ChainUnavailable

#: JSON-RPC calls in one HTTP request; more is refused by several providers.
BATCH = 100


class RpcError(Exception):
    """The node understood the call and refused it. `data` is the revert data where there is one."""

    def __init__(self, message: str, code: int = 0, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What following a chain needs of a block."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    base_fee: int


class ChainClient:
    """JSON-RPC over one connection pool. Raises `ChainUnavailable` where no answer comes."""

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        # Retries are decided by whoever calls: they know whether repeating is harmless.
        self._provider = HTTPProvider(
            url, request_kwargs={"timeout": timeout}, exception_retry_configuration=None
        )

    def call(self, method: str, *params: Any) -> Any:
        """One call; raises `RpcError` if the node refuses it."""
        answer = self._post([(method, params)])[0]
        if isinstance(answer, RpcError):
            raise answer
        return answer

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Many calls in few requests, answers in order; a refused one yields its `RpcError`."""
        chunks = (calls[start : start + BATCH] for start in range(0, len(calls), BATCH))
        return [answer for chunk in chunks for answer in self._post(chunk)]

    def chain_id(self) -> int:
        """The chain that the node serves (EIP-155)."""
        return int(self.call("eth_chainId"), 16)

    def block_number(self) -> int:
        """The number of the newest block."""
        return int(self.call("eth_blockNumber"), 16)

    def header(self, number: int) -> BlockHeader | None:
        """A block's header, None if the node has no such block (yet)."""
        return self.headers([number])[0]

    def headers(self, numbers: Sequence[int]) -> list[BlockHeader | None]:
        """Headers in one go, None where the node has no such block."""
        calls = [("eth_getBlockByNumber", (hex(number), False)) for number in numbers]
        return [_header(raw) for raw in self.batch(calls)]

    def logs_of_blocks(
        self, hashes: Sequence[str], addresses: Sequence[str]
    ) -> list[list[dict[str, Any]]]:
        """Logs by block hash, so that a reorg in between cannot mix two branches.

        Raises `RpcError` where the node no longer knows one of the blocks.
        """
        watched = list(addresses)
        calls = [("eth_getLogs", ({"blockHash": h, "address": watched},)) for h in hashes]
        return [_or_raise(answer) for answer in self.batch(calls)]

    def logs_between(self, first: int, last: int, address: str) -> list[dict[str, Any]]:
        """Logs of one contract in a range of block numbers, both ends included."""
        query = {"fromBlock": hex(first), "toBlock": hex(last), "address": address}
        found: list[dict[str, Any]] = self.call("eth_getLogs", query)
        return found

    def eth_call(self, to: str, data: bytes) -> bytes:
        """Run a view at the newest block. Raises `RpcError` with the revert data if it reverts."""
        return bytes.fromhex(self.call("eth_call", {"to": to, "data": _hex(data)}, "latest")[2:])

    def estimate_gas(self, sender: str, to: str, data: bytes, value: int) -> int:
        """Gas that the transaction would use now. Raises `RpcError` if it would revert."""
        transaction = {"from": sender, "to": to, "data": _hex(data), "value": hex(value)}
        return int(self.call("eth_estimateGas", transaction), 16)

    def transaction_count(self, address: str, tag: str = "latest") -> int:
        """The next nonce of an account as the node sees it."""
        return int(self.call("eth_getTransactionCount", address, tag), 16)

    def code(self, address: str) -> bytes:
        """The code at an address; empty for an ordinary account."""
        return bytes.fromhex(self.call("eth_getCode", address, "latest")[2:])

    def _post(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        requests = [(RPCEndpoint(method), list(params)) for method, params in calls]
        try:
            answers = self._provider.make_batch_request(requests)
        except (RequestException, OSError) as fault:
            raise ChainUnavailable(problem=type(fault).__name__) from fault
        except (Web3Exception, ValueError, KeyError, TypeError) as fault:
            raise ChainUnavailable(problem="its answer is not JSON-RPC") from fault
        if not isinstance(answers, list) or len(answers) != len(requests):
            raise ChainUnavailable(problem="its answer is not complete")
        return [_result(answer) for answer in answers]


def _result(answer: Any) -> Any:
    error = answer.get("error")
    if error is None:
        return answer["result"]
    data = error.get("data")
    return RpcError(
        str(error.get("message", ""))[:500],
        int(error.get("code", 0)),
        data if isinstance(data, str) and data.startswith("0x") else None,
    )


def _or_raise(answer: Any) -> Any:
    if isinstance(answer, RpcError):
        raise answer
    return answer


def _header(raw: Any) -> BlockHeader | None:
    if _or_raise(raw) is None:
        return None
    return BlockHeader(
        number=int(raw["number"], 16),
        hash=raw["hash"],
        parent_hash=raw["parentHash"],
        timestamp=int(raw["timestamp"], 16),
        base_fee=int(raw.get("baseFeePerGas", "0x0"), 16),
    )


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
