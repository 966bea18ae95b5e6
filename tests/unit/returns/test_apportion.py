"""Shares that only grow: what is paid in parts sums to the whole, and no part is taken back."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from returns.apportion import apportion
from returns.errors import AmountInvalid
from returns.money import MAX_AMOUNT, allocate

WHOLES = st.lists(st.integers(0, 40), min_size=1, max_size=6)
LARGE = st.lists(st.integers(0, MAX_AMOUNT), min_size=1, max_size=6)


@given(LARGE, st.data())
def test_parts_sum_to_the_total_and_none_is_above_its_whole(
    wholes: list[int], data: st.DataObject
) -> None:
    total = data.draw(st.integers(0, sum(wholes)))
    parts = apportion(total, wholes)
    assert sum(parts) == total
    assert all(0 <= part <= whole for part, whole in zip(parts, wholes, strict=True))


@given(WHOLES)
def test_a_larger_total_gives_no_part_less(wholes: list[int]) -> None:
    """Every total from nothing to everything, unit by unit."""
    before = [0] * len(wholes)
    for total in range(1, sum(wholes) + 1):
        parts = apportion(total, wholes)
        steps = [part - earlier for part, earlier in zip(parts, before, strict=True)]
        assert sorted(steps) == [0] * (len(wholes) - 1) + [1]
        before = parts
    assert before == wholes


@given(LARGE, st.data())
def test_each_part_is_near_its_exact_share(wholes: list[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(wholes)))
    for part, whole in zip(apportion(total, wholes), wholes, strict=True):
        share = Fraction(total * whole, sum(wholes)) if sum(wholes) else Fraction(0)
        assert abs(part - share) < len(wholes)


@given(st.permutations([3, 7, 11, 20]), st.integers(0, 41))
def test_the_order_of_wholes_decides_ties_only(wholes: list[int], total: int) -> None:
    parts = dict(zip(wholes, apportion(total, wholes), strict=True))
    found = dict(zip((3, 7, 11, 20), apportion(total, [3, 7, 11, 20]), strict=True))
    moved = {whole for whole in wholes if parts[whole] != found[whole]}
    # At a tie the last units that both got are in the same proportion to their wholes.
    last = {Fraction(whole, 2 * max(parts[whole], found[whole]) - 1) for whole in moved}
    assert len(last) <= 1


def test_largest_remainder_would_take_a_unit_back() -> None:
    assert (allocate(3, [1, 3, 3]), allocate(4, [1, 3, 3])) == ([1, 1, 1], [0, 2, 2])
    assert (apportion(3, [1, 3, 3]), apportion(4, [1, 3, 3])) == ([1, 1, 1], [1, 2, 1])


@pytest.mark.parametrize(
    ("total", "wholes"), [(-1, [1]), (2, [1]), (1, []), (0, [-1, 1]), (1, [-1, 3])]
)
def test_what_cannot_be_split_is_refused(total: int, wholes: list[int]) -> None:
    with pytest.raises(AmountInvalid):
        apportion(total, wholes)
