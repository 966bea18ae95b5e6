"""A range is read in full, or told by type why not. A fake node leaves out, mixes up, refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_chain import (
    CHAIN_ID,
    COLLECTION,
    ESCROW,
    KINDS,
    STRANGER,
    TREASURY,
    Log,
    RawChain,
    log,
    minted,
    paid,
    refusing,
    topic,
)

from chain.client import ChainClient
from chain.index.proof import Incomplete
from chain.index.reading import Moved, Reader, Span, TooMuch, WitnessDiffers
from chain.index.watch import Watch
from returns.errors import ChainUnavailable
from returns.words import WatchKind

FOREIGN = log(STRANGER, topic(7))
TOLD = "eth_getLogs"


def read(client: ChainClient, last: int = 1, watch: Watch | None = None, **more: Any) -> Span:
    return Reader(client, CHAIN_ID, **more).read(1, last, watch or Watch(KINDS))


def token_ids(span: Span) -> list[int | None]:
    return [row[9] for row in span.rows.transfers]


def without(chain: RawChain, *left_out: int) -> Callable[..., Any]:
    """eth_getLogs without some of the logs that it would tell, by their place."""

    def answer(query: dict[str, Any]) -> Any:
        told = chain.logs(query)
        return [one for index, one in enumerate(told) if index not in left_out]

    return answer


# -- in full ---------------------------------------------------------------------------------------


def test_a_range_is_its_headers_and_its_rows_in_order() -> None:
    chain = RawChain().mine([minted(1)], [FOREIGN, minted(2)]).mine().mine([minted(3)])
    span = read(chain.node(), 3)
    assert [(one.number, one.hash) for one in span.headers] == [
        (int(raw["number"], 16), raw["hash"]) for raw in chain.blocks
    ]
    assert token_ids(span) == [1, 2, 3]
    first, second, third = (
        (block["hash"], block["transactions"][at])
        for block, at in ((chain.blocks[0], 0), (chain.blocks[0], 1), (chain.blocks[2], 0))
    )
    assert [(row[1], row[2], (row[3], row[5])) for row in span.rows.transfers] == [
        (1, 0, first),
        (1, 2, second),
        (3, 0, third),
    ]
    assert (span.logs, span.short, span.rows.unfit) == (3, [], [])


def test_blocks_without_ours_cost_nothing_beyond_the_first_request() -> None:
    chain = RawChain().mine().mine([FOREIGN]).mine([minted(1, STRANGER)])
    node = chain.node()
    assert read(node, 3).logs == 0
    assert Counter(node.asked) == {TOLD: 3, "eth_getBlockByNumber": 3}


def test_logs_from_0_on_cost_one_receipt_a_block() -> None:
    chain = RawChain().mine([minted(1)], [minted(2)]).mine([minted(3)])
    node = chain.node()
    assert token_ids(read(node, 2)) == [1, 2, 3]
    assert Counter(node.asked) == {
        TOLD: 3,
        "eth_getBlockByNumber": 2,
        "eth_getTransactionReceipt": 2,
    }


def test_a_log_that_two_filters_answer_is_there_once() -> None:
    """Money between two treasuries: the one filter finds it by sender, the other by recipient."""
    watch = Watch({TREASURY: WatchKind.TREASURY, ESCROW: WatchKind.TREASURY})
    chain = RawChain().mine([paid(TREASURY, ESCROW, 5)])
    assert len(chain.logs(watch.filters(1, 1)[0])) == len(chain.logs(watch.filters(1, 1)[1])) == 1
    span = read(chain.node(), watch=watch)
    assert ([row[-1] for row in span.rows.transfers], span.logs) == ([5], 1)


def test_a_log_that_one_answer_tells_twice_is_there_once() -> None:
    chain = RawChain().mine([minted(1), minted(2)])
    span = read(chain.node(eth_getLogs=lambda query: chain.logs(query) * 2))
    assert (token_ids(span), span.logs, span.short) == ([1, 2], 2, [])


def test_what_nobody_asked_for_is_not_taken() -> None:
    chain = RawChain().mine([minted(1), FOREIGN, minted(2, STRANGER, to=TREASURY)])
    everything = {"fromBlock": "0x1", "toBlock": "0x1"}
    span = read(chain.node(eth_getLogs=lambda _: chain.logs(everything)))
    assert (token_ids(span), span.logs) == ([1], 1)


# -- left out --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "left_out"),
    [
        ([[minted(1), minted(2), minted(3)]], [0]),
        ([[minted(1), minted(2), minted(3)]], [1]),
        ([[minted(1), minted(2), minted(3)]], [2]),
        ([[minted(1)], [minted(2)], [minted(3)]], [2]),
        ([[minted(1)], [minted(2), FOREIGN, minted(3)], []], [1, 2]),
        ([[FOREIGN], [minted(1), minted(2), minted(3)]], [0, 1, 2]),
        ([[minted(1), minted(2), minted(3)]], [0, 1, 2]),
    ],
    ids=[
        "the first",
        "one between",
        "the last",
        "the last transaction's",
        "two of three",
        "all, behind a stranger's",
        "the whole block's",
    ],
)
def test_logs_that_were_left_out_are_found_and_told(
    block: list[list[Log]], left_out: list[int]
) -> None:
    chain = RawChain().mine().mine(*block)
    span = read(chain.node(eth_getLogs=without(chain, *left_out)), 2)
    assert (token_ids(span), span.logs) == ([1, 2, 3], 3)
    assert span.short == [(2, f"{len(left_out)} logs were left out")]


def test_only_blocks_that_were_short_are_told() -> None:
    chain = RawChain().mine([minted(1)]).mine([minted(2)]).mine([minted(3)])
    span = read(chain.node(eth_getLogs=without(chain, 1)), 3)
    assert (token_ids(span), span.short) == ([1, 2, 3], [(2, "1 logs were left out")])


def test_refuses_a_log_that_is_in_no_receipt() -> None:
    chain = RawChain().mine([minted(1)])

    def invented(query: dict[str, Any]) -> Any:
        told = chain.logs(query)
        return told + [{**one, "logIndex": "0x9"} for one in told]

    with pytest.raises(Incomplete, match="block 1: its logs are not in its receipts"):
        read(chain.node(eth_getLogs=invented))


def test_refuses_receipts_that_are_short_too() -> None:
    chain = RawChain().mine([minted(1)], [minted(2)])
    short = chain.node(
        eth_getLogs=without(chain, 1),
        eth_getBlockReceipts=lambda block_hash: chain.block_receipts(block_hash)[:1],
    )
    with pytest.raises(Incomplete, match="block 1: its receipts are not those of its transact"):
        read(short)


# -- receipts one by one ---------------------------------------------------------------------------

UNKNOWN = refusing("the method eth_getBlockReceipts does not exist", -32601)


def test_a_node_without_receipts_of_a_block_is_asked_for_each() -> None:
    chain = RawChain().mine([FOREIGN], [minted(1)], [FOREIGN])
    node = chain.node(eth_getBlockReceipts=UNKNOWN)
    assert token_ids(read(node)) == [1]
    assert Counter(node.asked)["eth_getTransactionReceipt"] == 3


def test_refuses_a_block_whose_receipts_are_refused() -> None:
    chain = RawChain().mine([FOREIGN, minted(1)])
    node = chain.node(eth_getBlockReceipts=refusing("not available on your plan", -32000))
    with pytest.raises(Incomplete, match="not give its receipts: not available on your plan"):
        read(node)


@pytest.mark.parametrize("refused", [False, True])
def test_a_last_receipt_that_does_not_come_is_replaced_by_all(refused: bool) -> None:
    chain = RawChain().mine([minted(1)])
    answer = refusing("limit exceeded", -32005) if refused else lambda _: None
    node = chain.node(eth_getTransactionReceipt=answer)
    assert token_ids(read(node)) == [1]
    assert Counter(node.asked)["eth_getBlockReceipts"] == 1


# -- two branches ----------------------------------------------------------------------------------


def _logs_of_another_branch(chain: RawChain, other: RawChain) -> Any:
    return chain.node(eth_getLogs=other.logs)


def _headers_that_are_not_linked(chain: RawChain, other: RawChain) -> Any:
    return chain.node(
        eth_getBlockByNumber=lambda tag, full: (other if tag == "0x2" else chain).block(tag, full)
    )


def _a_head_that_is_gone(chain: RawChain, other: RawChain) -> Any:
    return chain.node(
        eth_getBlockByNumber=lambda tag, full: None if tag == "0x2" else chain.block(tag, full)
    )


def _receipts_that_are_gone(chain: RawChain, other: RawChain) -> Any:
    return chain.node(eth_getBlockReceipts=lambda _: None)


def _single_receipts_that_are_gone(chain: RawChain, other: RawChain) -> Any:
    return chain.node(eth_getBlockReceipts=UNKNOWN, eth_getTransactionReceipt=lambda _: None)


def _a_block_that_the_node_does_not_know(chain: RawChain, other: RawChain) -> Any:
    return chain.node(eth_getLogs=refusing("Block not found", -32000))


@pytest.mark.parametrize(
    "bend",
    [
        _logs_of_another_branch,
        _headers_that_are_not_linked,
        _a_head_that_is_gone,
        _receipts_that_are_gone,
        _single_receipts_that_are_gone,
        _a_block_that_the_node_does_not_know,
    ],
)
def test_answers_of_two_branches_are_not_mixed(bend: Any) -> None:
    chain, other = (
        RawChain(name).mine([FOREIGN, minted(1)]).mine([FOREIGN, minted(2)]) for name in "ab"
    )
    assert token_ids(read(chain.node(), 2)) == [1, 2]
    with pytest.raises(Moved):
        read(bend(chain, other), 2)


# -- too much --------------------------------------------------------------------------------------

ALCHEMY = (
    "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and "
    "no limit on the response size, or you can request any block range with a cap of 10K logs in "
    "the response. Based on your parameters and the response size limit, this block range should "
    "work: [0x1, 0x64]"
)


@pytest.mark.parametrize(
    ("code", "text", "blocks"),
    [
        (-32005, "query returned more than 10000 results", None),
        (
            -32005,
            "query returned more than 10000 results. Try with this block range [0x10, 0x20].",
            17,
        ),
        (-32602, "range 1000000 exceeds limit of 10000", 10_000),
        (-32602, ALCHEMY, 100),
        (-32602, ALCHEMY.partition(" Based")[0], None),
        (-32000, "query block range exceeds server limit, narrow your filter: 1000", 1_000),
        (-32005, "limit exceeded", None),
        (-32614, "eth_getLogs is limited to a 10,000 range", 10_000),
        (-32602, "query exceeds max block range 100000", 100_000),
        (-32602, "query exceeds max results 20000, retry with the range 1-5", None),
        (-32005, "exceeds limit of 10000 results", None),
        (-32005, "exceeds max limit: 5000 logs", None),
        (-32000, "exceed maximum block range: 5000", 5_000),
        (-32000, "query timeout exceeded", None),
        (-32602, "this block range should work: [0x9, 0x1]", 1),
    ],
)
def test_a_range_that_is_too_much_says_how_many_blocks_would_do(
    code: int, text: str, blocks: int | None
) -> None:
    node = RawChain().mine([minted(1)]).node(eth_getLogs=refusing(text, code))
    with pytest.raises(TooMuch) as limit:
        read(node)
    assert (limit.value.blocks, str(limit.value)) == (blocks, text)
    # A range that is named is an answer to this one; a number is the node's rule.
    assert limit.value.always is (blocks is not None and "[0x" not in text)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-32601, "the method eth_getLogs does not exist"),
        (-32603, "internal error"),
        (-32000, "header not found"),
        (-32603, "limit exceeded"),
        (-32005, "daily request count exceeded, request rate limited"),
        (0, ""),
    ],
)
def test_another_refusal_is_a_node_that_does_not_answer(code: int, text: str) -> None:
    node = RawChain().mine([minted(1)]).node(eth_getLogs=refusing(text, code))
    with pytest.raises(ChainUnavailable, match="refused eth_getLogs"):
        read(node)


def test_a_refused_header_is_a_node_that_does_not_answer() -> None:
    refused = refusing("limit exceeded", -32005)
    with pytest.raises(ChainUnavailable, match="refused eth_getBlockByNumber: limit exceeded"):
        read(RawChain().mine().node(eth_getBlockByNumber=refused))


# -- garbage ---------------------------------------------------------------------------------------

#: Every type of JSON, and texts that are read as numbers, or nearly.
GARBAGE: list[Any] = [
    *(None, True, False, 0, -1, 7, 2**70, 1.5, "", "x", "latest", [], {}, [None], [[]], {"a": 1}),
    *("0x", "0x0", "-0x1", "0x_1", "0xzz", "0x" + "f" * 20, "0x" + "f" * 64, "0x" + "f" * 80),
    "0x-" + "f" * 63,
]
#: How an answer is told by type; anything else would end the process.
TYPED = (ChainUnavailable, Moved, Incomplete)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in an answer something can be put in place of what is there."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    return [path, *(found for key, one in inner for found in _paths(one, (*path, key)))]


def _replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """The answer with something else in one place; as it is where it has no such place."""
    if not path:
        return deepcopy(other)
    with suppress(LookupError, TypeError):
        value[path[0]] = _replaced(value[path[0]], path[1:], other)
    return value


def _busy() -> RawChain:
    return (
        RawChain()
        .mine([minted(1)], [minted(2), paid(TREASURY, STRANGER, 5)])
        .mine([FOREIGN, log(ESCROW, topic(5))])
        .mine([FOREIGN])
    )


METHODS = [
    "eth_getBlockByNumber",
    "eth_getLogs",
    "eth_getTransactionReceipt",
    "eth_getBlockReceipts",
]


def assert_typed(chain: RawChain, method: str, change: Callable[[Any], Any]) -> None:
    """Read from a node that changes its answers to one method: in full, or told by type."""
    honest: Callable[..., Any] = chain.node().answers[method]
    try:
        span = read(chain.node(**{method: lambda *params: change(honest(*params))}), 3)
    except TYPED:
        return
    assert_can_be_stored(span)


@pytest.mark.parametrize("garbage", GARBAGE, ids=repr)
@pytest.mark.parametrize("method", METHODS)
def test_garbage_anywhere_in_an_answer_is_told_by_type(method: str, garbage: Any) -> None:
    chain = _busy()
    samples = {
        "eth_getBlockByNumber": chain.block("0x1", False),
        "eth_getLogs": chain.logs(Watch(KINDS).filters(1, 3)[0]),
        "eth_getTransactionReceipt": chain.receipt(chain.blocks[0]["transactions"][-1]),
        "eth_getBlockReceipts": chain.block_receipts(chain.blocks[1]["hash"]),
    }
    for path in _paths(samples[method]):
        assert_typed(chain, method, lambda told, path=path: _replaced(told, path, garbage))


@given(st.sampled_from(METHODS), st.data())
def test_garbage_in_several_places_is_told_by_type(method: str, data: Any) -> None:
    def change(told: Any) -> Any:
        for _ in range(data.draw(st.integers(1, 3))):
            path = data.draw(st.sampled_from(_paths(told)))
            told = _replaced(told, path, data.draw(st.sampled_from(GARBAGE)))
        return told

    assert_typed(_busy(), method, change)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("garbage", [None, True, 7, 1.5, "x", [None], [[]], ["x"], {"a": 1}, [{}]])
def test_garbage_in_place_of_an_answer_is_told_by_type(method: str, garbage: Any) -> None:
    chain = _busy()
    if method == "eth_getTransactionReceipt":
        # Otherwise the receipts of the block would do.
        chain = RawChain().mine([minted(1)], [FOREIGN]).mine().mine()
        node = chain.node(eth_getBlockReceipts=UNKNOWN, **{method: lambda *_: garbage})
    else:
        node = chain.node(**{method: lambda *_: garbage})
    with pytest.raises(TYPED):
        read(node, 3)


_HASHES = [(str, 66)] * 2


def assert_can_be_stored(span: Span) -> None:
    """What is written of a span has the types of its columns."""
    for header in span.headers:
        assert [(type(one), len(one)) for one in (header.hash, header.parent_hash)] == _HASHES
    for row in [*span.rows.transfers, *span.rows.events]:
        chain_id, number, index, block_hash, _, tx_hash, *rest = row
        assert (chain_id, number in (1, 2, 3)) == (CHAIN_ID, True)
        assert 0 <= index < 2**31
        assert [len(one) for one in (block_hash, tx_hash)] == [66, 66]
        for one in rest:
            assert one is None or isinstance(one, str) or 0 <= one < 2**256


# -- a second node ---------------------------------------------------------------------------------


def test_a_witness_that_knows_the_same_says_nothing() -> None:
    chain = _busy()
    span = read(chain.node(), 3, witness=chain.node())
    assert (span.logs, span.short) == (4, [])


@pytest.mark.parametrize("whose", ["the witness", "the node"])
def test_refuses_a_range_of_which_a_witness_knows_another_set_of_logs(whose: str) -> None:
    chain = RawChain().mine().mine([minted(1), minted(2)])
    fewer = RawChain().mine().mine([minted(1)])
    # The same block by its hash: one of the two is broken, and its receipts with it.
    fewer.blocks = deepcopy(chain.blocks)
    fewer.receipts = {name: deepcopy(one) for name, one in chain.receipts.items()}
    for receipt in fewer.receipts.values():
        del receipt["logs"][1]
    node, witness = (chain, fewer) if whose == "the witness" else (fewer, chain)
    said = "the second node does not know" if whose == "the witness" else "only the second node"
    with pytest.raises(WitnessDiffers, match=f"block 2: {said}.* log 1") as difference:
        read(node.node(), 2, witness=witness.node())
    assert difference.value.number == 2


def _behind(chain: RawChain) -> Any:
    return RawChain().mine([minted(1)]).node()


def _of_another_branch(chain: RawChain) -> Any:
    return RawChain("b").mine().mine([minted(9)]).node()


def _away(chain: RawChain) -> Any:
    def answer(*_: Any) -> Any:
        raise ChainUnavailable(problem="it is away")

    return chain.node(eth_getLogs=answer)


def _refusing(chain: RawChain) -> Any:
    return chain.node(eth_getLogs=refusing("limit exceeded", -32005))


@pytest.mark.parametrize("witness", [_behind, _of_another_branch, _away, _refusing])
def test_a_witness_that_cannot_know_says_nothing(witness: Any) -> None:
    chain = RawChain().mine([minted(1)]).mine([minted(2)])
    assert token_ids(read(chain.node(), 2, witness=witness(chain))) == [1, 2]


def test_a_witness_is_asked_of_one_range_in_sixteen() -> None:
    chain = RawChain().mine([minted(1)])
    witness = chain.node()
    reader = Reader(chain.node(), CHAIN_ID, witness)
    for _ in range(33):
        reader.read(1, 1, Watch({COLLECTION: WatchKind.COLLECTION}))
    assert Counter(witness.asked) == {TOLD: 3, "eth_getBlockByNumber": 3}
