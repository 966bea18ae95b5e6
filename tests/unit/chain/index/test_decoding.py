"""Logs become the rows that they mean; what is no such event is told, and stops nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from raw_chain import (
    COLLECTION,
    ESCROW,
    KINDS,
    NOBODY,
    SEAPORT,
    STRANGER,
    TRANSFER,
    TREASURY,
    ZONE,
    Log,
    log,
    minted,
    paid,
    party,
    place_of,
    rows_of,
    topic,
)

from chain.index.decoding import EVENT_COLUMNS, TRANSFER_COLUMNS, Rows
from chain.index.watch import Watch
from returns.words import TokenStandard

ERC20, ERC721, ERC1155 = TokenStandard.ERC20, TokenStandard.ERC721, TokenStandard.ERC1155
SINGLE, BATCH = (
    "0x" + keccak(text=f"Transfer{name}(address,address,address,{kinds})").hex()
    for name, kinds in (("Single", "uint256,uint256"), ("Batch", "uint256[],uint256[]"))
)
MOST = 2**256 - 1
#: Bits above an address.
DIRTY = topic(1 << 160 | 5)

UINTS = st.integers(0, MOST)
PARTIES = st.integers(0, 2**160 - 1).map(party)


def moved(name: str, data: bytes, sender: str = NOBODY, recipient: str = STRANGER) -> Log:
    """A transfer of ERC-1155; the operator is a third party."""
    return log(COLLECTION, name, topic(ZONE), topic(sender), topic(recipient), data=data)


def batch(ids: list[int], amounts: list[int]) -> bytes:
    return encode(["uint256[]", "uint256[]"], [ids, amounts])


def words(*values: int) -> bytes:
    return b"".join(one.to_bytes(32) for one in values)


def row(standard: TokenStandard, token: str, *rest: Any, position: int = 0) -> tuple[Any, ...]:
    return (*place_of(), position, standard, token, *rest)


# -- movements of tokens ---------------------------------------------------------------------------


@given(PARTIES, PARTIES, UINTS)
def test_a_transfer_of_erc721_is_one_token(sender: str, recipient: str, token_id: int) -> None:
    rows = rows_of(log(COLLECTION, TRANSFER, topic(sender), topic(recipient), topic(token_id)))
    assert rows.transfers == [row(ERC721, COLLECTION, token_id, sender, recipient, 1)]
    assert (rows.events, rows.unfit) == ([], [])
    assert len(rows.transfers[0]) == len(TRANSFER_COLUMNS)


@given(PARTIES, UINTS, st.booleans())
def test_a_transfer_of_erc20_is_an_amount(other: str, amount: int, goes_out: bool) -> None:
    ends = (TREASURY, other) if goes_out else (other, TREASURY)
    rows = rows_of(paid(*ends, amount))
    assert rows.transfers == [row(ERC20, STRANGER, None, *ends, amount)]
    assert (rows.events, rows.unfit) == ([], [])


@given(PARTIES, PARTIES, UINTS, UINTS)
def test_a_transfer_single_is_its_token_and_amount(
    sender: str, recipient: str, token_id: int, amount: int
) -> None:
    rows = rows_of(moved(SINGLE, words(token_id, amount), sender, recipient))
    assert rows.transfers == [row(ERC1155, COLLECTION, token_id, sender, recipient, amount)]
    assert rows.unfit == []


@given(st.lists(st.tuples(UINTS, UINTS), max_size=12))
def test_a_transfer_batch_is_one_row_per_token(tokens: list[tuple[int, int]]) -> None:
    data = batch([one for one, _ in tokens], [amount for _, amount in tokens])
    rows = rows_of(moved(BATCH, data))
    assert rows.transfers == [
        row(ERC1155, COLLECTION, token_id, NOBODY, STRANGER, amount, position=position)
        for position, (token_id, amount) in enumerate(tokens)
    ]
    assert rows.unfit == []


def test_a_batch_whose_arrays_come_in_the_other_order_is_read_by_its_offsets() -> None:
    rows = rows_of(moved(BATCH, words(128, 64, 1, 500, 1, 7)))
    assert rows.transfers == [row(ERC1155, COLLECTION, 7, NOBODY, STRANGER, 500)]


def test_rows_keep_the_order_and_place_of_their_logs() -> None:
    rows = rows_of(minted(1), paid(TREASURY, STRANGER, 2), minted(3))
    assert [(one[2], one[9]) for one in rows.transfers] == [(0, 1), (1, None), (2, 3)]


# -- what does not fit -----------------------------------------------------------------------------

UNFIT = {
    "an ERC-20's transfer in a collection": log(
        COLLECTION, TRANSFER, topic(NOBODY), topic(STRANGER), data=words(1)
    ),
    "a transfer without topics": log(COLLECTION, TRANSFER),
    "a sender that is no address": log(COLLECTION, TRANSFER, DIRTY, topic(1), topic(1)),
    "a recipient that is no address": log(COLLECTION, TRANSFER, topic(1), DIRTY, topic(1)),
    "a treasury paid by no address": log(STRANGER, TRANSFER, DIRTY, topic(TREASURY), data=words(1)),
    "money without an amount": log(STRANGER, TRANSFER, topic(TREASURY), topic(STRANGER)),
    "money with half an amount": log(
        STRANGER, TRANSFER, topic(TREASURY), topic(STRANGER), data=b"\1" * 16
    ),
    "money with two amounts": log(
        STRANGER, TRANSFER, topic(TREASURY), topic(STRANGER), data=words(1, 2)
    ),
    "a single with three topics": log(
        COLLECTION, SINGLE, topic(NOBODY), topic(STRANGER), data=words(1, 2)
    ),
    "a single without data": moved(SINGLE, b""),
    "a single with one word": moved(SINGLE, words(1)),
    "a single with three words": moved(SINGLE, words(1, 2, 3)),
    "a single with an odd byte": moved(SINGLE, words(1, 2) + b"\0"),
    "a single with a dirty sender": log(
        COLLECTION, SINGLE, topic(1), DIRTY, topic(2), data=words(1, 2)
    ),
    "a batch with three topics": log(
        COLLECTION, BATCH, topic(NOBODY), topic(STRANGER), data=batch([1], [2])
    ),
    "a batch without data": moved(BATCH, b""),
    "a batch with one word": moved(BATCH, words(64)),
    "a batch with an odd byte": moved(BATCH, batch([1], [2]) + b"\0"),
    "more tokens than amounts": moved(BATCH, batch([1, 2], [1])),
    "more amounts than tokens": moved(BATCH, batch([1], [1, 2])),
    "an offset behind the end": moved(BATCH, words(64, 4096, 0)),
    "an offset of 2**256 - 32": moved(BATCH, words(64, 2**256 - 32, 0)),
    "an offset within a word": moved(BATCH, words(65, 96, 0, 0)),
    "a length behind the end": moved(BATCH, words(64, 96, 2, 0)),
    "a length of 2**256 - 1": moved(BATCH, words(64, 64, MOST)),
    "a length just above what a block holds": moved(BATCH, words(64, 64, 100_001)),
    "an event of the escrow without data": log(
        ESCROW, "0x" + keccak(text="FloatFunded(address,address,uint256,address)").hex(), DIRTY
    ),
    "an event of the zone with too few topics": log(
        ZONE, "0x" + keccak(text="MerchantRegistered(address)").hex()
    ),
}


@pytest.mark.parametrize("one", UNFIT.values(), ids=UNFIT)
def test_what_does_not_have_its_events_form_is_told_and_no_row(one: Log) -> None:
    rows = rows_of(one)
    assert (rows.transfers, rows.events) == ([], [])
    [(number, address, problem)] = rows.unfit
    assert (number, address) == (7, one["address"])
    assert problem


def test_an_unfit_log_does_not_stop_the_next() -> None:
    rows = rows_of(UNFIT["a length of 2**256 - 1"], minted(5))
    assert [one[9] for one in rows.transfers] == [5]
    assert len(rows.unfit) == 1


TOPICS = st.lists(
    st.sampled_from([TRANSFER, SINGLE, BATCH, topic(TREASURY), DIRTY])
    | st.integers(0, MOST).map(topic),
    max_size=4,
)
#: Words that a hostile contract would choose: offsets and lengths, small and huge.
HOSTILE = st.lists(
    st.sampled_from([0, 1, 31, 32, 64, 96, 128, 2**31, 2**63, 2**64, MOST - 31, MOST]), max_size=8
).map(lambda values: words(*values))


@given(
    st.sampled_from(sorted(KINDS)) | st.just(STRANGER),
    TOPICS,
    HOSTILE | st.binary(max_size=300),
)
def test_no_log_that_a_contract_can_leave_raises(
    address: str, topics: list[str], data: bytes
) -> None:
    one, watch = log(address, *topics, data=data), Watch(KINDS)
    if watch.wants(one):
        rows = rows_of(one, watch=watch)
        assert not (rows.unfit and (rows.transfers or rows.events))


@given(TOPICS.map(lambda rest: rest[1:]), st.data())
def test_no_log_under_the_name_of_one_of_ours_raises(topics: list[str], data: Any) -> None:
    """Its first topic is that of an event that is decoded."""
    address = data.draw(st.sampled_from([COLLECTION, ESCROW, ZONE, SEAPORT]))
    name = data.draw(st.sampled_from([*_FIRST, SINGLE, BATCH]))
    rows = rows_of(log(address, name, *topics, data=data.draw(HOSTILE | st.binary(max_size=300))))
    assert len(rows.unfit) + len(rows.events) <= 1 or not rows.unfit


# -- events ----------------------------------------------------------------------------------------

OPENED = "0x" + keccak(text="RefundOpened(uint256,uint256,uint256)").hex()
PROPOSED = "0x" + keccak(text="ChangeProposed(bytes32,address,bytes,uint48)").hex()
FULFILLED = (
    "0x"
    + keccak(
        text="OrderFulfilled(bytes32,address,address,address,"
        "(uint8,address,uint256,uint256)[],(uint8,address,uint256,uint256,address)[])"
    ).hex()
)
INCREMENTED = "0x" + keccak(text="CounterIncremented(uint256,address)").hex()
_FIRST = [OPENED, PROPOSED, FULFILLED, INCREMENTED]


def test_an_event_of_a_collection_is_kept_with_its_arguments() -> None:
    rows = rows_of(log(COLLECTION, OPENED, topic(MOST), data=words(2**255, 9)))
    args = {"deadline": "9", "price": str(2**255), "tokenId": str(MOST)}
    assert rows.events == [(*place_of(), COLLECTION, "RefundOpened", json.dumps(args))]
    assert len(rows.events[0]) == len(EVENT_COLUMNS)


def test_bytes_are_hex_and_integers_are_strings() -> None:
    data = encode(["bytes", "uint48"], [b"\x01\xff", 77])
    rows = rows_of(log(ESCROW, PROPOSED, topic(3), topic(STRANGER), data=data))
    [event] = rows.events
    assert json.loads(event[-1]) == {
        "change": topic(3),
        "proposer": STRANGER,
        "call": "0x01ff",
        "expires": "77",
    }


@pytest.mark.parametrize(
    "one",
    [
        log(COLLECTION, OPENED, topic(1), topic(2), data=words(1, 2)),
        log(COLLECTION, OPENED, data=words(1, 2)),
        log(COLLECTION, OPENED, topic(1)),
    ],
    ids=["more topics", "fewer topics", "without data"],
)
def test_a_strangers_event_of_the_same_name_is_ignored_in_a_collection(one: Log) -> None:
    rows = rows_of(one)
    assert (rows.transfers, rows.events, rows.unfit) == ([], [], [])


@pytest.mark.parametrize(
    "one",
    [
        log(ESCROW),
        log(ESCROW, topic(7), data=b"\1\2\3"),
        log(COLLECTION, "0x" + keccak(text="Approval(address,address,uint256)").hex(),
            topic(1), topic(2), topic(3)),
        log(COLLECTION, "0x" + keccak(text="ApprovalForAll(address,address,bool)").hex(),
            topic(1), topic(2), data=words(1)),
    ],
    ids=["without topics", "not in the ABI", "an approval", "an approval for all"],
)  # fmt: skip
def test_what_nothing_is_done_with_is_left_out(one: Log) -> None:
    rows = rows_of(one)
    assert (rows.transfers, rows.events, rows.unfit) == ([], [], [])


def fulfilled(collection: str) -> Log:
    """A token for 90 of the coin, 10 more to a third."""
    order = encode(
        [
            "bytes32",
            "address",
            "(uint8,address,uint256,uint256)[]",
            "(uint8,address,uint256,uint256,address)[]",
        ],
        [
            b"\5" * 32,
            STRANGER,
            [(2, collection, MOST, 1)],
            [(0, NOBODY, 0, 90, TREASURY), (0, NOBODY, 0, 10, ZONE)],
        ],
    )
    return log(SEAPORT, FULFILLED, topic(TREASURY), topic(ZONE), data=order)


def test_a_sale_of_a_watched_collection_has_its_items_by_name() -> None:
    [event] = rows_of(fulfilled(COLLECTION)).events
    assert event[6:8] == (SEAPORT, "OrderFulfilled")
    coin = {"itemType": "0", "token": NOBODY, "identifier": "0"}
    assert json.loads(event[8]) == {
        "orderHash": "0x" + "05" * 32,
        "offerer": TREASURY,
        "zone": ZONE,
        "recipient": STRANGER,
        "offer": [{"itemType": "2", "token": COLLECTION, "identifier": str(MOST), "amount": "1"}],
        "consideration": [
            {**coin, "amount": "90", "recipient": TREASURY},
            {**coin, "amount": "10", "recipient": ZONE},
        ],
    }


def test_a_sale_of_others_is_left_out_and_what_else_seaport_says_is_kept() -> None:
    counted = log(SEAPORT, INCREMENTED, topic(STRANGER), data=words(4))
    rows = Rows(Watch(KINDS))
    rows.add(place_of(), fulfilled(STRANGER))
    assert (rows.events, rows.unfit) == ([], [])
    rows.add(place_of(), counted)
    [event] = rows.events
    assert json.loads(event[-1]) == {"newCounter": "4", "offerer": STRANGER}
