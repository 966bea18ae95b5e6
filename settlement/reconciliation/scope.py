"""What a run has to look at: what is new on any side since the last one, and what is open.

The books have no sequence that commits in order. So what was written shortly before the newest
row that was seen is looked at once more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from custody.eligibility import Token
from custody.evidence import MOVED
from returns.bulk import among
from returns.tables.reconciliation import BREAKS, EFFECTS, ITEMS, MOVEMENTS, REFUNDS
from returns.words import MatchState
from settlement.reconciliation.intake import chain_side, cursors, moment, processor_side, side
from settlement.reconciliation.line_facts import ENTRIES, LEGS, LINES, ORDER_LINES, pages

#: How long a transaction of the books may take to commit after it read the clock.
OVERLAP = timedelta(minutes=15)
#: With more lines than this, looking at everything is cheaper.
_MANY = 20_000
#: Lines with a break and without news that a run looks at again.
_BROKEN = 1_000

_LEGS, _LINES, _ENTRIES = "books:legs", "books:lines", "books:entries"

#: Codes of breaks that belong to no line: their subjects are looked at again while they are open.
REFUND_CODES = ("processor.unknown",)
TOKEN_CODES = ("chain.unknown_inbound",)
ENTRY_CODES = ("ledger.unbalanced",)


@dataclass(slots=True)
class Scope:
    """Lines, and what belongs to none. None: all of them. `cursors`: where the next run begins."""

    lines: set[UUID] | None = None
    refunds: set[str] = field(default_factory=set)
    tokens: set[Token] = field(default_factory=set)
    entries: set[UUID] = field(default_factory=set)
    cursors: dict[str, str] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Whether everything is looked at."""
        return self.lines is None


def whole(session: Session, merchant_id: UUID, chain_id: int, processors: Iterable[str]) -> Scope:
    """Everything."""
    return Scope(None, cursors=_newest(session, merchant_id, chain_id, processors))


def touched(session: Session, merchant_id: UUID, chain_id: int, processors: Iterable[str]) -> Scope:
    """What is new or open."""
    known, names = cursors(session, merchant_id), sorted(processors)
    newest = _newest(session, merchant_id, chain_id, names)
    if not set(newest) <= set(known):
        return Scope(None, cursors=newest)
    scope = Scope(set(), cursors=newest)
    _add_books(session, merchant_id, scope, known)
    for name in names:
        _add_processor(session, merchant_id, scope, name, int(known[processor_side(name)]))
    _add_chain(session, merchant_id, scope, chain_id, int(known[chain_side(chain_id)]))
    _add_open(session, merchant_id, scope)
    scope.tokens |= _tokens_of(session, scope.lines or ())
    return scope if len(scope.lines or ()) <= _MANY else Scope(None, cursors=newest)


def _newest(
    session: Session, merchant_id: UUID, chain_id: int, processors: Iterable[str]
) -> dict[str, str]:
    def last(table: sa.Table, name: str) -> Any:
        query = sa.select(table.c[name]).where(table.c.merchant_id == merchant_id)
        return session.scalar(query.order_by(table.c[name].desc()).limit(1))

    entry = last(ENTRIES, "id")
    return {
        _LEGS: moment(last(LEGS, "updated_at")),
        _LINES: moment(last(LINES, "updated_at")),
        _ENTRIES: "" if entry is None else str(entry),
        chain_side(chain_id): str(side(session, chain_side(chain_id)).position),
        **{processor_side(p): str(side(session, processor_side(p)).position) for p in processors},
    }


def _add_books(session: Session, merchant_id: UUID, scope: Scope, known: dict[str, str]) -> None:
    lines = sa.select(LINES.c.id).where(LINES.c.merchant_id == merchant_id)
    legs = sa.select(LEGS.c.line_id).where(LEGS.c.merchant_id == merchant_id)
    _add(session, scope, _since(lines, LINES.c.updated_at, known[_LINES]))
    _add(session, scope, _since(legs, LEGS.c.updated_at, known[_LEGS]))
    entries = sa.select(ENTRIES.c.id, ENTRIES.c.subject_id, ENTRIES.c.line_id)
    entries = entries.where(ENTRIES.c.merchant_id == merchant_id)
    if known[_ENTRIES]:
        entries = entries.where(ENTRIES.c.id >= earlier_id(UUID(known[_ENTRIES]), OVERLAP))
    for entry in session.connection().execute(entries):
        if entry.line_id == entry.subject_id:
            _lines(scope).add(entry.line_id)
        else:
            scope.entries.add(entry.id)


def _since(query: sa.Select[Any], column: Any, cursor: str) -> sa.Select[Any]:
    if not cursor:
        return query
    return query.where(column >= datetime.fromisoformat(cursor) - OVERLAP)


def earlier_id(newest: UUID, by: timedelta) -> UUID:
    """The least UUID of version 7 of so long before another one (RFC 9562: 48 bits of ms)."""
    milliseconds = (newest.int >> 80) - by // timedelta(milliseconds=1)
    return UUID(int=max(0, milliseconds) << 80)


