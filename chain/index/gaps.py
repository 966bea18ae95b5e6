"""Gaps: blocks of which a node did not tell everything, as rows that a person sees."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session

from chain.index.reading import Span
from returns.columns import insert_into
from returns.ids import new_id
from returns.tables import IndexGap
from returns.tables.chain import INDEX_GAPS
from returns.words import GapCode

#: Not a matter of how much was read.
_OF_HOLDERS = GapCode.WRONG_HOLDER


def note(
    session: Session,
    chain_id: int,
    code: GapCode,
    number: int,
    problem: str,
    now: datetime,
    *,
    address: str = "",
    resolved: bool = False,
) -> None:
    """A row that a person sees. The same one again is counted, and open again."""
    row = IndexGap(
        id=new_id(),
        chain_id=chain_id,
        code=code,
        first_number=number,
        last_number=number,
        address=address,
        problem=problem[:1000],
        first_seen=now,
        last_seen=now,
        resolved_at=now if resolved else None,
    )
    insert = insert_into(session, IndexGap).values(**row.model_dump())
    keys = ("chain_id", "code", "first_number", "last_number", "address")
    changed = {name: getattr(insert.excluded, name) for name in ("problem", "last_seen")}
    changed |= {"resolved_at": insert.excluded.resolved_at, "times": INDEX_GAPS.c.times + 1}
    session.connection().execute(insert.on_conflict_do_update(index_elements=keys, set_=changed))


def close(session: Session, chain_id: int, code: GapCode, problem: str, now: datetime) -> None:
    """What was noted with these words is not so any more."""
    gaps = INDEX_GAPS.c
    closed = sa.update(INDEX_GAPS).where(gaps.chain_id == chain_id, gaps.resolved_at.is_(None))
    closed = closed.where(gaps.code == code, gaps.problem == problem)
    session.connection().execute(closed.values(resolved_at=now))


def note_findings(
    session: Session, chain_id: int, span: Span, now: datetime, *, only: str | None = None
) -> None:
    """What was odd about blocks that are read now; what was open about them is not any more.

    `only`: they were read for this address alone, and say nothing of others.
    """
    first, last = span.headers[0].number, span.headers[-1].number
    gaps = INDEX_GAPS.c
    closed = sa.update(INDEX_GAPS).where(gaps.chain_id == chain_id, gaps.resolved_at.is_(None))
    closed = closed.where(gaps.first_number >= first, gaps.last_number <= last)
    if only is not None:
        closed = closed.where(gaps.address.in_(("", only)))
    session.connection().execute(closed.where(gaps.code != _OF_HOLDERS).values(resolved_at=now))
    for number, problem in span.short:
        code = GapCode.SHORT_ANSWER
        note(session, chain_id, code, number, problem, now, resolved=True)
    for number, address, problem in span.rows.unfit:
        # What strangers send to a treasury is told, and no alarm of ours.
        is_theirs = address not in span.rows.watch.kinds
        place = (chain_id, GapCode.UNFIT_LOG, number, problem, now)
        note(session, *place, address=address, resolved=is_theirs)
