"""Outbox and inbox as queues in the database: claimed under a lease, finished under its fence.

A wake-up that is lost or comes twice changes nothing: rows that are due are found again, and a
worker that overslept its lease cannot record a result (`LeaseLost`).
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns import locks
from returns.columns import insert_into
from returns.errors import LeaseLost
from returns.tables import InboxItem, OutboxItem

Item = TypeVar("Item", OutboxItem, InboxItem)

#: After so many failures in a row a row is tried only once an hour: a person has to look.
PATIENCE = 12


def put(
    session: Session, merchant_id: UUID, kind: str, subject_id: UUID, due_at: datetime
) -> OutboxItem:
    """Leave work for the workers, in the transaction that makes it necessary."""
    item = OutboxItem(merchant_id=merchant_id, kind=kind, subject_id=subject_id, due_at=due_at)
    session.add(item)
    return item


def receive(
    session: Session,
    *,
    source: str,
    external_id: str,
    kind: str,
    payload: str,
    now: datetime,
    merchant_id: UUID | None = None,
) -> bool:
    """Store an incoming fact once per (source, external id); False if it was known already."""
    item = InboxItem(
        source=source,
        external_id=external_id,
        kind=kind,
        payload=payload,
        due_at=now,
        merchant_id=merchant_id,
    )
    insert = insert_into(session, InboxItem).values(**dict(item)).on_conflict_do_nothing()
    # Asked for by name: the number of rows is not told by every driver.
    stored = session.connection().execute(insert.returning(col(InboxItem.id)))
    return stored.first() is not None


def claim(
    session: Session, table: type[Item], now: datetime, lease: timedelta, limit: int
) -> list[Item]:
    """Take up to `limit` due rows for `lease`; each carries the fence that finishing needs."""
    query = (
        select(table)
        .where(
            col(table.done_at).is_(None),
            col(table.due_at) <= now,
            sa.or_(col(table.lease_until).is_(None), col(table.lease_until) < now),
        )
        .order_by(col(table.due_at))
        .limit(limit)
    )
    items = list(session.exec(locks.skip_locked(query)))
    for item in items:
        item.fence += 1
        item.attempts += 1
        item.lease_until = now + lease
    return items


def hold(session: Session, item: Item, now: datetime, lease: timedelta) -> None:
    """Prolong the lease right before an effect outside; raises `LeaseLost` if it is not ours."""
    _settle(session, item, {"lease_until": now + lease})


def finish(session: Session, item: Item, now: datetime) -> None:
    """Mark a claimed row as done, in the transaction that records its result."""
    _settle(session, item, {"done_at": now, "lease_until": None, "last_error": None})


def postpone(session: Session, item: Item, now: datetime, error: str) -> None:
    """Give a claimed row back for a later try: 1 s, doubled up to a minute, hourly in the end."""
    wait = 3600 if item.attempts > PATIENCE else min(60, 2 ** (item.attempts - 1))
    later = now + timedelta(seconds=wait)
    _settle(session, item, {"due_at": later, "lease_until": None, "last_error": error[:1000]})


def look_again(session: Session, item: Item, at: datetime, why: str) -> None:
    """Give a claimed row back until `at`: waiting is no failure, and is not counted as one."""
    values = {"due_at": at, "attempts": 0, "lease_until": None, "last_error": why[:1000]}
    _settle(session, item, values)


def hasten(session: Session, subject_ids: Collection[UUID], now: datetime) -> None:
    """What these waited for has happened: their work is due at once, and has not failed so far."""
    statement = (
        sa.update(OutboxItem)
        .where(col(OutboxItem.subject_id).in_(subject_ids), col(OutboxItem.done_at).is_(None))
        .values(due_at=now, attempts=0)
    )
    session.connection().execute(statement)


def _settle(session: Session, item: Item, values: dict[str, Any]) -> None:
    table = type(item)
    statement = (
        sa.update(table)
        .where(col(table.id) == item.id, col(table.fence) == item.fence)
        .where(col(table.done_at).is_(None))
        .values(**values)
    )
    if session.connection().execute(statement).rowcount != 1:
        raise LeaseLost(row=f"{table.__tablename__} {item.id}")
