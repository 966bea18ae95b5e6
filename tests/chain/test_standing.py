"""The guard against stale listings says what the real Seaport then does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from chain_market import BUYER, DAY, SELLER, Market, open_market, signed_by
from chain_node import Stage

from chain.addresses import ZERO
from chain.client import BlockHeader, ChainClient, RpcError
from chain.contracts import encode_call, encode_signature
from chain.listings import sign_order
from chain.seaport import (
    ItemType,
    OfferItem,
    OrderComponents,
    OrderType,
    cancellation,
    coin_due,
    increment_counter,
    parameters,
)
from chain.standing import Standing, open_listing, open_listings
from returns.errors import ChainUnavailable

pytestmark = pytest.mark.chain

OVER = {Standing.CANCELED, Standing.FILLED, Standing.COUNTER_MOVED, Standing.EXPIRED}


@pytest.fixture(scope="module")
def opened(stage: Stage) -> Market:
    return open_market(stage)


@pytest.fixture
def market(opened: Market, chain: Stage) -> Market:
    """The module's market; whatever a test does to it is taken back."""
    return opened


def give_away(market: Market, token_id: int = 7) -> None:
    call = "transferFrom(address,address,uint256)"
    data = encode_signature(call, market.seller, market.buyer, token_id)
    market.send(SELLER, market.plain, data)


def approve(market: Market, operator: str) -> None:
    market.send(SELLER, market.plain, encode_signature("approve(address,uint256)", operator, 7))


def nothing(market: Market, order: OrderComponents, signature: bytes) -> None:
    """Leave it as it is."""


Act = Callable[[Market, OrderComponents, bytes], Any]
ACTS: dict[Standing, Act] = {
    Standing.OPEN: nothing,
    Standing.CANCELED: lambda m, order, _: m.send(SELLER, m.seaport.address, cancellation(order)),
    Standing.FILLED: lambda m, order, signature: m.buy(order, signature),
    Standing.COUNTER_MOVED: lambda m, _, __: m.send(SELLER, m.seaport.address, increment_counter()),
    Standing.EXPIRED: lambda m, _, __: m.later(DAY),
    Standing.NOT_OWNED: lambda m, _, __: give_away(m),
    Standing.NOT_APPROVED: lambda m, _, __: approve(m, ZERO),
}


@pytest.mark.parametrize("standing", ACTS)
def test_the_guard_says_what_seaport_does(market: Market, standing: Standing) -> None:
    order, signature = market.listed(market.lot(market.plain))
    ACTS[standing](market, order, signature)
    told = open_listing(market.client, market.seaport, order)
    assert told == standing
    assert told.is_over == (standing in OVER)
    if standing is Standing.OPEN:
        market.buy(order, signature)
    else:
        with pytest.raises(ChainUnavailable):
            market.buy(order, signature)


def test_a_listing_that_has_not_started_is_told_and_opens(market: Market) -> None:
    order, _ = market.listed(market.lot(market.plain), market.terms(starts=market.now() + 60))
    assert open_listing(market.client, market.seaport, order) == Standing.NOT_STARTED
    market.later(60)
    assert open_listing(market.client, market.seaport, order) == Standing.OPEN


def test_the_last_second_is_the_one_before_the_end(market: Market) -> None:
    order, _ = market.listed(market.lot(market.plain))
    rpc = market.stage.anvil.rpc
    rpc("evm_setNextBlockTimestamp", order.endTime - 1)
    market.stage.anvil.mine()
    assert open_listing(market.client, market.seaport, order) == Standing.OPEN
    rpc("evm_setNextBlockTimestamp", order.endTime)
    market.stage.anvil.mine()
    assert open_listing(market.client, market.seaport, order) == Standing.EXPIRED


def test_a_stale_listing_comes_alive_when_its_token_comes_back(market: Market) -> None:
    """What the guard is for: not owned is not over, only a raised counter is."""
    order, signature = market.listed(market.lot(market.plain))
    market.approve_all(market.plain, True)
    give_away(market)
    assert open_listing(market.client, market.seaport, order) == Standing.NOT_OWNED
    call = "transferFrom(address,address,uint256)"
    back = encode_signature(call, market.buyer, market.seller, 7)
    market.send(BUYER, market.plain, back)
    assert open_listing(market.client, market.seaport, order) == Standing.OPEN
    market.send(SELLER, market.seaport.address, increment_counter())
    assert open_listing(market.client, market.seaport, order) == Standing.COUNTER_MOVED
    with pytest.raises(ChainUnavailable, match="InvalidSigner"):
        market.buy(order, signature)


def test_an_end_for_good_is_told_before_a_passing_reason(market: Market) -> None:
    order, _ = market.listed(market.lot(market.plain))
    give_away(market)
    market.send(SELLER, market.seaport.address, cancellation(order))
    assert open_listing(market.client, market.seaport, order) == Standing.CANCELED


def test_an_approval_for_all_is_as_good(market: Market) -> None:
    order, _ = market.listed(market.lot(market.plain))
    approve(market, market.buyer)
    assert open_listing(market.client, market.seaport, order) == Standing.NOT_APPROVED
    market.approve_all(market.plain, True)
    assert open_listing(market.client, market.seaport, order) == Standing.OPEN


