"""Blocks below the cursor: read for an address that came later, or once more.

What is found there goes the way of everything else. It is written only where the blocks are those
that stand, and told once, however often it is read.
"""

from __future__ import annotations

import logging
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from chain.index import books, gaps
from chain.index.ahead import Ahead
from chain.index.reading import Moved, Reader, Span
from chain.index.watch import Watch
from returns.clock import Clock
from returns.db import Database
from returns.errors import LeaseLost
from returns.tables import Chain, IndexScan
from returns.tables.chain import INDEX_SCANS

log = logging.getLogger(__name__)


def add(
    session: Session, chain_id: int, address: str | None, first: int, last: int, now: datetime
) -> bool:
    """Have blocks read for an address, or for all of them; False if there are no such blocks."""
    if first > last:
        return False
    scan = IndexScan(chain_id=chain_id, next_number=first, last_number=last, created_at=now)
    scan.address = address
    session.add(scan)
    return True


def oldest(session: Session, chain_id: int) -> IndexScan | None:
    """The one that is under way; the others wait for it."""
    query = select(IndexScan).where(
        IndexScan.chain_id == chain_id, col(IndexScan.done_at).is_(None)
    )
    return session.exec(query.order_by(col(IndexScan.id)).limit(1)).first()


def shorten(session: Session, chain_id: int, above: int) -> None:
    """What a reorg brings is read by the cursor: scans end below it."""
    scans = INDEX_SCANS.c
    too_far = sa.update(INDEX_SCANS).where(scans.chain_id == chain_id, scans.last_number > above)
    session.connection().execute(too_far.where(scans.done_at.is_(None)).values(last_number=above))


class Scans:
    """One chain's scans, one after the other, a range in each step."""

    def __init__(self, database: Database, reader: Reader, chain_id: int, clock: Clock) -> None:
        self._database = database
        self._chain_id = chain_id
        self._clock = clock
        self._watch = Watch({})
        self._ahead = Ahead(lambda first, last: reader.read(first, last, self._watch))

    def step(self, watch: Watch, version: int) -> bool:
        """Read one range; True if there is more. `version`: of what is watched, as in `watch`.

        Raises as `Reader.read`, and `Moved` where the blocks are not those that stand.
        """
        with self._database.read() as session:
            chain = session.get_one(Chain, self._chain_id)
            scan = oldest(session, self._chain_id)
        if scan is None or chain.watch_version != version:
            return scan is not None
        if scan.next_number > scan.last_number:
            with self._database.write() as session:
                _move(session, scan, scan.last_number, self._clock())
            return True
        self._watch = watch.only(scan.address) if scan.address else watch
        span = self._ahead.take(scan.next_number, scan.last_number)
        self._write(chain, scan, span, watch)
        return True

    def forget(self) -> None:
        """What was read ahead is of no use any more."""
        self._ahead.forget()

    def close(self) -> None:
        """End the threads that read ahead."""
        self._ahead.close()

    def _write(self, chain: Chain, scan: IndexScan, span: Span, watch: Watch) -> None:
        first, last, now = span.headers[0].number, span.headers[-1].number, self._clock()
        with self._database.write() as session:
            # Unchanged: since it was read, no reorg has changed which blocks stand.
            moved = books.move(session, chain, events=chain.events + span.logs)
            if not _fits(session, self._chain_id, span):
                raise Moved
            added = books.store(session, self._chain_id, span, again=True)
            gaps.note_findings(session, self._chain_id, span, now, only=scan.address)
            for kind, upto in books.levels_told(chain):
                books.tell(session, moved, watch.told, (first - 1, min(last, upto)), kind, now)
            _move(session, scan, last, now)
        if added and scan.address is None:
            log.warning("index.replay_found chain=%s rows=%s upto=%s", self._chain_id, added, last)


def _fits(session: Session, chain_id: int, span: Span) -> bool:
    """Whether the blocks are those that stand here, or lead to them."""
    first, last = span.headers[0], span.headers[-1]
    ours = books.stored_hashes(session, chain_id, first.number - 1, last.number)
    follows = ours.get(first.number - 1, first.parent_hash) == first.parent_hash
    leads = books.stored_parent(session, chain_id, last.number + 1) in (None, last.hash)
    stand = all(ours.get(one.number, one.hash) == one.hash for one in span.headers)
    return follows and leads and stand


def _move(session: Session, scan: IndexScan, read_to: int, now: datetime) -> None:
    """A scan's cursor moves by compare-and-set too."""
    scans = INDEX_SCANS.c
    moved = sa.update(INDEX_SCANS).where(
        scans.id == scan.id,
        scans.next_number == scan.next_number,
        scans.last_number == scan.last_number,
        scans.done_at.is_(None),
    )
    done = now if read_to >= scan.last_number else None
    moved = moved.values(next_number=read_to + 1, done_at=done)
    if session.connection().execute(moved).rowcount != 1:
        raise LeaseLost(row=f"scan {scan.id}")
