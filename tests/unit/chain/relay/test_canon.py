"""The newest blocks as one linked chain, whatever the node tells in between."""

from __future__ import annotations

import random
from typing import Any

import pytest
from fake_node import FakeBranch, FakeNode
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.client import RpcError
from chain.relay.canon import DEPTH, Canon
from returns.errors import ChainUnavailable


def following(branch: FakeBranch) -> tuple[Canon, FakeNode]:
    """A reader that has read a branch up to its head."""
    node = branch.node()
    canon = Canon(node)
    canon.refresh()
    node.asked.clear()
    return canon, node


def tell(node: FakeNode, branch: FakeBranch) -> None:
    """From now on the node tells this branch."""
    node.answers |= branch.node().answers


def assert_reads(canon: Canon, branch: FakeBranch, lowest: int = 0) -> None:
    """Head, blocks and transactions are those of the branch and of nothing else."""
    assert canon.head().hash == branch.head["hash"]
    for number in range(max(lowest, len(branch.blocks) - DEPTH + 1), len(branch.blocks)):
        block, told = canon.block(number), branch.blocks[number]
        assert block is not None
        assert (block.hash, canon.has(number, told["hash"])) == (told["hash"], True)
        for tx_hash in told["transactions"]:
            assert canon.find(tx_hash) == block
    assert canon.block(len(branch.blocks)) is None


def test_reads_the_head_and_what_is_mined_in_it() -> None:
    branch = FakeBranch(5)
    branch.mine(1, "a", "0xt1", "0xt2")
    canon, _ = following(branch)
    head = canon.head()
    assert (head.number, head.hash, head.transactions) == (
        5, branch.head["hash"], frozenset({"0xt1", "0xt2"}),
    )  # fmt: skip
    assert canon.find("0xt1") == head
    assert canon.find("0xother") is None


def test_the_same_head_costs_one_request() -> None:
    canon, node = following(FakeBranch(5))
    for _ in range(3):
        canon.refresh()
    assert node.asked == ["eth_getBlockByNumber"] * 3


@pytest.mark.parametrize("gap", [1, 2, 31, 32, 33, 64, 100, 127, 128, 129, 500])
def test_a_gap_of_any_length_is_bridged(gap: int) -> None:
    branch = FakeBranch(10)
    canon, node = following(branch)
    branch.mine(gap)
    assert canon.refresh().hash == branch.head["hash"]
    assert_reads(canon, branch)
    assert len(node.asked) <= 1 + DEPTH + 32


@pytest.mark.parametrize("depth", range(1, 101))
def test_a_reorg_of_any_depth_leaves_nothing_of_the_other_branch(depth: int) -> None:
    old = FakeBranch(20)
    for index in range(100):
        old.mine(1, "a", f"0xold{index}")
    canon, node = following(FakeBranch(1))
    for step in (50, 80, 100, 120):
        partial = FakeBranch(0)
        partial.blocks = old.blocks[:step]
        tell(node, partial)
        canon.refresh()
    assert_reads(canon, old)
    new = old.fork(depth, depth + 1, "b", "0xnew")
    tell(node, new)
    assert canon.refresh().hash == new.head["hash"]
    assert_reads(canon, new)
    gone = {f"0xold{index}" for index in range(100 - depth, 100)}
    assert [one for one in gone if canon.find(one) is not None] == []
    assert all(canon.find(f"0xold{index}") is not None for index in range(100 - depth))


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_reorg_to_a_shorter_branch_is_taken_over_too(length: int) -> None:
    old = FakeBranch(20)
    canon, node = following(old)
    new = old.fork(5, length, "b", "0xnew")
    tell(node, new)
    assert canon.refresh().hash == new.head["hash"]
    assert_reads(canon, new)
    assert canon.block(len(new.blocks)) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 50)), max_size=8), st.integers(0, 99))
def test_reorgs_within_reorgs_end_on_the_branch_that_is_told_last(
    steps: list[tuple[int, int]], seed: int
) -> None:
    dice, branch = random.Random(seed), FakeBranch(60)
    branches = [branch]
    canon, node = following(branch)
    for index, (depth, length) in enumerate(steps):
        branch = dice.choice(branches).fork(depth, length, f"b{index}", f"0xt{index}")
        branches.append(branch)
        tell(node, branch)
        canon.refresh()
        assert_reads(canon, branch, lowest=30)


def test_a_transaction_that_is_mined_again_elsewhere_is_found_there() -> None:
    old = FakeBranch(10)
    old.mine(1, "a", "0xt")
    canon, node = following(old)
    new = old.fork(1, 3, "b", "0xt")
    tell(node, new)
    canon.refresh()
    found = canon.find("0xt")
    assert found is not None
    assert found.hash == new.head["hash"]


