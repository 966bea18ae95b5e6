"""A node without a network: blocks that a test mines and reorganises, answers that it decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eth_utils.crypto import keccak

from chain.client import ChainClient, RpcError

GWEI = 10**9


class FakeNode(ChainClient):
    """Answers JSON-RPC calls out of `answers`: by method, a function of the parameters."""

    def __init__(self, **answers: Callable[..., Any]) -> None:
        super().__init__("http://127.0.0.1:1")
        self.answers: dict[str, Callable[..., Any]] = answers
        self.asked: list[str] = []
        self.requests = 0

    def _post(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        self.requests += 1
        self.asked += [method for method, _ in calls]
        return [self._answer(method, params) for method, params in calls]

    def _answer(self, method: str, params: Sequence[Any]) -> Any:
        try:
            return self.answers[method](*params)
        except RpcError as refusal:
            return refusal


class FakeBranch:
    """A chain of blocks as a node tells it; `fork` gives another future to the same past."""

    def __init__(self, length: int = 1, name: str = "a") -> None:
        self.blocks: list[dict[str, Any]] = []
        self.mine(length, name)

    def mine(self, count: int = 1, name: str = "a", *transactions: str) -> None:
        """Blocks on top; the last one has the transactions."""
        for index in range(count):
            last = index == count - 1
            self._append(name, list(transactions) if last else [])

    def fork(self, depth: int, length: int, name: str, *transactions: str) -> FakeBranch:
        """The same chain without its newest blocks, and others in their place."""
        other = FakeBranch(0)
        other.blocks = self.blocks[: len(self.blocks) - depth]
        other.mine(length, name, *transactions)
        return other

    @property
    def head(self) -> dict[str, Any]:
        """The newest block."""
        return self.blocks[-1]

    def node(self) -> FakeNode:
        """A node that tells this branch."""
        return FakeNode(
            eth_getBlockByNumber=self.block,
            eth_getBlockReceipts=self.receipts,
        )

    def block(self, tag: str, _full: bool) -> dict[str, Any] | None:
        """eth_getBlockByNumber."""
        number = len(self.blocks) - 1 if tag == "latest" else int(tag, 16)
        return self.blocks[number] if number < len(self.blocks) else None

    def receipts(self, where: dict[str, str]) -> list[dict[str, Any]] | None:
        """eth_getBlockReceipts by a block's hash."""
        for block in self.blocks:
            if block["hash"] == where["blockHash"]:
                of_block = {"blockHash": block["hash"], "status": "0x1"}
                return [{"transactionHash": one, **of_block} for one in block["transactions"]]
        return None

    def _append(self, name: str, transactions: list[str]) -> None:
        number, parent = len(self.blocks), self.blocks[-1]["hash"] if self.blocks else "0x00"
        self.blocks.append(
            {
                "number": hex(number),
                "hash": "0x" + keccak(text=f"{parent} {name} {number}").hex(),
                "parentHash": parent,
                "timestamp": hex(1_700_000_000 + 12 * number),
                "baseFeePerGas": hex(GWEI),
                "gasLimit": hex(30_000_000),
                "transactions": transactions,
            }
        )
