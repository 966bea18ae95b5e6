"""A plan for the index has every kind of fault, none of them for what an index never does."""

from __future__ import annotations

from tests.chaos.chain.plan import DEEPEST, dealt
from tests.chaos.chain.plan import WIRE as AROUND_RELAYERS
from tests.chaos.chain.proxy import KINDS
from tests.chaos.index.deck import DECKS, DEEDS, WIRE


def test_three_hundred_faults_have_every_kind_and_reorgs_of_every_depth() -> None:
    steps = dealt(1, 300, DECKS[""]).steps
    assert sum(len(step.wire) + 1 for step in steps) == 300
    assert {fault.kind for step in steps for fault in step.wire} == set(WIRE)
    assert {step.deed.kind for step in steps} == set(DEEDS)
    depths = {step.deed.depth for step in steps if step.deed.kind in ("reorg", "rewind", "nested")}
    assert min(depths) == 1
    assert max(depths) == DEEPEST == 64


def test_no_fault_waits_for_a_send() -> None:
    planned = dealt(1, 300, DECKS[""])
    assert not any(fault.sends for step in planned.steps for fault in step.wire)


def test_every_kind_that_the_proxy_knows_is_of_some_deck() -> None:
    assert set(WIRE) | set(AROUND_RELAYERS) == set(KINDS)


def test_sabotage_is_met_by_the_deeds_that_it_matters_for() -> None:
    assert {step.deed.kind for step in dealt(1, 40, DECKS["rewind"]).steps} == {"reorg", "rewind"}
