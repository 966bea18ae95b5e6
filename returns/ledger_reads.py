"""Journal entries as people and machines read them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns.bulk import among
from returns.ledger import is_provisional
from returns.sealing import postings_of
from returns.tables import JournalEntry, LedgerSeal, ReturnCase, ReturnLine


def entries_of_case(session: Session, case: ReturnCase) -> list[dict[str, Any]]:
    """Entries about the lines of a case and what came of them, in the order of their ids.

    `provisional`: a reorg may still undo it. `seal`: null until it is sealed.
    """
    query = (
        select(JournalEntry, is_provisional())
        .join(ReturnLine, col(ReturnLine.id) == col(JournalEntry.line_id))
        .where(ReturnLine.case_id == case.id)
        .order_by(col(JournalEntry.id))
    )
    rows = list(session.exec(query))
    ids = [entry.id for entry, _ in rows]
    postings, seals = postings_of(session, ids), _seals(session, ids)
    return [
        _view(entry, postings[entry.id], seals.get(entry.id), provisional=provisional)
        for entry, provisional in rows
    ]


def _seals(session: Session, entry_ids: Collection[UUID]) -> dict[UUID, LedgerSeal]:
    query = select(LedgerSeal).where(among(session, col(LedgerSeal.entry_id), entry_ids))
    return {seal.entry_id: seal for seal in session.exec(query)}


def _view(
    entry: JournalEntry, postings: list[sa.Row[Any]], seal: LedgerSeal | None, *, provisional: bool
) -> dict[str, Any]:
    sides = [
        {"account": one.account, "asset": one.asset, "side": one.side, "amount": str(one.amount)}
        for one in postings
    ]
    return {
        "id": str(entry.id),
        "line": None if entry.line_id is None else str(entry.line_id),
        "subject": str(entry.subject_id),
        "kind": entry.kind,
        "cause": str(entry.cause),
        "booked_at": entry.booked_at.isoformat(),
        "provisional": provisional,
        "seal": None if seal is None else {"number": seal.number, "hash": seal.hash},
        "postings": sides,
    }
