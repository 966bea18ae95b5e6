"""Asks about every payout whose end nobody has told, until it is known.

Usually the row that paid it asks again by itself. A row can end before its leg does (the processor
told of another amount, a worker died between two transactions of an older version): then the leg
would stand as unknown for ever, and this gives it a row again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from returns import locks, work
from returns.clock import Clock
from returns.db import Database
from returns.tables import Leg, OutboxItem
from returns.words import LegKind, LegState

#: A leg that was touched later is being worked on.
PATIENCE = timedelta(minutes=10)
_OPEN = (LegState.PLANNED, LegState.CLAIMED, LegState.SENT, LegState.UNKNOWN)


def ask_again(database: Database, clock: Clock, limit: int = 200) -> int:
    """Give a row to each open payout that has none; returns how many."""
    now = clock()
    with database.write() as session:
        legs = _forgotten(session, now, limit)
        for leg in legs:
            work.put(session, leg.merchant_id, "leg.pay", leg.id, now)
            leg.updated_at = now
        return len(legs)


def _forgotten(session: Session, now: datetime, limit: int) -> list[Leg]:
    waiting = select(OutboxItem.id).where(
        OutboxItem.subject_id == Leg.id, col(OutboxItem.done_at).is_(None)
    )
    query = (
        select(Leg)
        .where(Leg.kind == LegKind.PROCESSOR_REFUND, col(Leg.state).in_(_OPEN))
        .where(Leg.updated_at < now - PATIENCE, ~waiting.exists())
        .order_by(col(Leg.updated_at))
        .limit(limit)
    )
    # Who comes at the same moment passes them by: a payout is given one row.
    return list(session.exec(locks.skip_locked(query)))
