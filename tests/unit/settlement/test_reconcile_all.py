"""The hourly comparison: every merchant, and one that cannot be compared holds up no other."""

from __future__ import annotations

import pytest
from desk import Desk

from returns.errors import ProcessorUnavailable
from returns.tables import ReconciliationRun
from settlement.commands import reconciliation


def test_every_merchant_is_compared(desk: Desk) -> None:
    other = Desk(desk.runtime, "other")
    assert reconciliation.reconcile_all(desk.runtime) == 2
    runs = desk.rows(ReconciliationRun)
    assert {run.merchant_id for run in runs} == {desk.merchant.id, other.merchant.id}


def test_silent_processor_leaves_all_for_the_next_time(desk: Desk) -> None:
    desk.processor.mode = "down"
    with pytest.raises(ProcessorUnavailable):
        reconciliation.reconcile(desk.runtime, desk.merchant.id, "test")
    assert reconciliation.reconcile_all(desk.runtime) == 0
    assert desk.rows(ReconciliationRun) == []
