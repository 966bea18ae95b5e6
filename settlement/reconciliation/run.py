"""One comparison: read the sides, run the checks, keep what was found.

The chain side reads the node's logs and owners, not our index of them: a second, independent path.
The books are read before the others and once more after them, so that what happens in between is
not taken for a break.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Session, select

from custody.evidence import collect
from returns import reads
from returns.tables import Break, ReconciliationRun
from settlement.reconciliation.checks import CHECKS, Difference
from settlement.reconciliation.sides import Books, Sides, read_books, read_elsewhere, tokens_of
from settlement.runtime import Runtime

#: Columns of a run that reports show.
COUNTS = {"block_number", "legs", "processor_refunds", "chain_events"}


def run(runtime: Runtime, merchant_id: UUID) -> tuple[ReconciliationRun, list[Break]]:
    """Compare, store what was found, and return the run with all open breaks.

    Raises `ChainUnavailable` or `ProcessorUnavailable`: half a comparison is none.
    """
    with runtime.database.read() as session:
        books = read_books(session, merchant_id)
    refunds = [refund for p in runtime.processors.values() for refund in p.refunds()]
    chain = collect(runtime.client, runtime.deployment, tokens_of(books))
    with runtime.database.read() as session:
        later = read_books(session, merchant_id)
        elsewhere = read_elsewhere(session, merchant_id)
        vault = reads.vault_of(session, merchant_id)
    sides = Sides(books, later, elsewhere, refunds, chain, vault, runtime.clock())
    found = [difference for check in CHECKS for difference in check(sides)]
    with runtime.database.write() as session:
        row = _store_run(session, merchant_id, sides)
        _store_breaks(session, merchant_id, found, books, sides.now)
        return row, reads.open_breaks(session, merchant_id)


def _store_run(session: Session, merchant_id: UUID, sides: Sides) -> ReconciliationRun:
    row = ReconciliationRun(
        merchant_id=merchant_id,
        block_number=sides.chain.block_number,
        legs=len(sides.books.legs),
        processor_refunds=len(sides.refunds),
        chain_events=sides.chain.events,
        at=sides.now,
    )
    session.add(row)
    return row


def _store_breaks(
    session: Session, merchant_id: UUID, found: list[Difference], books: Books, now: datetime
) -> None:
    known = {
        (row.code, row.subject): row
        for row in session.exec(select(Break).where(Break.merchant_id == merchant_id))
    }
    # One row for a subject, however often it was found.
    for key, difference in {(one.code, one.subject): one for one in found}.items():
        row = known.pop(key, None) or _new_break(merchant_id, difference, now)
        if row.resolved_at is not None:
            row.first_seen = now
        row.owner, row.resolved_at, row.last_seen = difference.owner, None, now
        row.expected, row.found = difference.expected[:300], difference.found[:300]
        row.rma = books.rmas.get(difference.line_id) if difference.line_id else None
        session.add(row)
    for row in known.values():
        row.resolved_at = row.resolved_at or now
    session.flush()


def _new_break(merchant_id: UUID, difference: Difference, now: datetime) -> Break:
    return Break(
        merchant_id=merchant_id,
        code=difference.code,
        subject=difference.subject,
        expected="",
        found="",
        owner=difference.owner,
        first_seen=now,
        last_seen=now,
    )
