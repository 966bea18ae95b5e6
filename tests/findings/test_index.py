"""Faults that the index had, each with the promise that it broke; without a node."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from raw_chain import (
    CHAIN_ID,
    COLLECTION,
    KINDS,
    STRANGER,
    TREASURY,
    RawChain,
    log,
    minted,
    refusing,
    topic,
)

from chain.client import ChainClient
from chain.index.ahead import Ahead
from chain.index.proof import Incomplete
from chain.index.reading import Reader, Span, TooMuch
from chain.index.watch import Watch
from returns.errors import ChainUnavailable

ROOT = Path(__file__).parents[2]


def read(client: ChainClient, witness: ChainClient | None = None) -> Span:
    return Reader(client, CHAIN_ID, witness).read(1, 1, Watch(KINDS))


@pytest.mark.parametrize(
    ("code", "text", "blocks"),
    [
        (-32602, "query exceeds max results 20000, retry with the range 1-5", None),
        (-32005, "exceeds limit of 10000 results", None),
        (-32614, "eth_getLogs is limited to a 10,000 range", 10_000),
    ],
)
def test_a_limit_by_results_is_not_read_as_one_by_blocks(
    code: int, text: str, blocks: int | None
) -> None:
    """`10000 results` gave 1,000 blocks, for good: the expression gave its last digit back."""
    with pytest.raises(TooMuch) as limit:
        read(RawChain().mine([minted(1)]).node(eth_getLogs=refusing(text, code)))
    assert limit.value.blocks == blocks


def test_a_node_that_writes_addresses_with_a_checksum_is_believed() -> None:
    """What was told was in lower case and what receipts prove was not: a gap for ever."""
    chain = RawChain().mine([log(STRANGER, topic(7)), minted(1)])
    for receipt in chain.receipts.values():
        for one in receipt["logs"]:
            one["address"] = "0x" + one["address"][2:].upper()
    span = read(chain.node())
    assert [(row[8], row[9]) for row in span.rows.transfers] == [(COLLECTION, 1)]
    assert span.short == []


def test_a_token_that_a_treasury_gets_is_no_difference_between_two_nodes() -> None:
    """It is answered like an ERC-20, and left out; but not of what the second node answered."""
    chain = RawChain().mine([minted(1), minted(2, STRANGER, to=TREASURY)])
    assert [row[9] for row in read(chain.node(), chain.node()).rows.transfers] == [1]


def test_a_node_that_gives_receipts_in_no_way_is_told_as_a_gap() -> None:
    """It was taken for a reorg: the cursor stood still, and nobody was told."""
    no = refusing("the method does not exist", -32601)
    node = RawChain().mine([log(STRANGER, topic(7)), minted(1)]).node
    with pytest.raises(Incomplete, match="does not give its receipts: the method does not exist"):
        read(node(eth_getBlockReceipts=no, eth_getTransactionReceipt=no))


@pytest.mark.parametrize(
    ("method", "field", "garbage"),
    [
        ("eth_getBlockByNumber", "timestamp", "0x" + "f" * 20),
        ("eth_getBlockByNumber", "parentHash", 7),
        ("eth_getLogs", "transactionHash", None),
        ("eth_getLogs", "transactionHash", "0x" + "f" * 80),
        ("eth_getLogs", "topics", "x"),
        ("eth_getLogs", "topics", [*minted(1)["topics"][:3], "0x-" + "f" * 63]),
    ],
)
def test_garbage_that_looks_like_an_answer_is_a_node_that_does_not_answer(
    method: str, field: str, garbage: Any
) -> None:
    """It came out as an error of the clock or of the database, and ended the process."""
    chain = RawChain().mine([minted(1)])

    def bent(*params: Any) -> Any:
        told = chain.node().answers[method](*params)
        for one in told if isinstance(told, list) else [told]:
            one[field] = garbage
        return told

    with pytest.raises(ChainUnavailable, match="not JSON-RPC"):
        read(chain.node(**{method: bent}))


def test_what_was_read_ahead_does_not_pass_a_head_that_went_back() -> None:
    """Behind a balancer, or where a reorg shortened a scan: the range went up to the old head."""
    chain, watch = RawChain(), Watch(KINDS)
    for _ in range(60):
        chain.mine()
    reader = Reader(chain.node(), CHAIN_ID)
    ahead = Ahead(lambda first, last: reader.read(first, last, watch))
    try:
        assert [len(ahead.take(first, head).headers) for first, head in ((1, 60), (21, 30))] == [
            20,
            10,
        ]
    finally:
        ahead.close()


def test_every_package_is_part_of_what_is_installed() -> None:
    """The index was not: an installed Undrop could not start."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in {one.partition(".")[0] for one in listed}
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert sorted(listed) == sorted(found)
