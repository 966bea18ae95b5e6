"""Read models of evidence: the list without the files' bytes, and one file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from returns.errors import NotFound
from returns.tables import Chain, Evidence, ReturnCase
from returns.words import EvidenceKind

#: By whom a client token gives: what the customer's browser may read again.
CUSTOMER = "customer"


def evidence_of(session: Session, line_ids: Collection[UUID]) -> dict[UUID, list[Evidence]]:
    """What was asked and given, by line, the oldest first; in one query, without any bytes."""
    bare = defer(Evidence.content, raiseload=True)  # type: ignore[arg-type]
    query = select(Evidence).where(col(Evidence.line_id).in_(line_ids)).options(bare)
    found: dict[UUID, list[Evidence]] = defaultdict(list)
    for row in session.exec(query.order_by(col(Evidence.id))):
        found[row.line_id].append(row)
    return found


def find_file(session: Session, case: ReturnCase, text: str, *, for_customer: bool) -> Evidence:
    """A file of a case with its bytes. Raises `NotFound` for words only, and for staff's files."""
    query = select(Evidence).where(
        Evidence.case_id == case.id,
        col(Evidence.id) == _uuid(text),
        col(Evidence.size).is_not(None),
    )
    row = session.exec(query).first()
    if row is None or (for_customer and not is_for_customer(row)):
        raise NotFound(what="file in this return")
    return row


def is_for_customer(row: Evidence) -> bool:
    """Customers read the questions and what they gave; what staff adds is for staff."""
    return row.kind is EvidenceKind.ASKED or row.by == CUSTOMER


def evidence_view(row: Evidence) -> dict[str, Any]:
    """One question or answer. Which person it was stands in the audit."""
    return {
        "id": str(row.id),
        "line": str(row.line_id),
        "kind": row.kind.value,
        "by": CUSTOMER if row.by == CUSTOMER else "merchant",
        "text": row.text,
        "file": None if row.size is None else _file(row),
        "at": row.at.isoformat(),
        "block": row.block_number,
        "due_at": None if row.due_at is None else row.due_at.isoformat(),
    }


def newest_block(session: Session, chain_id: int) -> int | None:
    """The last block that the index has read: a clock that is not ours. None before the first."""
    chain = session.get(Chain, chain_id)
    return None if chain is None or chain.cursor_number < 0 else chain.cursor_number


def _file(row: Evidence) -> dict[str, Any]:
    return {
        "name": row.name,
        "media_type": row.media_type,
        "size": row.size,
        "sha256": row.sha256,
    }


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
