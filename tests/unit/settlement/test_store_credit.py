"""Store credit: owed as the ledger says, held while a shop checks out, spent once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from credit_desk import CreditDesk
from desk import Desk
from sqlalchemy.exc import IntegrityError

from returns import ledger, store_credit
from returns.errors import (
    AmountInvalid,
    CaptureAboveHold,
    Conflict,
    CreditCapturedAlready,
    CreditCurrencyDiffers,
    CreditHoldExpired,
    CreditInsufficient,
    CreditLotClosed,
    CreditReferenceUsed,
    CreditReleasedAlready,
    CreditSpentAlready,
    FieldInvalid,
    IdempotencyKeyReused,
    NotFound,
)
from returns.money import MAX_AMOUNT
from returns.tables import AuditRow, CreditHold, CreditLot, CreditUse, JournalEntry
from returns.words import CreditHoldState, CreditState
from settlement.commands import store_credit as commands
from settlement.commands.access import Caller
from settlement.commands.store_credit import HoldIn


@pytest.fixture
def credit(desk: Desk) -> CreditDesk:
    return CreditDesk(desk)


def refused(credit: CreditDesk, kind: type[Exception], action: Callable[[], Any]) -> Exception:
    """The refusal; nothing stored, nothing booked, nothing moved."""
    desk = credit.desk
    before = desk.count_all(), desk.balances(), desk.rows(CreditLot), desk.rows(CreditHold)
    with pytest.raises(kind) as told:
        action()
    assert (
        desk.count_all(),
        desk.balances(),
        desk.rows(CreditLot),
        desk.rows(CreditHold),
    ) == before
    return told.value


def lots(credit: CreditDesk) -> list[CreditLot]:
    rows: list[CreditLot] = credit.desk.rows(CreditLot)
    return rows


class TestGoodwill:
    def test_is_owed_booked_and_audited_with_its_reason(self, credit: CreditDesk) -> None:
        given = credit.give(500)
        assert (given["amount"], given["remaining"], given["state"]) == ("500", "500", "open")
        assert credit.desk.balances() == {
            (ledger.credit_account("ann"), "USD"): -500,
            (ledger.CREDIT_GOODWILL, "USD"): 500,
        }
        (row,) = [one for one in credit.desk.rows(AuditRow) if one.action == "credit.issued"]
        assert (row.actor, row.reason, row.after) == ("key:staff", "sorry", "open")

    def test_in_the_past_is_refused_and_changes_nothing(self, credit: CreditDesk) -> None:
        over = credit.desk.clock().isoformat()
        refused(credit, FieldInvalid, lambda: credit.give(1, expires_at=over))

    @pytest.mark.parametrize("amount", [0, -1, MAX_AMOUNT + 1])
    def test_of_no_amount_is_refused(self, credit: CreditDesk, amount: int) -> None:
        refused(credit, ValueError, lambda: credit.give(amount))

    def test_of_the_largest_amount_is_exact(self, credit: CreditDesk) -> None:
        credit.give(MAX_AMOUNT)
        credit.give(MAX_AMOUNT)
        assert credit.standing() == (2 * MAX_AMOUNT, 0, 2 * MAX_AMOUNT)
        credit.hold("c-1", MAX_AMOUNT)
        credit.capture("c-1", MAX_AMOUNT - 1)
        assert credit.owed() == MAX_AMOUNT + 1
        credit.check()


class TestIssue:
    def test_of_a_line_books_nothing_itself(self, credit: CreditDesk) -> None:
        lot = credit.issue(1000, 100)
        assert (lot.amount, lot.bonus, lot.remaining) == (1100, 100, 1100)
        assert not [row for row in credit.desk.rows(JournalEntry) if row.subject_id == lot.id]
        credit.check()

    def test_of_nothing_is_spent_from_the_start(self, credit: CreditDesk) -> None:
        assert credit.issue(0).state is CreditState.SPENT

    def test_above_what_a_column_holds_is_refused(self, credit: CreditDesk) -> None:
        lot = credit.issue(10)
        refused(credit, AmountInvalid, lambda: self.again(credit, lot, uuid4(), MAX_AMOUNT, 1))

    def test_happens_once_for_a_cause(self, credit: CreditDesk) -> None:
        lot = credit.issue(10)
        refused(credit, IntegrityError, lambda: self.again(credit, lot, lot.cause, 10, 0))

    def again(
        self, credit: CreditDesk, lot: CreditLot, cause: UUID, amount: int, bonus: int
    ) -> None:
        now = credit.desk.clock()
        about = (lot.merchant_id, "ann", "USD", amount, bonus, None, lot.line_id, cause, now)
        with credit.desk.runtime.database.write() as session:
            store_credit.issue(session, *about)


class TestHold:
    def test_sets_aside_what_expires_first(self, credit: CreditDesk) -> None:
        now = credit.desk.clock()
        never = credit.give(100)
        late = credit.give(100, expires_at=(now + timedelta(days=2)).isoformat())
        soon = credit.give(100, expires_at=(now + timedelta(days=1)).isoformat())
        credit.hold("c-1", 150)
        held = {str(lot.id): lot.held for lot in lots(credit)}
        assert held == {soon["id"]: 100, late["id"]: 50, never["id"]: 0}
        assert credit.standing() == (300, 150, 150)
        credit.check()

    def test_books_nothing(self, credit: CreditDesk) -> None:
        credit.give(100)
        before = credit.desk.balances()
        credit.hold("c-1", 100)
        assert credit.desk.balances() == before

    def test_takes_the_exact_rest_and_not_one_unit_more(self, credit: CreditDesk) -> None:
        credit.give(100)
        credit.hold("c-1", 60)
        told = refused(credit, CreditInsufficient, lambda: credit.hold("c-2", 41))
        assert str(told) == (
            "41 USD is more than the 40 of credit that are free; 60 are held by c-1 (60)."
        )
        credit.hold("c-2", 40)
        assert credit.standing() == (100, 100, 0)

    def test_of_credit_that_was_spent_says_when_and_by_what(self, credit: CreditDesk) -> None:
        credit.give(100)
        credit.hold("c-1", 80)
        credit.capture("c-1")
        at = credit.desk.clock().isoformat()
        told = refused(credit, CreditSpentAlready, lambda: credit.hold("c-2", 80))
        assert str(told) == (
            f"80 USD cannot be held: 80 were spent by c-1 at {at} by key:staff, and 20 are left."
        )

    def test_names_at_most_five_of_the_holds(self, credit: CreditDesk) -> None:
        credit.give(7)
        for number in range(7):
            credit.hold(f"c-{number}", 1)
        told = refused(credit, CreditInsufficient, lambda: credit.hold("more", 1))
        assert "c-6 (1), c-5 (1), c-4 (1), c-3 (1), c-2 (1) and 2 more" in str(told)

    def test_without_any_credit_is_refused(self, credit: CreditDesk) -> None:
        told = refused(credit, CreditInsufficient, lambda: credit.hold("c-1", 1))
        assert "the 0 of credit" in str(told)
        assert "no checkout" in str(told)

    def test_in_another_currency_says_which_there_is(self, credit: CreditDesk) -> None:
        credit.give(100, currency="EUR")
        told = refused(credit, CreditCurrencyDiffers, lambda: credit.hold("c-1", 1))
        assert str(told) == "This credit is in EUR, not in USD."

    def test_of_another_customers_credit_is_refused(self, credit: CreditDesk) -> None:
        credit.give(100, "bob")
        refused(credit, CreditInsufficient, lambda: credit.hold("c-1", 1))

    def test_of_another_merchants_credit_is_refused(self, credit: CreditDesk) -> None:
        credit.give(100)
        other = CreditDesk(Desk(credit.desk.runtime, "other"))
        refused(other, CreditInsufficient, lambda: other.hold("c-1", 1))
        refused(other, NotFound, lambda: other.revoke(str(lots(credit)[0].id)))

    def test_repeated_with_the_same_content_is_the_same_hold(self, credit: CreditDesk) -> None:
        credit.give(100)
        first = credit.hold("c-1", 60)
        credit.desk.clock.move(minutes=1)
        before = credit.desk.count_all()
        assert credit.hold("c-1", 60) == first
        assert {**credit.desk.count_all(), "idempotency_record": 0} == {
            **before,
            "idempotency_record": 0,
        }
        assert credit.standing() == (100, 60, 40)

    @pytest.mark.parametrize("change", [{"amount": 59}, {"customer": "bob"}, {"seconds": 5}])
    def test_repeated_with_another_content_is_refused(
        self, credit: CreditDesk, change: dict[str, Any]
    ) -> None:
        credit.give(100)
        credit.give(100, "bob")
        credit.hold("c-1", 60)
        again = {"reference": "c-1", "amount": 60, **change}
        told = refused(credit, CreditReferenceUsed, lambda: credit.hold(**again))
        assert "60 USD" in str(told)

    def test_answers_from_store_under_its_key_and_refuses_another_body(
        self, credit: CreditDesk
    ) -> None:
        credit.give(100)
        runtime, staff = credit.desk.runtime, credit.desk.staff
        wanted = HoldIn(reference="c-1", customer="ann", currency="USD", amount="10")
        first = commands.hold(runtime, staff, wanted, "k", "body")
        credit.capture("c-1")
        again = commands.hold(runtime, staff, wanted, "k", "body")
        assert (again.body, again.status, again.replayed) == (first.body, 201, True)
        refused(
            credit,
            IdempotencyKeyReused,
            lambda: commands.hold(runtime, staff, wanted, "k", "other"),
        )


class TestCapture:
    def test_spends_a_part_and_frees_the_rest(self, credit: CreditDesk) -> None:
        credit.give(100)
        credit.hold("c-1", 80)
        said = credit.capture("c-1", 30)
        assert (said["captured"], said["state"]) == ("30", "captured")
        assert credit.standing() == (70, 0, 70)
        assert credit.balance(ledger.CREDIT_REDEEMED) == -30
        credit.check()

    def test_of_everything_ends_the_lots(self, credit: CreditDesk) -> None:
        credit.give(40)
        credit.give(60)
        credit.hold("c-1", 100)
        credit.capture("c-1")
        assert [lot.state for lot in lots(credit)] == [CreditState.SPENT] * 2
        assert credit.standing() == (0, 0, 0)
        credit.check()

    def test_happens_once_and_says_when(self, credit: CreditDesk) -> None:
        credit.give(100)
        credit.hold("c-1", 80)
        credit.capture("c-1", 30)
        at = credit.desk.clock().isoformat()
        credit.desk.clock.move(minutes=5)
        told = refused(credit, CreditCapturedAlready, lambda: credit.capture("c-1", 30))
        assert str(told) == f"30 of the 80 USD of c-1 were captured at {at} by key:staff."
        refused(credit, CreditCapturedAlready, lambda: credit.release("c-1"))

    def test_above_the_hold_by_one_unit_is_refused(self, credit: CreditDesk) -> None:
        credit.give(100)
        credit.hold("c-1", 80)
        refused(credit, CaptureAboveHold, lambda: credit.capture("c-1", 81))
        assert credit.capture("c-1", 80)["captured"] == "80"

    def test_in_another_currency_is_refused(self, credit: CreditDesk) -> None:
        credit.give(100)
        credit.hold("c-1", 80)
        refused(credit, CreditCurrencyDiffers, lambda: credit.capture("c-1", 80, currency="EUR"))

    @pytest.mark.parametrize("swept", [False, True])
    def test_of_an_expired_hold_is_refused(self, credit: CreditDesk, swept: bool) -> None:
        credit.give(100)
        credit.hold("c-1", 80, seconds=60)
        over = credit.desk.clock() + timedelta(seconds=60)
        credit.desk.clock.move(seconds=60)
        if swept:
            assert credit.expire() == 1
        told = refused(credit, CreditHoldExpired, lambda: credit.capture("c-1"))
        assert over.isoformat() in str(told)

    def test_in_the_last_second_is_done(self, credit: CreditDesk) -> None:
        credit.give(100)
        credit.hold("c-1", 80, seconds=60)
        credit.desk.clock.move(seconds=59)
        assert credit.capture("c-1")["state"] == "captured"

    def test_of_a_released_or_unknown_hold_is_refused(self, credit: CreditDesk) -> None:
        credit.give(100)
        credit.hold("c-1", 80)
        credit.release("c-1")
        refused(credit, CreditReleasedAlready, lambda: credit.capture("c-1"))
        refused(credit, NotFound, lambda: credit.capture("c-2"))

    def test_of_another_merchants_hold_looks_like_none(self, credit: CreditDesk) -> None:
        credit.give(100)
        credit.hold("c-1", 80)
        other = CreditDesk(Desk(credit.desk.runtime, "other"))
        refused(other, NotFound, lambda: other.capture("c-1"))
        refused(other, NotFound, lambda: other.release("c-1"))


class TestRelease:
    def test_frees_what_was_held_and_can_be_repeated(self, credit: CreditDesk) -> None:
        credit.give(100)
        credit.hold("c-1", 80)
        said = credit.release("c-1")
        assert said["state"] == "released"
        assert credit.release("c-1") == said
        assert credit.standing() == (100, 0, 100)
        credit.check()

    def test_after_its_time_says_that_it_expired(self, credit: CreditDesk) -> None:
        credit.give(100)
        credit.hold("c-1", 80, seconds=60)
        credit.desk.clock.move(seconds=60)
        assert credit.release("c-1")["state"] == "expired"
        assert credit.desk.rows(CreditHold)[0].closed_by == "undrop"


class TestExpiry:
    def soon(self, credit: CreditDesk) -> str:
        at: str = (credit.desk.clock() + timedelta(hours=1)).isoformat()
        return at

    def test_books_what_is_not_held_as_breakage(self, credit: CreditDesk) -> None:
        credit.give(100, expires_at=self.soon(credit))
        credit.hold("c-1", 30, seconds=7200)
        credit.desk.clock.move(hours=1)
        assert credit.standing() == (100, 30, 0)
        assert credit.expire() == 1
        assert credit.standing() == (30, 30, 0)
        assert credit.balance(ledger.CREDIT_BREAKAGE) == -70
        assert credit.expire() == 0
        credit.check()

    def test_of_a_held_part_waits_for_the_checkout(self, credit: CreditDesk) -> None:
        credit.give(100, expires_at=self.soon(credit))
        credit.hold("c-1", 30, seconds=7200)
        credit.desk.clock.move(hours=1)
        credit.expire()
        credit.capture("c-1", 10)
        assert credit.standing() == (0, 0, 0)
        assert credit.balance(ledger.CREDIT_BREAKAGE) == -90
        assert credit.balance(ledger.CREDIT_REDEEMED) == -10
        credit.check()

    def test_is_seen_by_a_hold_before_any_sweep(self, credit: CreditDesk) -> None:
        credit.give(100, expires_at=self.soon(credit))
        credit.desk.clock.move(hours=1)
        refused(credit, CreditInsufficient, lambda: credit.hold("c-1", 1))

    def test_of_a_hold_frees_its_credit_before_any_sweep(self, credit: CreditDesk) -> None:
        credit.give(100)
        credit.hold("c-1", 100, seconds=60)
        credit.desk.clock.move(seconds=60)
        assert credit.standing() == (100, 0, 100)
        credit.hold("c-2", 100)
        states = {row.reference: row.state for row in credit.desk.rows(CreditHold)}
        assert states == {"c-1": CreditHoldState.EXPIRED, "c-2": CreditHoldState.OPEN}
        credit.check()

    def test_sweep_ends_every_customers_in_turn(self, credit: CreditDesk) -> None:
        for name in ("ann", "bob", "cleo"):
            credit.give(100, name, expires_at=self.soon(credit))
            credit.hold(f"c-{name}", 10, name, seconds=60)
        credit.desk.clock.move(hours=1)
        assert credit.expire() == 6
        assert {lot.state for lot in lots(credit)} == {CreditState.EXPIRED}
        assert credit.balance(ledger.CREDIT_BREAKAGE) == -300
        credit.check()


class TestRevocation:
    def test_goes_back_where_goodwill_came_from(self, credit: CreditDesk) -> None:
        lot = credit.give(100)
        credit.hold("c-1", 30)
        assert credit.revoke(lot["id"])["remaining"] == "30"
        assert credit.balance(ledger.CREDIT_GOODWILL) == 30
        credit.release("c-1")
        assert credit.desk.balances() == {}
        credit.check()

    def test_takes_a_lines_bonus_first(self, credit: CreditDesk) -> None:
        lot = credit.issue(1000, 100)
        before = credit.balance(ledger.SALES_RETURNS)
        credit.hold("c-1", 1050)
        credit.revoke(str(lot.id))
        assert credit.balance(ledger.CREDIT_BONUSES) == -50
        credit.capture("c-1", 900)
        assert credit.balance(ledger.CREDIT_BONUSES) == -100
        assert credit.balance(ledger.SALES_RETURNS) == before - 100
        assert credit.standing() == (0, 0, 0)
        credit.check()

    def test_of_what_is_closed_is_refused(self, credit: CreditDesk) -> None:
        lot = credit.give(100)
        credit.revoke(lot["id"])
        told = refused(credit, CreditLotClosed, lambda: credit.revoke(lot["id"]))
        assert "revoked since" in str(told)
        refused(credit, NotFound, lambda: credit.revoke(str(uuid4())))
        refused(credit, NotFound, lambda: credit.revoke("x"))


class TestLegUndone:
    """The leg's entry is reversed by whoever undoes it; the lot books the rest."""

    def test_takes_back_all_that_is_unspent(self, credit: CreditDesk) -> None:
        lot = credit.issue(1000, 100)
        credit.undo(lot)
        assert credit.owed() == 0
        assert lots(credit)[0].state is CreditState.REVOKED
        refused(credit, CreditInsufficient, lambda: credit.hold("c-1", 1))
        credit.check()

    def test_makes_what_was_spent_a_receivable(self, credit: CreditDesk) -> None:
        lot = credit.issue(1000, 100)
        credit.hold("c-1", 400)
        credit.capture("c-1")
        credit.undo(lot)
        assert credit.owed() == 0
        assert credit.balance(ledger.receivable_account("ann")) == 400
        credit.check()

    @pytest.mark.parametrize("captured", [None, 300, 100])
    def test_leaves_a_checkout_what_it_holds(
        self, credit: CreditDesk, captured: int | None
    ) -> None:
        lot = credit.issue(1000)
        credit.hold("c-1", 300)
        credit.undo(lot)
        assert credit.standing() == (300, 300, 0)
        assert credit.balance(ledger.receivable_account("ann")) == 300
        credit.check()
        if captured is None:
            credit.release("c-1")
        else:
            credit.capture("c-1", captured)
        assert credit.owed() == 0
        assert credit.balance(ledger.receivable_account("ann")) == (captured or 0)
        credit.check()

    def test_undoes_what_had_lapsed(self, credit: CreditDesk) -> None:
        over = credit.desk.clock() + timedelta(hours=1)
        lot = credit.issue(1000, 50, expires_at=over)
        credit.hold("c-1", 400)
        credit.capture("c-1")
        credit.desk.clock.move(hours=1)
        credit.expire()
        assert credit.balance(ledger.CREDIT_BREAKAGE) == -650
        credit.undo(lot)
        assert credit.balance(ledger.CREDIT_BREAKAGE) == 0
        assert credit.balance(ledger.receivable_account("ann")) == 400
        assert credit.owed() == 0
        credit.check()

    def test_told_again_changes_nothing(self, credit: CreditDesk) -> None:
        lot = credit.issue(1000)
        credit.undo(lot)
        before = credit.desk.count_all()
        with credit.desk.runtime.database.write() as session:
            store_credit.undo_issue(session, lot.cause, credit.desk.clock())
            assert store_credit.undo_issue(session, uuid4(), credit.desk.clock()) is None
        assert credit.desk.count_all() == before


def test_every_refusal_about_credit_says_that_nothing_moved() -> None:
    kinds = [kind for kind in Conflict.__subclasses__() if "Credit" in kind.__name__]
    assert len(kinds) >= 8
    assert {kind.moved for kind in kinds} == {"nothing"}


def test_view_shows_sums_lots_and_open_holds(credit: CreditDesk) -> None:
    credit.give(100)
    credit.hold("c-1", 30)
    credit.hold("c-2", 10)
    credit.release("c-2")
    caller: Caller = credit.desk.staff
    view = commands.show(credit.desk.runtime, caller, "ann")
    assert view["balances"] == [{"currency": "USD", "owed": "100", "held": "30", "available": "70"}]
    assert [hold["reference"] for hold in view["holds"]] == ["c-1"]
    assert [lot["held"] for lot in view["credits"]] == ["30"]
    assert commands.show(credit.desk.runtime, caller, "nobody")["balances"] == []
    assert len(credit.desk.rows(CreditUse)) == 2
