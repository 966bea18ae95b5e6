"""One comparison: read the other sides on, look at what is new or open, keep what was found.

Books, processors and chain cannot be read at one moment. So what is new is looked at again after
the other sides were read once more: a difference that was only between two readings is gone then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, select

from custody import evidence
from returns import locks, reads
from returns.tables import Break, ReconciliationRun, ReconSide, ReportFile
from returns.tables.reconciliation import REFUNDS
from settlement.reconciliation import breaks, checks, intake, loose, places, scope
from settlement.reconciliation.chain_side import ChainRead, read_chain
from settlement.reconciliation.differences import Difference, Key, Rules
from settlement.reconciliation.intake import keep_cursors, processor_side
from settlement.reconciliation.line_facts import LEGS, LINES, LineFacts, load, pages
from settlement.reconciliation.processor_side import identify, look_up, read_processor
from settlement.reconciliation.scope import Scope
from settlement.reconciliation.suspects import suspects
from settlement.runtime import Runtime

#: Columns of a run that reports show.
COUNTS = {"block_number", "legs", "processor_refunds", "chain_events"}

ACTOR = "undrop"


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look needs to know. `reporting`: processors that have a report."""

    runtime: Runtime
    merchant_id: UUID
    vault: str
    rules: Rules
    chain: ChainRead
    reporting: frozenset[str]


def run(
    runtime: Runtime, merchant_id: UUID, *, full: bool = True, actor: str = ACTOR
) -> tuple[ReconciliationRun, list[Break]]:
    """Compare, store what was found, and return the run with all open breaks.

    Not `full`, it looks at what is new or open only; the first run of a merchant is always full.
    Only a full one finds what somebody changed of the past, behind every cursor.

    Raises `ChainUnavailable`, `ProcessorUnavailable`, `ReportUnusable`: half a comparison is none.
    """
    with runtime.database.read() as session:
        vault = reads.vault_of(session, merchant_id)
        known = breaks.open_keys(session, merchant_id)
    look = _read_sides(runtime, merchant_id, vault, full=full)
    if full:
        intake.refresh_statistics(runtime)
    with runtime.database.read() as session:
        begin = scope.whole if full else scope.touched
        names, chain_id = list(runtime.processors), runtime.deployment.chain_id
        wanted = begin(session, merchant_id, chain_id, names)
    found = _found(look, wanted)
    doubtful = {key: one for key, one in found.items() if key not in known}
    if doubtful:
        look = _read_sides(runtime, merchant_id, vault, full=False, before=look.chain.logs)
        again = _found(look, _only(doubtful.values()))
        found = {key: again.get(key, one) for key, one in found.items()
                 if key in known or key in again}  # fmt: skip
    return _keep(look, wanted, found, actor)


def _read_sides(
    runtime: Runtime, merchant_id: UUID, vault: str, *, full: bool, before: int = 0
) -> _Look:
    chain = read_chain(runtime, full=full)
    for name in sorted(runtime.processors):
        read_processor(runtime, runtime.processors[name], full=full)
    settings, now = runtime.settings, runtime.clock()
    rules = Rules(
        now,
        timedelta(seconds=settings.reconcile_patience_seconds),
        timedelta(hours=settings.reconcile_late_hours),
        settings.reconcile_tolerance,
    )
    read = ChainRead(chain.head, chain.final, before + chain.logs)
    return _Look(runtime, merchant_id, vault, rules, read, _reporting(runtime))


def _reporting(runtime: Runtime) -> frozenset[str]:
    """Processors that have told any movement: of others the log is all there is."""
    with runtime.database.read() as session:
        sides = {name: session.get(ReconSide, processor_side(name)) for name in runtime.processors}
        read_on = {name for name, row in sides.items() if row is not None and row.cursor}
        from_files = session.exec(select(ReportFile.processor).distinct())
        return frozenset(read_on) | frozenset(from_files)


def _only(doubtful: Iterable[Difference]) -> Scope:
    """What new differences are about."""
    wanted = Scope(set())
    for one in doubtful:
        scope.add_subject(wanted, one.code, one.subject, one.line_id)
    return wanted


# -- looking ---------------------------------------------------------------------------------------


