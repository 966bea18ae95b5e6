"""Whose logs are asked for, and which of those that come are read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_chain import (
    COLLECTION,
    ESCROW,
    KINDS,
    NOBODY,
    STRANGER,
    TRANSFER,
    TREASURY,
    Log,
    bloom_of,
    log,
    minted,
    paid,
    party,
    topic,
)

from chain.index.watch import Watch
from returns.words import WatchKind

RANGE = {"fromBlock": "0x5", "toBlock": "0x9"}
WORDS = st.integers(0, 2**256 - 1).map(topic)
ADDRESSES = st.sampled_from([*KINDS, STRANGER]) | st.integers(0, 2**160 - 1).map(party)
PARTIES = ADDRESSES.map(topic)
LOGS = st.builds(
    lambda address, topics: log(address, *topics),
    ADDRESSES,
    st.lists(WORDS | PARTIES | st.just(TRANSFER), max_size=4)
    | st.tuples(st.just(TRANSFER), PARTIES, PARTIES),
)


def watch_of(kind: WatchKind, count: int) -> Watch:
    return Watch({party(number): kind for number in range(1, count + 1)})


# -- filters ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, []), (1, [1]), (500, [500]), (501, [500, 1]), (1_250, [500, 500, 250])],
)
def test_no_filter_has_more_than_500_addresses_and_none_is_lost(
    count: int, sizes: list[int]
) -> None:
    asked = watch_of(WatchKind.COLLECTION, count).filters(5, 9)
    assert [len(one["address"]) for one in asked] == sizes
    assert [address for one in asked for address in one["address"]] == [
        party(number) for number in range(1, count + 1)
    ]
    assert all(one == {**RANGE, "address": one["address"]} for one in asked)


@pytest.mark.parametrize(("count", "sizes"), [(1, [1, 1]), (501, [500, 500, 1, 1])])
def test_treasuries_are_asked_for_as_senders_and_as_recipients(
    count: int, sizes: list[int]
) -> None:
    asked = watch_of(WatchKind.TREASURY, count).filters(5, 9)
    assert [len(one["topics"][-1]) for one in asked] == sizes
    parties = [topic(party(number)) for number in range(1, count + 1)]
    senders = [one["topics"] for one in asked if len(one["topics"]) == 2]
    recipients = [one["topics"] for one in asked if len(one["topics"]) == 3]
    assert [named for first, part in senders for named in part if first == TRANSFER] == parties
    assert [named for _, _, part in recipients for named in part] == parties
    assert all(topics[:2] == [TRANSFER, None] for topics in recipients)


def test_contracts_and_a_treasury_give_three_filters() -> None:
    contracts = [one for one in KINDS if one != TREASURY]
    assert Watch(KINDS).filters(5, 9) == [
        {**RANGE, "address": contracts},
        {**RANGE, "topics": [TRANSFER, [topic(TREASURY)]]},
        {**RANGE, "topics": [TRANSFER, None, [topic(TREASURY)]]},
    ]


# -- what is wanted --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (minted(1), True),
        (log(ESCROW), True),
        (paid(TREASURY, STRANGER, 5), True),
        (paid(STRANGER, TREASURY, 5), True),
        (minted(1, STRANGER), False),
        (paid(STRANGER, NOBODY, 5), False),
        (log(STRANGER), False),
        (log(TREASURY, topic(1)), False),
        (minted(1, STRANGER, to=TREASURY), False),
        (log(STRANGER, topic(1), topic(TREASURY), topic(STRANGER)), False),
    ],
    ids=[
        "of a collection",
        "of a contract, without topics",
        "money of a treasury",
        "money to a treasury",
        "of another collection",
        "money of others",
        "without topics",
        "a treasury's own",
        "a token to a treasury",
        "another event about a treasury",
    ],
)
def test_wants_what_contracts_say_and_a_treasurys_money(one: Log, wanted: bool) -> None:
    assert Watch(KINDS).wants(one) is wanted


def test_without_a_treasury_no_strangers_log_is_wanted() -> None:
    watch = Watch({COLLECTION: WatchKind.COLLECTION})
    assert [watch.wants(one) for one in (minted(1), paid(TREASURY, TREASURY, 1))] == [True, False]


def test_only_is_one_address_and_what_it_was_and_where_a_collection_is_sold() -> None:
    watch = Watch(KINDS)
    alone = watch.only(COLLECTION)
    sold = {one: kind for one, kind in KINDS.items() if kind is WatchKind.SEAPORT}
    assert (alone.kinds, alone.collections) == (
        {COLLECTION: WatchKind.COLLECTION, **sold},
        {COLLECTION},
    )
    assert len(alone.filters(5, 9)) == 1
    assert not alone.wants(paid(STRANGER, TREASURY, 1))
    assert len(watch.only(TREASURY).filters(5, 9)) == 2
    assert watch.only(TREASURY).wants(paid(STRANGER, TREASURY, 1))
    assert watch.only(STRANGER).filters(5, 9) == []


# -- blooms ----------------------------------------------------------------------------------------

#: An address of Ethereum's own tests, and the bits that their Python client names for it.
KNOWN, KNOWN_BITS = "0x0f572e5295c57f15886f9b263e2f6d2d6c7b5ec6", (1323, 431, 1319)


def test_a_bloom_is_read_as_ethereum_writes_it() -> None:
    bloom = sum(1 << bit for bit in KNOWN_BITS)
    watch = Watch({KNOWN: WatchKind.ESCROW})
    assert bloom_of(log(KNOWN)) == bloom
    assert watch.may_be_in(bloom)
    assert not any(watch.may_be_in(bloom ^ 1 << bit) for bit in KNOWN_BITS)


@given(st.lists(LOGS, max_size=6))
def test_a_bloom_never_denies_a_log_that_is_in_the_block(logs: list[Log]) -> None:
    watch = Watch(KINDS)
    assert watch.may_be_in(bloom_of(*logs)) or not any(watch.wants(one) for one in logs)


@pytest.mark.parametrize(
    "others", [[], [minted(1, STRANGER)], [paid(STRANGER, NOBODY, 1)], [log(STRANGER, topic(7))]]
)
def test_a_bloom_of_others_denies_ours(others: list[Log]) -> None:
    assert not Watch(KINDS).may_be_in(bloom_of(*others))


def test_a_treasury_in_a_bloom_counts_only_with_a_transfer() -> None:
    watch = Watch({TREASURY: WatchKind.TREASURY})
    assert watch.may_be_in(bloom_of(paid(STRANGER, TREASURY, 1)))
    assert not watch.may_be_in(bloom_of(log(STRANGER, topic(7), topic(TREASURY))))
    assert not watch.may_be_in(bloom_of(log(TREASURY)))


def test_nothing_watched_is_in_no_bloom() -> None:
    every_bit: Any = (1 << 2048) - 1
    assert not Watch({}).may_be_in(every_bit)
