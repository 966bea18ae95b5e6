"""A repair is counted from its fault until the index was at the head again."""

from __future__ import annotations

import math

from tests.chaos.index.pulse import repairs

TURNS = [(0.5, True), (2.0, False), (5.0, True), (9.0, False), (9.1, True)]


def test_a_fault_that_throws_the_index_back_is_repaired_when_it_is_at_the_head() -> None:
    assert repairs([(1.5, "reorg"), (3.0, "kill")], TURNS) == [3.5, 2.0]


def test_a_fault_that_does_not_is_repaired_at_once() -> None:
    assert repairs([(7.0, "delay")], TURNS) == [0.0]


def test_what_happens_long_after_a_fault_is_not_its_doing() -> None:
    assert repairs([(6.0, "delay")], TURNS) == [0.0]


def test_before_the_index_was_ever_there_nothing_is_repaired() -> None:
    assert repairs([(0.1, "kill")], TURNS) == [0.0]
    assert repairs([(0.1, "kill")], [(0.05, False), (4.0, True)]) == [3.9]


def test_an_index_that_never_comes_back_is_never_repaired() -> None:
    assert repairs([(1.5, "reorg")], TURNS[:2]) == [math.inf]
