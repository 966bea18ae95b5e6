"""Work that has failed so often that a person has to look: what it is, why, and what to do with it.

Nothing is given up: such a row is still tried once an hour. A person lets it be tried at once, or
closes a fact that nobody can take in, with a written reason.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from returns import locks, work
from returns.errors import MoveNotAllowed, NotFound
from returns.tables import AuditRow, InboxItem, OutboxItem
from settlement.commands.access import Caller
from settlement.runtime import Runtime

QUEUES: dict[str, type[InboxItem] | type[OutboxItem]] = {"inbox": InboxItem, "outbox": OutboxItem}
MOST = 200


def dead_letters(runtime: Runtime) -> list[dict[str, Any]]:
    """What is not done after `work.PATIENCE` tries, the oldest first."""
    with runtime.database.read() as session:
        return [_view(name, row) for name in QUEUES for row in _stuck(session, name)]


def retry(runtime: Runtime, caller: Caller, queue: str, row_id: UUID) -> dict[str, Any]:
    """Have a row tried at once. Raises `NotFound`, and `MoveNotAllowed` for one that is done."""
    now = runtime.clock()
    with runtime.database.write() as session:
        row = _lock(session, queue, row_id)
        row.due_at = now
        _audit(session, caller, row, "work.retry", "", now)
        return _view(queue, row)


def close(runtime: Runtime, caller: Caller, row_id: UUID, reason: str) -> dict[str, Any]:
    """Close a fact of the inbox that nobody can take in.

    What has to be sent is never closed: its leg says what became of it. Raises as `retry`.
    """
    now = runtime.clock()
    with runtime.database.write() as session:
        row = _lock(session, "inbox", row_id)
        row.done_at, row.lease_until = now, None
        _audit(session, caller, row, "work.close", reason, now)
        return _view("inbox", row)


def _stuck(session: Session, queue: str) -> list[Any]:
    table = QUEUES[queue]
    query = (
        select(table)
        .where(col(table.done_at).is_(None), table.attempts > work.PATIENCE)
        .order_by(col(table.id))
        .limit(MOST)
    )
    return list(session.exec(query))


def _lock(session: Session, queue: str, row_id: UUID) -> Any:
    table = QUEUES.get(queue)
    found = None if table is None else locks.find_work(session, table, row_id)
    if found is None:
        raise NotFound(what="row of work")
    if found.done_at is not None:
        raise MoveNotAllowed(state="done", to="tried again or closed")
    return found


def _view(queue: str, row: Any) -> dict[str, Any]:
    return {
        "queue": queue,
        "id": str(row.id),
        "kind": row.kind,
        "about": str(getattr(row, "subject_id", "") or row.external_id),
        "attempts": row.attempts,
        "due_at": row.due_at.isoformat(),
        "last_error": row.last_error,
        "done_at": None if row.done_at is None else row.done_at.isoformat(),
    }


def _audit(
    session: Session, caller: Caller, row: Any, action: str, reason: str, now: datetime
) -> None:
    session.add(
        AuditRow(
            subject_id=row.id,
            actor=caller.name,
            action=action,
            before=row.last_error[:64] if row.last_error else "",
            reason=reason[:1000],
            merchant_id=row.merchant_id,
            at=now,
        )
    )
