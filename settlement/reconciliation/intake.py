"""Where a side was last read up to. Whoever reads on does so under the lock of its row."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Session, select

from returns.columns import insert_into
from returns.errors import ConcurrentChange
from returns.locks import lock_side
from returns.tables import ReconCursor, ReconSide
from returns.tables.reconciliation import EFFECTS, MOVEMENTS, REFUNDS
from settlement.runtime import Runtime


def processor_side(name: str) -> str:
    """The name under which a processor's facts are read."""
    return f"processor:{name}"


def chain_side(chain_id: int) -> str:
    """The name under which a chain's logs are read."""
    return f"chain:{chain_id}"


def side(session: Session, name: str) -> ReconSide:
    """Up to where a side was read; a side that was never read begins at nothing."""
    return session.get(ReconSide, name) or ReconSide(name=name)


def held_side(session: Session, name: str, expected: str) -> ReconSide:
    """The same, locked; raises `ConcurrentChange` if another run has read on since."""
    begin = insert_into(session, ReconSide).values(name=name, cursor="", position=0, facts=0)
    session.connection().execute(begin.on_conflict_do_nothing())
    row = lock_side(session, name)
    if row.cursor != expected:
        raise ConcurrentChange
    return row


def cursors(session: Session, merchant_id: UUID) -> dict[str, str]:
    """Up to where a merchant's comparison has taken each side into account."""
    query = select(ReconCursor).where(ReconCursor.merchant_id == merchant_id)
    return {row.side: row.value for row in session.exec(query)}


def keep_cursors(session: Session, merchant_id: UUID, values: dict[str, str]) -> None:
    """Store how far the comparison has got, in the transaction that stores what it found."""
    for name, value in values.items():
        row = ReconCursor(merchant_id=merchant_id, side=name, value=value)
        session.merge(row)


def moment(value: datetime | None) -> str:
    """A moment as a cursor; empty for none."""
    return "" if value is None else value.isoformat()


def refresh_statistics(runtime: Runtime) -> None:
    """After everything was written anew, PostgreSQL would plan as if the tables were empty."""
    if not runtime.database.is_sqlite:
        with runtime.database.write() as session:
            for table in (EFFECTS, REFUNDS, MOVEMENTS):
                session.connection().exec_driver_sql(f"ANALYZE {table.name}")
