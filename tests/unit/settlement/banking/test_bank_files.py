"""Transfers leave in one file each, as every bank can read it, and as it was written."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import xmlschema
from banks import IBANS, OWN, Bank, sent
from desk import Desk
from hypothesis import given
from hypothesis import strategies as st
from sepaxml import validation

from returns.errors import BankAccountMissing, FieldInvalid, NotFound, WebhookRefused
from returns.tables import AuditRow, BankAccount, BankFile, BankTransfer, Leg, ReturnCase
from returns.words import LegState, LineState, RefundStatus
from settlement.banking.accounts import masked, read_account, sepa_text
from settlement.commands import bank_files
from settlement.processors.base import RefundDeclined, RefundRequest

SCHEMA = Path(validation.__file__).parent / "schemas" / "pain.001.001.09.xsd"


@pytest.fixture
def bank(desk: Desk) -> Bank:
    found = Bank(desk)
    found.open()
    return found


class TestAFile:
    def test_pays_each_transfer_to_its_account_and_fits_the_schema(self, bank: Bank) -> None:
        legs = [bank.owe(price)[1] for price in (1000, 1, 250_000_007)]
        file = bank.export()
        assert file is not None
        xmlschema.XMLSchema(str(SCHEMA)).validate(file.content.decode())
        assert [(one["reference"], one["amount"], one["currency"]) for one in sent(file)] == [
            (legs[0].id.hex, "10.00", "EUR"),
            (legs[1].id.hex, "0.01", "EUR"),
            (legs[2].id.hex, "2500000.07", "EUR"),
        ]
        assert [one["iban"] for one in sent(file)] == [IBANS[1], IBANS[2], IBANS[0]]
        assert {one["holder"] for one in sent(file)} == {"Jorg Mussig"}
        returns = bank.desk.rows(ReturnCase)
        assert [one["note"] for one in sent(file)] == [sepa_text(case.rma, 140) for case in returns]
        assert (file.transfers, file.total, file.currency) == (3, 250_001_008, "EUR")
        assert f"<IBAN>{OWN}</IBAN>".encode() in file.content
        assert b"<CtrlSum>2500010.08</CtrlSum>" in file.content
        assert f"<MsgId>{file.message_id}</MsgId>".encode() in file.content
        assert b"<CreDtTm>2026-03-02T12:00:00Z</CreDtTm>" in file.content

    def test_takes_each_transfer_once(self, bank: Bank) -> None:
        bank.owe()
        first = bank.export()
        assert bank.export() is None
        bank.owe()
        second = bank.export()
        assert first is not None
        assert second is not None
        assert len(sent(first) + sent(second)) == 2
        assert first.message_id != second.message_id

    def test_can_be_written_again_with_the_same_bytes(self, bank: Bank) -> None:
        bank.owe()
        file = bank.export()
        assert file is not None
        bank.desk.clock.move(days=1)
        again = bank_files.written(bank.desk.runtime, bank.desk.merchant.id, file.message_id)
        assert again.content == file.content
        assert hashlib.sha256(again.content).hexdigest() == file.sha256
        assert len(bank.desk.rows(BankFile)) == 1

    def test_of_another_merchant_looks_like_none(self, bank: Bank) -> None:
        bank.owe()
        file = bank.export()
        assert file is not None
        other = Desk(bank.desk.runtime, "other")
        for message in (file.message_id, "nothing"):
            with pytest.raises(NotFound):
                bank_files.written(bank.desk.runtime, other.merchant.id, message)

    def test_holds_at_most_its_number_and_the_rest_follows(
        self, bank: Bank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bank_files, "MAX_TRANSFERS", 2)
        for _ in range(3):
            bank.owe()
        files = [bank.export(), bank.export(), bank.export()]
        assert [file and file.transfers for file in files] == [2, 1, None]

    def test_leaves_out_what_somebody_has_given_up(self, bank: Bank) -> None:
        _, leg = bank.owe()
        with bank.desk.runtime.database.write() as session:
            session.get_one(Leg, leg.id).state = LegState.FAILED
        assert bank.export() is None

    def test_waits_for_the_merchants_account(self, desk: Desk) -> None:
        bank = Bank(desk)
        bank.owe()
        before = desk.count_all()
        with pytest.raises(BankAccountMissing):
            bank.export()
        assert desk.count_all() == before
        assert [one.file_id for one in desk.rows(BankTransfer)] == [None]

    def test_of_nothing_is_not_written(self, bank: Bank) -> None:
        before = bank.desk.count_all()
        assert bank.export() is None
        assert bank.desk.count_all() == before

    def test_says_in_the_audit_who_made_it(self, bank: Bank) -> None:
        bank.owe()
        file = bank.export()
        assert file is not None
        [row] = bank.desk.rows(AuditRow, AuditRow.action == "bank.export")
        assert (row.subject_id, row.actor, row.after) == (file.id, "test", file.sha256)


class TestARefund:
    def test_waits_at_the_bank_and_is_not_called_paid(self, bank: Bank) -> None:
        rma, leg = bank.owe()
        assert bank.desk.line(rma).state is LineState.SETTLING
        assert bank.transfer(leg).status is RefundStatus.PENDING
        assert bank.desk.balances()  # the grant stands, nothing of it is paid
        assert bank.desk.leg(rma, leg.kind).state is not LegState.FINAL

    def test_asked_for_again_is_the_same_transfer(self, bank: Bank) -> None:
        _, leg = bank.owe()
        request = RefundRequest(leg.id, "ch_B-1", 1000, "EUR")
        before = bank.desk.count_all()
        assert bank.processor.refund(request) == bank.processor.refund(request)
        assert bank.processor.find(request) == bank.processor.refund(request)
        assert bank.desk.count_all() == before

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"amount": 1001}, "1000 EUR were asked for under this key"),
            ({"currency": "USD"}, "pays EUR, not USD"),
            ({"amount": 0}, "at most 99999999999 cents"),
            ({"amount": 100_000_000_000}, "at most 99999999999 cents"),
            ({"key": uuid4()}, "about no return that is known"),
        ],
    )
    def test_that_does_not_fit_is_declined_and_changes_nothing(
        self, bank: Bank, change: dict[str, object], problem: str
    ) -> None:
        _, leg = bank.owe()
        before = bank.desk.count_all()
        with pytest.raises(RefundDeclined, match=problem):
            bank.processor.refund(replace(RefundRequest(leg.id, "ch", 1000, "EUR"), **change))
        assert bank.desk.count_all() == before

    def test_goes_to_the_customers_own_account_only(self, bank: Bank) -> None:
        order = bank.sell()
        before = bank.desk.count_all()
        rma = bank.desk.ask(order)["rma"]
        line = bank.desk.line(rma)
        assert bank.desk.count_all()["bank_transfer"] == before["bank_transfer"]
        with bank.desk.runtime.database.write() as session:
            now = bank.desk.clock()
            leg = Leg(
                merchant_id=line.merchant_id, line_id=line.id, kind="processor_refund",
                state="planned", amount=1000, currency="EUR", created_at=now, updated_at=now,
            )  # fmt: skip
            session.add(leg)
        request = RefundRequest(leg.id, "ch", 1000, "EUR", payee=IBANS[0])
        with pytest.raises(RefundDeclined, match="not the one that the customer has now"):
            bank.processor.refund(request)
        assert bank.desk.rows(BankTransfer) == []
        paid = bank.processor.refund(replace(request, payee=IBANS[1]))
        assert paid.status is RefundStatus.PENDING

    def test_without_a_known_account_is_declined_and_a_person_looks(self, bank: Bank) -> None:
        rma, leg = bank.owe(known=False)
        assert bank.desk.line(rma).state is LineState.NEEDS_ATTENTION
        assert "no bank account of the customer is known" in leg.error
        assert bank.desk.rows(BankTransfer) == []

    def test_keeps_the_account_that_it_was_stored_with(self, bank: Bank) -> None:
        bank.owe()
        bank.payee("customer-B-1", IBANS[0])
        file = bank.export()
        assert file is not None
        assert [one["iban"] for one in sent(file)] == [IBANS[1]]

    def test_shows_in_the_banks_log_page_by_page(
        self, bank: Bank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("settlement.processors.bank._PAGE", 2)
        legs = [bank.owe()[1] for _ in range(3)]
        assert [one.key for one in bank.processor.refunds()] == [str(leg.id) for leg in legs]
        assert list(bank.processor.movements()) == []

    def test_no_webhook_is_from_a_bank(self, bank: Bank) -> None:
        with pytest.raises(WebhookRefused):
            bank.processor.read_webhook(b"{}", {})


class TestAnAccount:
    @pytest.mark.parametrize(
        ("holder", "iban", "bic", "field"),
        [
            ("Ann", "DE89370400440532013001", None, "iban"),
            ("Ann", "nonsense", None, "iban"),
            ("Ann", "", None, "iban"),
            ("Ann", "BR1800360305000010009795493C1", None, "iban"),
            ("Ann", "D" * 10_000, None, "iban"),
            ("😀", IBANS[0], None, "holder"),
            ("Ann", IBANS[0], "XXX", "bic"),
        ],
    )
    def test_that_no_transfer_would_reach_is_refused(
        self, holder: str, iban: str, bic: str | None, field: str
    ) -> None:
        with pytest.raises(FieldInvalid) as refusal:
            read_account(holder, iban, bic)
        assert refusal.value.values["field"] == field

    def test_is_read_as_people_write_it(self) -> None:
        found = read_account("  Jörg\nMüßig ", "de89 3704 0044 0532 0130 00", "cobadeffxxx")
        assert (found.holder, found.iban, found.bic) == ("Jorg Mussig", IBANS[0], "COBADEFFXXX")

    def test_is_shown_masked(self) -> None:
        assert masked(IBANS[0]) == "DE89 **** 3000"

    @given(st.text(max_size=300), st.integers(1, 140))
    def test_texts_hold_only_what_every_bank_takes(self, text: str, limit: int) -> None:
        found = sepa_text(text, limit)
        assert len(found) <= limit
        assert set(found) <= set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-?:().,'+ "
        )
        assert found == found.strip()

    def test_of_the_merchant_is_replaced_and_audited_masked(self, bank: Bank) -> None:
        runtime, merchant = bank.desk.runtime, bank.desk.merchant.id
        assert bank_files.set_account(runtime, merchant, "X", IBANS[0], None, "ann") == masked(
            IBANS[0]
        )
        [row] = bank.desk.rows(BankAccount)
        assert row.iban == IBANS[0]
        audit = bank.desk.rows(AuditRow, AuditRow.action == "bank.account")[-1]
        assert (audit.before, audit.after) == (masked(OWN), masked(IBANS[0]))
