"""What the indexer is compared with: the bare node, a bare script, the library's decoder.

The script reads, decodes and writes in bulk, and that is all: no block hashes, no links, no proof
that anything is complete, no index on its table, nothing to go on from. All give events a second.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import requests
import sqlalchemy as sa
from web3 import HTTPProvider, Web3

from chain.client import ChainClient
from tests.bench.index_chain import EventChain

#: Blocks in one request: 5,000 events.
_BLOCKS = 5
_TABLE = "bare (block bigint, log int, tx text, sender text, recipient text, token numeric)"
_COLUMNS = "block, log, tx, sender, recipient, token"

Row = tuple[int, int, str, str, str, str]
Write = Callable[[Sequence[Row]], None]


def raw(chain: EventChain) -> float:
    """Bytes of eth_getLogs, unread."""
    began, session = time.perf_counter(), requests.Session()
    for query in _queries(chain):
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [query]}
        assert session.post(chain.anvil.url, json=body, timeout=60).content
    return chain.events / (time.perf_counter() - began)


def script_on_sqlite(chain: EventChain, path: str, *, overlapped: bool = False) -> float:
    """Rows by executemany."""
    database = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        database.execute(f"PRAGMA {pragma}")
    database.execute(f"CREATE TABLE {_TABLE}")

    def write(rows: Sequence[Row]) -> None:
        database.execute("BEGIN")
        database.executemany(f"INSERT INTO bare ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", rows)
        database.execute("COMMIT")

    rate = _script(chain, write, overlapped=overlapped)
    database.close()
    return rate


def script_on_postgres(chain: EventChain, url: str, *, overlapped: bool = False) -> float:
    """Rows by COPY."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as database:
        database.execute(f"CREATE TABLE {_TABLE}")

        def write(rows: Sequence[Row]) -> None:
            with database.cursor().copy(f"COPY bare ({_COLUMNS}) FROM STDIN") as copy:
                copy.write("".join("%s\t%s\t%s\t%s\t%s\t%s\n" % row for row in rows))  # noqa: UP031

        rate = _script(chain, write, overlapped=overlapped)
        database.execute("DROP TABLE bare")
    return rate


def library(chain: EventChain, url: str, events: int) -> float:
    """web3's contract events into the same database, for so many events."""
    web3 = Web3(HTTPProvider(chain.anvil.url))
    moved = web3.eth.contract(
        Web3.to_checksum_address(chain.collection), abi=[_EVENT]
    ).events.Transfer()
    engine, table = sa.create_engine(url), sa.table("bare", *map(sa.column, _COLUMNS.split(", ")))
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE {_TABLE}"))
    began, read = time.perf_counter(), 0
    for query in _queries(chain):
        found = moved.get_logs(from_block=query["fromBlock"], to_block=query["toBlock"])
        with engine.begin() as connection:
            connection.execute(sa.insert(table), [_library_row(one) for one in found])
        read += len(found)
        if read >= events:
            break
    rate = read / (time.perf_counter() - began)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE bare"))
    engine.dispose()
    return rate


def _script(chain: EventChain, write: Write, *, overlapped: bool) -> float:
    client, written = ChainClient(chain.anvil.url, timeout=60), 0
    began = time.perf_counter()
    with ThreadPoolExecutor(1) as pool:
        for rows in _ranges(chain, client, pool if overlapped else None):
            write(rows)
            written += len(rows)
    if written != chain.events:
        raise SystemExit(f"{written} of {chain.events} events: nothing to compare with")
    return chain.events / (time.perf_counter() - began)


def _ranges(
    chain: EventChain, client: ChainClient, pool: ThreadPoolExecutor | None
) -> Iterator[list[Row]]:
    def read(query: dict[str, str]) -> list[Row]:
        return [_row(log) for log in client.call("eth_getLogs", query)]

    if pool is None:
        yield from map(read, _queries(chain))
        return
    following = None
    for query in _queries(chain):
        begun, following = following, pool.submit(read, query)
        if begun is not None:
            yield begun.result()
    assert following is not None
    yield following.result()


def _row(log: dict[str, Any]) -> Row:
    _, sender, recipient, token = log["topics"]
    place = int(log["blockNumber"], 16), int(log["logIndex"], 16), log["transactionHash"]
    return (*place, "0x" + sender[26:], "0x" + recipient[26:], str(int(token, 16)))


def _library_row(found: Any) -> dict[str, Any]:
    args = found["args"]
    return {
        "block": found["blockNumber"],
        "log": found["logIndex"],
        "tx": found["transactionHash"].hex(),
        "sender": args["from"],
        "recipient": args["to"],
        "token": str(args["tokenId"]),
    }


def _queries(chain: EventChain) -> Iterator[dict[str, str]]:
    for first in range(chain.first, chain.client.block_number() + 1, _BLOCKS):
        blocks = {"fromBlock": hex(first), "toBlock": hex(first + _BLOCKS - 1)}
        yield {**blocks, "address": chain.collection}


_EVENT = {
    "type": "event",
    "name": "Transfer",
    "anonymous": False,
    "inputs": [
        {"name": "from", "type": "address", "indexed": True},
        {"name": "to", "type": "address", "indexed": True},
        {"name": "tokenId", "type": "uint256", "indexed": True},
    ],
}
