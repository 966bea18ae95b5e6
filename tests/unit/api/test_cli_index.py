"""`undrop index`: what is watched and how far it is, in tables and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from index_rows import AT, CHAIN_ID, COLLECTION, chain_row, watch_row
from terminals import Terminal

from chain.index import gaps
from returns.tables import IndexScan
from returns.words import GapCode


@pytest.fixture
def terminal(desk: Desk, tmp_path: Path) -> Terminal:
    """An index at block 5 of 6."""
    with desk.runtime.database.write() as session:
        chain_row(session, 5, 4, 2).head_number = 6
        watch_row(session)
    return Terminal(desk, tmp_path)


def note(terminal: Terminal, *, resolved: bool = False) -> None:
    with terminal.desk.runtime.database.write() as session:
        place = (CHAIN_ID, GapCode.UNPROVEN, 3, "its receipts are not all there")
        gaps.note(session, *place, AT, resolved=resolved)


def rows(terminal: Terminal, *words: str) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(terminal.run("index", *words, "--json").stdout)
    return told


def test_status_tells_cursors_levels_and_lag(terminal: Terminal) -> None:
    [row] = rows(terminal, "status")
    assert (row["chain_id"], row["read_to"], row["lag_blocks"]) == (CHAIN_ID, 5, 1)
    assert (row["confirmed_to"], row["final_to"], row["open_gaps"]) == (4, 2, 0)
    assert "read to" in terminal.done("index", "status")


def test_status_fails_while_a_gap_is_open(terminal: Terminal) -> None:
    note(terminal)
    assert terminal.run("index", "status").exit_code == 1
    note(terminal, resolved=True)
    assert terminal.run("index", "status").exit_code == 0


def test_gaps_tell_block_reason_and_how_often(terminal: Terminal) -> None:
    assert "No gaps." in terminal.done("index", "gaps")
    note(terminal)
    note(terminal)
    [row] = rows(terminal, "gaps")
    assert (row["block"], row["code"], row["times"], row["open"]) == (3, "unproven", 2, True)
    assert row["problem"] == "its receipts are not all there"


def test_watched_tells_every_address(terminal: Terminal) -> None:
    about = {"address": COLLECTION, "kind": "collection", "since_block": 0}
    assert rows(terminal, "watched") == [about]


def test_a_replay_is_read_from_its_block_to_the_cursor(terminal: Terminal) -> None:
    said = terminal.done("index", "replay", "--from-block", "2")
    assert said == "Blocks 2 to 5 will be read again.\n"
    [scan] = terminal.desk.rows(IndexScan)
    assert (scan.address, scan.next_number, scan.last_number) == (None, 2, 5)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["replay", "--from-block", "6"], "the index has blocks 0 to 5"),
        (["watch", "0x12"], "is not an address with a valid EIP-55 checksum"),
        (["watch", COLLECTION, "--kind", "escrow"], "write collection or treasury"),
        (["watch", COLLECTION, "--merchant", "none"], "There is no such merchant"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_nothing_is_written(
    terminal: Terminal, words: list[str], sentence: str
) -> None:
    assert sentence in terminal.refused("index", *words)


def test_without_an_index_nothing_is_read_yet(desk: Desk, tmp_path: Path) -> None:
    terminal = Terminal(desk, tmp_path)
    assert "Nothing was read yet" in terminal.done("index", "status")
    assert "no such index" in terminal.refused("index", "replay", "--from-block", "0")
