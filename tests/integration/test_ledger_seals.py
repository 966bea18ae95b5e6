"""Seals: made behind the writers, one chain for each merchant, and every change is found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from desk import Desk
from ledger_desk import book, codes, fill, sql, verify

from returns import sealing
from returns.errors import FieldInvalid
from returns.ids import new_id
from returns.ledger import Move
from returns.sealing import GENESIS, Head
from returns.tables import JournalEntry, LedgerSeal
from settlement.commands import ledger as commands

AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]

#: The third entry, its first posting, and the seals beside it.
_ENTRY = "(SELECT entry_id FROM ledger_seal WHERE number = 3)"
_POSTING = f"(SELECT min(CAST(id AS text)) FROM posting WHERE entry_id = {_ENTRY})"
_ONE = f"WHERE CAST(id AS text) = {_POSTING}"
_INSERT = (
    "INSERT INTO posting (id, merchant_id, entry_id, account, asset, side, amount)"
    f" SELECT :id, merchant_id, entry_id, account, asset, side, amount FROM posting {_ONE}"
)
_FLIPPED = "side = CASE side WHEN 'debit' THEN 'credit' ELSE 'debit' END"
_ZEROS = "0" * 64


def _posting(change: str) -> list[str]:
    return [f"UPDATE posting SET {change} {_ONE}"]


def _postings(change: str) -> list[str]:
    return [f"UPDATE posting SET {change} WHERE asset = 'USD' AND entry_id = {_ENTRY}"]


def _entry(change: str) -> list[str]:
    return [f"UPDATE journal_entry SET {change} WHERE id = {_ENTRY}"]


def _seal(change: str, number: int = 3) -> list[str]:
    return [f"UPDATE ledger_seal SET {change} WHERE number = {number}"]


def _gone(table: str, where: str) -> list[str]:
    return [f"DELETE FROM {table} WHERE {where}"]


_WHOLE = _gone("posting", f"entry_id = {_ENTRY}") + _gone("journal_entry", f"id = {_ENTRY}")
_NEXT = "(SELECT entry_id FROM ledger_seal WHERE number = 4)"
_TILT = {"entry_changed", "entry_unbalanced", "sum_not_zero"}
#: What somebody does by plain SQL, and what verifying calls it.
CHANGES: dict[str, tuple[list[str], set[str]]] = {
    "amount": (_posting("amount = {amount}"), _TILT),
    "account": (_posting("account = 'mine'"), {"entry_changed"}),
    "asset": (_posting("asset = 'EUR'"), _TILT),
    "side": (_posting(_FLIPPED), _TILT),
    "both amounts": (_postings("amount = {amount}"), {"entry_changed"}),
    "both sides": (_postings(_FLIPPED), {"entry_changed"}),
    "posting's id": (_posting("id = :id"), {"entry_changed"}),
    "posting's merchant": (_posting("merchant_id = :other"), {"entry_changed", "sum_not_zero"}),
    "posting moved": (_posting(f"entry_id = {_NEXT}"), {"posting_removed", "posting_added"}),
    "posting astray": (_posting("entry_id = :id"), {"posting_removed", "posting_stray"}),
    "posting deleted": ([f"DELETE FROM posting {_ONE}"], {"posting_removed", "sum_not_zero"}),
    "postings deleted": (_gone("posting", f"entry_id = {_ENTRY}"), {"posting_removed"}),
    "posting inserted": ([_INSERT], {"posting_added", "entry_unbalanced", "sum_not_zero"}),
    "kind": (_entry("kind = 'else'"), {"entry_changed"}),
    "cause": (_entry("cause = :id"), {"entry_changed"}),
    "subject": (_entry("subject_id = :id"), {"entry_changed"}),
    "line": (_entry("line_id = :id"), {"entry_changed"}),
    "merchant": (_entry("merchant_id = :other"), {"entry_changed"}),
    "time": (_entry("booked_at = '2020-01-01 00:00:00.000000'"), {"entry_changed"}),
    "entry's id": (_entry("id = :id"), {"entry_removed", "posting_stray", "seal_removed"}),
    "entry deleted": (_WHOLE[1:], {"entry_removed", "posting_stray"}),
    "entry deleted whole": (_WHOLE, {"entry_removed"}),
    "seal deleted": (_gone("ledger_seal", "number = 3"), {"gap", "seal_removed"}),
    "first seal deleted": (_gone("ledger_seal", "number = 1"), {"gap", "seal_removed"}),
    "last seal deleted": (_gone("ledger_seal", "number = 6"), {"seal_removed"}),
    "seal's entry": (_seal("entry_id = :id"), {"entry_removed", "seal_changed", "seal_removed"}),
    "seal's postings": (_seal("postings = 3"), {"seal_changed", "posting_added"}),
    "seal's content": (_seal(f"content_hash = '{_ZEROS}'"), {"seal_changed", "entry_changed"}),
    "seal's predecessor": (_seal(f"previous_hash = '{_ZEROS}'"), {"seal_changed", "chain_broken"}),
    "seal's hash": (_seal(f"hash = '{_ZEROS}'"), {"seal_changed", "chain_broken"}),
    "seal's time": (_seal("sealed_at = '2020-01-01 00:00:00.000000'"), {"seal_changed"}),
    "seal's number": (_seal("number = 9"), {"gap", "seal_changed"}),
    "seals swapped": (
        _seal("number = -1") + _seal("number = 3", 4) + _seal("number = 4", -1),
        {"seal_changed", "chain_broken"},
    ),
    "seal of another merchant": (_seal("merchant_id = :other"), {"gap"}),
}


@pytest.fixture
def sealed(desk: Desk) -> Desk:
    fill(desk, 6)
    assert commands.seal(desk.runtime) == 6
    return desk


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_by_plain_sql_is_found(sealed: Desk, change: str) -> None:
    assert verify(sealed).findings == []
    statements, expected = CHANGES[change]
    other = Desk(sealed.runtime, "other").merchant.id
    is_sqlite = sealed.runtime.database.is_sqlite
    amount = f"'{5:078d}'" if is_sqlite else "5"
    names = {"id": new_id(), "other": other}
    for statement in statements:
        used = {
            name: value.hex if is_sqlite else value
            for name, value in names.items()
            if f":{name}" in statement
        }
        assert sql(sealed, statement.format(amount=amount), **used) >= 1
    report = verify(sealed)
    assert expected <= set(codes(report)), report.findings
    assert report.found == len(report.findings)
    assert all(finding.sentence.endswith(".") for finding in report.findings)


def test_numbers_have_no_gaps_and_each_seal_names_the_one_before(sealed: Desk) -> None:
    seals = sealed.rows(LedgerSeal)
    assert [seal.number for seal in seals] == [1, 2, 3, 4, 5, 6]
    assert [seal.previous_hash for seal in seals] == [GENESIS, *(s.hash for s in seals[:-1])]
    assert [seal.entry_id for seal in seals] == [entry.id for entry in sealed.rows(JournalEntry)]
    assert {seal.postings for seal in seals} == {4}
    report = verify(sealed)
    assert (report.sealed, report.unsealed, report.found) == (6, 0, 0)
    assert report.head == Head(6, seals[-1].hash)


def test_nothing_to_seal_seals_nothing(sealed: Desk) -> None:
    before = sealed.rows(LedgerSeal)
    assert commands.seal(sealed.runtime) == 0
    assert sealed.rows(LedgerSeal) == before


def test_an_entry_that_is_committed_late_gets_a_later_number(desk: Desk) -> None:
    early = new_id()
    fill(desk, 2)
    commands.seal(desk.runtime)
    with desk.runtime.database.write() as session:
        session.add(
            JournalEntry(
                id=early, merchant_id=desk.merchant.id, subject_id=early, kind="late",
                cause=early, booked_at=desk.clock(),
            )
        )  # fmt: skip
    assert commands.seal(desk.runtime) == 1
    assert [seal.entry_id for seal in desk.rows(LedgerSeal)][-1] == early
    assert verify(desk).findings == []


def test_each_merchant_has_a_chain_of_its_own(sealed: Desk) -> None:
    other = Desk(sealed.runtime, "other")
    fill(other, 3)
    assert commands.seal(sealed.runtime) == 3
    assert [verify(one).head.number for one in (sealed, other)] == [6, 3]
    assert verify(sealed).findings == verify(other).findings == []


def test_eight_sealers_at_once_make_one_chain(desk: Desk, at_once: AtOnce) -> None:
    fill(desk, 60)

    def seal(_: int) -> int:
        done = 0
        while True:
            with desk.runtime.database.write() as session:
                count = sealing.seal_batch(session, desk.merchant.id, desk.clock(), 7)
            done += count
            if not count:
                return done

    assert sum(at_once(8, seal)) == 60
    assert [seal.number for seal in desk.rows(LedgerSeal)] == list(range(1, 61))
    assert verify(desk).findings == []


def test_writers_and_sealers_at_once_leave_nothing_out(desk: Desk, at_once: AtOnce) -> None:
    def turn(index: int) -> None:
        for _ in range(10):
            if index % 2:
                commands.seal(desk.runtime)
            else:
                book(desk, Move("a", "b", "USD", 5))

    assert at_once(8, turn) == [None] * 8
    commands.seal(desk.runtime)
    report = verify(desk)
    assert (report.sealed, report.unsealed, report.findings) == (40, 0, [])


def test_entries_may_wait_for_their_seal_only_so_long(desk: Desk) -> None:
    fill(desk, 3)
    assert verify(desk, minutes=10).findings == []
    desk.clock.move(minutes=11)
    report = verify(desk, minutes=10)
    assert (codes(report), report.found, report.unsealed) == (["unsealed"], 3, 3)
    assert verify(desk, minutes=12).findings == []


def test_a_mark_that_is_taken_off_seals_nothing_twice(sealed: Desk) -> None:
    sql(sealed, "UPDATE journal_entry SET sealed = false")
    before = sealed.rows(LedgerSeal)
    assert commands.seal(sealed.runtime) == 0
    assert sealed.rows(LedgerSeal) == before
    assert verify(sealed).findings == []


def test_an_entry_that_only_claims_its_seal_is_found(desk: Desk) -> None:
    fill(desk, 2)
    sql(desk, "UPDATE journal_entry SET sealed = true")
    assert codes(verify(desk)) == ["seal_removed"]


def test_findings_that_are_told_are_bounded_and_all_are_counted(desk: Desk) -> None:
    fill(desk, 150)
    commands.seal(desk.runtime)
    sql(desk, "UPDATE journal_entry SET kind = 'else'")
    report = verify(desk)
    assert (len(report.findings), report.found) == (100, 150)


class TestKeptHead:
    def test_is_part_of_a_chain_that_has_grown(self, sealed: Desk) -> None:
        kept = verify(sealed).head
        fill(sealed, 3)
        commands.seal(sealed.runtime)
        report = verify(sealed, expected=kept)
        assert (report.findings, report.head.number) == ([], 9)
        assert verify(sealed, expected=Head(0, GENESIS)).findings == []

    def test_tells_of_a_chain_that_was_made_anew(self, sealed: Desk) -> None:
        kept = verify(sealed).head
        sql(sealed, f"UPDATE posting SET account = 'mine' {_ONE}")
        sql(sealed, "DELETE FROM ledger_seal")
        sql(sealed, "UPDATE journal_entry SET sealed = false")
        assert commands.seal(sealed.runtime) == 6
        assert verify(sealed).findings == []
        assert codes(verify(sealed, expected=kept)) == ["head_lost"]

    def test_tells_of_an_end_that_was_cut_off(self, sealed: Desk) -> None:
        kept = verify(sealed).head
        last = "(SELECT entry_id FROM ledger_seal WHERE number = 6)"
        sql(sealed, f"DELETE FROM posting WHERE entry_id = {last}")
        sql(sealed, f"DELETE FROM journal_entry WHERE id = {last}")
        sql(sealed, "DELETE FROM ledger_seal WHERE number = 6")
        assert verify(sealed).findings == []
        assert codes(verify(sealed, expected=kept)) == ["head_lost"]

    @pytest.mark.parametrize("text", ["", "6", "6:", "6:" + "g" * 64, "-1:" + "0" * 64])
    def test_is_refused_where_it_is_none(self, sealed: Desk, text: str) -> None:
        if text:
            with pytest.raises(FieldInvalid):
                commands.verify_merchants(sealed.runtime, "demo", 10, text)
        with pytest.raises(FieldInvalid):
            commands.verify_merchants(sealed.runtime, "", 10, "6:" + "0" * 64)


def test_a_row_that_cannot_be_read_is_a_finding(sealed: Desk) -> None:
    if not sealed.runtime.database.is_sqlite:
        pytest.skip("PostgreSQL stores no other values in these columns")
    sql(sealed, f"UPDATE posting SET amount = 'much' {_ONE}")
    assert "unreadable" in codes(verify(sealed))


def test_sealing_books_nothing(sealed: Desk) -> None:
    fill(sealed, 2)
    before = sealed.balances()
    sealed.clock.move(hours=1)
    commands.seal(sealed.runtime)
    assert sealed.balances() == before
    assert {seal.sealed_at for seal in sealed.rows(LedgerSeal)} == {
        sealed.clock(),
        sealed.clock() - timedelta(hours=1, seconds=2),
    }
