"""What the auditor goes by, read by raw JSON-RPC from the node and by plain SQL from the books."""

from __future__ import annotations

import http.client
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import psycopg
from eth_utils.crypto import keccak

from tests.chaos.chain.auditor import Books, Chain, Mined, Slot

_ITEM_FAILED = "0x" + keccak(text="ItemFailed(bytes32,uint256,bytes4,bytes)").hex()
_RECORDED = "0x" + keccak(text="Recorded(bytes32,address,uint256)").hex()
#: Blocks in one request.
_CHUNK = 50


class Unreadable(Exception):
    """The chain contradicts itself, or moved while it was read: nothing can be counted."""


class Node:
    """JSON-RPC and nothing more, straight to the node."""

    def __init__(self, port: int, timeout: float = 30.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def call(self, method: str, *params: Any) -> Any:
        """One call."""
        return self.batch([(method, params)])[0]

    def batch(self, calls: Iterable[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Several calls, results in their order; raises `Unreadable` for an error."""
        answers = self.answers(calls)
        if any("result" not in answer for answer in answers):
            raise Unreadable(str(answers)[:500])
        return [one["result"] for one in answers]

    def answers(self, calls: Iterable[tuple[str, Sequence[Any]]]) -> list[dict[str, Any]]:
        """Several calls, answers in their order, whether results or errors."""
        asked = [
            {"jsonrpc": "2.0", "id": index, "method": method, "params": list(params)}
            for index, (method, params) in enumerate(calls)
        ]
        if not asked:
            return []
        self._connection.request(
            "POST", "/", json.dumps(asked), {"Content-Type": "application/json"}
        )
        answers = json.loads(self._connection.getresponse().read())
        return sorted(answers, key=lambda one: int(one["id"]))

    def count(self, address: str) -> int:
        """The next nonce of an account."""
        return int(self.call("eth_getTransactionCount", address, "latest"), 16)

    def head(self) -> int:
        """The newest block's number."""
        return int(self.call("eth_blockNumber"), 16)


def read_chain(node: Node, since: int, first: dict[str, int]) -> Chain:
    """All blocks from `since` on; `first`: each lane's next nonce before them.

    Raises `Unreadable` where blocks and transaction counts do not agree.
    """
    mined: list[Mined] = []
    recorded: Counter[bytes] = Counter()
    for block, receipts in read_blocks(node, since):
        mined += [_mined(*pair) for pair in _paired(block, receipts)]
        recorded.update(recorded_ids([log for one in receipts for log in one["logs"]]))
    chain = Chain(mined, first, _counts(mined, first), recorded)
    for lane, count in chain.count.items():
        if node.count(lane) < count:
            raise Unreadable(f"{lane} has used fewer nonces than its blocks show")
    return chain


def read_blocks(node: Node, since: int) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Every block from `since` to the newest, linked, each with the receipts of its transactions.

    Raises `Unreadable` where the chain moves meanwhile.
    """
    head = node.head()
    parent: str | None = None
    for start in range(since, head + 1, _CHUNK):
        for block, receipts in _blocks(node, range(start, min(start + _CHUNK, head + 1))):
            if parent not in (None, block["parentHash"]):
                raise Unreadable(f"block {block['number']} does not follow the one before it")
            parent = block["hash"]
            yield block, receipts


def _blocks(node: Node, numbers: Iterable[int]) -> list[tuple[dict[str, Any], list[Any]]]:
    blocks = node.batch([("eth_getBlockByNumber", (hex(n), True)) for n in numbers])
    if None in blocks:
        raise Unreadable("the chain became shorter while it was read")
    full = [block for block in blocks if block["transactions"]]
    receipts = node.batch([("eth_getBlockReceipts", (block["number"],)) for block in full])
    by_hash = {block["hash"]: found for block, found in zip(full, receipts, strict=True)}
    return [(block, by_hash.get(block["hash"], [])) for block in blocks]


def _paired(block: dict[str, Any], receipts: list[Any]) -> Iterable[tuple[Any, Any]]:
    by_hash = {receipt["transactionHash"]: receipt for receipt in receipts}
    if by_hash.keys() != {one["hash"] for one in block["transactions"]}:
        raise Unreadable(f"receipts of block {block['number']} are not its transactions'")
    return [(one, by_hash[one["hash"]]) for one in block["transactions"]]


def _mined(transaction: dict[str, Any], receipt: dict[str, Any]) -> Mined:
    failed = [log for log in receipt["logs"] if log["topics"][:1] == [_ITEM_FAILED]]
    return Mined(
        sender=transaction["from"].lower(),
        nonce=int(transaction["nonce"], 16),
        hash=transaction["hash"],
        to=(transaction["to"] or "").lower(),
        data=bytes.fromhex(transaction["input"][2:]),
        ok=receipt["status"] == "0x1",
        failed_items=frozenset(int(log["data"][2:66], 16) for log in failed),
    )


def recorded_ids(logs: list[dict[str, Any]]) -> list[bytes]:
    """The ids that a recorder was told, one for each time."""
    return [bytes.fromhex(log["topics"][1][2:]) for log in logs if log["topics"][:1] == [_RECORDED]]


def _counts(mined: list[Mined], first: dict[str, int]) -> dict[str, int]:
    """Where each lane stands by its blocks; they must have used every nonce on the way, once."""
    used = {lane: [one.nonce for one in mined if one.sender == lane] for lane in first}
    for lane, nonces in used.items():
        wanted = list(range(first[lane], first[lane] + len(nonces)))
        if nonces != wanted:
            wrong = [pair for pair in zip(nonces, wanted, strict=True) if pair[0] != pair[1]]
            raise Unreadable(f"{lane}'s nonces are not in a row: (is, should be) {wrong[:5]}")
    return {lane: first[lane] + len(nonces) for lane, nonces in used.items()}


_INTENTS = "SELECT id, state FROM relay_transaction"
_SLOTS = """SELECT lane.address, relay_slot.nonce, relay_slot.state, relay_slot.mined_hash
            FROM relay_slot JOIN lane ON lane.id = relay_slot.lane_id"""
_SIGNED = """SELECT relay_attempt.hash, lane.address, relay_slot.nonce FROM relay_attempt
             JOIN relay_slot ON relay_slot.id = relay_attempt.slot_id
             JOIN lane ON lane.id = relay_slot.lane_id"""
_REASONS = """SELECT error, count(*) FROM relay_transaction
              WHERE state NOT IN ('pending', 'sent', 'confirmed') GROUP BY error"""
_LANES = "SELECT address, next_nonce FROM lane"


def read_books(url: str) -> Books:
    """What the database says, in one transaction. `url`: as the relayer has it."""
    queries = (_INTENTS, _SLOTS, _SIGNED, _LANES, _REASONS)
    intents, slots, signed, lanes, reasons = read_tables(url, queries)
    return Books(
        intents={_uuid(row[0]): row[1] for row in intents},
        slots=[Slot(*row) for row in slots],
        signed={row[0]: (row[1], row[2]) for row in signed},
        next_nonce=dict(lanes),
        reasons={str(reason): count for reason, count in reasons},
    )


_STORY = {
    "relay_transaction": "SELECT * FROM relay_transaction WHERE id = {id}",
    "relay_slot": """SELECT * FROM relay_slot WHERE id =
                     (SELECT slot_id FROM relay_transaction WHERE id = {id})""",
    "relay_attempt": """SELECT hash, filler, max_fee, gas_limit, created_at, sent_at, error
                        FROM relay_attempt WHERE slot_id =
                        (SELECT slot_id FROM relay_transaction WHERE id = {id})
                        ORDER BY created_at""",
}


def read_story(url: str, relay_id: UUID) -> dict[str, list[str]]:
    """All that the books have about one intent, row by row, for whoever looks for the cause."""
    name = f"'{relay_id.hex}'" if url.startswith("sqlite") else f"'{relay_id}'"
    tables = read_tables(url, [query.format(id=name) for query in _STORY.values()])
    return {table: [str(row) for row in rows] for table, rows in zip(_STORY, tables, strict=True)}


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))


def read_tables(url: str, queries: Sequence[str]) -> list[list[Any]]:
    """The rows of each query, all in one transaction. `url`: as the product has it."""
    return (_sqlite if url.startswith("sqlite") else _postgres)(url, queries)


def _sqlite(url: str, queries: Sequence[str]) -> list[list[Any]]:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30, isolation_level=None)
    try:
        connection.execute("BEGIN")
        return [connection.execute(query).fetchall() for query in queries]
    finally:
        connection.close()


def _postgres(url: str, queries: Sequence[str]) -> list[list[Any]]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return [list(connection.execute(query).fetchall()) for query in queries]
