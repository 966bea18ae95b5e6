"""Holds a bank's answer against the file that it is about. What does not fit changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from returns.errors import StatusFileRefused
from returns.tables import BankFile, BankTransfer
from returns.words import RefundStatus
from settlement.banking.codes import CODES
from settlement.banking.pain002 import Answer, Report, Told

_KIND = "pain.001.001."
_OVER = frozenset({RefundStatus.FAILED, RefundStatus.CANCELED})
_PAID = RefundStatus.SUCCEEDED


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a transfer, in the bank's words and in ours."""

    transfer: BankTransfer
    status: RefundStatus
    code: str
    reason: str

    @property
    def is_return(self) -> bool:
        """Money that had left has come back."""
        return self.transfer.status is _PAID and self.status in _OVER


def outcomes(report: Report, file: BankFile, transfers: Sequence[BankTransfer]) -> list[Outcome]:
    """What the answer changes, in the file's order; raises `StatusFileRefused`."""
    told = _by_transfer(report, transfers)
    _check_sums(report, file)
    _check_contradictions(report)
    found = _outcomes(report, told, transfers)
    return [one for one in found if one.code != one.transfer.code]


def _outcomes(
    report: Report, told: Mapping[str, Told], transfers: Sequence[BankTransfer]
) -> Iterator[Outcome]:
    for transfer in transfers:
        one = told.get(reference(transfer))
        answer = report.overall if one is None or one.answer.code is None else one.answer
        if answer.code is not None:
            yield from _outcome(report, transfer, answer)


def _outcome(report: Report, transfer: BankTransfer, answer: Answer) -> Iterator[Outcome]:
    """Nothing where the answer is older than what is known: banks' files overtake each other."""
    code = answer.code or ""
    status = CODES[code]
    if transfer.status in _OVER and status is _PAID:
        _refuse(report, f"{reference(transfer)} was told as {transfer.code} before, and is {code}")
    is_older = transfer.status is not RefundStatus.PENDING and status is RefundStatus.PENDING
    if not is_older and not (transfer.status in _OVER and status in _OVER):
        yield Outcome(transfer, status, code, answer.reason if status in _OVER else "")


def reference(transfer: BankTransfer) -> str:
    """The EndToEndId of a transfer: its leg's id without dashes, for it has room for 35 signs."""
    return transfer.leg_id.hex


def _by_transfer(report: Report, transfers: Sequence[BankTransfer]) -> dict[str, Told]:
    if not report.about_kind.startswith(_KIND):
        _refuse(report, f"it answers a {report.about_kind or 'message of no kind'}, not a pain.001")
    known = {reference(one): one for one in transfers}
    found: dict[str, Told] = {}
    for one in report.told:
        if one.reference not in known:
            _refuse(report, f"{one.reference!r} is no transfer of file {report.about}")
        if one.reference in found:
            _refuse(report, f"{one.reference} is told of twice")
        found[one.reference] = one
        _check_amount(report, one, known[one.reference])
    return found


def _check_amount(report: Report, told: Told, transfer: BankTransfer) -> None:
    if told.amount is None:
        return
    if (told.amount, told.currency) != (transfer.amount, transfer.currency):
        ours = f"{transfer.amount} {transfer.currency}"
        theirs = f"{told.amount} {told.currency}"
        _refuse(report, f"it has {told.reference} with {theirs}, sent were {ours} (minor units)")


def _check_sums(report: Report, file: BankFile) -> None:
    for sums in report.sums:
        if sums.transfers not in (None, file.transfers):
            number = f"{sums.transfers} transfers, sent were {file.transfers}"
            _refuse(report, f"its {sums.place} counts {number}")
        if sums.total not in (None, file.total):
            total = f"{sums.total}, sent were {file.total} minor units"
            _refuse(report, f"the control sum of its {sums.place} is {total}")


def _check_contradictions(report: Report) -> None:
    """All rejected, or all paid, leaves no other word for a single one."""
    overall = CODES.get(report.overall.code or "", RefundStatus.PENDING)
    for one in report.told if overall is not RefundStatus.PENDING else ():
        if one.answer.code is not None and CODES[one.answer.code] is not overall:
            said = f"all are {report.overall.code}, and {one.reference} is {one.answer.code}"
            _refuse(report, f"it contradicts itself: {said}")


def _refuse(report: Report, problem: str) -> NoReturn:
    raise StatusFileRefused(message=report.message_id, problem=problem)
