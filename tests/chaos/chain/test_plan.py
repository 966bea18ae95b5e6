"""A seed says everything that will happen."""

from __future__ import annotations

from tests.chaos.chain.plan import DEEDS, DEEPEST, FOCUS, WIRE, plan
from tests.chaos.chain.proxy import KINDS


def test_a_seed_repeats_its_plan_and_another_one_does_not() -> None:
    assert plan(7, 200) == plan(7, 200)
    assert plan(7, 200) != plan(8, 200)


def test_a_plan_has_as_many_faults_as_were_asked_for() -> None:
    for faults in (10, 60, 1_000):
        planned = plan(1, faults)
        assert sum(len(step.wire) + 1 for step in planned.steps) == faults
        assert len(planned.spare) == faults


def test_a_long_plan_has_every_kind_and_reorgs_of_every_depth() -> None:
    steps = plan(1, 1_000).steps
    assert {fault.kind for step in steps for fault in step.wire} == set(WIRE) <= set(KINDS)
    assert {step.deed.kind for step in steps} == set(DEEDS)
    depths = {step.deed.depth for step in steps if step.deed.kind in ("reorg", "rewind")}
    assert min(depths) == 1
    assert max(depths) == DEEPEST == 64


def test_a_short_plan_has_every_deed_once() -> None:
    kinds = [step.deed.kind for step in plan(3, 40).steps]
    assert set(kinds[: len(DEEDS)]) == set(DEEDS)


def test_sabotage_is_met_by_the_deeds_that_it_matters_for() -> None:
    for sabotage, (deeds, _) in FOCUS.items():
        assert {step.deed.kind for step in plan(1, 40, sabotage).steps} == set(deeds)
