"""`undrop bank`: files that can be handed to a bank, and its answers."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from banks import IBANS, Bank, sent
from desk import Desk
from terminals import Terminal

from returns.tables import BankFile, BankTransfer
from returns.words import RefundStatus


@pytest.fixture
def bank(desk: Desk) -> Bank:
    return Bank(desk)


@pytest.fixture
def terminal(desk: Desk, tmp_path: Path) -> Terminal:
    return Terminal(desk, tmp_path)


def set_account(terminal: Terminal) -> str:
    return terminal.done("bank", "account", IBANS[0], "--holder", "Demo")


def test_a_file_is_written_for_its_owner_alone_and_again_the_same(
    bank: Bank, terminal: Terminal, tmp_path: Path
) -> None:
    assert "demo pays from DE89 **** 3000." in set_account(terminal)
    bank.owe()
    told = json.loads(terminal.done("bank", "export", str(tmp_path)))
    path = Path(told["file"])
    content = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (told["transfers"], told["total"], told["currency"]) == (1, "1000", "EUR")
    path.unlink()
    again = json.loads(terminal.done("bank", "export", str(tmp_path), "--again", told["message"]))
    assert again == told
    assert path.read_bytes() == content
    assert len(bank.desk.rows(BankFile)) == 1


def test_nothing_due_writes_nothing(terminal: Terminal, tmp_path: Path) -> None:
    set_account(terminal)
    assert "No transfer is due." in terminal.done("bank", "export", str(tmp_path))
    assert list(tmp_path.glob("pain001*")) == []


def test_a_folder_that_is_not_there_is_refused_and_the_file_can_be_written_later(
    bank: Bank, terminal: Terminal, tmp_path: Path
) -> None:
    set_account(terminal)
    bank.owe()
    result = terminal.run("bank", "export", str(tmp_path / "nowhere"))
    assert result.exit_code == 1
    assert "A file cannot be used" in result.stderr
    [file] = bank.desk.rows(BankFile)
    assert file.message_id in terminal.done("bank", "files")
    terminal.done("bank", "export", str(tmp_path), "--again", file.message_id)
    assert (tmp_path / f"pain001-{file.message_id}.xml").read_bytes() == file.content


def test_an_answer_is_taken_in_once_and_shown(
    bank: Bank, terminal: Terminal, tmp_path: Path
) -> None:
    set_account(terminal)
    bank.owe()
    file = bank.export()
    assert file is not None
    path = str(bank.answer(tmp_path, file, group="ACSC"))
    told = json.loads(terminal.done("bank", "import-status", path))
    assert told == {"message": "bank-1", "about": file.message_id, "changed": {"succeeded": 1}}
    assert [row.status for row in bank.desk.rows(BankTransfer)] == [RefundStatus.SUCCEEDED]
    assert "1 succeeded" in terminal.done("bank", "files")
    again = terminal.refused("bank", "import-status", path)
    assert "The status file bank-1 was taken in already, at " in again
    assert "by cli." in again


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("account", "DE00", "--holder", "x"), "The field iban cannot be used"),
        (("export", ".", "--again", "nothing"), "There is no such bank file"),
        (("import-status", "nothing.xml"), "A file cannot be used"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(
    terminal: Terminal, words: tuple[str, ...], sentence: str
) -> None:
    assert sentence in terminal.refused("bank", *words)


def test_without_the_merchants_account_nothing_leaves(
    bank: Bank, terminal: Terminal, tmp_path: Path
) -> None:
    bank.owe()
    assert "undrop bank account" in terminal.refused("bank", "export", str(tmp_path))


def test_a_folder_gets_no_half_a_file(bank: Bank, terminal: Terminal, tmp_path: Path) -> None:
    set_account(terminal)
    bank.owe()
    terminal.done("bank", "export", str(tmp_path))
    [written] = tmp_path.glob("pain001*")
    assert written.suffix == ".xml"
    [file] = bank.desk.rows(BankFile)
    assert len(sent(file)) == 1
