"""The index on the real Seaport: sales of what is watched, and what voids an order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_index import catch_up, indexer_of
from chain_market import BUYER, SELLER, Market, open_market
from chain_node import CHAIN_ID, Stage

from chain.addresses import ZERO
from chain.index.samples import HolderSamples
from chain.seaport import cancellation, increment_counter, order_hash, validation
from returns.chain_reads import Sale, sale_of, token_view
from returns.ids import Token
from returns.tables import TokenTransfer
from returns.words import TokenStandard, WatchKind

pytestmark = pytest.mark.chain

#: Random blocks to look at: so many that none of these few is left out.
_MANY = 800


@pytest.fixture(scope="module")
def opened(stage: Stage) -> Market:
    return open_market(stage)


@pytest.fixture
def market(opened: Market, chain: Stage) -> Market:
    """The module's market; whatever a test does to it is taken back."""
    chain.anvil.automine(True)
    return opened


def follow(market: Market, books: Books, clock: MovingClock) -> None:
    """Index Seaport and the collection with a royalty."""
    ours = {market.seaport.address: WatchKind.SEAPORT, market.royal: WatchKind.COLLECTION}
    indexer = indexer_of(market.stage, books.database, clock, ours=ours)
    catch_up(indexer)
    indexer.close()


def told(books: Books, name: str) -> list[dict[str, Any]]:
    return [json.loads(one.args) for one in books.events() if one.name == name]


def test_a_sale_is_indexed_with_all_that_was_paid_and_shown_as_a_price(
    market: Market, books: Books, clock: MovingClock
) -> None:
    order, signature = market.listed(market.lot(market.royal), market.terms(price=10_000))
    market.buy(order, signature)
    follow(market, books, clock)
    [sold] = told(books, "OrderFulfilled")
    assert sold["orderHash"] == "0x" + order_hash(order).hex()
    assert sale_of(sold, market.royal, 7) == Sale(market.seller, market.buyer, 10_000, ZERO)
    token = Token(CHAIN_ID, TokenStandard.ERC721, market.royal, 7)
    with books.database.read() as session:
        view = token_view(session, token, None, None)
    assert view["holders"] == [{"address": market.buyer, "amount": "1"}]
    price = {"amount": "10000", "asset": ZERO, "source": "seaport"}
    assert [one["price"] for one in view["provenance"]] == [None, price]


def test_a_sale_of_somebody_elses_collection_is_left_out(
    market: Market, books: Books, clock: MovingClock
) -> None:
    market.buy(*market.listed(market.lot(market.plain)))
    follow(market, books, clock)
    assert told(books, "OrderFulfilled") == []


def test_what_opens_and_voids_orders_is_indexed(
    market: Market, books: Books, clock: MovingClock
) -> None:
    order, signature = market.listed(market.lot(market.royal))
    market.send(SELLER, market.seaport.address, validation(order, signature))
    market.send(SELLER, market.seaport.address, cancellation(order))
    market.send(BUYER, market.seaport.address, increment_counter())
    follow(market, books, clock)
    name = "0x" + order_hash(order).hex()
    assert [one["orderHash"] for one in told(books, "OrderValidated")] == [name]
    assert [one["orderHash"] for one in told(books, "OrderCancelled")] == [name]
    assert [one["offerer"] for one in told(books, "CounterIncremented")] == [market.buyer]


class TestHolderSamples:
    """The index is held against `ownerOf`."""

    @pytest.fixture
    def samples(self, market: Market, books: Books, clock: MovingClock) -> HolderSamples:
        market.buy(*market.listed(market.lot(market.royal)))
        market.lot(market.royal, token_id=8)
        follow(market, books, clock)
        return HolderSamples(books.database, market.client, CHAIN_ID, clock)

    def test_an_index_that_is_right_agrees(self, samples: HolderSamples, books: Books) -> None:
        assert samples.check(_MANY) == []
        assert books.gaps() == []

    def test_another_holder_is_a_gap_until_it_agrees_again(
        self, samples: HolderSamples, market: Market, books: Books
    ) -> None:
        newest = books.transfers()[-1]
        self._set_recipient(books, newest, "0x" + "66" * 20)
        token = Token(CHAIN_ID, TokenStandard.ERC721, market.royal, 8)
        assert samples.check(_MANY) == [token]
        [gap] = books.gaps()
        assert (gap.code, gap.address, gap.resolved_at) == ("wrong_holder", market.royal, None)
        assert str(token) in gap.problem
        self._set_recipient(books, newest, newest.recipient)
        assert samples.check(_MANY) == []
        assert books.gaps()[0].resolved_at is not None

    def _set_recipient(self, books: Books, row: TokenTransfer, recipient: str) -> None:
        with books.database.write() as session:
            kept = session.get_one(
                TokenTransfer,
                (CHAIN_ID, row.block_number, row.log_index, row.position, row.block_hash),
            )
            kept.recipient = recipient
