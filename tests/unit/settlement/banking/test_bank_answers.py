"""What a bank says is taken in once, whole or not at all, and moves the returns it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from banks import Bank
from desk import Desk

from returns.errors import FileInvalid, StatusFileKnown, StatusFileRefused
from returns.tables import AuditRow, BankFile, BankStatusFile, BankTransfer, InboxItem, Leg
from returns.words import LegKind, LegState, LineState, MovementKind, RefundStatus
from settlement.banking import pain002
from settlement.banking.codes import CODES
from settlement.commands.bank_answers import import_status

ALL_PAID = {"group": "ACSC"}


@pytest.fixture
def bank(desk: Desk) -> Bank:
    found = Bank(desk)
    found.open()
    return found


@pytest.fixture
def sent(bank: Bank) -> tuple[BankFile, list[tuple[str, Leg]]]:
    """Three transfers in one file."""
    owed = [bank.owe(price) for price in (1000, 2000, 3000)]
    file = bank.export()
    assert file is not None
    return file, owed


Sent = tuple[BankFile, list[tuple[str, Leg]]]


def states(bank: Bank, owed: list[tuple[str, Leg]]) -> list[LineState]:
    return [bank.desk.line(rma).state for rma, _ in owed]


class TestAnAnswer:
    def test_that_all_is_paid_settles_every_return(
        self, bank: Bank, sent: Sent, tmp_path: Path
    ) -> None:
        file, owed = sent
        taken = bank.take(bank.answer(tmp_path, file, **ALL_PAID))
        assert taken.changed == {"succeeded": 3}
        assert states(bank, owed) == [LineState.SETTLED] * 3
        assert [bank.transfer(leg).code for _, leg in owed] == ["ACSC"] * 3
        moved = list(bank.processor.movements())
        assert [(one.kind, one.amount) for one in moved] == [
            (MovementKind.REFUND, -1000),
            (MovementKind.REFUND, -2000),
            (MovementKind.REFUND, -3000),
        ]
        assert list(bank.processor.movements(after=moved[1].id)) == moved[2:]

    def test_may_be_different_for_each_transfer(
        self, bank: Bank, sent: Sent, tmp_path: Path
    ) -> None:
        file, owed = sent
        paid, closed, waits = (leg.id.hex for _, leg in owed)
        told = {
            paid: {"code": "ACSC", "amount": "10.00 EUR"},
            closed: {"code": "RJCT", "reason": "AC04", "note": "see letter", "amount": "20 EUR"},
            waits: {"code": "PDNG"},
        }
        taken = bank.take(bank.answer(tmp_path, file, group="PART", transfers=told))
        assert taken.changed == {"failed": 1, "pending": 1, "succeeded": 1}
        settled, attention, settling = states(bank, owed)
        assert settled is LineState.SETTLED
        assert attention is LineState.NEEDS_ATTENTION
        assert settling is LineState.SETTLING
        rejected = bank.transfer(owed[1][1])
        assert (rejected.status, rejected.code) == (RefundStatus.FAILED, "RJCT")
        assert rejected.reason == "AC04 closed account (see letter)"
        assert bank.desk.leg(owed[1][0], LegKind.PROCESSOR_REFUND).state is LegState.FAILED

    def test_that_all_are_rejected_gives_its_reason_to_each(
        self, bank: Bank, sent: Sent, tmp_path: Path
    ) -> None:
        file, owed = sent
        told = {leg.id.hex: {"code": "RJCT", "reason": "AM04"} for _, leg in owed[:1]}
        bank.take(bank.answer(tmp_path, file, group="RJCT", transfers=told))
        assert states(bank, owed) == [LineState.NEEDS_ATTENTION] * 3
        assert [bank.transfer(leg).reason for _, leg in owed] == ["AM04 insufficient funds", "", ""]
        assert list(bank.processor.movements()) == []

    def test_of_a_part_says_nothing_of_the_others(
        self, bank: Bank, sent: Sent, tmp_path: Path
    ) -> None:
        file, owed = sent
        told = {owed[0][1].id.hex: {"code": "ACSC"}}
        taken = bank.take(bank.answer(tmp_path, file, group="ACSC", block="PART", transfers=told))
        assert taken.changed == {"succeeded": 1}
        assert states(bank, owed)[1:] == [LineState.SETTLING] * 2

    def test_that_it_is_accepted_pays_nothing_yet(
        self, bank: Bank, sent: Sent, tmp_path: Path
    ) -> None:
        file, owed = sent
        for code in ("RCVD", "ACTC", "ACCP", "ACSP"):
            assert bank.take(bank.answer(tmp_path, file, group=code)).changed == {"pending": 3}
        assert states(bank, owed) == [LineState.SETTLING] * 3
        assert list(bank.processor.movements()) == []

    def test_that_is_older_than_what_is_known_changes_nothing(
        self, bank: Bank, sent: Sent, tmp_path: Path
    ) -> None:
        file, owed = sent
        bank.take(bank.answer(tmp_path, file, **ALL_PAID))
        assert bank.take(bank.answer(tmp_path, file, group="ACSP")).changed == {}
        assert [bank.transfer(leg).code for _, leg in owed] == ["ACSC"] * 3

    def test_that_paid_money_came_back_reopens_the_return(
        self, bank: Bank, sent: Sent, tmp_path: Path
    ) -> None:
        file, owed = sent
        bank.take(bank.answer(tmp_path, file, **ALL_PAID))
        told = {owed[0][1].id.hex: {"code": "RJCT", "reason": "AC04"}}
        taken = bank.take(bank.answer(tmp_path, file, group="PART", transfers=told))
        assert taken.changed == {"failed": 1}
        assert bank.desk.line(owed[0][0]).state is not LineState.SETTLED
        last = list(bank.processor.movements())[-1]
        assert (last.kind, last.amount) == (MovementKind.REFUND_FAILURE, 1000)

    @pytest.mark.parametrize("version", pain002.VERSIONS)
    def test_is_read_in_every_version_that_banks_send(
        self, bank: Bank, sent: Sent, tmp_path: Path, version: str
    ) -> None:
        file, owed = sent
        bank.take(bank.answer(tmp_path, file, version=version, **ALL_PAID))
        assert states(bank, owed) == [LineState.SETTLED] * 3

    def test_stands_in_the_audit(self, bank: Bank, sent: Sent, tmp_path: Path) -> None:
        bank.take(bank.answer(tmp_path, sent[0], **ALL_PAID))
        [row] = bank.desk.rows(BankStatusFile)
        [audit] = bank.desk.rows(AuditRow, AuditRow.action == "bank.status")
        assert (audit.subject_id, audit.actor, audit.after) == (row.id, "test", row.sha256)


def taken_twice(bank: Bank, path: Path) -> None:
    before = bank.desk.count_all()
    with pytest.raises(StatusFileKnown, match=r"already, at 2026-03-02T12:00:00\+00:00 by test"):
        import_status(bank.desk.runtime, bank.desk.merchant.id, path, "again")
    assert bank.desk.count_all() == before


class TestTheSameAnswerTwice:
    def test_says_when_it_was_taken_in_and_moves_nothing(
        self, bank: Bank, sent: Sent, tmp_path: Path
    ) -> None:
        path = bank.answer(tmp_path, sent[0], **ALL_PAID)
        bank.take(path)
        bank.desk.clock.move(days=1)
        taken_twice(bank, path)

    def test_under_the_same_message_id_too(self, bank: Bank, sent: Sent, tmp_path: Path) -> None:
        bank.take(bank.answer(tmp_path, sent[0], message="m", group="ACSP"))
        taken_twice(bank, bank.answer(tmp_path, sent[0], message="m", **ALL_PAID))


def refused(
    bank: Bank, path: Path, problem: str, kind: type[Exception] = StatusFileRefused
) -> None:
    before = bank.desk.count_all()
    codes = [(row.code, row.status) for row in bank.desk.rows(BankTransfer)]
    with pytest.raises(kind, match=problem):
        bank.take(path)
    assert bank.desk.count_all() == before
    assert [(row.code, row.status) for row in bank.desk.rows(BankTransfer)] == codes


class TestAnAnswerThatDoesNotFit:
    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"OrgnlCtrlSum": "59.99"}, "its OrgnlGrpInfAndSts is 5999, sent were 6000"),
            ({"OrgnlCtrlSum": "60.01"}, "is 6001, sent were 6000 minor units"),
            ({"OrgnlNbOfTxs": "2"}, "counts 2 transfers, sent were 3"),
            ({"OrgnlMsgNmId": "pain.008.001.02"}, "answers a pain.008.001.02"),
            ({"OrgnlMsgId": "0" * 32}, "message 0{32}, which is not one of yours"),
        ],
    )  # fmt: skip
    def test_to_its_file_changes_nothing(
        self, bank: Bank, sent: Sent, tmp_path: Path, changes: dict[str, str], problem: str
    ) -> None:
        refused(bank, bank.answer(tmp_path, sent[0], changes=changes, **ALL_PAID), problem)

    def test_without_sums_is_taken(self, bank: Bank, sent: Sent, tmp_path: Path) -> None:
        none = {"OrgnlCtrlSum": None, "OrgnlNbOfTxs": None}
        path = bank.answer(tmp_path, sent[0], changes=none, **ALL_PAID)
        assert bank.take(path).changed == {"succeeded": 3}

    @pytest.mark.parametrize(
        ("told", "problem"),
        [
            ({"amount": "10.01 EUR"}, "with 1001 EUR, sent were 1000 EUR"),
            ({"amount": "10.00 USD"}, "with 1000 USD, sent were 1000 EUR"),
            ({"code": "RJCT"}, "all are ACSC, and .* is RJCT"),
        ],
    )
    def test_to_a_transfer_changes_nothing(
        self, bank: Bank, sent: Sent, tmp_path: Path, told: dict[str, str], problem: str
    ) -> None:
        file, owed = sent
        transfers = {owed[0][1].id.hex: {"code": "ACSC", **told}}
        refused(bank, bank.answer(tmp_path, file, transfers=transfers, **ALL_PAID), problem)

    def test_an_unknown_transfer_changes_nothing(
        self, bank: Bank, sent: Sent, tmp_path: Path
    ) -> None:
        told = {sent[1][0][1].id.hex: {"code": "ACSC"}, "f" * 32: {"code": "ACSC"}}
        path = bank.answer(tmp_path, sent[0], group="PART", transfers=told)
        refused(bank, path, "'f{32}' is no transfer of file")

    def test_a_transfer_of_another_file_changes_nothing(
        self, bank: Bank, sent: Sent, tmp_path: Path
    ) -> None:
        _, later = bank.owe()
        bank.export()
        path = bank.answer(tmp_path, sent[0], transfers={later.id.hex: {"code": "ACSC"}})
        refused(bank, path, "is no transfer of file")

    def test_a_transfer_told_of_twice_changes_nothing(
        self, bank: Bank, sent: Sent, tmp_path: Path
    ) -> None:
        path = bank.answer(tmp_path, sent[0], transfers={sent[1][0][1].id.hex: {"code": "ACSC"}})
        raw = path.read_text()
        one = raw[raw.index("<TxInfAndSts>") : raw.index("</TxInfAndSts>") + len("</TxInfAndSts>")]
        path.write_text(raw.replace(one, one + one))
        refused(bank, path, "is told of twice")

    def test_paid_after_it_was_rejected_changes_nothing(
        self, bank: Bank, sent: Sent, tmp_path: Path
    ) -> None:
        bank.take(bank.answer(tmp_path, sent[0], group="RJCT"))
        refused(
            bank, bank.answer(tmp_path, sent[0], **ALL_PAID), "told as RJCT before, and is ACSC"
        )

    def test_another_merchants_file_looks_like_none(
        self, bank: Bank, sent: Sent, tmp_path: Path
    ) -> None:
        other = Desk(bank.desk.runtime, "other")
        path = bank.answer(tmp_path, sent[0], **ALL_PAID)
        before = bank.desk.count_all()
        with pytest.raises(StatusFileRefused, match="which is not one of yours"):
            import_status(bank.desk.runtime, other.merchant.id, path, "test")
        assert bank.desk.count_all() == before


BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10">&c;</Document>"""
EXTERNAL = b"""<!DOCTYPE a SYSTEM "file:///etc/passwd"><Document/>"""


