"""Lists mean the same on both databases, and are never seen half replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

from returns.tables import ListEntry, ListImport
from settlement import lists
from settlement.commands.lists import import_list

AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]
ROWS = 200


def version(folder: Path, number: int) -> Path:
    """A list of which every address names its version."""
    file = folder / f"list-{number}.txt"
    file.write_text("".join(f"0x{number:02x}{index:038x}\n" for index in range(ROWS)))
    return file


def load(desk: Desk, file: Path, kind: str = "sanctions") -> Any:
    return import_list(desk.runtime, desk.merchant.id, file, kind, source="one")


def test_hits_are_found_by_address_customer_and_network(desk: Desk, tmp_path: Path) -> None:
    load(desk, version(tmp_path, 1))
    (tmp_path / "exits").write_text("10.1.0.0/16\n2001:db8::1\n")
    load(desk, tmp_path / "exits", "anonymiser")
    holder = {"holder": f"0x01{7:038x}"}
    with desk.runtime.database.read() as session:
        look = lists.hits
        found = look(session, desk.merchant.id, addresses=holder, customer="x", ip="10.1.2.3")
        assert found == {"sanctions/holder", "anonymiser/connection"}
        six = look(session, desk.merchant.id, addresses={}, customer=None, ip="2001:db8::1")
        assert six == {"anonymiser/connection"}
        clean = look(session, desk.merchant.id, addresses={}, customer=None, ip="10.2.0.0")
        assert clean == frozenset()


def test_of_versions_that_come_at_once_one_stands_whole(
    desk: Desk, tmp_path: Path, at_once: AtOnce
) -> None:
    files = [version(tmp_path, number) for number in range(1, 7)]
    reports = at_once(6, lambda index: load(desk, files[index]))
    assert [report.imported for report in reports] == [ROWS] * 6
    assert sorted(report.replaced for report in reports) == [0, *[ROWS] * 5]
    entries = desk.rows(ListEntry)
    assert len(entries) == ROWS
    assert len({entry.value[:4] for entry in entries}) == 1
    [standing] = desk.rows(ListImport, ListImport.replaced_at == None)  # noqa: E711
    assert {entry.import_id for entry in entries} == {standing.id}


def test_one_file_that_is_imported_by_six_at_once_is_imported_once(
    desk: Desk, tmp_path: Path, at_once: AtOnce
) -> None:
    file = version(tmp_path, 1)
    reports = at_once(6, lambda _: load(desk, file))
    assert sorted(report.already for report in reports) == [False, *[True] * 5]
    assert len(desk.rows(ListEntry)) == ROWS


def test_an_import_that_breaks_off_leaves_what_stood(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(desk, version(tmp_path, 1))
    before = desk.count_all()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("settlement.commands.lists.insert_many", killed)
    with pytest.raises(KeyboardInterrupt):
        load(desk, version(tmp_path, 2))
    assert desk.count_all() == before
    assert {entry.value[:4] for entry in desk.rows(ListEntry)} == {"0x01"}
    assert [one.replaced_at for one in desk.rows(ListImport)] == [None]
