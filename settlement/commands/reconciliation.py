"""Reconciliation as people use it: runs and their sign-off, breaks and what becomes of them."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from sqlmodel import Session, col, select

from returns import locks
from returns.break_reads import break_view, detail, find_break, open_page
from returns.errors import (
    BreakClosed,
    BreakNotProposed,
    BreakOwnProposal,
    NotFound,
    RunOwnSignOff,
    RunSigned,
    UndropError,
)
from returns.tables import AuditRow, Break, Merchant, ReconciliationRun
from returns.words import AgeBucket, BreakOutcome
from settlement.commands.access import Caller
from settlement.commands.inputs import Input, Name, Written
from settlement.people import is_same_person
from settlement.reconciliation import report_files
from settlement.reconciliation.report_files import FileReport
from settlement.reconciliation.run import run
from settlement.runtime import Runtime

log = logging.getLogger(__name__)


class AssignmentIn(Input):
    """Whose a break is: a desk, and perhaps a person of it."""

    owner: Literal["finance", "custody", "operations"] | None = None
    assignee: Name | None = None
    note: Written | None = None


class OutcomeIn(Input):
    """What is to become of a break: put right, or accepted as it is; and why."""

    outcome: BreakOutcome
    reason: Written


class ConfirmationIn(Input):
    """A second person's word about what was proposed."""

    decision: Literal["confirm", "reject"]
    reason: Written


class SignOffIn(Input):
    """What the second person has to say about a whole run; with open breaks, why it is signed."""

    note: Written


def reconcile(
    runtime: Runtime, merchant_id: UUID, actor: str, *, full: bool = False
) -> tuple[ReconciliationRun, list[Break]]:
    """Compare what is new or open, or everything; returns the run and the breaks that are open.

    Raises `ChainUnavailable`, `ProcessorUnavailable`, `ReportUnusable`, `ConcurrentChange`.
    """
    return run(runtime, merchant_id, full=full, actor=actor)


def reconcile_all(runtime: Runtime) -> int:
    """Compare what is new of every merchant; returns how many came to an end.

    One whose other side does not answer is left for the next time.
    """
    with runtime.database.read() as session:
        merchants = list(session.exec(select(Merchant.id).where(col(Merchant.vault).is_not(None))))
    return sum(_reconciled(runtime, merchant_id) for merchant_id in merchants)


def _reconciled(runtime: Runtime, merchant_id: UUID) -> bool:
    try:
        reconcile(runtime, merchant_id, "undrop")
    except UndropError as refusal:
        log.warning("reconcile.failed merchant=%s problem=%s", merchant_id, refusal)
        return False
    return True


def import_report(
    runtime: Runtime, merchant_id: UUID, file: Path, processor: str, actor: str
) -> FileReport:
    """Take in a processor's report from a file. Raises `FieldInvalid`, `FileInvalid`."""
    return report_files.import_report(runtime, merchant_id, file, processor, actor)


def listed(
    runtime: Runtime,
    caller: Caller,
    code: str | None,
    owner: str | None,
    age: AgeBucket | None,
    limit: int,
) -> dict[str, Any]:
    """Open breaks, narrowed by code, desk or person, and age."""
    now = runtime.clock()
    with runtime.database.read() as session:
        return open_page(session, caller.merchant_id, now, code, owner, age, limit)


def shown(runtime: Runtime, caller: Caller, break_id: UUID) -> dict[str, Any]:
    """One break with its evidence and history. Raises `NotFound`."""
    with runtime.database.read() as session:
        row = find_break(session, caller.merchant_id, break_id)
        return detail(session, row, runtime.clock())


def assign(runtime: Runtime, caller: Caller, break_id: UUID, given: AssignmentIn) -> dict[str, Any]:
    """Give a break to a desk or a person. Raises `NotFound`, `BreakClosed`."""
    now = runtime.clock()
    with runtime.database.write() as session:
        row = _open(session, caller, break_id)
        before = row.assignee or row.owner
        row.owner = given.owner or row.owner
        row.assignee, row.assigned_by = given.assignee, caller.name
        after = given.assignee or row.owner
        _note(session, row, caller, "break.assigned", (before, after), given.note or "", now)
        return break_view(row, now)