def _add_processor(
    session: Session, merchant_id: UUID, scope: Scope, name: str, after: int
) -> None:
    """Refunds and disputes that came, or whose report went on, since a page of the report."""
    new = (MOVEMENTS.c.processor == name, MOVEMENTS.c.version > after)
    abouts = set(session.connection().execute(sa.select(MOVEMENTS.c.about).where(*new)).scalars())
    fresh = sa.and_(REFUNDS.c.processor == name, REFUNDS.c.version > after)
    ids = set(session.connection().execute(sa.select(REFUNDS.c.id).where(fresh)).scalars())
    add_refunds(session, merchant_id, scope, name, abouts | ids)


def add_refunds(
    session: Session, merchant_id: UUID, scope: Scope, name: str, ids: Collection[str]
) -> None:
    """Look at refunds or disputes of a processor, and at the lines that the refunds pay."""
    scope.refunds |= set(ids)
    for part in pages(sorted(ids)):
        legs = (
            sa.select(LEGS.c.line_id)
            .join(REFUNDS, REFUNDS.c.leg_id == LEGS.c.id)
            .where(LEGS.c.merchant_id == merchant_id, REFUNDS.c.processor == name)
        )
        _add(session, scope, legs.where(among(session, REFUNDS.c.id, part)))


def _add_chain(
    session: Session, merchant_id: UUID, scope: Scope, chain_id: int, after: int
) -> None:
    """What blocks after this one tell of: lines, and tokens that moved."""
    new = (EFFECTS.c.chain_id == chain_id, EFFECTS.c.block_number > after)
    lines = sa.select(LINES.c.id).join(EFFECTS, EFFECTS.c.line_id == LINES.c.id)
    _add(session, scope, lines.where(LINES.c.merchant_id == merchant_id, *new))
    moved = sa.select(EFFECTS.c.collection, EFFECTS.c.token_id).where(EFFECTS.c.name == MOVED, *new)
    tokens = {(row.collection, row.token_id) for row in session.connection().execute(moved)}
    scope.tokens |= tokens
    for part in pages(sorted(tokens)):
        bought = (
            sa.select(LINES.c.id, ORDER_LINES.c.collection, ORDER_LINES.c.token_id)
            .join(LINES, LINES.c.order_line_id == ORDER_LINES.c.id)
            .where(ORDER_LINES.c.merchant_id == merchant_id)
            .where(among(session, ORDER_LINES.c.token_id, [token for _, token in part]))
            .where(among(session, ORDER_LINES.c.collection, list({c for c, _ in part})))
        )
        rows = session.connection().execute(bought)
        _lines(scope).update(row.id for row in rows if (row.collection, row.token_id) in tokens)


def _add_open(session: Session, merchant_id: UUID, scope: Scope) -> None:
    """What is under way, and of what is broken the lines that were not looked at for longest."""
    items = sa.select(ITEMS.c.line_id).where(ITEMS.c.merchant_id == merchant_id)
    _add(session, scope, items.where(ITEMS.c.state == MatchState.WAITING))
    broken = items.where(ITEMS.c.state == MatchState.BROKEN)
    _add(session, scope, broken.order_by(ITEMS.c.checked_at, ITEMS.c.line_id).limit(_BROKEN))
    columns = (BREAKS.c.code, BREAKS.c.subject, BREAKS.c.line_id)
    still = sa.select(*columns).where(
        BREAKS.c.merchant_id == merchant_id,
        BREAKS.c.resolved_at.is_(None),
        BREAKS.c.line_id.is_(None),
    )
    for row in session.connection().execute(still):
        add_subject(scope, row.code, row.subject, row.line_id)


def add_subject(scope: Scope, code: str, subject: str, line_id: UUID | None) -> None:
    """Look again at what a break is about."""
    if line_id is not None:
        _lines(scope).add(line_id)
    elif code in REFUND_CODES:
        scope.refunds.add(subject)
    elif code in TOKEN_CODES:
        scope.tokens.add(_token(subject))
    elif code in ENTRY_CODES:
        scope.entries.add(UUID(subject))


def _tokens_of(session: Session, line_ids: Iterable[UUID]) -> set[Token]:
    found: set[Token] = set()
    for part in pages(line_ids):
        query = (
            sa.select(ORDER_LINES.c.collection, ORDER_LINES.c.token_id)
            .join(LINES, LINES.c.order_line_id == ORDER_LINES.c.id)
            .where(among(session, LINES.c.id, part))
        )
        rows = session.connection().execute(query)
        found.update((row.collection, row.token_id) for row in rows)
    return found


def _add(session: Session, scope: Scope, query: sa.Select[Any]) -> None:
    _lines(scope).update(session.connection().execute(query).scalars())


def _lines(scope: Scope) -> set[UUID]:
    return scope.lines if scope.lines is not None else set()


def _token(asset: str) -> Token:
    """The token that a break of a token is about, from its CAIP-19 name."""
    collection, token_id = asset.rsplit(":", 1)[1].split("/")
    return collection, int(token_id)
