"""A processor's own word: its log of refunds, and its report, which is read on from a cursor.

The log has no order that could be read on, so that it is read whole by full runs only; in between
the report tells what moved, and single refunds are asked for by their key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from returns.bulk import among, copy_many
from returns.errors import ReportUnusable
from returns.tables.reconciliation import MOVEMENTS, REFUNDS
from returns.words import LegKind, LegState, MovementKind, RefundStatus
from settlement.processors.base import Movement, Processor, ProcessorRefund, RefundRequest
from settlement.reconciliation.intake import held_side, processor_side, side
from settlement.reconciliation.line_facts import CASES, DONE, LEGS, LINES, PAYMENTS, pages
from settlement.runtime import Runtime

PAGE = 5_000
#: Refunds that are asked for one by one; for more of them the whole log is read.
_LOOKUPS = 200
#: What of a report is compared; charges, fees and payouts are not about returns.
KINDS = frozenset(MovementKind) - {
    MovementKind.CHARGE,
    MovementKind.FEE,
    MovementKind.PAYOUT,
    MovementKind.OTHER,
}
_LIMIT = 1 << 63
_REFUND_NAMES = ("processor", "id", "leg_id", "amount", "currency", "status", "listed", "version")
_MOVEMENT_NAMES = (
    "processor", "id", "kind", "about", "amount", "currency", "at", "version", "file_hash",
)  # fmt: skip


@dataclass(slots=True)
class Reading:
    """A processor that is being read, and the cursor that nobody else may have moved.

    `seen`: ids by table of what this reading stored itself, where nothing else can be stored yet.
    """

    runtime: Runtime
    processor: Processor
    cursor: str
    seen: dict[str, set[str]] | None = None

    @property
    def name(self) -> str:
        """The processor's."""
        return self.processor.name


def read_processor(runtime: Runtime, processor: Processor, *, full: bool) -> None:
    """Read what is new of the report, or log and report anew. Raises `ProcessorUnavailable`."""
    name = processor_side(processor.name)
    with runtime.database.read() as session:
        row = side(session, name)
        full = full or not row.position
    reading = Reading(runtime, processor, row.cursor)
    if full:
        _begin_anew(reading)
        read_log(reading)
    for page in pages(processor.movements(reading.cursor or None), PAGE):
        take_movements(reading, page)
    adopt(reading, listed=False if full else None)


@runtime_checkable
class Retrieves(Protocol):
    """A processor that can be asked for a refund by its id, so that the log need not be read."""

    def retrieve(self, refund_id: str) -> ProcessorRefund | None:
        """A refund of the log, None if it has none of that id. Raises `ProcessorUnavailable`."""


def look_up(runtime: Runtime, merchant_id: UUID, line_ids: Iterable[UUID]) -> None:
    """Ask for each payout of these lines of which no processor has told yet, by its key."""
    with runtime.database.read() as session:
        wanted = [row for part in pages(line_ids) for row in _untold(session, merchant_id, part)]
    for name in sorted({row.processor for row in wanted} & set(runtime.processors)):
        reading = reading_of(runtime, name)
        mine = [row for row in wanted if row.processor == name]
        if len(mine) > _LOOKUPS:
            _search_log(reading, "key", {str(row.id) for row in mine})
        else:
            requests = [RefundRequest(r.id, r.reference, r.amount, r.currency) for r in mine]
            found = [reading.processor.find(request) for request in requests]
            _take_log(reading, [refund for refund in found if refund is not None])


def identify(runtime: Runtime, name: str) -> set[str]:
    """Learn the keys of refunds of which the report alone has told, from the log.

    Returns their ids. Unless they can be retrieved, the log is read until all are found; what is
    not in it is marked so.
    """
    unasked = (REFUNDS.c.processor == name, REFUNDS.c.leg_id.is_(None), REFUNDS.c.listed.is_(None))
    with runtime.database.read() as session:
        ids = set(session.connection().execute(sa.select(REFUNDS.c.id).where(*unasked)).scalars())
    if ids:
        reading = reading_of(runtime, name)
        processor = reading.processor
        if isinstance(processor, Retrieves) and len(ids) <= _LOOKUPS:
            found = [processor.retrieve(one) for one in sorted(ids)]
            _take_log(reading, [refund for refund in found if refund is not None])
        else:
            _search_log(reading, "id", ids)
        with runtime.database.write() as session:
            held_side(session, processor_side(name), reading.cursor)
            unlisted = sa.update(REFUNDS).where(*unasked).values(listed=False)
            session.connection().execute(unlisted)
    return ids


