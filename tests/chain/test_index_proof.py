"""A node that leaves logs out: the index is the chain all the same, or stands still and says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from chain_books import START, Books, MovingClock
from chain_faults import Bend, BentClient
from chain_index import catch_up, delivered, emit, indexed, indexer_of, logs_on_chain
from chain_node import Stage

from chain.client import RpcError
from chain.index.indexer import Indexer
from chain.index.watch import Watch
from returns.words import GapCode, WatchKind

pytestmark = pytest.mark.chain

Ask = Callable[[], Any]
Make = Callable[..., Indexer]


@pytest.fixture
def make(chain: Stage, books: Books, clock: MovingClock) -> Make:
    """Builds indexers of the escrow whose node answers some methods otherwise."""

    def build(**bends: Bend) -> Indexer:
        client = BentClient(chain.url, **bends)
        return indexer_of(chain, books.database, clock, client=client)

    return build


def without(number: int, *left_out: int) -> Bend:
    """eth_getLogs without some of a block's logs, by their index."""

    def answer(params: Sequence[Any], ask: Ask) -> Any:
        return [
            one
            for one in ask()
            if int(one["blockNumber"], 16) != number or int(one["logIndex"], 16) not in left_out
        ]

    return answer


def unknown(params: Sequence[Any], ask: Ask) -> Any:
    return RpcError("the method eth_getBlockReceipts does not exist", -32601)


@pytest.mark.parametrize("has_block_receipts", [True, False], ids=["at once", "one by one"])
@pytest.mark.parametrize(
    "left_out",
    [(0,), (1,), (2,), (0, 2), (0, 1, 2)],
    ids=["the first", "one between", "the last", "two", "all"],
)
def test_logs_that_a_node_leaves_out_are_indexed_and_the_gap_is_told_as_mended(
    chain: Stage, books: Books, make: Make, left_out: tuple[int, ...], has_block_receipts: bool
) -> None:
    emit(chain, 1)
    emit(chain, 2, 3, 4)
    number = chain.client.block_number()
    emit(chain, 5)
    chain.anvil.mine(6)
    bends: dict[str, Bend] = {} if has_block_receipts else {"eth_getBlockReceipts": unknown}
    catch_up(make(eth_getLogs=without(number, *left_out), **bends))
    assert indexed(books) == logs_on_chain(chain)
    assert delivered(books, "chain.final") == ["1", "2", "3", "4", "5"]
    [gap] = books.gaps()
    assert (gap.code, gap.first_number, gap.last_number) == (
        GapCode.SHORT_ANSWER,
        number,
        number,
    )
    assert (gap.problem, gap.times) == (f"{len(left_out)} logs were left out", 1)
    assert gap.resolved_at == gap.first_seen == START


def test_a_node_that_leaves_nothing_out_leaves_no_gap(
    chain: Stage, books: Books, make: Make
) -> None:
    emit(chain, 1, 2)
    chain.anvil.mine(3)
    catch_up(make())
    catch_up(make(eth_getBlockReceipts=unknown))
    assert (indexed(books), books.gaps()) == (logs_on_chain(chain), [])


def _a_receipt(receipts: list[Any]) -> list[Any]:
    return receipts[:-1]


def _a_log(receipts: list[Any]) -> list[Any]:
    return [{**receipts[0], "logs": []}, *receipts[1:]]


def _of_another_block(receipts: list[Any]) -> list[Any]:
    return [{**one, "blockHash": "0x" + "be" * 32} for one in receipts]


@pytest.mark.parametrize("shorten", [_a_receipt, _a_log, _of_another_block])
def test_where_receipts_are_short_too_the_cursor_stands_still_until_the_node_tells_the_truth(
    chain: Stage, books: Books, make: Make, shorten: Any
) -> None:
    catch_up(make())
    emit(chain, 1, 2)
    number, before = chain.client.block_number(), books.chain()
    indexer = make(
        eth_getLogs=without(number, 1),
        eth_getTransactionReceipt=lambda params, ask: None,
        eth_getBlockReceipts=lambda params, ask: shorten(ask()),
    )
    rows = books.rows()
    for times in (1, 2, 3):
        assert indexer.step() is False
        [gap] = books.gaps()
        assert (gap.code, gap.first_number, gap.times) == (GapCode.UNPROVEN, number, times)
        assert gap.resolved_at is None
    assert books.rows() == {**rows, "index_gap": 1}
    assert books.chain() == before
    catch_up(make())
    [gap] = books.gaps()
    assert (gap.code, gap.times, gap.resolved_at) == (GapCode.UNPROVEN, 3, START)
    assert indexed(books) == logs_on_chain(chain)


def test_a_gap_that_comes_again_is_the_same_one_and_open_again(
    chain: Stage, books: Books, make: Make
) -> None:
    catch_up(make())
    snapshot = chain.anvil.snapshot()
    for times in (1, 2):
        emit(chain, times)
        number = chain.client.block_number()
        short = make(
            eth_getLogs=without(number, 0), eth_getBlockReceipts=lambda params, ask: ask()[:-1]
        )
        while books.chain().cursor_number >= number:
            # The branch that was undone.
            assert short.step() is True
        assert short.step() is False
        [gap] = books.gaps()
        assert (gap.first_number, gap.times, gap.resolved_at) == (number, times, None)
        catch_up(make())
        assert books.gaps()[0].resolved_at == START
        chain.anvil.revert(snapshot)
        snapshot = chain.anvil.snapshot()


def test_blooms_of_a_real_chain_name_what_is_in_their_blocks(chain: Stage) -> None:
    emit(chain, 1)
    chain.anvil.mine()
    empty = chain.anvil.rpc("eth_getBlockByNumber", "latest", False)
    number = chain.client.block_number() - 1
    full = chain.anvil.rpc("eth_getBlockByNumber", hex(number), False)
    watch = Watch({chain.deployment.escrow: WatchKind.ESCROW})
    assert watch.may_be_in(int(full["logsBloom"], 16))
    assert not watch.may_be_in(int(empty["logsBloom"], 16))
    other = Watch({"0x" + "ab" * 20: WatchKind.ESCROW})
    assert not other.may_be_in(int(full["logsBloom"], 16))
