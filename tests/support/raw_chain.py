"""Blocks, logs and receipts as a node tells them, without a node: made by hand, and they fit."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from eth_utils.crypto import keccak
from fake_node import FakeNode

from chain.client import RpcError
from chain.index.decoding import Place, Rows
from chain.index.watch import Watch
from returns.words import WatchKind

CHAIN_ID = 31337
TRANSFER = "0x" + keccak(text="Transfer(address,address,uint256)").hex()

Log = dict[str, Any]


def party(number: int) -> str:
    """An address."""
    return f"0x{number:040x}"


COLLECTION, ESCROW, ZONE, SEAPORT, TREASURY, STRANGER = (
    party(number << 80 | 0xABC) for number in range(0xA1, 0xA7)
)
NOBODY = party(0)
#: One of each kind.
KINDS = {
    COLLECTION: WatchKind.COLLECTION,
    ESCROW: WatchKind.ESCROW,
    ZONE: WatchKind.ZONE,
    SEAPORT: WatchKind.SEAPORT,
    TREASURY: WatchKind.TREASURY,
}


def topic(value: str | int) -> str:
    """An address or a number as 32 bytes."""
    return f"0x{int(value, 16) if isinstance(value, str) else value:064x}"


def log(address: str, *topics: str, data: bytes = b"") -> Log:
    """A log that is not in a block yet."""
    return {"address": address, "topics": list(topics), "data": "0x" + data.hex()}


def minted(token_id: int, collection: str = COLLECTION, to: str = STRANGER) -> Log:
    """A Transfer of an ERC-721 from nobody."""
    return log(collection, TRANSFER, topic(NOBODY), topic(to), topic(token_id))


def paid(sender: str, recipient: str, amount: int, token: str = STRANGER) -> Log:
    """A Transfer of an ERC-20."""
    data = amount.to_bytes(32)
    return log(token, TRANSFER, topic(sender), topic(recipient), data=data)


def bloom_of(*logs: Log) -> int:
    """Yellow Paper, section 4.3.1, as it counts: 256 bytes, bit 0 the lowest of the last one."""
    bloom = bytearray(256)
    for one in logs:
        for item in (one["address"], *one["topics"]):
            digest = keccak(hexstr=item)
            for pair in (digest[0:2], digest[2:4], digest[4:6]):
                bit = int.from_bytes(pair) % 2048
                bloom[255 - bit // 8] |= 1 << bit % 8
    return int.from_bytes(bloom)


def rows_of(*logs: Log, watch: Watch | None = None) -> Rows:
    """What these logs of block 7 become."""
    rows = Rows(watch or Watch(KINDS))
    for index, one in enumerate(logs):
        rows.add(place_of(index), one)
    return rows


def place_of(index: int = 0) -> Place:
    """A log's place in block 7."""
    return (CHAIN_ID, 7, index, "0xb7", _AT, "0x77")


_AT = datetime(2026, 1, 1, tzinfo=UTC)


class RawChain:
    """Blocks from number 1 on. What a test changes in `blocks` or `receipts`, the node tells."""

    def __init__(self, name: str = "a") -> None:
        self.name = name
        self.blocks: list[dict[str, Any]] = []
        self.receipts: dict[str, dict[str, Any]] = {}

    def mine(self, *transactions: list[Log]) -> RawChain:
        """A block of transactions, each the logs that it leaves."""
        number = len(self.blocks) + 1
        block_hash = self._hash(f"block {number}")
        names = [self._hash(f"{number} {at}") for at in range(len(transactions))]
        index = 0
        for name, logs in zip(names, transactions, strict=True):
            placed = []
            for one in logs:
                where = {"blockHash": block_hash, "blockNumber": hex(number)}
                placed.append(
                    {**deepcopy(one), **where, "transactionHash": name, "logIndex": hex(index)}
                )
                index += 1
            self.receipts[name] = {"transactionHash": name, "blockHash": block_hash, "logs": placed}
        self.blocks.append(
            {
                "number": hex(number),
                "hash": block_hash,
                "parentHash": self.blocks[-1]["hash"] if self.blocks else self._hash("block 0"),
                "timestamp": hex(1_700_000_000 + 12 * number),
                "logsBloom": f"0x{bloom_of(*(one for logs in transactions for one in logs)):0512x}",
                "transactions": names,
            }
        )
        return self

    def node(self, **others: Callable[..., Any]) -> FakeNode:
        """A node that tells this chain, and answers some methods otherwise."""
        return FakeNode(
            **{
                "eth_getBlockByNumber": self.block,
                "eth_getLogs": self.logs,
                "eth_getTransactionReceipt": self.receipt,
                "eth_getBlockReceipts": self.block_receipts,
                **others,
            }
        )

    def block(self, tag: str, _full: bool) -> Any:
        """eth_getBlockByNumber."""
        number = int(tag, 16)
        return deepcopy(self.blocks[number - 1]) if 0 < number <= len(self.blocks) else None

    def logs(self, query: dict[str, Any]) -> Any:
        """eth_getLogs, as the specification has it."""
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        return [
            deepcopy(one)
            for block in self.blocks[first - 1 : last]
            for name in block["transactions"]
            for one in self.receipts[name]["logs"]
            if _asked_for(one, query)
        ]

    def receipt(self, name: str) -> Any:
        """eth_getTransactionReceipt."""
        return deepcopy(self.receipts.get(name))

    def block_receipts(self, block_hash: str) -> Any:
        """eth_getBlockReceipts by a block's hash."""
        [block] = [one for one in self.blocks if one["hash"] == block_hash] or [None]
        return block and [self.receipt(name) for name in block["transactions"]]

    def _hash(self, text: str) -> str:
        return "0x" + keccak(text=f"{self.name} {text}").hex()


def _asked_for(one: Log, query: dict[str, Any]) -> bool:
    if "address" in query and one["address"].lower() not in query["address"]:
        return False
    asked = query.get("topics", [])
    return len(asked) <= len(one["topics"]) and all(
        wanted is None or found in ([wanted] if isinstance(wanted, str) else wanted)
        for wanted, found in zip(asked, one["topics"], strict=False)
    )


def refusing(message: str, code: int) -> Callable[..., Any]:
    """An answer that is a refusal."""

    def answer(*_: Any) -> Any:
        raise RpcError(message, code)

    return answer
