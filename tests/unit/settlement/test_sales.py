"""Sales on chain become orders: once, when they are final, of the merchant that was sold from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from desk import ADDRESSES, Desk
from fake_chain import DEPLOYMENT, VAULT
from index_rows import NOBODY, block_row, hash_of, sold, tx_of, watch_row

from returns import work
from returns.tables import InboxItem, Merchant, Order, OrderLine, Payment
from returns.words import LineState, WatchKind
from settlement.drain import drain_inbox

SELLER, BUYER, STRANGER = VAULT, "0x" + "b1" * 20, "0x" + "51" * 20


@pytest.fixture
def market(desk: Desk) -> Desk:
    """A desk whose merchant's collection is watched."""
    with desk.runtime.database.write() as session:
        watch_row(session, DEPLOYMENT.collection, merchant_id=desk.merchant.id)
        session.get_one(Merchant, desk.merchant.id).vault = VAULT
        block_row(session, 9).at = desk.clock()
    return desk


def tell(
    desk: Desk, args: dict[str, Any], kind: str = "chain.final", times: int = 0, index: int = 3
) -> None:
    """The inbox row that the index writes for a sale, worked off."""
    payload = {
        "name": "OrderFulfilled",
        "args": args,
        "tx_hash": tx_of("sale"),
        "log_index": index,
        "block_number": 9,
        "block_hash": hash_of(9),
        "orphaned_times": times,
        "depth": 4,
    }
    with desk.runtime.database.write() as session:
        source, name = "chain:31337", f"{hash_of(9)}:{index}:{times}:{kind}"
        about = {"kind": kind, "payload": json.dumps(payload), "now": desk.clock()}
        work.receive(session, source=source, external_id=name, **about)
    drain_inbox(desk.runtime)


def sale(offerer: str = SELLER, recipient: str = BUYER, **more: Any) -> dict[str, Any]:
    return sold(offerer, recipient, 5_000, collection=DEPLOYMENT.collection, **more)


def test_a_final_sale_is_an_order_of_the_buyer(market: Desk) -> None:
    tell(market, sale())
    [order], [line], [payment] = market.rows(Order), market.rows(OrderLine), market.rows(Payment)
    assert (order.number, order.customer, order.buyer_wallet) == (
        f"{tx_of('sale')}:3", BUYER, BUYER,
    )  # fmt: skip
    assert (order.placed_at, order.channel) == (market.clock(), "seaport")
    assert (line.collection, line.token_id, line.price) == (DEPLOYMENT.collection, 7, 5_000)
    assert (payment.reference, payment.currency) == (order.number, "ETH")
    assert payment.captured == 5_000


def test_what_was_bought_so_can_be_returned(market: Desk) -> None:
    market.chain.give(7, ADDRESSES[0])
    tell(market, sale(recipient=ADDRESSES[0]))
    token = {"collection": DEPLOYMENT.collection, "token_id": "7"}
    asked = {"order": f"{tx_of('sale')}:3", "lines": [token], "reason": "other"}
    view = market.ask_as(market.shop, {**asked, "remedy": "crypto_refund"}, "key")
    market.sign(view["rma"])
    market.run()
    assert market.line(view["rma"]).state is LineState.SETTLED


def test_an_accepted_bid_is_a_sale_of_the_one_who_fulfilled_it(market: Desk) -> None:
    bid = sale(offerer=BUYER, recipient=SELLER)
    token, coin = bid["offer"], bid["consideration"]
    tell(market, {**bid, "offer": coin, "consideration": token})
    assert [order.customer for order in market.rows(Order)] == [BUYER]


def test_what_is_only_confirmed_is_no_order_yet(market: Desk) -> None:
    tell(market, sale(), "chain.confirmed")
    assert market.rows(Order) == []
    tell(market, sale())
    tell(market, sale(), times=0)
    assert len(market.rows(Order)) == 1


@pytest.mark.parametrize(
    "reason",
    ["zone", "vault", "others", "match", "stranger", "asset", "bundle", "several", "huge"],
)
def test_what_is_no_sale_of_ours_is_no_order(market: Desk, reason: str) -> None:
    """A refund of ours, a buy-back, others among themselves, half of a match, somebody else's
    collection, unknown money, several tokens, several of one, more money than there is."""
    args = {
        "zone": sale(zone=DEPLOYMENT.zone),
        "vault": sale(offerer=STRANGER, recipient=VAULT),
        "others": sale(offerer=STRANGER),
        "match": sale(recipient=NOBODY),
        "several": sale(),
        "huge": sale(),
        "stranger": sold(SELLER, BUYER, 5_000, collection="0x" + "99" * 20),
        "asset": sale(),
        "bundle": sale(),
    }[reason]
    if reason == "asset":
        args["consideration"][0] |= {"itemType": "1", "token": "0x" + "77" * 20}
    if reason == "several":
        args["offer"][0] |= {"itemType": "3", "amount": "10"}
    if reason == "huge":
        args["consideration"] *= 2
        args["consideration"][0]["amount"] = str(2**256 - 1)
    if reason == "bundle":
        args["offer"].append({**args["offer"][0], "identifier": "8"})
    tell(market, args)
    assert market.rows(Order) == []
    assert not [item for item in market.rows(InboxItem) if item.done_at is None]


def test_what_goes_back_to_the_buyer_is_no_part_of_the_price(market: Desk) -> None:
    args = sale()
    args["consideration"].append({**args["consideration"][0], "amount": "900", "recipient": BUYER})
    tell(market, args)
    assert [line.price for line in market.rows(OrderLine)] == [5_000]


def test_several_sales_of_one_transaction_are_an_order_each(market: Desk) -> None:
    tell(market, sale())
    other = sale()
    other["offer"][0]["identifier"] = "8"
    tell(market, other, index=4)
    assert [line.token_id for line in market.rows(OrderLine)] == [7, 8]
    assert len(market.rows(Payment)) == 2


def test_what_a_treasury_of_the_merchant_sold_is_an_order(market: Desk) -> None:
    with market.runtime.database.write() as session:
        more = {"kind": WatchKind.TREASURY, "merchant_id": market.merchant.id}
        watch_row(session, STRANGER, **more)
    tell(market, sale(offerer=STRANGER))
    assert len(market.rows(Order)) == 1


def test_a_sale_that_a_reorg_undid_while_it_waited_is_no_order(market: Desk) -> None:
    with market.runtime.database.write() as session:
        block_row(session, 10, "b", canonical=False)
    args = sale()
    tell(market, args, times=1)
    assert market.rows(Order) == []


def test_a_sale_that_the_shop_told_of_stays_as_the_shop_told_it(market: Desk) -> None:
    order = market.buy(tender="wallet")
    with market.runtime.database.write() as session:
        [payment], [line] = market.rows(Payment), market.rows(OrderLine)
        session.get_one(Payment, payment.id).reference = tx_of("sale")
    args = sale()
    args["offer"][0]["identifier"] = str(line.token_id)
    tell(market, args)
    assert [one.number for one in market.rows(Order)] == [order.number]
