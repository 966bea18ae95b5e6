"""Breaks as people work them off: which are open, how old, at whose desk, and what was said."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns.errors import NotFound
from returns.tables import AuditRow, Break
from returns.words import AgeBucket

#: Ages in which breaks are counted: from, and up to but without.
AGES: dict[AgeBucket, tuple[timedelta, timedelta]] = {
    AgeBucket.DAY: (timedelta(0), timedelta(days=1)),
    AgeBucket.WEEK: (timedelta(days=1), timedelta(days=7)),
    AgeBucket.MONTH: (timedelta(days=7), timedelta(days=30)),
    AgeBucket.OLDER: (timedelta(days=30), timedelta(days=36_500)),
}

DEFAULT_PAGE, MAX_PAGE = 200, 1_000


def age_of(row: Break, now: datetime) -> AgeBucket:
    """The bucket of a break's age."""
    age = now - row.first_seen
    return next((name for name, (_, end) in AGES.items() if age < end), AgeBucket.OLDER)


def break_view(row: Break, now: datetime) -> dict[str, Any]:
    """A break as the API and the command line show it."""
    return {
        "id": str(row.id),
        "code": row.code,
        "subject": row.subject,
        "rma": row.rma,
        "expected": row.expected,
        "found": row.found,
        "owner": row.owner,
        "assignee": row.assignee,
        "outcome": None if row.outcome is None else row.outcome.value,
        "age": age_of(row, now).value,
        "first_seen": row.first_seen.isoformat(),
    }


def open_page(
    session: Session,
    merchant_id: UUID,
    now: datetime,
    code: str | None,
    owner: str | None,
    age: AgeBucket | None,
    limit: int,
) -> dict[str, Any]:
    """Open breaks, the oldest first; counts are of all open ones, whatever was asked for."""
    query = select(Break).where(*_open(merchant_id))
    if code is not None:
        query = query.where(Break.code == code)
    if owner is not None:
        query = query.where(sa.or_(col(Break.owner) == owner, col(Break.assignee) == owner))
    if age is not None:
        begin, end = AGES[age]
        query = query.where(Break.first_seen <= now - begin, Break.first_seen > now - end)
    page = query.order_by(col(Break.first_seen), col(Break.code), col(Break.subject)).limit(limit)
    return {
        "breaks": [break_view(row, now) for row in session.exec(page)],
        "by_code": _counts(session, merchant_id, Break.code),
        "by_owner": _counts(session, merchant_id, Break.owner),
        "by_age": _ages(session, merchant_id, now),
    }


def find_break(session: Session, merchant_id: UUID, break_id: UUID) -> Break:
    """A merchant's break; raises `NotFound` alike for unknown and for others' ones."""
    query = select(Break).where(Break.id == break_id, Break.merchant_id == merchant_id)
    row = session.exec(query).first()
    if row is None:
        raise NotFound(what="break")
    return row


def detail(session: Session, row: Break, now: datetime) -> dict[str, Any]:
    """A break with its evidence, and everything that was done about it."""
    notes = select(AuditRow).where(AuditRow.subject_id == row.id).order_by(col(AuditRow.id))
    return {
        **break_view(row, now),
        "reason": row.reason,
        "evidence": json.loads(row.evidence),
        "assigned_by": row.assigned_by,
        "proposed_by": row.proposed_by,
        "confirmed_by": row.confirmed_by,
        "last_seen": row.last_seen.isoformat(),
        "resolved_at": None if row.resolved_at is None else row.resolved_at.isoformat(),
        "history": [
            {
                "at": note.at.isoformat(),
                "actor": note.actor,
                "action": note.action,
                "after": note.after,
                "reason": note.reason,
            }
            for note in session.exec(notes)
        ],
    }


def _open(merchant_id: UUID) -> tuple[Any, ...]:
    """Still there, and not agreed upon by two people."""
    gone, agreed = col(Break.resolved_at), col(Break.confirmed_at)
    return Break.merchant_id == merchant_id, gone.is_(None), agreed.is_(None)


def _counts(session: Session, merchant_id: UUID, column: Any) -> dict[str, int]:
    query = select(column, sa.func.count()).where(*_open(merchant_id)).group_by(column)
    return {str(value): count for value, count in session.exec(query.order_by(column))}


def _ages(session: Session, merchant_id: UUID, now: datetime) -> dict[str, int]:
    def count(begin: timedelta, end: timedelta) -> int:
        query = select(sa.func.count()).select_from(Break).where(*_open(merchant_id))
        within = (col(Break.first_seen) <= now - begin, col(Break.first_seen) > now - end)
        return session.exec(query.where(*within)).one()

    return {name.value: count(*ends) for name, ends in AGES.items()}
