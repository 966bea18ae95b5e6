"""Recomputes a merchant's chain of seals and says everything that does not agree with it.

In one reading transaction, page by page: memory does not grow with the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from returns.sealing import (
    ENTRIES,
    GENESIS,
    POSTINGS,
    SEALS,
    Head,
    content_hash,
    head,
    postings_of,
    seal_hash,
)
from returns.totals import exact_sum

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not agree. `subject`: an entry, a posting, an asset or a seal."""

    code: str
    subject: str
    sentence: str


@dataclass(slots=True)
class Report:
    """What was recomputed and found; of the findings the first ones, and how many there are."""

    head: Head
    limit: int
    sealed: int = 0
    unsealed: int = 0
    found: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Count a finding; keep it while there is room."""
        self.found += 1
        if len(self.findings) < self.limit:
            self.findings.append(finding)


def verify(
    session: Session,
    merchant_id: UUID,
    sealed_by: datetime,
    expected: Head | None = None,
    limit: int = 100,
) -> Report:
    """Recompute everything. Entries booked before `sealed_by` must have a seal by now.

    `expected`: a head that was told earlier; it must still be part of the chain.
    """
    report = Report(head(session, merchant_id), limit)
    for check in (
        _chain(session, merchant_id, expected, report),
        _unsealed(session, merchant_id, sealed_by, report),
        _strays(session, merchant_id),
        _sums(session, merchant_id),
    ):
        for finding in _as_far_as_readable(check):
            report.add(finding)
    return report


def _as_far_as_readable(check: Iterator[Finding]) -> Iterator[Finding]:
    """SQLite lets anybody put anything into a column; what cannot be read was changed."""
    try:
        yield from check
    except ValueError as fault:
        said = f"A row cannot be read, so not everything could be checked: {fault}."
        yield Finding("unreadable", "", said)


def _chain(
    session: Session, merchant_id: UUID, expected: Head | None, report: Report
) -> Iterator[Finding]:
    last, is_there = Head(0, GENESIS), expected in (None, Head(0, GENESIS))
    for page in _pages(session, merchant_id):
        postings = postings_of(session, [row.entry_id for row in page])
        for row in page:
            yield from _link(row, last)
            yield from _content(row, postings[row.entry_id])
            last = Head(row.number, row.hash)
            is_there = is_there or last == expected
            report.sealed += 1
    if not is_there:
        said = f"The head {expected} that was told earlier is not part of the chain any more."
        yield Finding("head_lost", str(expected), said)


def _pages(session: Session, merchant_id: UUID) -> Iterator[Sequence[sa.Row[Any]]]:
    """Seals in the order of their numbers, each with its entry, where that is still there."""
    query = (
        sa.select(*(column for column in SEALS.c if column.name != "merchant_id"), *ENTRIES.c)
        .select_from(SEALS.outerjoin(ENTRIES, ENTRIES.c.id == SEALS.c.entry_id))
        .where(SEALS.c.merchant_id == merchant_id, SEALS.c.number > sa.bindparam("after"))
        .order_by(SEALS.c.number)
        .limit(_PAGE)
    )
    after = -(2**63)
    while page := session.connection().execute(query, {"after": after}).all():
        yield page
        after = page[-1].number


def _link(row: Any, last: Head) -> Iterator[Finding]:
    """A seal against the one before it, and against its own hash."""
    seal = str(row.number)
    if row.number != last.number + 1:
        said = f"Between seal {last.number} and seal {row.number} numbers are missing."
        yield Finding("gap", seal, said)
    elif row.previous_hash != last.hash:
        said = f"Seal {row.number} names another predecessor than seal {last.number}."
        yield Finding("chain_broken", seal, said)
    told = (row.number, row.previous_hash, row.entry_id, row.postings, row.content_hash)
    if seal_hash(*told, row.sealed_at) != row.hash:
        said = f"Seal {row.number} was changed: its hash is not that of what it says."
        yield Finding("seal_changed", seal, said)


def _content(row: Any, postings: list[sa.Row[Any]]) -> Iterator[Finding]:
    """An entry and its postings against their seal."""
    entry, place = str(row.entry_id), f"Entry {row.entry_id} (seal {row.number})"
    if row.id is None:
        yield Finding("entry_removed", entry, f"{place} was removed.")
        return
    for asset, total in _totals(postings).items():
        if total:
            said = f"{place} does not balance: {asset} sums to {total}."
            yield Finding("entry_unbalanced", entry, said)
    if len(postings) != row.postings:
        code = "posting_removed" if len(postings) < row.postings else "posting_added"
        said = f"{place} had {row.postings} postings when it was sealed, now {len(postings)}."
        yield Finding(code, entry, said)
    elif content_hash(row, postings) != row.content_hash:
        said = f"{place} or one of its postings was changed after it was sealed."
        yield Finding("entry_changed", entry, said)


def _totals(postings: list[sa.Row[Any]]) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for one in postings:
        totals[one.asset] += one.amount if one.side == "debit" else -one.amount
    return totals


def _unsealed(
    session: Session, merchant_id: UUID, sealed_by: datetime, report: Report
) -> Iterator[Finding]:
    """Entries that claim a seal which is gone, and those that should have one by now."""
    query = sa.select(ENTRIES.c.id, ENTRIES.c.booked_at, ENTRIES.c.sealed).where(
        ENTRIES.c.merchant_id == merchant_id,
        ~sa.exists().where(SEALS.c.entry_id == ENTRIES.c.id),
    )
    streamed = session.connection().execution_options(yield_per=_PAGE)
    for entry_id, booked_at, claims in streamed.execute(query.order_by(ENTRIES.c.id)):
        report.unsealed += 1
        if claims:
            said = f"Entry {entry_id} was sealed, and its seal is gone."
            yield Finding("seal_removed", str(entry_id), said)
        elif booked_at < sealed_by:
            said = f"Entry {entry_id} of {booked_at.isoformat()} has no seal yet."
            yield Finding("unsealed", str(entry_id), said)


def _strays(session: Session, merchant_id: UUID) -> Iterator[Finding]:
    """Postings without their entry."""
    query = sa.select(POSTINGS.c.id, POSTINGS.c.entry_id).where(
        POSTINGS.c.merchant_id == merchant_id,
        ~sa.exists().where(ENTRIES.c.id == POSTINGS.c.entry_id),
    )
    for posting_id, entry_id in session.connection().execute(query):
        said = f"Posting {posting_id} names entry {entry_id}, which is not there."
        yield Finding("posting_stray", str(posting_id), said)


def _sums(session: Session, merchant_id: UUID) -> Iterator[Finding]:
    """Every currency and every token sums to zero."""
    amount, side = POSTINGS.c.amount, POSTINGS.c.side
    sides = (exact_sum(amount).filter(side == one) for one in ("debit", "credit"))
    query = sa.select(POSTINGS.c.asset, *sides).where(POSTINGS.c.merchant_id == merchant_id)
    for asset, debit, credit in session.connection().execute(query.group_by(POSTINGS.c.asset)):
        if debit != credit:
            said = f"{asset} sums to {debit - credit} over the whole ledger, not to zero."
            yield Finding("sum_not_zero", asset, said)
