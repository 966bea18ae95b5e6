"""Faults that the index had on a real chain, each with the promise that it broke."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from chain_books import START, Books, MovingClock
from chain_faults import BentClient
from chain_index import catch_up, emit, indexed, indexer_of, logs_on_chain
from chain_node import CHAIN_ID, Stage
from sqlmodel import select

from chain.index import gaps, registry, scans
from chain.index.indexer import Indexer
from returns.errors import WatchRefused
from returns.tables import Block, IndexScan
from returns.words import GapCode, WatchKind

pytestmark = pytest.mark.chain


def _with_a_scan(chain: Stage, books: Books, clock: MovingClock, client: BentClient) -> Indexer:
    """An indexer that has read its anchor, and has a scan before it."""
    emit(chain, 1)
    emit(chain, 2)
    ours = {chain.deployment.zone: WatchKind.ZONE}
    start = chain.client.block_number()
    indexer = indexer_of(chain, books.database, clock, client=client, ours=ours, start_block=start)
    catch_up(indexer)
    _add_escrow(chain, books)
    return indexer


def _add_escrow(chain: Stage, books: Books) -> None:
    with books.database.write() as session:
        registry.add(session, CHAIN_ID, chain.deployment.escrow, WatchKind.ESCROW, 1, START)


def _scan(books: Books) -> IndexScan:
    with books.database.read() as session:
        return session.exec(select(IndexScan)).one()


Ask = Callable[[], Any]


def _moved(params: Sequence[Any], ask: Ask) -> Any:
    return None if params[0] == "0x3" else ask()


def test_a_reorg_that_a_scan_meets_does_not_end_the_indexer(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """It came out of the step as an error that the process does not wait out, and ended it."""
    client = BentClient(chain.url)
    indexer = _with_a_scan(chain, books, clock, client)
    client.bends["eth_getBlockByNumber"] = _moved
    before = books.rows()
    assert indexer.step() is False
    assert (_scan(books).next_number, books.rows()) == (1, before)
    client.bends.clear()
    catch_up(indexer)
    assert indexed(books) == logs_on_chain(chain)


def test_logs_that_a_scan_cannot_prove_are_a_gap_and_do_not_end_the_indexer(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """Only what the live cursor could not prove became a gap; the scan ended the process."""
    client = BentClient(chain.url)
    indexer = _with_a_scan(chain, books, clock, client)
    client.bends["eth_getLogs"] = lambda params, ask: []
    client.bends["eth_getBlockReceipts"] = lambda params, ask: []
    assert (indexer.step(), indexer.step()) == (False, False)
    [gap] = books.gaps()
    assert (gap.code, gap.times, gap.resolved_at) == (GapCode.UNPROVEN, 2, None)
    assert _scan(books).next_number == 1
    client.bends.clear()
    catch_up(indexer)
    [gap] = books.gaps()
    assert (gap.code, gap.resolved_at) == (GapCode.UNPROVEN, START)
    assert indexed(books) == logs_on_chain(chain)


def test_blocks_that_do_not_lead_to_the_anchor_are_not_stored(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """Whether they do was looked up, and not compared: another node's past was believed."""
    emit(chain, 1)
    emit(chain, 2)
    start = chain.client.block_number()
    last = hex(start - 1)

    def of_another_past(params: Sequence[Any], ask: Ask) -> Any:
        other = {"hash": "0x" + "be" * 32, "transactions": []}
        return {**ask(), **other} if params[0] == last else ask()

    def without_logs_of(params: Sequence[Any], ask: Ask) -> Any:
        return [one for one in ask() if one["blockNumber"] != last]

    client = BentClient(
        chain.url, eth_getBlockByNumber=of_another_past, eth_getLogs=without_logs_of
    )
    ours = {chain.deployment.zone: WatchKind.ZONE}
    indexer = indexer_of(chain, books.database, clock, client=client, ours=ours, start_block=start)
    _add_escrow(chain, books)
    catch_up(indexer)
    with books.database.read() as session:
        assert session.exec(select(Block.number)).all() == [start]
    assert _scan(books).next_number == 1
    client.bends.clear()
    catch_up(indexer)
    assert indexed(books) == logs_on_chain(chain)


def test_what_is_read_for_one_address_mends_nothing_of_another(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """An unfit log stayed as unfit as it was, and a person was not shown it any more."""
    ours = {chain.deployment.zone: WatchKind.ZONE}
    indexer = indexer_of(chain, books.database, clock, ours=ours)
    emit(chain, 1)
    catch_up(indexer)
    number, zone = chain.client.block_number(), chain.deployment.zone
    with books.database.write() as session:
        for address in (zone, chain.deployment.escrow, ""):
            code = GapCode.UNFIT_LOG if address else GapCode.UNPROVEN
            gaps.note(session, CHAIN_ID, code, number, "it is odd", START, address=address)
    _add_escrow(chain, books)
    catch_up(indexer)
    assert {gap.address for gap in books.gaps() if gap.resolved_at is None} == {zone}
    with books.database.write() as session:
        scans.add(session, CHAIN_ID, None, 1, number, START)
    catch_up(indexer)
    assert {gap.address for gap in books.gaps() if gap.resolved_at is None} == set()


@pytest.mark.parametrize("since", [-1, -(2**63)])
def test_refuses_to_watch_from_before_the_first_block(
    chain: Stage, books: Books, since: int
) -> None:
    """No node answers for such a block: its scan would never end, and hold up those after it."""
    before = books.rows()
    with pytest.raises(WatchRefused, match="there is no block -"):
        registry.check(chain.client, chain.deployment.escrow, WatchKind.ESCROW, since)
    assert books.rows() == before
