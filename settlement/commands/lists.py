"""Brings lists in: a newer version of a list takes the older one's place, whole, in one moment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns import locks
from returns.bulk import insert_many
from returns.columns import table_of
from returns.errors import FieldInvalid, FileInvalid
from returns.ids import new_id
from returns.tables import AuditRow, ListEntry, ListImport
from returns.words import ListKind, ListSubject
from settlement import list_files, lists
from settlement.importer import ImportReport
from settlement.list_files import EntryInvalid, ListFile
from settlement.runtime import Runtime

#: What a list holds unless it is said: exits are networks.
_SUBJECTS = {ListKind.ANONYMISER: ListSubject.NETWORK}
_MAX_SOURCE = 200


@dataclass
class ListReport(ImportReport):
    """What became of a file's rows; `known` are values that stand in it more than once.

    `already`: this very file stands already, and nothing was written. `replaced`: entries of its
    older version, which are gone.
    """

    already: bool = False
    replaced: int = 0

    def to_json(self) -> str:
        """One line for scripts."""
        told = json.loads(super().to_json())
        return json.dumps({**told, "already": self.already, "replaced": self.replaced})


def import_list(
    runtime: Runtime,
    merchant_id: UUID,
    file: Path,
    kind: str,
    *,
    subject: str | None = None,
    column: str | None = None,
    source: str | None = None,
    replace: bool = True,
    actor: str = "cli",
) -> ListReport:
    """Import a file as a version of the list `source` (the file's name) of a kind.

    With `replace`, entries of older versions of that source go in the same transaction. Raises
    `FieldInvalid` for words that do not exist, `FileInvalid` for a file of which nothing can be
    used: what stands then stays.
    """
    is_kind = _word(ListKind, "kind", kind)
    about = ListImport(
        merchant_id=merchant_id,
        kind=is_kind,
        subject=_word(ListSubject, "subject", subject) if subject else _subject_of(is_kind),
        source=_source(file, source),
        column=column or "",
        sha256="",
        rows=0,
        rejected=0,
        at=runtime.clock(),
    )
    content = list_files.read(file)
    found, report = _read(content, about)
    about.sha256, about.rows, about.rejected = content.sha256, report.rows, len(report.rejected)
    with runtime.database.write() as session:
        locks.lock_lists(session, merchant_id)
        about.at = runtime.clock()
        _store(session, about, found, report, actor, replace=replace)
    return report


def listing(runtime: Runtime, merchant_id: UUID) -> list[dict[str, Any]]:
    """The versions of lists that stand."""
    with runtime.database.read() as session:
        return lists.standing(session, merchant_id)


def _read(content: ListFile, about: ListImport) -> tuple[list[str], ListReport]:
    report, found = ListReport(), dict[str, None]()
    for line, value in list_files.values(content, about.subject, about.column or None):
        report.rows += 1
        try:
            spelt = list_files.entry(about.subject, value)
        except EntryInvalid as why:
            report.rejected.append((line, str(why)))
            continue
        report.known += spelt in found
        found[spelt] = None
    if not found:
        raise FileInvalid(file=content.name, problem=_nothing(report))
    report.imported = len(found)
    return list(found), report


def _nothing(report: ListReport) -> str:
    if not report.rejected:
        return "it has no rows"
    line, reason = report.rejected[0]
    return f"none of its {report.rows} rows can be used; line {line}: {reason}"


def _store(
    session: Session,
    about: ListImport,
    found: list[str],
    report: ListReport,
    actor: str,
    *,
    replace: bool,
) -> None:
    older = _standing(session, about)
    if any(_is_same(one, about) for one in older):
        report.already, report.known, report.imported = True, report.imported + report.known, 0
        return
    if replace:
        report.replaced = sum(_take_out(session, one, about.at) for one in older)
    session.add(about)
    session.flush()
    owner = {"merchant_id": about.merchant_id, "import_id": about.id}
    what = {"kind": about.kind, "subject": about.subject}
    rows = [{"id": new_id(), **owner, **what, "value": value} for value in found]
    insert_many(session, table_of(ListEntry), rows)
    session.add(_audit(about, older, actor))


def _standing(session: Session, about: ListImport) -> list[ListImport]:
    """Versions of the same list that have entries, the oldest first."""
    query = select(ListImport).where(
        ListImport.merchant_id == about.merchant_id,
        ListImport.kind == about.kind,
        ListImport.source == about.source,
        col(ListImport.replaced_at).is_(None),
    )
    return list(session.exec(query.order_by(col(ListImport.at))))


def _is_same(one: ListImport, other: ListImport) -> bool:
    return (one.sha256, one.subject, one.column) == (other.sha256, other.subject, other.column)


def _take_out(session: Session, one: ListImport, now: datetime) -> int:
    one.replaced_at = now
    session.add(one)
    gone = sa.delete(ListEntry).where(col(ListEntry.import_id) == one.id)
    return session.connection().execute(gone).rowcount


def _audit(about: ListImport, older: list[ListImport], actor: str) -> AuditRow:
    return AuditRow(
        merchant_id=about.merchant_id,
        subject_id=about.id,
        actor=actor,
        action="list.import",
        before=older[-1].sha256 if older else "",
        after=about.sha256,
        reason=f"{about.kind.value}: {about.source}",
        at=about.at,
    )


def _subject_of(kind: ListKind) -> ListSubject:
    return _SUBJECTS.get(kind, ListSubject.ADDRESS)


def _source(file: Path, source: str | None) -> str:
    name = file.name if source is None else source
    if not name.isprintable() or not 0 < len(name) <= _MAX_SOURCE:
        problem = f"write 1 to {_MAX_SOURCE} printable characters"
        raise FieldInvalid(field="source", problem=problem)
    return name


def _word(words: Any, field: str, text: str) -> Any:
    known = [word.value for word in words]
    if text not in known:
        raise FieldInvalid(field=field, problem=f"there are {', '.join(known)}")
    return words(text)
