"""Evidence comes in: questions of the desk, answers of the customer, each with hash and time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from returns import cases, locks, reads
from returns.errors import EvidenceFull, EvidenceNotWanted
from returns.evidence_reads import (
    evidence_of,
    evidence_view,
    find_file,
    is_for_customer,
    newest_block,
)
from returns.ids import new_id
from returns.review_terms import APPEAL_WITHIN
from returns.tables import Evidence, ReturnLine
from returns.words import EvidenceKind, LineState
from settlement.commands.access import Caller
from settlement.commands.review_inputs import EvidenceIn, FileIn
from settlement.runtime import Runtime

#: Answers that one line takes.
MAX_ANSWERS = 10

_WANTED = (LineState.IN_REVIEW, LineState.AWAITING_EVIDENCE)


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is handed out."""

    name: str
    media_type: str
    content: bytes


def give(runtime: Runtime, caller: Caller, rma: str, given: EvidenceIn) -> dict[str, Any]:
    """Add words or a file to a line; the first answer to a question brings it back to review.

    The same once more, with no question in between, is recognised. Raises `NotFound`,
    `EvidenceNotWanted`, `EvidenceFull`; nothing is changed then.
    """
    chain_id, now = runtime.settings.chain_id, runtime.clock()
    with runtime.database.write() as session:
        case = reads.find_case(session, caller.merchant_id, rma, caller.order_id)
        _, line = locks.lock_line(session, reads.find_line(session, case, given.line).id)
        known = evidence_of(session, [line.id])[line.id]
        row = _already_given(known, caller.name, given)
        if row is None:
            _refuse_unwanted(line, known)
            row = record(session, chain_id, line, caller.name, now, given.text, given.file)
        if line.state is LineState.AWAITING_EVIDENCE:
            to, reason = LineState.IN_REVIEW, "the question was answered"
            cases.advance(session, line.id, to, actor=caller.name, reason=reason, now=now)
        return evidence_view(row)


def listed(runtime: Runtime, caller: Caller, rma: str) -> dict[str, Any]:
    """What was asked and given in a case, and by line what the customer can still do."""
    with runtime.database.read() as session:
        case = reads.find_case(session, caller.merchant_id, rma, caller.order_id)
        lines = cases.lines_of(session, case.id)
        by_line = evidence_of(session, [line.id for line in lines])
        rows = sorted((row for found in by_line.values() for row in found), key=lambda row: row.id)
        is_staff = caller.order_id is None
        return {
            "rma": case.rma,
            "lines": [_open_doors(session, line) for line in lines],
            "evidence": [evidence_view(row) for row in rows if is_staff or is_for_customer(row)],
        }


def file(runtime: Runtime, caller: Caller, rma: str, evidence_id: str) -> File:
    """The file of one answer; raises `NotFound` alike for unknown ones and for others'."""
    with runtime.database.read() as session:
        case = reads.find_case(session, caller.merchant_id, rma, caller.order_id)
        row = find_file(session, case, evidence_id, for_customer=caller.order_id is not None)
        return File(row.name or "", row.media_type or "", row.content or b"")


def record(
    session: Session,
    chain_id: int,
    line: ReturnLine,
    by: str,
    now: datetime,
    text: str,
    file: FileIn | None = None,
    kind: EvidenceKind = EvidenceKind.GIVEN,
    due_at: datetime | None = None,
) -> Evidence:
    """Store a question or an answer, with the time by the clock and by the chain."""
    row = Evidence(
        id=new_id(),
        merchant_id=line.merchant_id,
        case_id=line.case_id,
        line_id=line.id,
        kind=kind,
        by=by,
        text=text,
        due_at=due_at,
        block_number=newest_block(session, chain_id),
        at=now,
    )
    if file is not None:
        row.name, row.media_type = file.name, file.media_type
        row.sha256, row.size, row.content = file.sha256, len(file.data), file.data
    session.add(row)
    session.flush()
    return row


def is_asked_already(known: list[Evidence], question: str, days: int) -> bool:
    """Whether the newest question is this one."""
    asked = [row for row in known if row.kind is EvidenceKind.ASKED]
    last = asked[-1] if asked else None
    return last is not None and (last.text, last.due_at) == (question, last.at + timedelta(days))


def is_same(row: Evidence, text: str, file: FileIn | None) -> bool:
    """Whether an answer has these words and this file."""
    return (row.text, row.sha256) == (text, None if file is None else file.sha256)


def _already_given(known: list[Evidence], by: str, given: EvidenceIn) -> Evidence | None:
    """The same answer of the same giver since the last question."""
    for row in reversed(known):
        if row.kind is EvidenceKind.ASKED:
            return None
        if row.by == by and is_same(row, given.text, given.file):
            return row
    return None


def _refuse_unwanted(line: ReturnLine, known: list[Evidence]) -> None:
    if line.state not in _WANTED:
        raise EvidenceNotWanted(state=line.state.value)
    if sum(row.kind is EvidenceKind.GIVEN for row in known) >= MAX_ANSWERS:
        raise EvidenceFull(limit=MAX_ANSWERS)


def _open_doors(session: Session, line: ReturnLine) -> dict[str, Any]:
    """What the customer can still do about a line, and until when."""
    decision = reads.newest_decision(session, line.id)
    is_denied = line.state is LineState.DENIED and decision is not None
    until = decision.decided_at + APPEAL_WITHIN if is_denied and decision else None
    waits = line.state is LineState.AWAITING_EVIDENCE and line.due_at is not None
    return {
        "line": str(line.id),
        "state": line.state.value,
        "takes_evidence": line.state in _WANTED,
        "answer_until": line.due_at.isoformat() if waits and line.due_at else None,
        "appeal_until": None if until is None else until.isoformat(),
    }