class TestAFileThatIsNone:
    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (b"", "not XML"),
            (b"<Document>", "not XML"),
            (b"\xff\xfe\x00", "not XML"),
            (b'<?xml version="1.0" encoding="x-nonsense"?><a/>', "not XML"),
            (BOMB, "not XML"),
            (EXTERNAL, "not XML"),
            (b"<Document/>", "it is none of pain.002.001.03"),
            (b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"/>', "is none of"),
            (b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"/>', "is missing"),
            (b"<a>" * 100_000, "not XML"),
            (b"<a>" * 100_000 + b"</a>" * 100_000, "is none of"),
        ],
    )
    def test_is_refused(self, bank: Bank, tmp_path: Path, content: bytes, problem: str) -> None:
        (tmp_path / "x.xml").write_bytes(content)
        refused(bank, tmp_path / "x.xml", problem, FileInvalid)

    def test_is_refused_above_its_limit(self, bank: Bank, tmp_path: Path) -> None:
        (tmp_path / "x.xml").write_bytes(b" " * (5 * 1024 * 1024 + 1))
        refused(bank, tmp_path / "x.xml", "more than 5242880 bytes", FileInvalid)

    @pytest.mark.parametrize(
        ("said", "problem"),
        [
            ({"group": "XXXX"}, "the status 'XXXX' is not known"),
            ({"changes": {"OrgnlNbOfTxs": "-1"}}, "OrgnlNbOfTxs is not a number"),
            ({"changes": {"OrgnlNbOfTxs": "²"}}, "OrgnlNbOfTxs is not a number"),
            ({"changes": {"OrgnlCtrlSum": "1e9999"}}, "is not an amount"),
            ({"changes": {"OrgnlCtrlSum": "-60"}}, "is not an amount"),
            ({"changes": {"OrgnlCtrlSum": "0.001"}}, "is not an amount"),
            ({"changes": {"OrgnlCtrlSum": "NaN"}}, "is not an amount"),
            ({"changes": {"OrgnlMsgId": "x" * 36}}, "longer than 35 characters"),
            ({"message": ""}, "MsgId is missing"),
            ({"transfers": {"x": {"code": "PART"}}}, "the status 'PART' is not known"),
            ({"transfers": {"x": {"code": "ACSC", "amount": "1 XXZ"}}}, "is not an amount"),
            ({"transfers": {"x" * 36: {"code": "ACSC"}}}, "OrgnlEndToEndId is missing or longer"),
        ],
    )
    def test_is_refused_where_a_part_is_none(
        self, bank: Bank, sent: Sent, tmp_path: Path, said: dict[str, Any], problem: str
    ) -> None:
        refused(bank, bank.answer(tmp_path, sent[0], **said), problem, FileInvalid)

    def test_with_two_blocks_is_refused(self, bank: Bank, sent: Sent, tmp_path: Path) -> None:
        path = bank.answer(tmp_path, sent[0], **ALL_PAID)
        end = "</OrgnlPmtInfAndSts>"
        path.write_text(path.read_text().replace(end, f"{end}<OrgnlPmtInfAndSts>{end}"))
        refused(bank, path, "several payment blocks", FileInvalid)


def test_what_a_bank_says_comes_in_as_a_refund_of_the_processor(
    bank: Bank, sent: Sent, tmp_path: Path
) -> None:
    bank.take(bank.answer(tmp_path, sent[0], group="RJCT"))
    rows = bank.desk.rows(InboxItem, InboxItem.source == "processor:bank")
    assert {(row.kind, row.merchant_id) for row in rows} == {
        ("processor.refund", bank.desk.merchant.id)
    }
    assert len([row for row in rows if row.external_id.endswith(":failed")]) == 3


def test_only_a_settled_transfer_counts_as_paid() -> None:
    paid = {code for code, status in CODES.items() if status is RefundStatus.SUCCEEDED}
    assert paid == {"ACSC", "ACCC"}
