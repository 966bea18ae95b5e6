"""Several people at one policy at the same moment, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from desk import POLICY, Desk

from returns.errors import PolicyNoPredecessor, PolicyOvertaken
from returns.tables import PolicyActivation, PolicyRow
from settlement.commands import policies

AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]


def draft(desk: Desk, window: int) -> int:
    text = POLICY.replace("window_days: 30", f"window_days: {window}")
    return policies.draft(desk.runtime, desk.merchant.id, text, "ada").version


def in_force(desk: Desk) -> int:
    with desk.runtime.database.read() as session:
        return policies.in_force(session, desk.merchant.id, desk.clock())[0].version


def test_drafts_get_each_a_number_of_their_own(desk: Desk, at_once: AtOnce) -> None:
    numbers = at_once(8, lambda index: draft(desk, 40 + index))
    assert sorted(numbers) == list(range(2, 10))


def test_one_draft_that_is_sent_eight_times_is_one_version(desk: Desk, at_once: AtOnce) -> None:
    assert at_once(8, lambda _: draft(desk, 40)) == [2] * 8
    assert len(desk.rows(PolicyRow)) == 2


def test_the_last_of_several_activations_is_in_force(desk: Desk, at_once: AtOnce) -> None:
    drafted = [draft(desk, 40 + index) for index in range(8)]
    desk.clock.move(seconds=1)
    given = at_once(
        8,
        lambda index: policies.activate(desk.runtime, desk.merchant.id, drafted[index], "bob"),
    )
    assert sorted(one["version"] for one in given) == drafted
    rows = sorted(desk.rows(PolicyActivation), key=lambda row: row.number)
    assert [row.number for row in rows] == list(range(1, 10))
    by_id = {row.id: row.version for row in desk.rows(PolicyRow)}
    assert in_force(desk) == by_id[rows[-1].policy_id]


def test_one_step_back_that_is_asked_for_by_eight_is_one_step(desk: Desk, at_once: AtOnce) -> None:
    for window in (40, 41):
        desk.clock.move(seconds=1)
        policies.activate(desk.runtime, desk.merchant.id, draft(desk, window), "bob")
    desk.clock.move(seconds=1)
    given = at_once(
        8, lambda _: policies.roll_back(desk.runtime, desk.merchant.id, "eve", "wrong", 3)
    )
    assert [one["version"] for one in given if isinstance(one, dict)] == [2]
    assert sum(isinstance(one, PolicyOvertaken) for one in given) == 7
    assert not any(isinstance(one, PolicyNoPredecessor) for one in given)
    assert in_force(desk) == 2
