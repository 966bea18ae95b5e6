"""Bank files under competition: each transfer leaves once, each answer is taken in once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from banks import IBANS, Bank, sent
from desk import Desk

from returns.errors import StatusFileKnown
from returns.tables import BankMovement, BankTransfer, InboxItem, Leg, PayeeAccount
from returns.words import LegKind, LegState
from settlement.commands.bank_answers import import_status
from settlement.processors.base import RefundRequest

AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]


def owing(desk: Desk, number: int = 4) -> tuple[Bank, list[Leg]]:
    bank = Bank(desk)
    bank.open()
    return bank, [bank.owe()[1] for _ in range(number)]


def test_of_exports_at_once_each_transfer_is_in_one_file(desk: Desk, at_once: AtOnce) -> None:
    bank, legs = owing(desk)
    files = [file for file in at_once(6, lambda _: bank.export()) if file is not None]
    told = [one["reference"] for file in files for one in sent(file)]
    assert sorted(told) == sorted(leg.id.hex for leg in legs)
    assert {row.file_id for row in desk.rows(BankTransfer)} <= {file.id for file in files}


def test_transfers_that_come_while_files_are_written_leave_once(
    desk: Desk, at_once: AtOnce
) -> None:
    bank, legs = owing(desk, 2)
    line = desk.rows(Leg)[0]
    more = [_leg(desk, line, part) for part in range(1, 7)]

    def act(index: int) -> Any:
        if index % 2:
            return bank.processor.refund(RefundRequest(more[index // 2].id, "ch", 10, "EUR"))
        return bank.export()

    files = [found for found in at_once(12, act)[::2] if found is not None]
    last = bank.export()
    told = [one["reference"] for file in [*files, *([last] if last else [])] for one in sent(file)]
    assert sorted(told) == sorted(leg.id.hex for leg in [*legs, *more])


def test_one_refund_asked_for_six_times_at_once_is_one_transfer(
    desk: Desk, at_once: AtOnce
) -> None:
    bank, _ = owing(desk, 1)
    leg = _leg(desk, desk.rows(Leg)[0], 1)
    request = RefundRequest(leg.id, "ch", 10, "EUR")
    answers = at_once(6, lambda _: bank.processor.refund(request))
    assert len({one.id for one in answers}) == 1
    assert len(desk.rows(BankTransfer, BankTransfer.leg_id == leg.id)) == 1


def test_an_answer_imported_six_times_at_once_is_taken_in_once(
    desk: Desk, at_once: AtOnce, tmp_path: Path
) -> None:
    bank, _ = owing(desk)
    file = bank.export()
    assert file is not None
    path = bank.answer(tmp_path, file, group="ACSC")
    results = at_once(6, lambda _: import_status(desk.runtime, desk.merchant.id, path, "test"))
    assert sum(isinstance(one, StatusFileKnown) for one in results) == 5
    assert len(desk.rows(BankMovement)) == 4
    told = desk.rows(InboxItem, InboxItem.source == "processor:bank")
    assert len([row for row in told if row.external_id.endswith(":succeeded")]) == 4


def test_of_accounts_told_at_once_one_counts(desk: Desk, at_once: AtOnce) -> None:
    bank = Bank(desk)
    results = at_once(6, lambda index: bank.payee("ann", IBANS[index % 2]))
    assert all(isinstance(one, dict) for one in results), results
    assert len([row for row in desk.rows(PayeeAccount) if row.replaced_at is None]) == 1


def _leg(desk: Desk, like: Leg, part: int) -> Leg:
    now = desk.clock()
    leg = Leg(
        merchant_id=like.merchant_id,
        line_id=like.line_id,
        kind=LegKind.PROCESSOR_REFUND,
        part=part,
        state=LegState.SENT,
        amount=10,
        currency="EUR",
        created_at=now,
        updated_at=now,
    )
    with desk.runtime.database.write() as session:
        session.add(leg)
    return leg
