"""A processor's report as a file: CSV under one contract, every row taken in or rejected by name.

Header: `id,kind,about,amount,currency,at`. `id` is the balance transaction's, `kind` a word of
`MovementKind`, `about` the refund or dispute, `amount` signed minor units, `at` ISO 8601 with a
time zone. The last line is `#,rows,<count>,<sum of all amounts>`: a file that was cut off, or
changed on its way, is refused whole.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

from returns.db import Database
from returns.errors import FieldInvalid, FileInvalid
from returns.tables import ReportFile
from returns.words import MovementKind
from settlement.processors.base import Movement
from settlement.reconciliation import processor_side
from settlement.reconciliation.line_facts import pages
from settlement.runtime import Runtime

COLUMNS = ("id", "kind", "about", "amount", "currency", "at")
CONTROL = "#"

_MAX_BYTES = 256 * 1024 * 1024
_MAX_FIELD = 128
_MAX_AMOUNT = 1 << 63


class _Unfit(Exception):
    """Why one row is no movement."""


@dataclass
class FileReport:
    """What became of a file's rows; `rejected` are (line number, reason)."""

    rows: int = 0
    taken: int = 0
    known: int = 0
    already: bool = False
    rejected: list[tuple[int, str]] = field(default_factory=list)

    def to_json(self) -> str:
        """One line for scripts."""
        counts = {"rows": self.rows, "taken": self.taken, "known": self.known}
        return json.dumps({**counts, "rejected": len(self.rejected), "already": self.already})


def import_report(
    runtime: Runtime, merchant_id: UUID, file: Path, processor: str, actor: str
) -> FileReport:
    """Take a report in. The same bytes again change nothing, nor does a line that is known.

    Raises `FieldInvalid` for a processor that is not configured, `FileInvalid` for a file without
    header, or whose control line does not agree with its rows; nothing is stored then.
    """
    if processor not in runtime.processors:
        known = ", ".join(sorted(runtime.processors))
        raise FieldInvalid(field="--processor", problem=f"there are {known}")
    raw = _read(file)
    file_hash = hashlib.sha256(raw).hexdigest()
    report = FileReport()
    if _is_taken(runtime.database, processor, file_hash):
        report.already = True
        return report
    movements = _movements(file.name, raw, report)
    reading = processor_side.reading_of(runtime, processor)
    for page in pages(movements, processor_side.PAGE):
        new = processor_side.take_movements(reading, page, file_hash)
        report.taken += new
        report.known += len(page) - new
    processor_side.adopt(reading, listed=None)
    _keep(runtime, merchant_id, processor, file_hash, file.name, report, actor)
    return report


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as source:
            raw = source.read(_MAX_BYTES + 1)
    except OSError as fault:
        raise FileInvalid(file=file.name, problem=type(fault).__name__) from fault
    if len(raw) > _MAX_BYTES:
        raise FileInvalid(file=file.name, problem=f"it has more than {_MAX_BYTES} bytes")
    return raw


def _is_taken(database: Database, processor: str, file_hash: str) -> bool:
    with database.read() as session:
        return session.get(ReportFile, (processor, file_hash)) is not None


def _movements(name: str, raw: bytes, report: FileReport) -> list[Movement]:
    """Rows that fit; what does not fit is on the report. The control line covers all rows."""
    try:
        lines = list(csv.reader(raw.decode().splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error) as fault:
        raise FileInvalid(file=name, problem=f"it is no CSV in UTF-8: {fault}") from fault
    if not lines or tuple(lines[0]) != COLUMNS:
        raise FileInvalid(file=name, problem=f"its header is not {','.join(COLUMNS)}")
    rows, control = lines[1:-1], lines[-1]
    report.rows = len(rows)
    _check_control(name, rows, control)
    return list(_fitting(rows, report))


def _check_control(name: str, rows: list[list[str]], control: list[str]) -> None:
    if len(control) != 4 or control[:2] != [CONTROL, "rows"]:
        raise FileInvalid(file=name, problem="its last line is not #,rows,<count>,<sum>")
    total = sum(_amount_or_nothing(row) for row in rows)
    if control[2:] != [str(len(rows)), str(total)]:
        says = f"it says {control[2]} rows of {control[3]}"
        raise FileInvalid(file=name, problem=f"{says}, and has {len(rows)} of {total}"[:300])


def _amount_or_nothing(row: list[str]) -> int:
    try:
        return _amount(row[3])
    except (_Unfit, IndexError):
        return 0


def _fitting(rows: list[list[str]], report: FileReport) -> Iterator[Movement]:
    for number, row in enumerate(rows, start=2):
        try:
            yield _movement(row)
        except _Unfit as why:
            report.rejected.append((number, str(why)))


def _movement(row: list[str]) -> Movement:
    if len(row) != len(COLUMNS):
        raise _Unfit(f"it has {len(row)} columns instead of {len(COLUMNS)}")
    key, kind, about, amount, currency, at = row
    if not key or not about or max(len(key), len(about)) > _MAX_FIELD:
        raise _Unfit("id or about is empty or too long")
    if kind not in set(MovementKind):
        raise _Unfit("its kind is not known")
    if not (currency.isascii() and currency.isalpha() and len(currency) <= 8):
        raise _Unfit("its currency is no code")
    return Movement(key, MovementKind(kind), about, _amount(amount), currency, _moment(at))


def _amount(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        raise _Unfit("its amount is not in minor units")
    if int(digits) >= _MAX_AMOUNT:
        raise _Unfit("its amount is not in minor units")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as fault:
        raise _Unfit("its time is not ISO 8601") from fault
    if moment.tzinfo is None:
        raise _Unfit("its time has no time zone")
    return moment


def _keep(
    runtime: Runtime,
    merchant_id: UUID,
    processor: str,
    file_hash: str,
    name: str,
    report: FileReport,
    actor: str,
) -> None:
    with runtime.database.write() as session:
        session.add(
            ReportFile(
                processor=processor,
                file_hash=file_hash,
                merchant_id=merchant_id,
                name=name[:200],
                rows=report.rows,
                taken=report.taken,
                rejected=len(report.rejected),
                imported_by=actor,
                at=runtime.clock(),
            )
        )
