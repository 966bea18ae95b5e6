"""What is watched grows while the index runs: read from its start, told once, none of it lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from chain_books import START, Books, MovingClock
from chain_faults import HookedClient
from chain_index import catch_up, delivered, emit, indexed, indexer_of, logs_on_chain
from chain_node import CHAIN_ID, VAULT, Stage, person
from sqlmodel import col, select

from chain.addresses import ZERO
from chain.contracts import encode_call
from chain.index import registry, scans
from chain.index.indexer import Indexer
from chain.local import ADMIN, OPERATOR
from returns.errors import LeaseLost, WatchRefused
from returns.tables import Block, IndexScan, WatchedContract
from returns.tables.chain import CHAIN_EVENTS, TOKEN_TRANSFERS
from returns.words import WatchKind

pytestmark = pytest.mark.chain

Make = Callable[..., Indexer]


@pytest.fixture
def make(chain: Stage, books: Books, clock: MovingClock) -> Make:
    """Builds indexers that watch the zone; the escrow is added by the test."""

    def build(**parts: Any) -> Indexer:
        ours = {chain.deployment.zone: WatchKind.ZONE}
        return indexer_of(chain, books.database, clock, **{"ours": ours, **parts})

    return build


def add(books: Books, address: str, since: int = 1, kind: WatchKind = WatchKind.ESCROW) -> bool:
    with books.database.write() as session:
        return registry.add(session, CHAIN_ID, address, kind, since, START)


def scan_rows(books: Books) -> list[IndexScan]:
    with books.database.read() as session:
        return list(session.exec(select(IndexScan).order_by(col(IndexScan.id))))


def blocks(books: Books) -> list[Block]:
    with books.database.read() as session:
        standing = select(Block).where(col(Block.canonical)).order_by(col(Block.number))
        return list(session.exec(standing))


def assert_told_once(chain: Stage, books: Books, depth: int, kind: str) -> None:
    """What was told and not undone is what stands on the chain at this depth."""
    head = chain.client.block_number()
    deep = {one.hash for one in blocks(books) if one.number <= head - depth + 1}
    standing = [number for block_hash, _, number in logs_on_chain(chain) if block_hash in deep]
    told = Counter(delivered(books, kind))
    told.subtract(delivered(books, "chain.reorged"))
    assert +told == Counter(standing)


# -- while it runs ---------------------------------------------------------------------------------


def test_an_address_that_is_added_is_read_from_its_start_while_the_cursor_goes_on(
    chain: Stage, books: Books, make: Make
) -> None:
    indexer = make()
    emit(chain, 1, 2)
    chain.anvil.mine(60)
    catch_up(indexer)
    before = books.chain()
    assert (indexed(books), add(books, chain.deployment.escrow)) == ([], True)
    places = []
    for number in range(3, 6):
        emit(chain, number)
        assert indexer.step() is True
        [scan] = scan_rows(books)
        places.append((scan.next_number, scan.done_at, books.chain().cursor_number))
    # Both go on in each step: the scan by its range, the cursor by the new block.
    assert [done for _, done, _ in places] == [None] * 3
    assert all(one[0] < two[0] and one[2] + 1 == two[2] for one, two in pairwise(places))
    assert places[0][2] == before.cursor_number + 1
    chain.anvil.mine(6)
    catch_up(indexer)
    [scan] = scan_rows(books)
    assert (scan.next_number, scan.done_at is None) == (before.cursor_number + 1, False)
    assert indexed(books) == logs_on_chain(chain)
    for kind in ("chain.confirmed", "chain.final"):
        assert Counter(delivered(books, kind)) == Counter("12345")
    assert books.chain().watch_version == before.watch_version + 1


def test_what_is_added_from_now_on_needs_no_scan(chain: Stage, books: Books, make: Make) -> None:
    indexer = make()
    emit(chain, 1)
    catch_up(indexer)
    assert add(books, chain.deployment.escrow, since=chain.client.block_number() + 1)
    emit(chain, 2)
    catch_up(indexer)
    assert ([number for _, _, number in indexed(books)], scan_rows(books)) == (["2"], [])


def test_what_is_watched_already_changes_nothing(chain: Stage, books: Books, make: Make) -> None:
    catch_up(make())
    assert add(books, chain.deployment.escrow) is True
    before, version = books.rows(), books.chain().watch_version
    assert add(books, chain.deployment.escrow, since=2, kind=WatchKind.SEAPORT) is False
    assert (books.rows(), books.chain().watch_version) == (before, version)
    with books.database.read() as session:
        row = session.get_one(WatchedContract, (CHAIN_ID, chain.deployment.escrow))
    assert (row.kind, row.since_block) == (WatchKind.ESCROW, 1)


def test_an_earlier_start_is_read_as_well(chain: Stage, books: Books, make: Make) -> None:
    emit(chain, 1)
    emit(chain, 2)
    start = chain.client.block_number()
    indexer = make(ours={chain.deployment.zone: WatchKind.ZONE})
    catch_up(indexer)
    assert add(books, chain.deployment.escrow, since=start) is True
    catch_up(indexer)
    assert [number for _, _, number in indexed(books)] == ["2"]
    assert add(books, chain.deployment.escrow, since=1) is True
    catch_up(indexer)
    assert indexed(books) == logs_on_chain(chain)
    assert {(one.next_number, one.last_number) for one in scan_rows(books)} >= {(start, start - 1)}


@pytest.mark.servers
def test_of_two_who_add_an_address_at_once_one_has_added_it(
    chain: Stage, postgres: Books, clock: MovingClock
) -> None:
    """The second waits for the first, also while nothing of the chain is pinned yet."""
    second: list[bool] = []
    thread = threading.Thread(target=lambda: second.append(add(postgres, chain.deployment.escrow)))
    with postgres.database.write() as session:
        place = (CHAIN_ID, chain.deployment.escrow, WatchKind.ESCROW, 1, START)
        assert registry.add(session, *place) is True
        thread.start()
        thread.join(0.5)
        assert second == []
    thread.join()
    assert second == [False]
    emit(chain, 1)
    catch_up(indexer_of(chain, postgres.database, clock, ours={}))
    assert indexed(postgres) == logs_on_chain(chain)


def test_one_of_our_own_that_joins_at_a_restart_is_read_from_the_start(
    chain: Stage, books: Books, make: Make
) -> None:
    emit(chain, 1)
    chain.anvil.mine(6)
    catch_up(make())
    both = {
        chain.deployment.zone: WatchKind.ZONE,
        chain.deployment.escrow: WatchKind.ESCROW,
    }
    catch_up(make(ours=both))
    assert indexed(books) == logs_on_chain(chain)
    assert delivered(books, "chain.final") == ["1"]


def test_a_treasury_that_is_added_brings_its_money_and_none_of_it_twice(
    chain: Stage, books: Books, make: Make
) -> None:
    """Money between two treasuries is there already when the second one is read."""
    one, two = person(OPERATOR).address, VAULT
    indexer = make(ours={one: WatchKind.TREASURY})
    chain.send(chain.mint(7, one))
    chain.anvil.mine()
    chain.send(encode_call("TestDollar", "transfer", two, 3))
    chain.send(chain.mint(5, two))
    chain.anvil.mine()
    catch_up(indexer)
    assert [row.amount for row in books.transfers()] == [7, 3]
    add(books, two, kind=WatchKind.TREASURY)
    catch_up(indexer)
    assert [(row.token, row.sender, row.recipient, row.amount) for row in books.transfers()] == [
        (chain.dollar, ZERO, one, 7),
        (chain.dollar, one, two, 3),
        (chain.dollar, ZERO, two, 5),
    ]
    assert (books.gaps(), books.inbox()) == ([], [])


def test_what_is_added_before_the_first_start_is_read_from_its_start(
    chain: Stage, books: Books, make: Make
) -> None:
    emit(chain, 1)
    emit(chain, 2)
    anchor = chain.client.block_number()
    add(books, chain.deployment.escrow)
    assert scan_rows(books) == []
    emit(chain, 3)
    catch_up(make(start_block=anchor))
    [scan] = scan_rows(books)
    assert (scan.address, scan.last_number) == (chain.deployment.escrow, anchor - 1)
    assert scan.done_at is not None
    assert indexed(books) == logs_on_chain(chain)
    chain.anvil.mine(6)
    catch_up(make(start_block=anchor))
    assert Counter(delivered(books, "chain.final")) == Counter("123")


def test_what_is_added_between_a_read_and_its_write_is_not_lost(
    chain: Stage, books: Books, make: Make
) -> None:
    armed: list[bool] = []
    added: list[bool] = []

    def hook(methods: list[str]) -> None:
        if "eth_getLogs" in methods and armed and not added:
            added.append(add(books, chain.deployment.escrow, since=chain.client.block_number()))

    indexer = make(client=HookedClient(chain.url, hook))
    catch_up(indexer)
    armed.append(True)
    emit(chain, 7)
    before = books.chain()
    with pytest.raises(LeaseLost):
        indexer.step()
    after = books.chain()
    assert added == [True]
    assert (after.cursor_number, after.cursor_hash) == (before.cursor_number, before.cursor_hash)
    assert (indexed(books), blocks(books)[-1].number) == ([], before.cursor_number)
    catch_up(indexer)
    assert [number for _, _, number in indexed(books)] == ["7"]


# -- reorgs, and blocks below the anchor -----------------------------------------------------------


@pytest.mark.parametrize("depth", [3, 45])
def test_a_reorg_during_a_scan_leaves_the_index_equal_to_the_chain(
    chain: Stage, books: Books, make: Make, depth: int
) -> None:
    """Into blocks that the scan has not reached, and into those that it has read."""
    indexer, snapshots = make(), []
    for number in range(1, 61):
        snapshots.append(chain.anvil.snapshot())
        emit(chain, number)
    catch_up(indexer)
    add(books, chain.deployment.escrow)
    indexer.step()
    indexer.step()
    [scan] = scan_rows(books)
    assert scan.done_at is None
    assert scan.next_number > chain.client.block_number() - 45
    chain.anvil.revert(snapshots[-depth])
    for number in range(101, 105 + depth):
        emit(chain, number)
    catch_up(indexer)
    assert indexed(books) == logs_on_chain(chain)
    assert scan_rows(books)[0].done_at is not None
    chain.anvil.mine(6)
    catch_up(indexer)
    assert_told_once(chain, books, 2, "chain.confirmed")
    assert_told_once(chain, books, 5, "chain.final")


def test_blocks_below_the_anchor_are_read_and_linked(
    chain: Stage, books: Books, make: Make
) -> None:
    emit(chain, 1)
    chain.anvil.mine(30)
    emit(chain, 2)
    anchor = chain.client.block_number()
    indexer = make(start_block=anchor)
    catch_up(indexer)
    assert [one.number for one in blocks(books)] == [anchor]
    add(books, chain.deployment.escrow)
    catch_up(indexer)
    found = blocks(books)
    assert [one.number for one in found] == list(range(1, anchor + 1))
    assert all(one.hash == two.parent_hash for one, two in pairwise(found))
    assert indexed(books) == logs_on_chain(chain)
    assert (books.chain().anchor_number, books.chain().cursor_number) == (anchor, anchor)


# -- what cannot be watched ------------------------------------------------------------------------


def test_a_collection_a_contract_and_a_treasury_can_be_watched(chain: Stage, books: Books) -> None:
    before, head = books.rows(), chain.client.block_number()
    registry.check(chain.client, chain.deployment.collection, WatchKind.COLLECTION, 0)
    registry.check(chain.client, chain.deployment.escrow, WatchKind.ESCROW, head)
    registry.check(chain.client, VAULT, WatchKind.TREASURY, head)
    assert books.rows() == before


@pytest.mark.parametrize("kind", WatchKind)
def test_refuses_a_block_in_the_future(chain: Stage, books: Books, kind: WatchKind) -> None:
    before, head = books.rows(), chain.client.block_number()
    problem = f"block {head + 1} is in the future, the newest is {head}"
    with pytest.raises(WatchRefused, match=problem):
        registry.check(chain.client, chain.deployment.collection, kind, head + 1)
    assert books.rows() == before


@pytest.mark.parametrize("kind", [one for one in WatchKind if one is not WatchKind.TREASURY])
def test_refuses_an_address_without_a_contract(chain: Stage, books: Books, kind: WatchKind) -> None:
    before = books.rows()
    with pytest.raises(WatchRefused, match="there is no contract at it"):
        registry.check(chain.client, VAULT, kind, 0)
    assert books.rows() == before


@pytest.mark.parametrize("name", ["escrow", "dollar"])
def test_refuses_a_collection_that_is_no_token(chain: Stage, books: Books, name: str) -> None:
    """One contract answers ERC-165 with no, the other does not answer it."""
    before = books.rows()
    with pytest.raises(WatchRefused, match="does not say that it is ERC-721 or ERC-1155"):
        registry.check(chain.client, getattr(chain.deployment, name), WatchKind.COLLECTION, 0)
    assert books.rows() == before


# -- once more -------------------------------------------------------------------------------------


def test_a_replay_brings_lost_rows_back_and_tells_settlement_nothing_twice(
    chain: Stage, books: Books, make: Make
) -> None:
    ours = {
        chain.deployment.escrow: WatchKind.ESCROW,
        chain.deployment.collection: WatchKind.COLLECTION,
    }
    indexer = make(ours=ours)
    minted = encode_call("ReturnableNFT", "mintBatch", [VAULT], [5], [1])
    for number in range(1, 31):
        if number == 20:
            chain.send(minted, to=chain.deployment.collection, sender=person(ADMIN).address)
        emit(chain, number)
    chain.anvil.mine(6)
    catch_up(indexer)
    events, transfers, told = books.events(), books.transfers(), books.inbox()
    assert (len(indexed(books)), len(transfers)) == (30, 1)
    lost = indexed(books)[10:25]
    with books.database.write() as session:
        of_blocks = [block_hash for block_hash, _, _ in lost]
        for table in (CHAIN_EVENTS, TOKEN_TRANSFERS):
            gone = sa.delete(table).where(table.c.block_hash.in_(of_blocks))
            session.connection().execute(gone)
        assert scans.add(session, CHAIN_ID, None, 1, books.chain().cursor_number, START)
    assert (len(indexed(books)), books.transfers()) == (15, [])
    catch_up(indexer)
    assert [one.model_dump() for one in books.events()] == [one.model_dump() for one in events]
    assert [one.model_dump() for one in books.transfers()] == [
        one.model_dump() for one in transfers
    ]
    assert [one.id for one in books.inbox()] == [one.id for one in told]
    assert [scan.done_at is None for scan in scan_rows(books)] == [False]


def test_a_replay_of_a_whole_index_changes_nothing(chain: Stage, books: Books, make: Make) -> None:
    indexer = make(ours={chain.deployment.escrow: WatchKind.ESCROW})
    emit(chain, 1, 2)
    chain.anvil.mine(6)
    catch_up(indexer)
    before, cursor = books.rows(), books.chain().cursor_hash
    with books.database.write() as session:
        scans.add(session, CHAIN_ID, None, 1, books.chain().cursor_number, START)
    catch_up(indexer)
    assert books.rows() == {**before, "index_scan": 1}
    assert books.chain().cursor_hash == cursor


def test_no_range_below_nothing_is_scanned(chain: Stage, books: Books) -> None:
    before = books.rows()
    with books.database.write() as session:
        assert scans.add(session, CHAIN_ID, None, 5, 4, START) is False
    assert books.rows() == before
