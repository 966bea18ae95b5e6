"""What the auditor goes by: the books by SQL, the processor's file, the node by JSON-RPC."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from eth_abi.abi import decode
from eth_utils.crypto import keccak

from tests.chaos.chain.evidence import Node, read_blocks, read_tables
from tests.chaos.settlement.amnesia import MARK
from tests.chaos.settlement.facts import (
    Books,
    Chain,
    Dispute,
    Leg,
    Line,
    Log,
    Posting,
    Refund,
    Swap,
)

_LINES = """SELECT return_line.id, rma, return_line.state, remedy, disposition,
                   return_line.amount, bonus, return_line.currency, token_id,
                   "order".buyer_wallet, return_case.order_id
            FROM return_line JOIN return_case ON return_case.id = return_line.case_id
            JOIN order_line ON order_line.id = return_line.order_line_id
            JOIN "order" ON "order".id = return_case.order_id"""
_CHARGES = "SELECT order_id, reference FROM payment WHERE processor = 'sandbox'"
_LEGS = "SELECT id, line_id, kind, state, amount FROM leg"
_POSTINGS = """SELECT entry_id, line_id, account, asset, side, amount
               FROM posting JOIN journal_entry ON journal_entry.id = posting.entry_id"""
_WORK = """SELECT 'inbox', kind, attempts, last_error FROM inbox WHERE done_at IS NULL
           UNION ALL
           SELECT 'outbox', kind, attempts, last_error FROM outbox WHERE done_at IS NULL"""
_RELAYS = """SELECT state, count(*) FROM relay_transaction
             WHERE state IN ('pending', 'sent') GROUP BY state"""
_MOVES = "SELECT subject_id, at, after FROM audit WHERE action = 'line.move' ORDER BY id"

_LOG = (
    "SELECT id, key, charge, amount, currency, status, told FROM refund",
    "SELECT id, charge, amount, currency, status, told FROM dispute",
    "SELECT currency, amount FROM movement",
)

_SWAPPED = keccak(text=(
    "Swapped(bytes32,address,address,address,uint256,uint256,address,address,uint256)"
))  # fmt: skip
_OWNER_OF = keccak(text="ownerOf(uint256)")[:4]
#: Questions in one request.
_CHUNK = 100


def read_books(url: str) -> Books:
    """What the database says, in one transaction."""
    queries = (_LINES, _CHARGES, _LEGS, _POSTINGS, _WORK, _RELAYS)
    lines, charges, legs, postings, work, relays = read_tables(url, queries)
    by_order: defaultdict[str, list[str]] = defaultdict(list)
    for order, reference in charges:
        by_order[_id(order)].append(reference)
    open_work = [f"{table}: {kind}, tried {n} times: {why}" for table, kind, n, why in work]
    open_work += [f"{count} relays are {state}" for state, count in relays]
    return Books(
        lines=[_line(row, by_order) for row in lines],
        legs=[Leg(_id(r[0]), _id(r[1]), r[2], r[3], int(r[4])) for r in legs],
        postings=[_posting(row) for row in postings],
        open_work=open_work,
    )


def _line(row: Any, charges: dict[str, list[str]]) -> Line:
    return Line(
        id=_id(row[0]),
        rma=row[1],
        state=row[2],
        remedy=row[3],
        disposition=row[4],
        due=int(row[5]) + int(row[6]),
        currency=row[7],
        token_id=int(row[8]),
        buyer=row[9],
        charges=tuple(charges[_id(row[10])]),
    )


def _posting(row: Any) -> Posting:
    entry, line, account, asset, side, amount = row
    signed = int(amount) if side == "debit" else -int(amount)
    return Posting(_id(entry), "" if line is None else _id(line), account, asset, signed)


def _id(value: Any) -> str:
    return str(value if isinstance(value, UUID) else UUID(str(value)))


def read_moves(url: str) -> dict[str, list[tuple[str, str]]]:
    """By line: when it came into which state, in order. For the report: nothing is judged by it."""
    [rows] = read_tables(url, (_MOVES,))
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for subject, at, after in rows:
        found[_id(subject)].append((str(at), after))
    return found


# -- the processor ---------------------------------------------------------------------------------


def read_log(path: Path) -> Log:
    """Its own file, whatever it has told."""
    log = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        refunds, disputes, moves = (log.execute(one).fetchall() for one in _LOG)
    finally:
        log.close()
    balance: Counter[str] = Counter()
    for currency, amount in moves:
        balance[currency] += amount
    return Log(
        refunds=[Refund(r[0], r[1].split(MARK)[0], *r[2:6]) for r in refunds],
        disputes=[Dispute(*row[:5]) for row in disputes],
        balance=balance,
        untold=sum(row[-2] != row[-1] for row in [*refunds, *disputes]),
    )


# -- the chain -------------------------------------------------------------------------------------


def read_chain(
    node: Node, escrow: str, vault: str, collection: str, tokens: Collection[int], since: int
) -> Chain:
    """Owners as the collection tells them, and every swap that the escrow made."""
    swaps = [
        swap
        for _, receipts in read_blocks(node, since)
        for receipt in receipts
        for log in receipt["logs"]
        if log["address"].lower() == escrow
        for swap in _swap(log)
    ]
    return Chain(escrow, vault, dict(_owners(node, collection, sorted(tokens))), swaps)


def _swap(log: dict[str, Any]) -> Iterator[Swap]:
    """A line's name on chain ends with its id."""
    topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
    if topics[0] != _SWAPPED:
        return
    types = ["address", "address", "uint256", "uint256", "address", "address", "uint256"]
    values = decode(types, bytes.fromhex(log["data"][2:]))
    yield Swap(str(UUID(bytes=topics[1][16:])), values[4], values[6])


def _owners(node: Node, collection: str, ids: list[int]) -> Iterator[tuple[int, str | None]]:
    for start in range(0, len(ids), _CHUNK):
        few = ids[start : start + _CHUNK]
        calls = [
            ({"to": collection, "data": "0x" + (_OWNER_OF + n.to_bytes(32)).hex()}, "latest")
            for n in few
        ]
        for n, answer in zip(few, node.answers(("eth_call", one) for one in calls), strict=True):
            # A contract refuses to name the owner of what was burned.
            yield n, "0x" + answer["result"][-40:] if "result" in answer else None