def propose(runtime: Runtime, caller: Caller, break_id: UUID, given: OutcomeIn) -> dict[str, Any]:
    """Say what is to become of a break; a second person confirms it.

    Raises `NotFound`, `BreakClosed`.
    """
    now = runtime.clock()
    with runtime.database.write() as session:
        row = _open(session, caller, break_id)
        row.outcome, row.reason, row.proposed_by = given.outcome, given.reason, caller.name
        words = ("open", given.outcome.value)
        _note(session, row, caller, "break.proposed", words, given.reason, now)
        return break_view(row, now)


def confirm(
    runtime: Runtime, caller: Caller, break_id: UUID, given: ConfirmationIn
) -> dict[str, Any]:
    """Confirm or reject what somebody else proposed.

    Raises `NotFound`, `BreakClosed`, `BreakNotProposed`, `BreakOwnProposal` for who proposed it,
    or was to look into it.
    """
    now = runtime.clock()
    with runtime.database.write() as session:
        row = _open(session, caller, break_id)
        if row.outcome is None or row.proposed_by is None:
            raise BreakNotProposed
        for other in (row.proposed_by, row.assignee):
            if other is not None and is_same_person(other, caller.name):
                raise BreakOwnProposal(actor=caller.name)
        outcome = row.outcome.value
        if given.decision == "confirm":
            row.confirmed_by, row.confirmed_at = caller.name, now
            words = (outcome, f"{outcome}, confirmed")
        else:
            row.outcome, row.proposed_by, row.reason = None, None, ""
            words = (outcome, "open")
        _note(session, row, caller, f"break.{given.decision}ed", words, given.reason, now)
        return break_view(row, now)


def sign_off(runtime: Runtime, caller: Caller, run_id: UUID, given: SignOffIn) -> dict[str, Any]:
    """Put a name under a whole run. Raises `NotFound`, `RunOwnSignOff`, `RunSigned`."""
    now = runtime.clock()
    with runtime.database.write() as session:
        locks.lock_reconciliation(session, caller.merchant_id)
        row = session.get(ReconciliationRun, run_id)
        if row is None or row.merchant_id != caller.merchant_id:
            raise NotFound(what="run")
        if row.signed_by is not None:
            raise RunSigned(actor=row.signed_by, at=row.signed_at)
        if is_same_person(row.started_by, caller.name):
            raise RunOwnSignOff(actor=caller.name)
        row.signed_by, row.signed_at, row.signed_note = caller.name, now, given.note
        session.add(_audit_of(row.id, caller, "reconciliation.signed", ("", ""), given.note, now))
        return {"run": str(row.id), "signed_by": row.signed_by, "breaks": row.breaks}


def _open(session: Session, caller: Caller, break_id: UUID) -> Break:
    """A break that can still be worked on, while no run and no colleague changes it."""
    locks.lock_reconciliation(session, caller.merchant_id)
    row = find_break(session, caller.merchant_id, break_id)
    if row.resolved_at is not None or row.confirmed_at is not None:
        raise BreakClosed(code=row.code, subject=row.subject)
    return row


def _note(
    session: Session,
    row: Break,
    caller: Caller,
    action: str,
    words: tuple[str, str],
    reason: str,
    now: datetime,
) -> None:
    session.add(row)
    session.add(_audit_of(row.id, caller, action, words, reason, now))


def _audit_of(
    subject_id: UUID,
    caller: Caller,
    action: str,
    words: tuple[str, str],
    reason: str,
    now: datetime,
) -> AuditRow:
    return AuditRow(
        merchant_id=caller.merchant_id,
        subject_id=subject_id,
        actor=caller.name,
        action=action,
        before=words[0][:64],
        after=words[1][:64],
        reason=reason,
        at=now,
    )