def test_a_node_that_is_behind_takes_nothing_back() -> None:
    branch = FakeBranch(10)
    canon, node = following(branch)
    branch.mine(10)
    canon.refresh()
    behind = FakeBranch(0)
    behind.blocks = branch.blocks[:12]
    tell(node, behind)
    assert canon.refresh().hash == branch.head["hash"]
    tell(node, branch)
    assert_reads(canon, branch)


def lying(branch: FakeBranch, other: FakeBranch) -> Any:
    """Two nodes behind one address: the newest block of one, all others of the other."""
    return lambda tag, full: (branch if tag == "latest" else other).block(tag, full)


def test_blocks_that_are_not_linked_change_nothing() -> None:
    old = FakeBranch(20)
    old.mine(1, "a", "0xt")
    canon, node = following(old)
    new = old.fork(5, 8, "b", "0xt2")
    node.answers["eth_getBlockByNumber"] = lying(new, old.fork(6, 9, "c"))
    with pytest.raises(ChainUnavailable, match="not linked"):
        canon.refresh()
    assert canon.head().hash == old.head["hash"]
    assert canon.find("0xt") is not None
    assert canon.find("0xt2") is None


@pytest.mark.parametrize("missing", [None, {}, [], "0x", 7, {"number": "0x1"}, RpcError("busy")])
def test_an_answer_that_is_no_block_changes_nothing(missing: Any) -> None:
    branch = FakeBranch(20)
    canon, node = following(branch)
    longer = branch.fork(0, 3, "a")

    def answer(tag: str, full: bool) -> Any:
        if tag == "latest":
            return longer.block(tag, full)
        if isinstance(missing, RpcError):
            raise missing
        return missing

    node.answers["eth_getBlockByNumber"] = answer
    with pytest.raises(ChainUnavailable):
        canon.refresh()
    assert canon.head().hash == branch.head["hash"]


@pytest.mark.parametrize("newest", [None, {}, [], "0x", 7, RpcError("busy")])
def test_a_node_without_a_newest_block_is_unavailable(newest: Any) -> None:
    def answer(*_: Any) -> Any:
        if isinstance(newest, RpcError):
            raise newest
        return newest

    with pytest.raises(ChainUnavailable):
        Canon(FakeNode(eth_getBlockByNumber=answer)).refresh()


def test_what_is_older_than_its_memory_is_asked_for() -> None:
    branch = FakeBranch(400)
    canon, node = following(branch)
    old = canon.block(3)
    assert old is not None
    assert (old.hash, node.asked) == (branch.blocks[3]["hash"], ["eth_getBlockByNumber"])
    assert canon.has(3, branch.blocks[4]["hash"]) is False
    assert canon.has(None, None) is False


def test_its_memory_has_an_end() -> None:
    branch = FakeBranch(1)
    canon, node = following(branch)
    for index in range(3 * DEPTH):
        branch.mine(1, "a", f"0xt{index}")
        canon.refresh()
    assert canon.find(f"0xt{3 * DEPTH - 1}") is not None
    assert canon.find("0xt0") is None
    node.asked.clear()
    known = [number for number in range(len(branch.blocks)) if _costs_nothing(canon, node, number)]
    assert len(known) == DEPTH + 1


def _costs_nothing(canon: Canon, node: FakeNode, number: int) -> bool:
    before = len(node.asked)
    canon.block(number)
    return len(node.asked) == before


# -- receipts --------------------------------------------------------------------------------------


def test_a_blocks_receipts_are_asked_for_once_and_by_its_hash() -> None:
    branch = FakeBranch(3)
    branch.mine(1, "a", "0xt1", "0xt2")
    canon, node = following(branch)
    for _ in range(2):
        assert canon.receipts(canon.head()).keys() == {"0xt1", "0xt2"}
    assert node.asked == ["eth_getBlockReceipts"]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        7,
        "0x",
        {"transactionHash": "0xt"},
        [None],
        [{"transactionHash": "0xt", "blockHash": "0xelse"}],
        [{"transactionHash": "0xother", "blockHash": "HASH"}],
        [{"transactionHash": "0xt", "blockHash": "HASH"}, {"transactionHash": "0xmore",
                                                           "blockHash": "HASH"}],
        RpcError("busy"),
    ],
)  # fmt: skip
def test_receipts_that_do_not_fit_their_block_are_not_believed(answer: Any) -> None:
    branch = FakeBranch(3)
    branch.mine(1, "a", "0xt")
    canon, node = following(branch)

    def receipts(where: dict[str, str]) -> Any:
        if isinstance(answer, RpcError):
            raise answer
        if not isinstance(answer, list):
            return answer
        text = where["blockHash"]
        return [one and {**one, "blockHash": one["blockHash"].replace("HASH", text)}
                for one in answer]  # fmt: skip

    node.answers["eth_getBlockReceipts"] = receipts
    with pytest.raises(ChainUnavailable):
        canon.receipts(canon.head())
    tell(node, branch)
    assert canon.receipts(canon.head()).keys() == {"0xt"}
