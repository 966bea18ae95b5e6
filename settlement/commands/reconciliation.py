"""Reconciliation as people use it: runs and their sign-off, breaks and what becomes of them."""

from __future__ import annotations

from uuid import UUID

from returns.tables import Break, ReconciliationRun
from settlement.reconciliation.run import run
from settlement.runtime import Runtime


def reconcile(
    runtime: Runtime, merchant_id: UUID, actor: str, *, full: bool = False
) -> tuple[ReconciliationRun, list[Break]]:
    """Compare what is new or open, or everything; returns the run and the breaks that are open.

    Raises `ChainUnavailable`, `ProcessorUnavailable`, `ReportUnusable`, `ConcurrentChange`.
    """
    return run(runtime, merchant_id, full=full, actor=actor)
