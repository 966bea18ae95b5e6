"""Seals what was booked into a chain of hashes, after the fact: writers never wait for it.

Each merchant has one chain. Seal number n covers one entry with its postings (`content_hash`) and
the seal before it: hash = SHA-256 of the JSON array [n, previous hash, entry id, number of
postings, content hash, time of sealing]. JSON here has no spaces and no characters beyond ASCII,
times are in UTC with microseconds. The chain proves that nothing was changed since a head that
somebody kept elsewhere; who can write to every table could seal everything anew, and only such a
head tells.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from returns import locks
from returns.bulk import among, insert_many, update_many
from returns.columns import table_of
from returns.tables import JournalEntry, LedgerSeal, Posting

ENTRIES, POSTINGS, SEALS = table_of(JournalEntry), table_of(Posting), table_of(LedgerSeal)
#: What the first seal names as its predecessor.
GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Head:
    """The newest seal of a chain: an auditor who keeps it can prove what stood then."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


def head(session: Session, merchant_id: UUID) -> Head:
    """The newest seal; number 0 where nothing is sealed."""
    query = sa.select(SEALS.c.number, SEALS.c.hash).where(SEALS.c.merchant_id == merchant_id)
    row = session.connection().execute(query.order_by(SEALS.c.number.desc()).limit(1)).first()
    return Head(0, GENESIS) if row is None else Head(*row)


def merchants_waiting(session: Session) -> list[UUID]:
    """Merchants with entries that have no seal yet."""
    query = sa.select(ENTRIES.c.merchant_id).where(sa.text("NOT sealed")).distinct()
    return list(session.connection().execute(query).scalars())


def seal_batch(session: Session, merchant_id: UUID, now: datetime, limit: int) -> int:
    """Seal up to `limit` entries in the order of their ids; returns how many.

    Ids of transactions that are still open may be lower: those entries are sealed later, under a
    higher number. One sealer at a time works on a merchant's chain.
    """
    locks.lock_seals(session, merchant_id)
    entries = _waiting(session, merchant_id, limit)
    postings = postings_of(session, [entry.id for entry in entries])
    newest, seals = head(session, merchant_id), []
    for entry in entries:
        seals.append(_seal(entry, postings[entry.id], newest, now))
        newest = Head(seals[-1]["number"], seals[-1]["hash"])
    insert_many(session, SEALS, seals)
    update_many(session, ENTRIES, [{"id": entry.id, "sealed": True} for entry in entries])
    return len(entries)


def _waiting(session: Session, merchant_id: UUID, limit: int) -> Sequence[sa.Row[Any]]:
    waiting = sa.select(ENTRIES).where(
        ENTRIES.c.merchant_id == merchant_id,
        sa.text("NOT sealed"),
        # Somebody may have taken the mark off an entry: it keeps the seal that it has.
        ~sa.exists().where(SEALS.c.entry_id == ENTRIES.c.id),
    )
    return session.connection().execute(waiting.order_by(ENTRIES.c.id).limit(limit)).all()


def postings_of(session: Session, entry_ids: Collection[UUID]) -> dict[UUID, list[sa.Row[Any]]]:
    """Postings by entry, in the order of their ids; an empty list for an entry that has none."""
    query = sa.select(POSTINGS).where(among(session, POSTINGS.c.entry_id, entry_ids))
    found: dict[UUID, list[sa.Row[Any]]] = defaultdict(list)
    for posting in session.connection().execute(query):
        found[posting.entry_id].append(posting)
    for rows in found.values():
        rows.sort(key=lambda row: row.id.int)
    return found


def _seal(
    entry: sa.Row[Any], postings: list[sa.Row[Any]], newest: Head, now: datetime
) -> dict[str, Any]:
    number, content = newest.number + 1, content_hash(entry, postings)
    return {
        "merchant_id": entry.merchant_id,
        "number": number,
        "entry_id": entry.id,
        "postings": len(postings),
        "content_hash": content,
        "previous_hash": newest.hash,
        "sealed_at": now,
        "hash": seal_hash(number, newest.hash, entry.id, len(postings), content, now),
    }


def seal_hash(
    number: int, previous: str, entry_id: UUID, postings: int, content: str, at: datetime
) -> str:
    """The hash of a seal, over the one before it."""
    return _digest([number, previous, str(entry_id), postings, content, _moment(at)])


def content_hash(entry: Any, postings: Sequence[sa.Row[Any]]) -> str:
    """SHA-256 of an entry and its postings: everything but what `sealed` says.

    The JSON array [merchant, id, subject, line or null, kind, cause, time in UTC with microseconds,
    [[id, merchant, account, asset, side, amount as digits], …]].
    """
    sides = [
        [str(one.id), str(one.merchant_id), one.account, one.asset, one.side, str(one.amount)]
        for one in postings
    ]
    line = None if entry.line_id is None else str(entry.line_id)
    named = [str(entry.merchant_id), str(entry.id), str(entry.subject_id), line]
    return _digest([*named, entry.kind, str(entry.cause), _moment(entry.booked_at), sides])


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _digest(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode("ascii")).hexdigest()
