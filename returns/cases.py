"""The one function that advances a line: lock, check, save, one audit row, exactly one event."""

import json
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, select

from returns import lifecycle, locks
from returns.event_kinds import kind_of
from returns.review_terms import ANSWER_WITHIN, REVIEW_WITHIN
from returns.tables import AuditRow, Event, ReturnCase, ReturnLine
from returns.words import LineState


def open_line(session: Session, case: ReturnCase, line: ReturnLine, actor: str) -> None:
    """Store a new line in its first state, with the event that says so."""
    line.state, line.open = LineState.REQUESTED, True
    session.add(line)
    session.flush()
    _record(session, case, line, "", actor, case.reason.value, {}, case.created_at)


def advance(
    session: Session,
    line_id: UUID,
    to: LineState,
    *,
    actor: str,
    reason: str,
    now: datetime,
    details: Mapping[str, str] | None = None,
    due_at: datetime | None = None,
) -> ReturnLine:
    """Move a line to another state within the caller's transaction.

    `details` are facts for the customer's timeline (strings only; no personal data). `due_at` says
    until when a question is to be answered, if not as long as usual.
    Raises `MoveNotAllowed` where the lifecycle has no such move; nothing is changed then.
    """
    case, line = locks.lock_line(session, line_id)
    lifecycle.check_move(line.state, to)
    before, line.state = line.state, to
    line.open = lifecycle.holds_purchase(to, line.disposition)
    line.updated_at = now
    line.due_at = _due_at(to, now, due_at)
    _record(session, case, line, before.value, actor, reason, details or {}, now)
    return line


def lines_of(session: Session, case_id: UUID) -> list[ReturnLine]:
    """The lines of a case in the order in which they were requested."""
    query = select(ReturnLine).where(ReturnLine.case_id == case_id).order_by(ReturnLine.id)  # type: ignore[arg-type]
    return list(session.exec(query))


def _due_at(state: LineState, now: datetime, answer_by: datetime | None) -> datetime | None:
    """Whatever is on the desk has a deadline, so that nothing there is forgotten."""
    if state in lifecycle.FOR_A_PERSON:
        return now + REVIEW_WITHIN
    if state is LineState.AWAITING_EVIDENCE:
        return answer_by or now + ANSWER_WITHIN
    return None


def _record(
    session: Session,
    case: ReturnCase,
    line: ReturnLine,
    before: str,
    actor: str,
    reason: str,
    details: Mapping[str, str],
    now: datetime,
) -> None:
    case.sequence += 1
    session.add(
        AuditRow(
            subject_id=line.id,
            actor=actor,
            action="line.move",
            before=before,
            after=line.state.value,
            reason=reason[:1000],
            merchant_id=line.merchant_id,
            at=now,
        )
    )
    session.add(
        Event(
            case_id=case.id,
            line_id=line.id,
            sequence=case.sequence,
            kind=kind_of(line.state),
            payload=json.dumps({"reason": reason[:1000], **details}, sort_keys=True),
            merchant_id=line.merchant_id,
            at=now,
        )
    )
    session.flush()