def _found(look: _Look, wanted: Scope) -> dict[Key, Difference]:
    """Every difference in scope; of several with one subject the last one."""
    runtime, merchant_id = look.runtime, look.merchant_id
    _ask(look, wanted)
    lines, entries = _to_check(look, wanted)
    found = [one for part in pages(sorted(lines)) for one in _check(look, part)]
    found += places.misplaced(runtime, merchant_id, look.vault, wanted.lines)
    found += places.strays(runtime, merchant_id, None if wanted.is_full else wanted.tokens)
    refunds = None if wanted.is_full else wanted.refunds
    with runtime.database.read() as session:
        found += loose.unknown_refunds(session, merchant_id, refunds)
        found += loose.unknown_disputes(session, refunds)
        found += loose.unbalanced(session, entries)
    return {one.key: one for one in found}


def _ask(look: _Look, wanted: Scope) -> None:
    """What the reports alone do not tell: which payouts were made, and whose a refund is."""
    runtime, merchant_id = look.runtime, look.merchant_id
    if wanted.lines:
        look_up(runtime, merchant_id, sorted(wanted.lines))
    for name in sorted(runtime.processors):
        ids = identify(runtime, name)
        with runtime.database.read() as session:
            scope.add_refunds(session, merchant_id, wanted, name, ids)


def _to_check(look: _Look, wanted: Scope) -> tuple[set[UUID], set[UUID]]:
    if wanted.lines is not None:
        return wanted.lines, wanted.entries
    with look.runtime.database.read() as session:
        return suspects(session, look.merchant_id, look.reporting)


def _check(look: _Look, line_ids: list[UUID]) -> list[Difference]:
    with look.runtime.database.read() as session:
        lines = load(session, look.merchant_id, line_ids)
    sides = checks.Sides(look.chain.head, _hashes(look, lines), look.reporting)
    return [one for line in lines for one in checks.check(line, sides, look.rules)]


def _hashes(look: _Look, lines: list[LineFacts]) -> Mapping[int, str]:
    """What the chain has where the books have an effect that it does not show."""
    unseen = (leg.block_number for line in lines for leg in checks.unseen(line))
    numbers = sorted({number for number in unseen if number is not None})
    return evidence.hashes(look.runtime.evidence_client, numbers)


# -- keeping ---------------------------------------------------------------------------------------


def _keep(
    look: _Look, wanted: Scope, found: Mapping[Key, Difference], actor: str
) -> tuple[ReconciliationRun, list[Break]]:
    merchant_id, now = look.merchant_id, look.rules.now
    broken = {one.line_id for one in found.values() if one.line_id is not None}
    with look.runtime.database.write() as session:
        locks.lock_reconciliation(session, merchant_id)
        breaks.keep(session, merchant_id, found, wanted, now)
        breaks.keep_items(session, merchant_id, wanted, broken, look.chain.final, now)
        keep_cursors(session, merchant_id, wanted.cursors)
        still = reads.open_breaks(session, merchant_id)
        row = _run(session, look, wanted, len(still), actor)
        session.add(row)
        return row, still


def _run(session: Session, look: _Look, wanted: Scope, still: int, actor: str) -> ReconciliationRun:
    lines = wanted.lines
    refunds = sa.select(sa.func.count()).select_from(REFUNDS)
    return ReconciliationRun(
        merchant_id=look.merchant_id,
        full=wanted.is_full,
        block_number=look.chain.head,
        lines=_count(session, LINES, look.merchant_id) if lines is None else len(lines),
        legs=_count(session, LEGS, look.merchant_id, lines, "line_id"),
        processor_refunds=len(wanted.refunds)
        if lines is not None
        else session.scalar(refunds) or 0,
        chain_events=look.chain.logs,
        breaks=still,
        started_by=actor,
        at=look.rules.now,
    )


def _count(
    session: Session,
    table: sa.Table,
    merchant_id: UUID,
    among_ids: Collection[UUID] | None = None,
    name: str = "id",
) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    query = query.where(table.c.merchant_id == merchant_id)
    if among_ids is None:
        return int(session.connection().execute(query).scalar_one())
    counts = (
        session.connection().execute(query.where(table.c[name].in_(part))).scalar_one()
        for part in pages(sorted(among_ids))
    )
    return sum(counts)