def reading_of(runtime: Runtime, name: str) -> Reading:
    """A processor that is configured, as it was last read."""
    with runtime.database.read() as session:
        cursor = side(session, processor_side(name)).cursor
    return Reading(runtime, runtime.processors[name], cursor)


def _search_log(reading: Reading, name: str, values: Collection[str]) -> None:
    """Take in what has one of the values, without reading on once there are as many."""
    log_ = reading.processor.refunds()
    wanted = (refund for refund in log_ if getattr(refund, name) in values)
    _take_log(reading, list(islice(wanted, len(values))))


def read_log(reading: Reading) -> None:
    """Take in the processor's whole log."""
    for page in pages(reading.processor.refunds(), PAGE):
        _take_log(reading, page)


def _begin_anew(reading: Reading) -> None:
    """Forget what was read by API; what came in files is kept."""
    name = reading.name
    with reading.runtime.database.write() as session:
        row = held_side(session, processor_side(name), reading.cursor)
        run = session.connection().execute
        run(sa.delete(REFUNDS).where(REFUNDS.c.processor == name))
        of_api = MOVEMENTS.c.file_hash.is_(None)
        run(sa.delete(MOVEMENTS).where(MOVEMENTS.c.processor == name, of_api))
        of_files = sa.select(MOVEMENTS.c.id).where(MOVEMENTS.c.processor == name)
        reading.seen = {REFUNDS.name: set(), MOVEMENTS.name: set(run(of_files).scalars())}
        row.cursor = reading.cursor = ""
        row.position, row.facts = row.position + 1, 0


def _take_log(reading: Reading, refunds: Sequence[ProcessorRefund]) -> None:
    """Store refunds, the last word about each."""
    newest = {refund.id: refund for refund in refunds}
    with reading.runtime.database.write() as session:
        row = held_side(session, processor_side(reading.name), reading.cursor)
        row.position += 1
        row.facts += len(newest)
        known = _known(session, reading, REFUNDS, list(newest))
        rows = [_refund_row(reading.name, one, row.position) for one in newest.values()]
        copy_many(session, REFUNDS, _REFUND_NAMES, [one for one in rows if one[1] not in known])
        for one in rows:
            if one[1] in known:
                _change(session, one)


def _change(session: Session, row: tuple[Any, ...]) -> None:
    values = dict(zip(_REFUND_NAMES, row, strict=True))
    same = (REFUNDS.c.processor == values["processor"], REFUNDS.c.id == values["id"])
    session.connection().execute(sa.update(REFUNDS).where(*same).values(**values))


def _refund_row(name: str, refund: ProcessorRefund, version: int) -> tuple[Any, ...]:
    if not 0 <= refund.amount < _LIMIT:
        raise ReportUnusable(processor=name, problem=f"refund {refund.id} is of {refund.amount}")
    status = RefundStatus(refund.status)
    leg_id = _uuid(refund.key)
    return (name, refund.id, leg_id, refund.amount, refund.currency, status, True, version)


def take_movements(reading: Reading, page: Sequence[Movement], file_hash: str | None = None) -> int:
    """Store a page of the report; returns how many of its lines were new.

    A line that is known already, by API or from a file, is left as it is.
    """
    with reading.runtime.database.write() as session:
        row = held_side(session, processor_side(reading.name), reading.cursor)
        row.position += 1
        told = {one.id: one for one in page if one.kind in KINDS}
        known = _known(session, reading, MOVEMENTS, list(told))
        new = [one for key, one in told.items() if key not in known]
        rows = [_movement_row(reading.name, one, row.position, file_hash) for one in new]
        copy_many(session, MOVEMENTS, _MOVEMENT_NAMES, rows)
        if file_hash is None:
            row.cursor = reading.cursor = page[-1].id
        row.facts += len(new)
        return len(new)


def _movement_row(name: str, one: Movement, version: int, file: str | None) -> tuple[Any, ...]:
    if not -_LIMIT < one.amount < _LIMIT:
        raise ReportUnusable(processor=name, problem=f"movement {one.id} is of {one.amount}")
    kind = MovementKind(one.kind)
    return (name, one.id, kind, one.about, one.amount, one.currency, one.at, version, file)


