"""The indexer where things fail: two at once, killed, another chain, a node that is bad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from chain_books import Books, MovingClock
from chain_faults import BentClient, Fuse, FusedClient, FusedDatabase, HookedClient, Killed
from chain_index import (
    catch_up,
    delivered,
    emit,
    indexed,
    indexer_of,
    logs_on_chain,
)
from chain_node import Stage

from chain.index.indexer import Finality, Indexer
from returns.errors import ChainMismatch, ChainUnavailable, LeaseLost

pytestmark = pytest.mark.chain

Make = Callable[..., Indexer]


@pytest.fixture
def make(chain: Stage, books: Books, clock: MovingClock) -> Make:
    """Builds indexers that watch the escrow."""

    def build(**parts: Any) -> Indexer:
        return indexer_of(chain, books.database, clock, **parts)

    return build


def test_of_two_indexers_the_second_fails_and_nothing_is_doubled(
    chain: Stage, books: Books, make: Make
) -> None:
    emit(chain, 1, 2)
    chain.anvil.mine(6)
    outrun: list[bool] = []

    def overtake(methods: list[str]) -> None:
        if "eth_getLogs" in methods and not outrun:
            outrun.append(True)
            catch_up(make())

    with pytest.raises(LeaseLost):
        make(client=HookedClient(chain.url, overtake)).step()
    assert indexed(books) == logs_on_chain(chain)
    assert delivered(books, "chain.confirmed") == ["1", "2"]
    assert delivered(books, "chain.final") == ["1", "2"]


@pytest.mark.parametrize("moment", range(24))
def test_killed_at_any_moment_it_goes_on_with_nothing_missed_or_twice(
    chain: Stage, sqlite: Books, clock: MovingClock, moment: int
) -> None:
    def build(fuse: Fuse) -> Indexer:
        database, client = FusedDatabase(sqlite.database.url, fuse), FusedClient(chain.url, fuse)
        return indexer_of(chain, database, clock, client=client, finality=Finality(1, 3))

    snapshot = chain.anvil.snapshot()
    emit(chain, 1)
    emit(chain, 2)
    catch_up(build(Fuse()))
    chain.anvil.revert(snapshot)
    for amount in range(3, 7):
        emit(chain, amount)
    try:
        catch_up(build(Fuse(moment)))
    except Killed:
        catch_up(build(Fuse()))
    assert indexed(sqlite) == logs_on_chain(chain)
    assert delivered(sqlite, "chain.confirmed") == ["1", "2", "3", "4", "5", "6"]
    assert delivered(sqlite, "chain.final") == ["3", "4"]
    assert sorted(delivered(sqlite, "chain.reorged")) == ["1", "2"]


def test_one_that_starts_again_reads_no_stored_block_again(
    chain: Stage, books: Books, make: Make
) -> None:
    emit(chain, 1, 2)
    chain.anvil.mine(30)
    catch_up(make())
    cursor, asked = books.chain().cursor_number, list[int]()

    def logs(params: Any, ask: Any) -> Any:
        asked.append(int(params[0]["fromBlock"], 16))
        return ask()

    emit(chain, 3)
    catch_up(make(client=BentClient(chain.url, eth_getLogs=logs)))
    assert asked == [cursor + 1]
    assert indexed(books) == logs_on_chain(chain)


def test_another_chain_id_is_refused_and_nothing_is_written(books: Books, make: Make) -> None:
    before = books.rows()
    with pytest.raises(ChainMismatch):
        make(chain_id=1).check_pinned()
    with pytest.raises(ChainMismatch):
        make(chain_id=1).step()
    assert books.rows() == before


def test_a_chain_without_our_contracts_block_is_refused_and_nothing_is_written(
    chain: Stage, books: Books, make: Make
) -> None:
    catch_up(make())
    with books.database.write() as session:
        session.connection().execute(sa.text("UPDATE chain SET anchor_hash = '0x00'"))
    before = books.rows()
    with pytest.raises(ChainMismatch, match="without the block of our contracts"):
        make().check_pinned()
    assert books.rows() == before


def test_a_reorg_between_two_calls_mixes_no_branches(
    chain: Stage, books: Books, make: Make
) -> None:
    snapshot = chain.anvil.snapshot()
    emit(chain, 1)
    chain.anvil.mine(3)
    done: list[bool] = []

    def switch(methods: list[str]) -> None:
        if "eth_getTransactionReceipt" in methods and not done:
            done.append(True)
            chain.anvil.revert(snapshot)
            emit(chain, 2)
            chain.anvil.mine(3)

    indexer = make(client=HookedClient(chain.url, switch))
    assert indexer.step() is False
    assert (books.events(), books.inbox()) == ([], [])
    catch_up(indexer)
    assert [amount for _, _, amount in indexed(books)] == ["2"]


def test_a_short_answer_and_a_late_one_store_nothing(
    chain: Stage, books: Books, make: Make
) -> None:
    catch_up(make())
    emit(chain, 1)
    before = books.rows()
    for method in ("eth_getBlockByNumber", "eth_getLogs"):

        def cut(methods: list[str], method: str = method) -> None:
            if method in methods:
                raise ChainUnavailable(problem="its answer is not complete")

        with pytest.raises(ChainUnavailable):
            make(client=HookedClient(chain.url, cut)).step()
        assert books.rows() == before
    catch_up(make())
    assert indexed(books) == logs_on_chain(chain)


def test_looking_whether_the_chain_is_ours_writes_nothing(
    chain: Stage, books: Books, make: Make
) -> None:
    before = books.rows()
    make().check_pinned()
    assert books.rows() == before
    catch_up(make())
    before = books.rows()
    make().check_pinned()
    assert books.rows() == before


def test_a_start_block_in_the_future_waits(chain: Stage, books: Books, make: Make) -> None:
    indexer, before = make(start_block=chain.client.block_number() + 3), books.rows()
    with pytest.raises(ChainUnavailable, match="has no block"):
        indexer.step()
    assert books.rows() == before
    emit(chain, 1)
    emit(chain, 2)
    emit(chain, 3)
    catch_up(indexer)
    assert [amount for _, _, amount in indexed(books)] == ["3"]
