"""A processor's report from a file: whole or not at all, each row taken or rejected, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk import Desk

from returns.errors import FieldInvalid, FileInvalid
from returns.tables import Break, ProcessorMovementRow, ReportFile
from settlement.commands import reconciliation
from settlement.reconciliation.report_files import FileReport

HEADER = "id,kind,about,amount,currency,at"
WHEN = "2026-03-02T12:00:00+00:00"


def written(folder: Path, *rows: str, control: str | None = None, header: str = HEADER) -> Path:
    total = sum(int(row.split(",")[3]) for row in rows if row.split(",")[3].lstrip("-").isdigit())
    last = f"#,rows,{len(rows)},{total}" if control is None else control
    file = folder / "report.csv"
    file.write_text("\n".join([header, *rows, last]) + "\n")
    return file


def take(desk: Desk, file: Path, processor: str = "sandbox") -> FileReport:
    return reconciliation.import_report(desk.runtime, desk.merchant.id, file, processor, "ann")


def compare(desk: Desk) -> list[str]:
    found = reconciliation.reconcile(desk.runtime, desk.merchant.id, "ann", full=True)[1]
    return sorted(row.code for row in found)


def settled(desk: Desk) -> None:
    desk.sign(desk.ask(desk.buy())["rma"])
    desk.run(20)


def test_file_takes_the_place_of_a_report_by_api(desk: Desk, tmp_path: Path) -> None:
    settled(desk)
    desk.processor.report.clear()
    take(desk, written(tmp_path, f"t1,refund,re_1,-1000,USD,{WHEN}"))
    assert compare(desk) == []
    take(desk, written(tmp_path, f"t2,refund,re_9,-5,USD,{WHEN}"))
    assert compare(desk) == ["processor.unknown"]
    assert [row.subject for row in desk.rows(Break)] == ["re_9"]


def test_amount_of_the_file_is_compared(desk: Desk, tmp_path: Path) -> None:
    settled(desk)
    desk.processor.report.clear()
    take(desk, written(tmp_path, f"t1,refund,re_1,-999,USD,{WHEN}"))
    assert compare(desk) == ["processor.amount"]


def test_same_file_twice_is_recognised(desk: Desk, tmp_path: Path) -> None:
    file = written(tmp_path, f"t1,refund,re_1,-1000,USD,{WHEN}")
    assert take(desk, file).taken == 1
    before = desk.count_all()
    again = take(desk, file)
    assert (again.already, again.taken) == (True, 0)
    assert desk.count_all() == before


def test_line_that_came_in_another_file_is_known(desk: Desk, tmp_path: Path) -> None:
    first, second = f"t1,refund,re_1,-1000,USD,{WHEN}", f"t2,refund,re_2,-5,USD,{WHEN}"
    take(desk, written(tmp_path, first))
    report = take(desk, written(tmp_path, first, second))
    assert (report.rows, report.taken, report.known) == (2, 1, 1)
    assert len(desk.rows(ProcessorMovementRow)) == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("t1,refund,re_1,-1000,USD", "it has 5 columns instead of 6"),
        (f",refund,re_1,-1000,USD,{WHEN}", "id or about is empty or too long"),
        (f"t1,refund,{'x' * 129},-1000,USD,{WHEN}", "id or about is empty or too long"),
        (f"t1,gift,re_1,-1000,USD,{WHEN}", "its kind is not known"),
        (f"t1,refund,re_1,-10.00,USD,{WHEN}", "its amount is not in minor units"),
        (f"t1,refund,re_1,{9 * 10**18 * 2},USD,{WHEN}", "its amount is not in minor units"),
        (f"t1,refund,re_1,-1000,US$,{WHEN}", "its currency is no code"),
        ("t1,refund,re_1,-1000,USD,yesterday", "its time is not ISO 8601"),
        ("t1,refund,re_1,-1000,USD,2026-03-02T12:00:00", "its time has no time zone"),
    ],
)
def test_rejected_row_has_its_reason_and_the_others_are_taken(
    desk: Desk, tmp_path: Path, row: str, reason: str
) -> None:
    good = f"t2,refund,re_2,-5,USD,{WHEN}"
    amount = row.split(",")[3]
    counted = -1000 if amount == "-1000" else 0
    report = take(desk, written(tmp_path, row, good, control=f"#,rows,2,{counted - 5}"))
    assert report.rejected == [(2, reason)]
    assert report.taken == 1


@pytest.mark.parametrize("control", ["#,rows,1,-999", "#,rows,2,-1000", "#,sum,1,-1000", "x"])
def test_refuses_a_file_whose_control_line_does_not_agree(
    desk: Desk, tmp_path: Path, control: str
) -> None:
    before = desk.count_all()
    with pytest.raises(FileInvalid):
        take(desk, written(tmp_path, f"t1,refund,re_1,-1000,USD,{WHEN}", control=control))
    assert desk.count_all() == before


def test_refuses_what_is_no_report(desk: Desk, tmp_path: Path) -> None:
    before = desk.count_all()
    with pytest.raises(FileInvalid):
        take(desk, written(tmp_path, header="id,amount"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("binary", "none"):
        with pytest.raises(FileInvalid):
            take(desk, tmp_path / name)
    with pytest.raises(FieldInvalid):
        take(desk, written(tmp_path), processor="nobody")
    assert desk.count_all() == before
    assert desk.rows(ReportFile) == []
