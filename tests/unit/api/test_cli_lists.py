"""`undrop import list`: what went in, what did not and why, on one line for scripts."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from desk import Desk
from terminals import Terminal

from returns.tables import ListEntry

A, B = ("0x" + digit * 40 for digit in "ab")


@pytest.fixture
def terminal(desk: Desk, tmp_path: Path) -> Terminal:
    (tmp_path / "list.csv").write_text(f"name,address\nx,{A}\ny,{B}\nz,nothing\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "other.csv").write_text("name,note\nx,y\n")
    return Terminal(desk, tmp_path)


def load(terminal: Terminal, folder: Path, *words: str) -> dict[str, object]:
    file = str(folder / "list.csv")
    told: dict[str, object] = json.loads(
        terminal.done("import", "list", file, "--kind", "sanctions", *words)
    )
    return told


def test_a_list_is_imported_once_and_its_bad_rows_are_listed(
    terminal: Terminal, tmp_path: Path
) -> None:
    assert "No list was imported yet" in terminal.done("import", "lists")
    rejects = tmp_path / "rejects.csv"
    told = load(terminal, tmp_path, "--rejects", str(rejects))
    assert told == {
        "rows": 3, "imported": 2, "known": 0, "rejected": 1, "seconds": 0.0,
        "already": False, "replaced": 0,
    }  # fmt: skip
    [_, reject] = csv.reader(rejects.read_text().splitlines())
    assert reject == ["4", "it is not an address with a right checksum"]
    assert load(terminal, tmp_path)["already"] is True
    assert len(terminal.desk.rows(ListEntry)) == 2
    shown = terminal.done("import", "lists")
    assert "sanctions" in shown
    assert "list.csv" in shown


def test_rejected_rows_and_known_files_are_told_on_the_error_stream(
    terminal: Terminal, tmp_path: Path
) -> None:
    words = ("import", "list", str(tmp_path / "list.csv"), "--kind", "phishing")
    assert "1 rejected: it is not an address" in terminal.run(*words).stderr
    assert "list.csv is already imported." in terminal.run(*words).stderr


def test_a_list_can_be_added_to(terminal: Terminal, tmp_path: Path) -> None:
    load(terminal, tmp_path)
    (tmp_path / "list.csv").write_text(f"address\n{'0x' + 'c' * 40}\n")
    load(terminal, tmp_path, "--add")
    assert len(terminal.desk.rows(ListEntry)) == 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["list.csv", "--kind", "odd"], "sanctions, phishing, block, allow, anonymiser"),
        (["list.csv", "--kind", "block", "--subject", "odd"], "address, network, customer"),
        (["list.csv", "--kind", "block", "--column", "odd"], "name one with --column: name"),
        (["empty.csv", "--kind", "block"], "it is empty"),
        (["other.csv", "--kind", "block"], "name one with --column: name, note"),
        (["none.csv", "--kind", "block"], "there is no such file"),
        (["list.csv", "--kind", "block", "--merchant", "none"], "There is no such merchant"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence_and_nothing_is_written(
    terminal: Terminal, tmp_path: Path, words: list[str], sentence: str
) -> None:
    placed = [str(tmp_path / word) if word.endswith(".csv") else word for word in words]
    said = terminal.refused("import", "list", *placed)
    assert sentence in said
    assert "\n" not in said
