"""What proves that a block's logs are all there, and what does not."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_chain import COLLECTION, ESCROW, KINDS, STRANGER, Log, RawChain, log, minted, topic

from chain.index.proof import Evidence, Incomplete, ends_with, evidence_for, header_of, logs_in
from chain.index.watch import Watch
from returns.words import WatchKind

WATCH = Watch(KINDS)
FOREIGN = log(STRANGER, topic(7))


def block_of(*transactions: list[Log]) -> tuple[Any, list[dict[str, Any]]]:
    """A block's header and its receipts."""
    chain = RawChain().mine(*transactions)
    [raw] = chain.blocks
    return header_of(raw), chain.block_receipts(raw["hash"])


@pytest.mark.parametrize(
    ("block", "indexes", "needed"),
    [
        ([], [], Evidence.NONE_NEEDED),
        ([[FOREIGN]], [], Evidence.NONE_NEEDED),
        ([[minted(1)]], [], Evidence.ALL_RECEIPTS),
        ([[minted(1)]], [0], Evidence.LAST_RECEIPT),
        ([[minted(1), minted(2)]], [0, 1], Evidence.LAST_RECEIPT),
        ([[minted(1), FOREIGN]], [0], Evidence.LAST_RECEIPT),
        ([[FOREIGN, minted(1)]], [1], Evidence.ALL_RECEIPTS),
        ([[minted(1), FOREIGN, minted(2)]], [0, 2], Evidence.ALL_RECEIPTS),
    ],
    ids=[
        "an empty block",
        "a bloom without ours",
        "a bloom with ours",
        "one from 0 on",
        "two from 0 on",
        "a stranger's may follow",
        "a stranger's before it",
        "a gap",
    ],
)
def test_no_more_evidence_is_asked_for_than_is_needed(
    block: list[list[Log]], indexes: list[int], needed: Evidence
) -> None:
    header, _ = block_of(*block)
    assert evidence_for(header, indexes, WATCH) is needed


def test_a_block_without_transactions_needs_none_whatever_its_bloom_says() -> None:
    raw = RawChain().mine([minted(1)]).blocks[0]
    empty = header_of({**raw, "transactions": []})
    assert evidence_for(empty, [], WATCH) is Evidence.NONE_NEEDED


BLOCKS = st.lists(
    st.lists(st.sampled_from([minted(1), log(ESCROW), FOREIGN]), max_size=4), max_size=4
)


@given(BLOCKS, st.data())
def test_nothing_proves_that_a_log_which_was_left_out_is_not_there(
    transactions: list[list[Log]], data: Any
) -> None:
    """Neither the bloom nor the last receipt: for that, the receipts have to be read."""
    header, receipts = block_of(*transactions)
    ours = [int(one["logIndex"], 16) for one in logs_in(header, receipts, WATCH)]
    told = [index for index in ours if data.draw(st.booleans())]
    needed = evidence_for(header, told, WATCH)
    if told != ours:
        assert needed is not Evidence.NONE_NEEDED
        if needed is Evidence.LAST_RECEIPT:
            assert not ends_with(header, told, receipts[-1])
    assert len(ours) == sum(WATCH.wants(one) for logs in transactions for one in logs)


# -- the last receipt ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "indexes", "proven"),
    [
        ([[minted(1)]], [0], True),
        ([[minted(1)], [minted(2)]], [0, 1], True),
        ([[minted(1)], [minted(2)]], [0], False),
        ([[minted(1), FOREIGN]], [0], False),
        ([[minted(1)], []], [0], False),
    ],
    ids=["ends", "ends later", "one follows", "a stranger's follows", "does not show it"],
)
def test_the_last_receipt_proves_the_end_only_where_it_shows_it(
    block: list[list[Log]], indexes: list[int], proven: bool
) -> None:
    header, receipts = block_of(*block)
    assert ends_with(header, indexes, receipts[-1]) is proven


def test_a_receipt_of_another_branch_proves_nothing() -> None:
    header, receipts = block_of([minted(1)])
    assert not ends_with(header, [0], {**receipts[-1], "blockHash": "0x" + "be" * 32})


# -- all receipts ----------------------------------------------------------------------------------


def _without_transaction(receipts: list[Any]) -> None:
    del receipts[1]


def _one_twice(receipts: list[Any]) -> None:
    receipts[1] = deepcopy(receipts[0])


def _of_another_order(receipts: list[Any]) -> None:
    receipts.reverse()


def _of_a_foreign_block(receipts: list[Any]) -> None:
    receipts[1]["blockHash"] = "0x" + "be" * 32


def _with_a_gap(receipts: list[Any]) -> None:
    del receipts[1]["logs"][0]


def _without_the_first(receipts: list[Any]) -> None:
    del receipts[0]["logs"][0]


def _with_a_log_twice(receipts: list[Any]) -> None:
    receipts[1]["logs"].append(deepcopy(receipts[1]["logs"][0]))


@pytest.mark.parametrize(
    "bend",
    [
        _without_transaction,
        _one_twice,
        _of_another_order,
        _of_a_foreign_block,
        _with_a_gap,
        _without_the_first,
        _with_a_log_twice,
    ],
)
def test_refuses_receipts_that_are_not_all_of_the_block(bend: Any) -> None:
    header, receipts = block_of([minted(1)], [minted(2), FOREIGN], [minted(3)])
    assert len(logs_in(header, receipts, WATCH)) == 3
    bend(receipts)
    with pytest.raises(Incomplete, match="block 1: ") as refusal:
        logs_in(header, receipts, WATCH)
    assert (refusal.value.number, bool(refusal.value.problem)) == (1, True)


def test_of_all_receipts_only_what_is_watched_is_taken() -> None:
    header, receipts = block_of([FOREIGN, minted(1)], [], [log(ESCROW), FOREIGN])
    found = logs_in(header, receipts, WATCH)
    assert [(one["logIndex"], one["address"]) for one in found] == [
        ("0x1", COLLECTION),
        ("0x2", ESCROW),
    ]
    only = Watch({ESCROW: WatchKind.ESCROW})
    assert [one["address"] for one in logs_in(header, receipts, only)] == [ESCROW]
