"""A ledger to seal and to change behind everybody's back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from desk import Desk

from returns import ledger
from returns.ids import new_id
from returns.ledger import Move, Subject
from returns.sealing import Head
from returns.tables import JournalEntry
from returns.verifying import Report
from settlement.commands import ledger as commands

TOKEN = "eip155:1/erc721:0xab/7"


def book(
    desk: Desk, *moves: Move, at: datetime | None = None, merchant_id: UUID | None = None
) -> JournalEntry:
    """One entry about something of its own."""
    subject = Subject(merchant_id or desk.merchant.id, new_id())
    with desk.runtime.database.write() as session:
        return ledger.post(session, subject, "test", new_id(), list(moves), at or desk.clock())


def fill(desk: Desk, entries: int) -> list[JournalEntry]:
    """Entries of two postings in money and two in a token each."""
    made = []
    for number in range(entries):
        desk.clock.move(seconds=1)
        moves = Move("a", f"b{number % 3}", "USD", number + 1), Move("c", "d", TOKEN, 1)
        made.append(book(desk, *moves))
    return made


def verify(desk: Desk, minutes: int = 10, expected: Head | None = None) -> Report:
    return commands.verify(desk.runtime, desk.merchant.id, minutes, expected)


def codes(report: Report) -> list[str]:
    return sorted({finding.code for finding in report.findings})


def sql(desk: Desk, statement: str, **values: Any) -> int:
    """Plain SQL of somebody who may do everything; keys between tables hold nobody up."""
    engine = desk.runtime.database.engine
    if desk.runtime.database.is_sqlite:
        # A connection of its own has foreign keys off.
        with closing(sqlite3.connect(engine.url.database or "")) as connection, connection:
            return connection.execute(statement, values).rowcount
    with engine.begin() as transaction:
        transaction.exec_driver_sql("SET LOCAL session_replication_role = replica")
        return transaction.execute(sa.text(statement), values).rowcount
