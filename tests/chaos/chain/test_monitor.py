"""A repair is counted from its fault until all was in the chain that had been asked for before."""

from __future__ import annotations

import math

from tests.chaos.chain.monitor import repairs

A, B = b"a", b"b"


def test_a_fault_is_repaired_when_all_that_waited_is_in_the_chain() -> None:
    history = {A: [(3.0, True)], B: [(7.0, True)]}
    assert repairs([(2.0, "kill")], {A: 1.0, B: 1.5}, history) == [5.0]


def test_what_was_in_the_chain_or_asked_for_later_is_not_affected() -> None:
    history = {A: [(1.5, True)], B: [(9.0, True)]}
    assert repairs([(2.0, "kill")], {A: 1.0, B: 3.0}, history) == [0.0]


def test_what_a_reorg_throws_out_is_affected_by_it() -> None:
    history = {A: [(1.5, True), (5.2, False), (8.0, True)]}
    assert repairs([(5.0, "reorg")], {A: 1.0}, history) == [3.0]


def test_what_is_in_the_new_branch_as_well_was_away_for_a_blink() -> None:
    history = {A: [(1.5, True), (5.2, False), (5.2, True)]}
    assert repairs([(5.0, "reorg")], {A: 1.0}, history) == [5.2 - 5.0]


def test_what_a_later_reorg_throws_out_is_not() -> None:
    history = {A: [(1.5, True), (5.2, False), (8.0, True)]}
    assert repairs([(2.0, "kill"), (9.0, "kill")], {A: 1.0}, history) == [0.0, 0.0]


def test_a_repair_that_is_undone_by_another_fault_was_one() -> None:
    history = {A: [(3.0, True), (5.2, False), (8.0, True)]}
    assert repairs([(2.0, "kill")], {A: 1.0}, history) == [1.0]


def test_what_never_comes_back_is_never_repaired() -> None:
    history = {A: [(1.5, True), (5.2, False)]}
    assert repairs([(5.0, "reorg")], {A: 1.0}, history) == [math.inf]
