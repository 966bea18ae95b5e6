"""Faults that a second look at the index found, each with the promise that it broke."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_faults import BentClient, HookedClient
from chain_index import catch_up, delivered, emit, indexed, indexer_of, logs_on_chain
from chain_node import VAULT, Stage, person

from chain.client import ChainClient, RpcError
from chain.contracts import encode_call
from chain.index.indexer import Finality
from chain.local import ADMIN
from returns.errors import ChainUnavailable
from returns.words import GapCode, WatchKind

pytestmark = pytest.mark.chain

Ask = Callable[[], Any]


def test_what_was_read_ahead_of_an_outage_is_not_believed_after_it(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """Ranges of a branch that was gone by then were written, and were final at once."""
    down: list[bool] = []

    def away(methods: list[str]) -> None:
        if down:
            raise ChainUnavailable(problem="it is away")

    client = HookedClient(chain.url, away)
    indexer = indexer_of(chain, books.database, clock, client=client, finality=Finality(1, 3))
    chain.anvil.mine(40)
    fork = chain.anvil.snapshot()
    emit(chain, 1)
    chain.anvil.mine(10)
    assert indexer.step() is True
    down.append(True)
    with pytest.raises(ChainUnavailable):
        indexer.step()
    chain.anvil.revert(fork)
    chain.anvil.mine(20)
    down.clear()
    catch_up(indexer)
    assert indexed(books) == []
    assert (delivered(books, "chain.final"), delivered(books, "chain.reorged")) == ([], [])
    indexer.close()


def test_a_range_that_was_undone_between_reading_and_writing_is_read_again(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """Its first block followed the cursor; that its last one still stood was not asked."""
    catch_up(indexer_of(chain, books.database, clock))
    fork, undone = chain.anvil.snapshot(), list[bool]()
    emit(chain, 1)
    last = hex(chain.client.block_number())

    def gone(params: Sequence[Any], ask: Ask) -> Any:
        if params[0] == last and proven and not undone:
            undone.append(True)
            chain.anvil.revert(fork)
            chain.anvil.mine(3)
        return ask()

    def receipt(params: Sequence[Any], ask: Ask) -> Any:
        proven.append(True)
        return ask()

    proven: list[bool] = []
    bends = {"eth_getBlockByNumber": gone, "eth_getTransactionReceipt": receipt}
    client = BentClient(chain.url, **bends)
    catch_up(indexer_of(chain, books.database, clock, client=client))
    assert undone == [True]
    assert (indexed(books), indexed(books, canonical=False)) == ([], [])


def test_a_node_that_lags_in_a_reorg_undoes_no_more_than_the_reorg(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """The newest block that it had of ours was the ancestor: a rewind of one block took twenty."""
    emit(chain, 1)
    chain.anvil.mine(20)
    fork = chain.anvil.snapshot()
    chain.anvil.mine()
    catch_up(indexer_of(chain, books.database, clock))
    chain.anvil.revert(fork)
    chain.anvil.rpc("evm_increaseTime", 5)
    chain.anvil.mine()
    head = chain.client.block_number()

    def lagging(params: Sequence[Any], ask: Ask) -> Any:
        is_hidden = params[0] != "latest" and head - 10 < int(params[0], 16)
        return None if is_hidden else ask()

    client = BentClient(chain.url, eth_getBlockByNumber=lagging)
    with pytest.raises(ChainUnavailable, match="it is behind"):
        indexer_of(chain, books.database, clock, client=client).step()
    assert delivered(books, "chain.reorged") == []
    catch_up(indexer_of(chain, books.database, clock))
    assert books.chain().reorg_depth == 1


def test_a_witness_is_asked_until_it_agrees(chain: Stage, books: Books, clock: MovingClock) -> None:
    """It objected once; the next try did not ask it, and closed its gap."""
    emit(chain, 1)
    other = BentClient(chain.url, eth_getLogs=lambda _params, ask: ask()[:-1])
    indexer = indexer_of(chain, books.database, clock, witness=other)
    assert [indexer.step() for _ in range(3)] == [False] * 3
    [gap] = books.gaps()
    assert (gap.code, gap.times, gap.resolved_at) == (GapCode.WITNESS_DIFFERS, 3, None)
    assert (books.chain().cursor_number, books.transfers()) == (-1, [])
    other.bends.clear()
    catch_up(indexer)
    assert books.gaps()[0].resolved_at is not None
    assert indexed(books) == logs_on_chain(chain)


def test_answers_that_never_fit_together_become_a_gap(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """A node without receipts of a block looked like a reorg for ever, and nobody was told."""
    emit(chain, 1)
    unknown = RpcError("the method is not available", -32601)
    client = BentClient(
        chain.url,
        eth_getBlockReceipts=lambda *_: unknown,
        eth_getTransactionReceipt=lambda *_: None,
    )
    indexer = indexer_of(chain, books.database, clock, client=client)
    for _ in range(20):
        assert indexer.step() is False
    [gap] = books.gaps()
    assert (gap.code, gap.first_number, gap.resolved_at) == (GapCode.UNPROVEN, 1, None)
    client.bends.clear()
    catch_up(indexer)
    assert indexed(books) == logs_on_chain(chain)
    assert books.gaps()[0].resolved_at is not None


def test_where_blooms_tell_nothing_receipts_are_read(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """A block whose logs were all left out was proven empty by a bloom of zeros."""
    emit(chain, 1)
    hidden = chain.client.block_number() + 2
    chain.anvil.mine()
    emit(chain, 2)

    def without_bloom(_params: Sequence[Any], ask: Ask) -> Any:
        return {**ask(), "logsBloom": "0x" + "00" * 256}

    def without_one(_params: Sequence[Any], ask: Ask) -> Any:
        return [log for log in ask() if int(log["blockNumber"], 16) != hidden]

    bends = {"eth_getBlockByNumber": without_bloom, "eth_getLogs": without_one}
    client = BentClient(chain.url, **bends)
    catch_up(indexer_of(chain, books.database, clock, client=client))
    assert indexed(books) == logs_on_chain(chain)
    assert [gap.code for gap in books.gaps()] == [GapCode.SHORT_ANSWER]


def test_two_logs_of_one_number_are_not_one(chain: Stage, books: Books, clock: MovingClock) -> None:
    """The second took the place of the first, and the numbers had no gap."""
    emit(chain, 1, 2)
    last = hex(chain.client.block_number())

    def numbered_by_transaction(_params: Sequence[Any], ask: Ask) -> Any:
        return [{**log, "logIndex": "0x0"} if log["blockNumber"] == last else log for log in ask()]

    client = BentClient(chain.url, eth_getLogs=numbered_by_transaction)
    indexer = indexer_of(chain, books.database, clock, client=client)
    assert indexer.step() is False
    [gap] = books.gaps()
    assert (gap.code, gap.problem) == (GapCode.UNPROVEN, "it tells two different logs 0")


def test_nothing_is_final_that_is_not_confirmed(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """A node that has no safe block, but a finalized one, made facts final that nobody was told."""
    emit(chain, 1)
    head = chain.client.block_number()

    def tagged(params: Sequence[Any], ask: Ask) -> Any:
        return None if params[0] == "safe" else ask()

    client = BentClient(chain.url, eth_getBlockByNumber=tagged)
    tags = Finality(1, 1, tags=True)
    catch_up(indexer_of(chain, books.database, clock, client=client, finality=tags))
    found = books.chain()
    assert (found.cursor_number, found.confirmed_number, found.final_number) == (head, -1, -1)


def test_what_strangers_send_to_a_treasury_is_no_alarm(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """Anybody could keep a gap open for ever, with a Transfer that is none."""
    chain.send(chain.mint(5, VAULT))
    chain.anvil.mine()

    def without_amount(_params: Sequence[Any], ask: Ask) -> Any:
        answer = ask()
        logs = answer if isinstance(answer, list) else answer["logs"]
        for log in logs:
            log["data"] = "0x"
        return answer

    client: ChainClient = BentClient(chain.url, eth_getLogs=without_amount)
    ours = {VAULT: WatchKind.TREASURY}
    catch_up(indexer_of(chain, books.database, clock, client=client, ours=ours))
    [gap] = [one for one in books.gaps() if one.code is GapCode.UNFIT_LOG]
    assert (gap.address, gap.resolved_at is None) == (chain.dollar, False)


def test_sales_before_a_collection_was_added_are_not_lost(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """Seaport's events name it; they were left out before, and its scan did not ask for them."""
    minted = encode_call("ReturnableNFT", "mintBatch", [VAULT], [5], [1])
    chain.send(minted, to=chain.deployment.collection, sender=person(ADMIN).address)
    chain.anvil.mine()
    ours = {chain.deployment.seaport: WatchKind.SEAPORT}
    indexer = indexer_of(chain, books.database, clock, ours=ours)
    catch_up(indexer)
    both = {**ours, chain.deployment.collection: WatchKind.COLLECTION}
    asked: list[list[str]] = []

    def logs(params: Sequence[Any], ask: Ask) -> Any:
        asked.append(sorted(params[0]["address"]))
        return ask()

    client = BentClient(chain.url, eth_getLogs=logs)
    catch_up(indexer_of(chain, books.database, clock, client=client, ours=both))
    assert sorted(both) in asked
    assert [one.token_id for one in books.transfers()] == [5]
