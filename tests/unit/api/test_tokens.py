"""Tokens over HTTP, from the index alone: who holds one, how it came there, what it cost."""

from __future__ import annotations

from typing import Any

import pytest
from desk import ADDRESSES, Desk
from doors import Door
from index_rows import (
    CHAIN_ID,
    COLLECTION,
    NOBODY,
    chain_row,
    event_row,
    hash_of,
    sold,
    transfer_row,
    tx_of,
    watch_row,
)

FIRST, SECOND = "0x" + "11" * 20, "0x" + "22" * 20
TOKEN = f"eip155:{CHAIN_ID}/erc721:{COLLECTION}/7"


@pytest.fixture
def index(door: Door) -> Door:
    """Minted in block 1, sold in block 3, given away in block 5; confirmed to 4, final to 2."""
    with door.desk.runtime.database.write() as session:
        chain_row(session, 5, 4, 2)
        watch_row(session)
        transfer_row(session, 1, NOBODY, FIRST)
        transfer_row(session, 3, FIRST, SECOND)
        event_row(session, 3, sold(FIRST, SECOND, 12_000))
        transfer_row(session, 5, SECOND, FIRST)
    return door


def read(door: Door, token: str = TOKEN, status: int = 200, **query: Any) -> dict[str, Any]:
    answer = door.send("GET", f"/v1/tokens/{token}", params=query)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_the_holder_and_every_movement_are_told_with_their_level(index: Door) -> None:
    told = read(index)
    assert told["token"] == TOKEN
    assert told["as_of"] == {
        "block": 5,
        "level": "provisional",
        "since": 0,
        "complete": True,
    }
    assert told["truncated"] is False
    assert told["holders"] == [{"address": FIRST, "amount": "1"}]
    moves = [(one["block"], one["level"], one["from"], one["to"]) for one in told["provenance"]]
    assert moves == [
        (1, "final", NOBODY, FIRST),
        (3, "confirmed", FIRST, SECOND),
        (5, "provisional", SECOND, FIRST),
    ]
    price = {"amount": "12000", "asset": NOBODY, "source": "seaport"}
    assert [one["price"] for one in told["provenance"]] == [None, price, None]
    assert told["provenance"][1]["transaction"] == tx_of("move3")
    assert told["provenance"][1]["block_hash"] == hash_of(3)


@pytest.mark.parametrize(("block", "holder"), [(1, FIRST), (2, FIRST), (3, SECOND), (4, SECOND)])
def test_the_holder_at_a_block_is_that_of_its_end(index: Door, block: int, holder: str) -> None:
    told = read(index, block=block)
    assert told["holders"] == [{"address": holder, "amount": "1"}]
    assert told["provenance"][-1]["block"] <= block


def test_an_address_in_capitals_is_the_same_token(index: Door) -> None:
    assert read(index, TOKEN.replace("c0", "C0"))["token"] == TOKEN


@pytest.mark.parametrize(
    "token",
    [
        TOKEN[:-1] + "8",
        TOKEN.replace("c0", "c1"),
        TOKEN.replace("31337", "1"),
        TOKEN.replace("erc721", "erc1155"),
    ],
)
def test_what_was_never_seen_is_not_found(index: Door, token: str) -> None:
    assert read(index, token, 404)["code"] == "not_found"


@pytest.mark.parametrize("token", ["x", "eip155:1", TOKEN[7:], TOKEN + "x", TOKEN[:-1] + "9" * 79])
def test_what_is_no_token_says_how_one_is_written(index: Door, token: str) -> None:
    told = read(index, token, 422)
    assert (told["code"], told["moved"]) == ("field_invalid", "nothing")
    assert "eip155:<chain>/erc721:<address>/<id>" in told["detail"]


def test_a_block_that_is_not_read_yet_is_refused(index: Door) -> None:
    assert "the index is at block 5" in read(index, TOKEN, 422, block=6)["detail"]


def test_the_price_of_an_order_is_for_its_merchant_alone(index: Door) -> None:
    desk, number = index.desk, 7
    with desk.runtime.database.write() as session:
        transfer_row(session, 2, NOBODY, FIRST, token_id=number * 100)
    order = desk.buy(price=900, tender="wallet")
    token = order.lines[0].token_id
    with desk.runtime.database.write() as session:
        paid = order.payments[0].reference
        transfer_row(session, 4, FIRST, ADDRESSES[0], token_id=token, tx_hash=paid)
    name = TOKEN[:-1] + str(token)
    price = {"amount": "900", "asset": "ETH", "source": "order"}
    assert [one["price"] for one in read(index, name)["provenance"]] == [price]
    buyer = index.client_token(order.number)
    answer = index.send("GET", f"/v1/tokens/{name}", buyer)
    assert [one["price"] for one in answer.json()["provenance"]] == [None]


def test_metrics_tell_how_far_the_index_is(index: Door) -> None:
    text = index.http.get("/metrics").text
    for line in ("lag_blocks", "reorg_depth_blocks", "open_gaps", "open_scans"):
        assert f'undrop_index_{line}{{chain_id="31337"}} 0.0' in text
    for line in ("events", "reorgs", "rpc_calls", "rpc_bytes"):
        assert f'undrop_index_{line}_total{{chain_id="31337"}} 0.0' in text


def test_a_desk_without_an_index_has_no_figures_of_it(desk: Desk, door: Door) -> None:
    assert "undrop_index_lag_blocks{" not in door.http.get("/metrics").text
