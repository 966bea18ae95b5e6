"""Faults that the index had where it reads below its cursor, and the promise that each broke."""

from __future__ import annotations

from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_faults import BentClient, HookedClient
from chain_index import catch_up, indexer_of
from chain_node import CHAIN_ID, VAULT, Stage, person

from chain.contracts import encode_call
from chain.index import registry
from chain.local import ADMIN
from returns.words import GapCode, WatchKind

pytestmark = pytest.mark.chain


def mint(chain: Stage, *tokens: int) -> None:
    """A token of our collection in a block of its own, for each."""
    for token in tokens:
        data = encode_call("ReturnableNFT", "mintBatch", [VAULT], [token], [1])
        chain.send(data, to=chain.deployment.collection, sender=person(ADMIN).address)
        chain.anvil.mine()


def watch(chain: Stage, books: Books, clock: MovingClock, since: int) -> None:
    """The collection is watched from now on, and read from a block on."""
    with books.database.write() as session:
        added = (chain.deployment.collection, WatchKind.COLLECTION, since)
        registry.add(session, CHAIN_ID, *added, clock())


def test_a_reorg_that_a_scan_meets_does_not_end_the_indexer(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """What a scan raised where blocks had moved came out of the step, and ended the process."""
    since = chain.client.block_number() + 1
    mint(chain, 1, 2, 3)
    reorgs: list[int] = []

    def undo(methods: list[str]) -> None:
        if "eth_getLogs" in methods and reorgs:
            chain.anvil.rpc("anvil_reorg", reorgs.pop(), [])

    indexer = indexer_of(chain, books.database, clock, client=HookedClient(chain.url, undo))
    catch_up(indexer)
    watch(chain, books, clock, since)
    reorgs.append(2)
    catch_up(indexer)
    assert reorgs == []
    assert [one.token_id for one in books.transfers()] == [1]
    mint(chain, 4)
    catch_up(indexer)
    assert [one.token_id for one in books.transfers()] == [1, 4]


def test_what_a_node_leaves_out_of_a_scan_is_a_gap_and_no_end(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """It came out of the step as an error of its own, without a gap that a person could see."""
    since = chain.client.block_number() + 1
    mint(chain, 1, 2)
    catch_up(indexer_of(chain, books.database, clock))
    watch(chain, books, clock, since)

    def nothing(params: Any, ask: Any) -> list[Any]:
        return []

    bends = {"eth_getLogs": nothing, "eth_getBlockReceipts": nothing}
    client = BentClient(chain.url, **bends)
    indexer = indexer_of(chain, books.database, clock, client=client)
    assert indexer.step() is False
    [gap] = books.gaps()
    assert (gap.code, gap.first_number, gap.resolved_at) == (GapCode.UNPROVEN, since, None)
    client.bends = {}
    catch_up(indexer)
    assert [one.token_id for one in books.transfers()] == [1, 2]
    assert all(one.resolved_at for one in books.gaps())
