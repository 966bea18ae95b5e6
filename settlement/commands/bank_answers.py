"""A bank's answers: each is taken in once, whole or not at all."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlmodel import Session, col, select

from returns import locks
from returns.errors import StatusFileKnown, StatusFileRefused
from returns.tables import AuditRow, BankFile, BankMovement, BankStatusFile, BankTransfer
from returns.words import RefundStatus
from settlement import payouts
from settlement.banking import pain002
from settlement.banking.outcomes import Outcome, outcomes
from settlement.banking.pain002 import Report
from settlement.broker import INBOX
from settlement.commands.bank_files import known_file
from settlement.processors.bank import BankProcessor, refund_of
from settlement.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Taken:
    """What an answer changed: transfers by their new status."""

    message_id: str
    about: str
    changed: dict[str, int]


def import_status(runtime: Runtime, merchant_id: UUID, path: Path, actor: str) -> Taken:
    """Take in a bank's answer, whole or not at all. What it says reaches the legs by the inbox.

    Raises `FileInvalid`, `StatusFileKnown`, `StatusFileRefused`.
    """
    content = pain002.read_file(path)
    report = pain002.read(content, path.name)
    with runtime.database.write() as session:
        locks.lock_bank(session, merchant_id)
        row = _status_file(session, merchant_id, report, content, actor, runtime.clock())
        session.add(row)
        session.flush()
        found = _judge(session, row, report)
        for outcome in found:
            _apply(session, row, outcome)
        session.add(_audit(row))
    runtime.wake(INBOX, BankProcessor.name)
    counts = Counter(outcome.status.value for outcome in found)
    return Taken(report.message_id, report.about, dict(sorted(counts.items())))


def _status_file(
    session: Session,
    merchant_id: UUID,
    report: Report,
    content: bytes,
    actor: str,
    now: datetime,
) -> BankStatusFile:
    sha256 = hashlib.sha256(content).hexdigest()
    same = (col(BankStatusFile.sha256) == sha256) | (
        col(BankStatusFile.message_id) == report.message_id
    )
    query = select(BankStatusFile).where(BankStatusFile.merchant_id == merchant_id, same)
    known = session.exec(query.limit(1)).first()
    if known is not None:
        about = {"at": known.taken_at.isoformat(timespec="seconds"), "by": known.taken_by}
        raise StatusFileKnown(message=known.message_id, **about)
    file = known_file(session, merchant_id, report.about)
    if file is None:
        problem = f"it is about message {report.about}, which is not one of yours"
        raise StatusFileRefused(message=report.message_id, problem=problem)
    return BankStatusFile(
        merchant_id=merchant_id,
        file_id=file.id,
        message_id=report.message_id,
        sha256=sha256,
        taken_by=actor,
        taken_at=now,
    )


def _judge(session: Session, row: BankStatusFile, report: Report) -> list[Outcome]:
    query = select(BankTransfer).where(BankTransfer.file_id == row.file_id)
    transfers = list(session.exec(query.order_by(col(BankTransfer.id))))
    return outcomes(report, session.get_one(BankFile, row.file_id), transfers)


def _apply(session: Session, row: BankStatusFile, outcome: Outcome) -> None:
    transfer, is_return = outcome.transfer, outcome.is_return
    has_moved = is_return or (
        outcome.status is RefundStatus.SUCCEEDED and transfer.status is not RefundStatus.SUCCEEDED
    )
    transfer.status, transfer.code, transfer.reason = outcome.status, outcome.code, outcome.reason
    transfer.updated_at = row.taken_at
    if has_moved:
        session.add(
            BankMovement(
                merchant_id=row.merchant_id,
                transfer_id=transfer.id,
                status_file_id=row.id,
                is_return=is_return,
                at=row.taken_at,
            )
        )
    fact, name = refund_of(transfer), BankProcessor.name
    payouts.receive(session, name, row.merchant_id, fact, row.taken_at)


def _audit(row: BankStatusFile) -> AuditRow:
    return AuditRow(
        merchant_id=row.merchant_id,
        subject_id=row.id,
        actor=row.taken_by,
        action="bank.status",
        after=row.sha256,
        at=row.taken_at,
    )