def adopt(reading: Reading, *, listed: bool | None) -> None:
    """Make a refund of what the report alone tells of, and find the legs of such refunds."""
    name = reading.name
    with reading.runtime.database.write() as session:
        row = held_side(session, processor_side(name), reading.cursor)
        row.position += 1
        rows = _only_reported(session, name)
        legs = _legs_by_reference(session, [one.about for one in rows])
        status = RefundStatus.SUCCEEDED
        made = {
            one.about: (name, one.about, legs.get(one.about), abs(one.amount), one.currency,
                        status, listed, row.position)
            for one in rows
        }  # fmt: skip
        copy_many(session, REFUNDS, _REFUND_NAMES, list(made.values()))
        _find_legs(session, name, row.position)


def _only_reported(session: Session, name: str) -> Sequence[Any]:
    is_known = sa.exists().where(
        REFUNDS.c.processor == MOVEMENTS.c.processor, REFUNDS.c.id == MOVEMENTS.c.about
    )
    columns = (MOVEMENTS.c.about, MOVEMENTS.c.amount, MOVEMENTS.c.currency)
    query = sa.select(*columns).where(
        MOVEMENTS.c.processor == name, MOVEMENTS.c.kind == MovementKind.REFUND, ~is_known
    )
    return session.connection().execute(query.order_by(MOVEMENTS.c.id)).all()


def _find_legs(session: Session, name: str, version: int) -> None:
    """What the report told before the books knew the refund's id."""
    mine = (REFUNDS.c.processor == name, REFUNDS.c.leg_id.is_(None))
    ids = list(session.connection().execute(sa.select(REFUNDS.c.id).where(*mine)).scalars())
    for reference, leg_id in _legs_by_reference(session, ids).items():
        same = (REFUNDS.c.processor == name, REFUNDS.c.id == reference)
        values = {"leg_id": leg_id, "version": version}
        session.connection().execute(sa.update(REFUNDS).where(*same).values(**values))


def _legs_by_reference(session: Session, references: Sequence[str]) -> dict[str, UUID]:
    found: dict[str, UUID] = {}
    for part in pages(references, PAGE):
        query = sa.select(LEGS.c.reference, LEGS.c.id).where(
            among(session, LEGS.c.reference, part), LEGS.c.kind == LegKind.PROCESSOR_REFUND
        )
        found |= {row.reference: row.id for row in session.connection().execute(query)}
    return found


def _known(session: Session, reading: Reading, table: sa.Table, ids: list[str]) -> set[str]:
    """Which of these are stored already."""
    if reading.seen is not None:
        seen = reading.seen[table.name]
        known = seen.intersection(ids)
        seen.update(ids)
        return known
    if not ids:
        return set()
    mine = (table.c.processor == reading.name, among(session, table.c.id, ids))
    return set(session.connection().execute(sa.select(table.c.id).where(*mine)).scalars())


def _untold(session: Session, merchant_id: UUID, line_ids: list[UUID]) -> Sequence[Any]:
    """Payouts that were asked for, and of which nothing has been told: their processor, charge."""
    asked = (*DONE, LegState.CLAIMED, LegState.SENT, LegState.UNKNOWN)
    paid = sa.or_(
        PAYMENTS.c.id == LEGS.c.payment_id,
        sa.and_(LEGS.c.payment_id.is_(None), PAYMENTS.c.order_id == CASES.c.order_id),
    )
    columns = (LEGS.c.id, LEGS.c.amount, LEGS.c.currency)
    query = (
        sa.select(*columns, PAYMENTS.c.processor, PAYMENTS.c.reference)
        .join(LINES, LINES.c.id == LEGS.c.line_id)
        .join(CASES, CASES.c.id == LINES.c.case_id)
        .join(PAYMENTS, paid)
        .where(LEGS.c.merchant_id == merchant_id, among(session, LEGS.c.line_id, line_ids))
        .where(LEGS.c.kind == LegKind.PROCESSOR_REFUND, LEGS.c.state.in_(asked))
        .where(~sa.exists().where(REFUNDS.c.leg_id == LEGS.c.id))
    )
    return session.connection().execute(query).all()


def _uuid(key: str) -> UUID | None:
    try:
        return UUID(key)
    except ValueError:
        return None
