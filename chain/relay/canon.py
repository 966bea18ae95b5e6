"""The newest blocks as the node tells them, linked by hash; what was mined in which of them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import RLock
from typing import Any

from chain.client import ChainClient, RpcError
from returns.errors import ChainUnavailable

#: Blocks kept in memory. What is older is asked for when it is needed.
DEPTH = 128
#: Blocks asked for in one request while a gap or a reorg is bridged.
_CHUNK = 32
_RECEIPT_BLOCKS = 8


@dataclass(frozen=True, slots=True)
class Block:
    """A block and the hashes of its transactions; the base fee is in wei per gas."""

    number: int
    hash: str
    parent_hash: str
    base_fee: int
    gas_limit: int
    time: datetime
    transactions: frozenset[str]


class Canon:
    """Shared by the lanes of a process. Every answer is of one branch: links are checked."""

    def __init__(self, client: ChainClient, depth: int = DEPTH) -> None:
        self._client = client
        self._depth = depth
        self._lock = RLock()
        self._blocks: dict[int, Block] = {}
        self._mined: dict[str, Block] = {}
        self._receipts: OrderedDict[str, dict[str, dict[str, Any]]] = OrderedDict()
        self._head: Block | None = None

    def refresh(self) -> Block:
        """Read on up to the node's newest block, over a reorg if there was one; the new head.

        Raises `ChainUnavailable` where the node's blocks do not fit together (it is behind a
        balancer, or lies): nothing is taken over then.
        """
        with self._lock:
            newest = self._get("latest")
            if newest is None:
                raise ChainUnavailable(problem="it has no newest block")
            if self._known(newest.number) != newest.hash:
                self._take_over(newest)
            return self.head()

    def head(self) -> Block:
        """The newest block that was read."""
        return self._head or self.refresh()

    def find(self, tx_hash: str) -> Block | None:
        """The block that has a transaction, if it is one of the newest."""
        return self._mined.get(tx_hash)

    def block(self, number: int) -> Block | None:
        """A block by its number: from memory, or from the node; None if there is none."""
        with self._lock:
            head = self.head()
            if number > head.number:
                return None
            return self._blocks.get(number) or self._get(hex(number))

    def has(self, number: int | None, block_hash: str | None) -> bool:
        """Whether the chain has this block at that height now."""
        block = None if number is None else self.block(number)
        return block is not None and block.hash == block_hash

    def receipts(self, block: Block) -> dict[str, dict[str, Any]]:
        """A block's receipts by transaction. Raises `ChainUnavailable` where they do not fit it."""
        with self._lock:
            if block.hash not in self._receipts:
                self._receipts[block.hash] = self._fetch_receipts(block)
                while len(self._receipts) > _RECEIPT_BLOCKS:
                    self._receipts.popitem(last=False)
            return self._receipts[block.hash]

    def _known(self, number: int) -> str | None:
        block = self._blocks.get(number)
        return block.hash if block else None

    def _take_over(self, newest: Block) -> None:
        branch = [newest]
        while not self._is_linked(branch[0]) and len(branch) < self._depth:
            branch = self._before(branch[0]) + branch
        self._replace(branch)

    def _is_linked(self, block: Block) -> bool:
        """Whether what we know below a block is its own past, or nothing."""
        if not self._blocks or block.number <= min(self._blocks):
            return True
        return self._known(block.number - 1) == block.parent_hash

    def _before(self, block: Block) -> list[Block]:
        """The blocks before this one, down to the first that we know."""
        numbers = range(max(0, block.number - _CHUNK), block.number)
        answers = self._client.batch([("eth_getBlockByNumber", (hex(n), False)) for n in numbers])
        found: list[Block] = []
        for parent in map(_block, reversed(answers)):
            child = found[0] if found else block
            if parent is None or parent.hash != child.parent_hash:
                raise ChainUnavailable(problem="its blocks are not linked")
            if self._known(parent.number) == parent.hash:
                break
            found.insert(0, parent)
        return found

    def _replace(self, branch: list[Block]) -> None:
        """Put a branch in the place of what was there, and forget what lies too deep."""
        first, newest = branch[0], branch[-1]
        lowest = newest.number - self._depth if self._is_linked(first) else first.number
        for number in list(self._blocks):
            if number >= first.number or number < lowest:
                self._drop(number)
        for block in branch:
            self._blocks[block.number] = block
            self._mined.update(dict.fromkeys(block.transactions, block))
        self._head = newest

    def _drop(self, number: int) -> None:
        block = self._blocks.pop(number)
        for tx_hash in block.transactions:
            if self._mined.get(tx_hash) is block:
                del self._mined[tx_hash]

    def _get(self, tag: str) -> Block | None:
        try:
            return _block(self._client.call("eth_getBlockByNumber", tag, False))
        except RpcError as error:
            raise ChainUnavailable(problem=f"it refused eth_getBlockByNumber: {error}") from error

    def _fetch_receipts(self, block: Block) -> dict[str, dict[str, Any]]:
        try:
            answer = self._client.call("eth_getBlockReceipts", {"blockHash": block.hash})
        except RpcError as error:
            raise ChainUnavailable(problem=f"it refused eth_getBlockReceipts: {error}") from error
        given = answer if isinstance(answer, list) else []
        receipts = {_of(one, block): one for one in given}
        if receipts.keys() != block.transactions:
            raise ChainUnavailable(problem="its receipts do not fit their block")
        return receipts


def _of(receipt: Any, block: Block) -> str:
    if not isinstance(receipt, dict) or receipt.get("blockHash") != block.hash:
        raise ChainUnavailable(problem="its receipts are of another block")
    return str(receipt.get("transactionHash"))


def _block(raw: Any) -> Block | None:
    if raw is None:
        return None
    try:
        return Block(
            number=int(raw["number"], 16),
            hash=str(raw["hash"]),
            parent_hash=str(raw["parentHash"]),
            base_fee=int(raw.get("baseFeePerGas", "0x0"), 16),
            gas_limit=int(raw["gasLimit"], 16),
            time=datetime.fromtimestamp(int(raw["timestamp"], 16), UTC),
            transactions=frozenset(raw["transactions"]),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as fault:
        raise ChainUnavailable(problem="its answer is not a block") from fault
