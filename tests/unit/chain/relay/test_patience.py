"""When a block is cheap, out of what a day of blocks has cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fake_node import FakeBranch, FakeNode
from hypothesis import given
from hypothesis import strategies as st

from chain.client import RpcError
from chain.relay.patience import CheapBlocks, percentile
from returns.errors import ChainUnavailable

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1), (1, 1), (20, 1), (21, 2), (40, 2), (50, 3), (99, 5), (100, 5)]
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(
    percent: int, value: int
) -> None:
    assert percentile([5, 3, 1, 4, 2], percent) == value


@given(st.lists(st.integers(0, 10**12), min_size=1), st.integers(1, 100))
def test_a_percentile_is_one_of_the_values_and_splits_them(values: list[int], percent: int) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(one <= found for one in values) * 100 >= percent * len(values)
    assert sum(one < found for one in values) * 100 < percent * len(values)


def priced(prices: list[int]) -> tuple[FakeNode, list[tuple[int, int]]]:
    """A chain of 12-second blocks with these base fees; what was asked of its history."""
    asked: list[tuple[int, int]] = []

    def history(count: str, newest: str, _: list[Any]) -> dict[str, Any]:
        last, size = int(newest, 16), int(count, 16)
        asked.append((size, last))
        page = prices[max(0, last - size + 1) : last + 1]
        return {"baseFeePerGas": [hex(one) for one in (*page, prices[-1])]}

    branch = FakeBranch(1)
    branch.mine(len(prices) - 1)
    node = branch.node()
    node.answers["eth_feeHistory"] = history
    return node, asked


def test_a_block_is_cheap_if_it_costs_no_more_than_the_days_percentile() -> None:
    node, _ = priced(list(range(1, 65)))
    cheap = CheapBlocks(node, 50)
    assert cheap.is_cheap(32, NOW)
    assert not cheap.is_cheap(33, NOW)


def test_the_day_is_sampled_and_never_more_than_a_day() -> None:
    node, asked = priced([7] * 20_000)
    CheapBlocks(node, 40).is_cheap(7, NOW)
    assert len(asked) <= 25
    assert {size for size, _ in asked} == {64}
    first, last = asked[-1][1], asked[0][1]
    assert last == 19_999
    assert 7_200 - 600 <= last - first <= 7_200


def test_the_threshold_is_kept_for_ten_minutes() -> None:
    node, asked = priced([5] * 64)
    cheap = CheapBlocks(node, 40)
    for seconds in (0, 1, 599):
        assert cheap.is_cheap(5, NOW + timedelta(seconds=seconds))
    assert len(asked) == 1
    cheap.is_cheap(5, NOW + timedelta(seconds=600))
    assert len(asked) == 2


def test_a_clock_that_ran_ahead_does_not_keep_it_for_ever() -> None:
    node, asked = priced([5] * 64)
    cheap = CheapBlocks(node, 40)
    cheap.is_cheap(5, NOW + timedelta(days=365))
    cheap.is_cheap(5, NOW)
    assert len(asked) == 2


def test_a_chain_of_one_block_has_its_own_price() -> None:
    branch = FakeBranch(1)
    cheap = CheapBlocks(branch.node(), 40)
    assert cheap.is_cheap(10**9, NOW)
    assert not cheap.is_cheap(10**9 + 1, NOW)


def test_where_the_node_tells_no_prices_no_block_is_cheap() -> None:
    node, _ = priced([5] * 64)

    def refuse(*_: Any) -> None:
        raise RpcError("the method eth_feeHistory does not exist", -32601)

    node.answers["eth_feeHistory"] = refuse
    assert not CheapBlocks(node, 40).is_cheap(0, NOW)


def test_a_node_that_is_away_is_not_taken_for_one_that_tells_nothing() -> None:
    node, _ = priced([5] * 64)

    def away(*_: Any) -> None:
        raise ChainUnavailable(problem="it was cut off")

    node.answers["eth_feeHistory"] = away
    with pytest.raises(ChainUnavailable):
        CheapBlocks(node, 40).is_cheap(0, NOW)