def test_an_erc1155_lot_needs_its_whole_amount_unless_it_is_sold_in_parts(market: Market) -> None:
    lot = market.lots(3)
    order, _ = market.listed(lot)
    in_parts = replace(order, orderType=OrderType.PARTIAL_OPEN)
    both = [order, in_parts]
    assert open_listings(market.client, market.seaport, both) == [Standing.OPEN] * 2
    call = "safeTransferFrom(address,address,uint256,uint256,bytes)"
    away = encode_signature(call, market.seller, market.buyer, 7, 1, b"")
    market.send(SELLER, market.many, away)
    told = open_listings(market.client, market.seaport, both)
    assert told == [Standing.NOT_OWNED, Standing.OPEN]
    market.approve_all(market.many, False)
    told = open_listings(market.client, market.seaport, both)
    assert told == [Standing.NOT_OWNED, Standing.NOT_APPROVED]


def test_a_listing_sold_in_part_is_open_until_the_last_part(market: Market) -> None:
    lot = market.lots(3)
    listed, _ = market.listed(lot, market.terms(price=900))
    in_parts = replace(listed, orderType=OrderType.PARTIAL_OPEN)
    signature = sign_order(market.client, market.seaport, in_parts, signed_by(SELLER))
    told = []
    for part in (1, 2):
        advanced = (parameters(in_parts), part, 3, signature, b"")
        data = encode_call("Seaport", "fulfillAdvancedOrder", advanced, [], bytes(32), ZERO)
        market.send(BUYER, market.seaport.address, data, coin_due(in_parts))
        told.append(open_listing(market.client, market.seaport, in_parts))
    assert told == [Standing.OPEN, Standing.FILLED]
    assert market.count(lot, market.buyer) == 3


def test_a_listing_through_a_conduit_needs_the_conduits_approval(market: Market) -> None:
    """Most listings of marketplaces name a conduit: it moves the token, not Seaport."""
    key = bytes.fromhex(market.seller[2:]) + bytes(12)
    controller = market.seaport.conduit_controller
    create = encode_signature("createConduit(bytes32,address)", key, market.seller)
    order, _ = market.listed(market.lot(market.plain))
    through = replace(order, conduitKey="0x" + key.hex())
    assert open_listing(market.client, market.seaport, through) == Standing.NOT_APPROVED
    market.send(SELLER, controller, create)
    asked = market.client.eth_call(controller, encode_signature("getConduit(bytes32)", key))
    conduit = "0x" + asked[12:32].hex()
    assert open_listing(market.client, market.seaport, through) == Standing.NOT_APPROVED
    market.approve_all(market.plain, True, operator=conduit)
    assert open_listing(market.client, market.seaport, through) == Standing.OPEN


def test_what_the_chain_cannot_tell_counts_as_open(market: Market) -> None:
    order, _ = market.listed(market.lot(market.plain))
    unknown = [
        replace(order, offer=(OfferItem(kind, market.plain, 0, 1, 1),))
        for kind in (ItemType.ERC20, 4, 5)
    ]
    assert open_listings(market.client, market.seaport, unknown) == [Standing.OPEN] * 3


#: Hand-written code at the token's address.
NO_TOKEN = {
    "no code": "",
    "a revert": "60006000fd",
    "nothing": "00",
    "one byte": "600160005260016000f3",
    "no address": "60001960005260206000f3",
}


@pytest.mark.parametrize("name", NO_TOKEN)
def test_a_token_that_answers_nonsense_is_not_owned(market: Market, name: str) -> None:
    order, _ = market.listed(market.lot(market.plain))
    token = "0x" + "c2" * 20
    market.stage.anvil.rpc("anvil_setCode", token, "0x" + NO_TOKEN[name])
    other = replace(order, offer=(replace(order.offer[0], token=token),))
    told = open_listings(market.client, market.seaport, [other, order])
    assert told == [Standing.NOT_OWNED, Standing.OPEN]


def test_addresses_in_mixed_case_are_the_same_addresses(market: Market) -> None:
    """Listings come from marketplaces, which write them with checksums."""
    order, _ = market.listed(market.lot(market.plain))
    shouted = replace(order, offerer="0x" + order.offerer[2:].upper())
    assert open_listing(market.client, market.seaport, shouted) == Standing.OPEN


class Counting(ChainClient):
    """Counts its requests, and may be too busy for views."""

    requests = 0
    busy = False

    def _post(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        self.requests += 1
        if self.busy and calls[0][0] == "eth_call":
            return [RpcError("limit exceeded", -32005) for _ in calls]
        return super()._post(calls)


def test_many_listings_are_asked_in_few_requests(market: Market) -> None:
    order, _ = market.listed(market.lot(market.plain))
    orders = [replace(order, salt=salt) for salt in range(100)]
    client = Counting(market.stage.url)
    assert open_listings(client, market.seaport, orders) == [Standing.OPEN] * 100
    # The block; 100 states and one counter in two batches; one token's three facts.
    assert client.requests == 4


def test_a_node_that_is_busy_is_no_answer(market: Market) -> None:
    order, _ = market.listed(market.lot(market.plain))
    client = Counting(market.stage.url)
    client.busy = True
    with pytest.raises(ChainUnavailable, match="limit exceeded"):
        open_listing(client, market.seaport, order)


def test_a_block_that_is_gone_is_no_answer(market: Market) -> None:
    gone = BlockHeader(1, "0x" + "ab" * 32, "0x" + "00" * 32, 0, 0)
    answers = market.client.eth_calls([(market.seaport.address, b"")], gone)
    assert [type(one) for one in answers] == [RpcError]


def test_no_listings_are_no_questions_but_the_block(market: Market) -> None:
    client = Counting(market.stage.url)
    assert open_listings(client, market.seaport, []) == []
    assert client.requests == 1
