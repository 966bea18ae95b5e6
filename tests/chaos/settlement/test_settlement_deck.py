"""A plan for settlement has every kind of fault and of return, and a seed repeats it."""

from __future__ import annotations

import random

from tests.chaos.chain.plan import dealt
from tests.chaos.settlement.deck import DECKS, DEEDS, RETURNS, WIRE, faults_for, returns
from tests.chaos.settlement.purchases import drawn
from tests.chaos.settlement.report import Stand, longest, together
from tests.chaos.settlement.steering import KINDS


def test_the_short_run_has_every_kind_of_fault() -> None:
    steps = dealt(1, faults_for(40), DECKS[""]).steps
    assert sum(len(step.wire) + 1 for step in steps) == faults_for(40) == 100
    assert {step.deed.kind for step in steps} == set(DEEDS)
    assert {fault.kind for step in steps for fault in step.wire} == set(WIRE) == set(KINDS)


def test_a_seed_repeats_the_plan_and_the_purchases() -> None:
    assert dealt(7, 100, DECKS[""]) == dealt(7, 100, DECKS[""])
    assert dealt(7, 100, DECKS[""]) != dealt(8, 100, DECKS[""])
    assert drawn(7, 40, 60.0, 45.0) == drawn(7, 40, 60.0, 45.0)
    assert drawn(7, 40, 60.0, 45.0) != drawn(8, 40, 60.0, 45.0)


def test_every_way_of_buying_and_returning_is_in_the_short_run() -> None:
    kinds = returns(random.Random(1), 40)
    assert len(kinds) == 40
    assert set(kinds) == set(RETURNS)


def test_what_was_paid_is_the_price_and_what_is_asked_for_is_no_more() -> None:
    for one in drawn(3, 200, 60.0, 45.0):
        assert sum(int(payment["captured"]) for payment in one.payments()) == one.price
        assert 0 < one.asked <= one.price
        assert all(int(payment["captured"]) > 0 for payment in one.payments())


def test_a_line_stood_as_long_as_the_shop_owed_the_next_step() -> None:
    moves = [
        ("2026-01-01 00:00:00+00:00", "awaiting_signature"),
        ("2026-01-01 01:00:00+00:00", "depositing"),
        ("2026-01-01 01:00:07+00:00", "settling"),
        ("2026-01-01 01:00:09.5+00:00", "settled"),
        ("2026-01-01 05:00:00+00:00", "settling"),
        ("2026-01-01 05:00:01+00:00", "settled"),
    ]
    assert longest(moves, "L") == Stand(7.0, "depositing", moves[1][0], "L")
    assert longest(moves[:-1]) == Stand(float("inf"), "settling", moves[4][0])
    assert longest([*moves[:1], ("2026-01-02 00:00:00+00:00", "expired")]).seconds == 0.0


def test_both_databases_are_summed_and_the_slower_repair_is_told() -> None:
    lines = [{"cases": 5, "both": 1, "slowest_repair_s": 2.0}]
    lines.append({"cases": 5, "both": 0, "leftovers": 3, "slowest_repair_s": 4.0})
    assert together(lines) == {"cases": 10, "both": 1, "leftovers": 3, "slowest_repair_s": 4.0}
    assert together([*lines, {"slowest_repair_s": None}])["slowest_repair_s"] is None
