"""Keeps what was found: breaks with their age, items with their state, the run itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns.bulk import among
from returns.tables import AuditRow, Break
from returns.tables.reconciliation import EFFECTS, ITEMS
from returns.words import MatchState
from settlement.reconciliation.differences import Difference, Key
from settlement.reconciliation.line_facts import CASES, LEGS, LINES, OVER, pages
from settlement.reconciliation.scope import Scope

ACTOR = "undrop"


def open_keys(session: Session, merchant_id: UUID) -> set[Key]:
    """Breaks that the last run still saw."""
    query = select(Break.code, Break.subject).where(
        Break.merchant_id == merchant_id, col(Break.resolved_at).is_(None)
    )
    return {(code, subject) for code, subject in session.exec(query)}


def keep(
    session: Session,
    merchant_id: UUID,
    found: Mapping[Key, Difference],
    scope: Scope,
    now: datetime,
) -> None:
    """Open what is new, bring up to date what is still there, resolve what is gone."""
    rmas = _rmas(session, {one.line_id for one in found.values() if one.line_id is not None})
    known = _known(session, merchant_id, found)
    for key, difference in found.items():
        row = known.get(key)
        if row is None:
            row = _new_break(merchant_id, difference, now)
            session.add(row)
        _update(session, row, difference, now)
        row.rma = rmas.get(difference.line_id) if difference.line_id else None
    for row in _looked_at(session, merchant_id, scope):
        if (row.code, row.subject) not in found:
            row.resolved_at = now
            _audit(session, row, "break.gone", "open", "resolved", now)
    session.flush()


def _known(session: Session, merchant_id: UUID, found: Collection[Key]) -> dict[Key, Break]:
    rows: dict[Key, Break] = {}
    for part in pages(sorted({subject for _, subject in found})):
        query = select(Break).where(
            Break.merchant_id == merchant_id, among(session, Break.subject, part)
        )
        rows |= {(row.code, row.subject): row for row in session.exec(query)}
    return rows


def _looked_at(session: Session, merchant_id: UUID, scope: Scope) -> list[Break]:
    """Open breaks that this run would have found again."""
    query = select(Break).where(Break.merchant_id == merchant_id, col(Break.resolved_at).is_(None))
    if scope.lines is None:
        return list(session.exec(query))
    rows = list(session.exec(query.where(col(Break.line_id).is_(None))))
    for part in pages(sorted(scope.lines)):
        rows += session.exec(query.where(among(session, Break.line_id, part)))
    return rows


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


def _update(session: Session, row: Break, difference: Difference, now: datetime) -> None:
    """A break that is there again, or that differs from what was agreed upon, is open anew."""
    says = (difference.expected[:300], difference.found[:300])
    came_back = row.resolved_at is not None
    changed = row.expected != "" and (row.expected, row.found) != says
    if row.outcome is not None and (came_back or changed or _said_resolved(row)):
        _audit(session, row, "break.reopened", row.outcome.value, "open", now)
        row.outcome = row.proposed_by = row.confirmed_by = row.confirmed_at = None
        row.reason = ""
    if came_back:
        row.first_seen, row.owner = now, difference.owner
    row.line_id, row.resolved_at, row.last_seen = difference.line_id, None, now
    row.expected, row.found = says
    row.evidence = difference.evidence_json()


def _said_resolved(row: Break) -> bool:
    """Two people called it put right, and it is still there."""
    return row.confirmed_at is not None and row.outcome == "resolved"


def _audit(
    session: Session, row: Break, action: str, before: str, after: str, now: datetime
) -> None:
    session.add(
        AuditRow(
            merchant_id=row.merchant_id,
            subject_id=row.id,
            actor=ACTOR,
            action=action,
            before=before,
            after=after,
            at=now,
        )
    )


def _rmas(session: Session, line_ids: Collection[UUID]) -> dict[UUID, str]:
    found: dict[UUID, str] = {}
    for part in pages(sorted(line_ids)):
        query = sa.select(LINES.c.id, CASES.c.rma).join(CASES, CASES.c.id == LINES.c.case_id)
        rows = session.connection().execute(query.where(among(session, LINES.c.id, part)))
        found |= {row.id: row.rma for row in rows}
    return found


# -- items -----------------------------------------------------------------------------------------


def keep_items(
    session: Session,
    merchant_id: UUID,
    scope: Scope,
    broken: Collection[UUID],
    final_block: int,
    now: datetime,
) -> None:
    """Say of each line that was looked at how it stands; a break's line counts as looked at."""
    if scope.lines is None:
        _set_items(session, merchant_id, None, now)
        _mark_waiting(session, merchant_id, None, final_block)
    else:
        for part in pages(sorted(scope.lines | set(broken))):
            _set_items(session, merchant_id, part, now)
            _mark_waiting(session, merchant_id, part, final_block)
    for part in pages(sorted(broken)):
        _mark(session, among(session, ITEMS.c.line_id, part), MatchState.BROKEN)


def _set_items(session: Session, merchant_id: UUID, part: list[UUID] | None, now: datetime) -> None:
    run = session.connection().execute
    mine, lines = ITEMS.c.merchant_id == merchant_id, LINES.c.merchant_id == merchant_id
    if part is not None:
        mine = sa.and_(mine, among(session, ITEMS.c.line_id, part))
        lines = sa.and_(lines, among(session, LINES.c.id, part))
    run(sa.delete(ITEMS).where(mine))
    matched = sa.literal(MatchState.MATCHED, ITEMS.c.state.type)
    checked = sa.literal(now, ITEMS.c.checked_at.type)
    rows = sa.select(LINES.c.id, LINES.c.merchant_id, matched, checked).where(lines)
    run(sa.insert(ITEMS).from_select(["line_id", "merchant_id", "state", "checked_at"], rows))


def _mark_waiting(
    session: Session, merchant_id: UUID, part: list[UUID] | None, final_block: int
) -> None:
    """Something of it is under way, or in a block that can be undone."""
    legs = sa.select(LEGS.c.line_id).where(
        LEGS.c.merchant_id == merchant_id, LEGS.c.state.not_in(OVER)
    )
    young = sa.select(EFFECTS.c.line_id).where(
        EFFECTS.c.block_number > final_block, EFFECTS.c.line_id.is_not(None)
    )
    if part is not None:
        legs = legs.where(among(session, LEGS.c.line_id, part))
        young = young.where(among(session, EFFECTS.c.line_id, part))
    where = sa.or_(ITEMS.c.line_id.in_(legs), ITEMS.c.line_id.in_(young))
    if part is not None:
        where = sa.and_(where, among(session, ITEMS.c.line_id, part))
    _mark(session, sa.and_(ITEMS.c.merchant_id == merchant_id, where), MatchState.WAITING)


def _mark(session: Session, where: Any, state: MatchState) -> None:
    session.connection().execute(sa.update(ITEMS).where(where).values(state=state))
