"""Store credit that is worth more than money: granted, credited, booked, withdrawn, reconciled."""

from __future__ import annotations

from collections import Counter

import pytest
from desk import ADDRESSES, POLICY, Desk
from review_desk import decide
from sqlmodel import col, delete, update

from returns import ledger, remainder
from returns.tables import JournalEntry, Leg, Posting, ReturnLine
from returns.words import LegKind, LineState
from settlement.reconciliation import run as reconcile

#: A tenth on top.
BONUS = POLICY + "credit_bonus_bps: 1000\n"


@pytest.fixture
def generous(desk: Desk) -> Desk:
    desk.use_policy(BONUS)
    return desk


def credited(desk: Desk) -> str:
    """A return of 1000 that has come to rest as 1100 of credit."""
    order = desk.buy(customer="ann")
    rma: str = desk.ask(order, "store_credit")["rma"]
    desk.sign(rma)
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    return rma


def in_review(desk: Desk) -> str:
    order = desk.buy(customer="ann")
    desk.chain.give(order.lines[0].token_id, ADDRESSES[1])
    rma: str = desk.ask(order, "store_credit", wallet=ADDRESSES[1])["rma"]
    assert desk.line(rma).bonus == 100
    return rma


def money(desk: Desk, kind: str) -> Counter[tuple[str, int]]:
    """The postings in dollars of the entries of a kind."""
    (entry,) = desk.rows(JournalEntry, JournalEntry.kind == kind)
    rows = desk.rows(Posting, Posting.entry_id == entry.id, Posting.asset == "USD")
    assert sum(ledger.signed(row) for row in rows) == 0
    return Counter((row.account, ledger.signed(row)) for row in rows)


def breaks(desk: Desk) -> list[str]:
    return sorted(row.code for row in reconcile.run(desk.runtime, desk.merchant.id)[1])


def test_customer_is_credited_the_amount_and_the_bonus(generous: Desk) -> None:
    credited(generous)
    balances = generous.balances()
    assert balances[ledger.credit_account("ann"), "USD"] == -1100
    assert balances[ledger.SALES_RETURNS, "USD"] == 1000
    assert balances[ledger.CREDIT_BONUSES, "USD"] == 100
    assert (ledger.REFUNDS_PAYABLE, "USD") not in balances


def test_grant_and_credit_book_the_bonus_apart_and_balance(generous: Desk) -> None:
    credited(generous)
    payable, account = ledger.REFUNDS_PAYABLE, ledger.credit_account("ann")
    assert money(generous, "grant") == Counter(
        {
            (payable, -1000): 1,
            (ledger.SALES_RETURNS, 1000): 1,
            (payable, -100): 1,
            (ledger.CREDIT_BONUSES, 100): 1,
        }
    )
    assert money(generous, "credit") == Counter(
        {(payable, 1000): 1, (account, -1000): 1, (payable, 100): 1, (account, -100): 1}
    )


def test_the_leg_pays_the_amount_alone(generous: Desk) -> None:
    rma = credited(generous)
    assert generous.leg(rma, LegKind.CREDIT).amount == 1000
    assert generous.processor.asked == []


def test_reconciles_without_a_break_before_and_after(generous: Desk) -> None:
    rma = generous.ask(generous.buy(), "store_credit")["rma"]
    assert breaks(generous) == []
    generous.sign(rma)
    generous.run()
    assert generous.line(rma).state is LineState.SETTLED
    assert breaks(generous) == []


@pytest.mark.parametrize("booked", [99, 0, 1000])
def test_a_bonus_that_is_booked_wrongly_is_a_break(generous: Desk, booked: int) -> None:
    credited(generous)
    (entry,) = generous.rows(JournalEntry, JournalEntry.kind == "credit")
    with generous.runtime.database.write() as session:
        of_bonus = Posting.entry_id == entry.id, Posting.amount == 100
        session.connection().execute(update(Posting).where(*of_bonus).values(amount=booked))
    assert "ledger.amount" in breaks(generous)


def test_a_lost_bonus_is_a_break_where_it_is_as_much_as_the_amount(desk: Desk) -> None:
    desk.use_policy(POLICY + "credit_bonus_bps: 10000\n")
    rma = credited(desk)
    assert (desk.line(rma).amount, desk.line(rma).bonus) == (1000, 1000)
    assert breaks(desk) == []
    (entry,) = desk.rows(JournalEntry, JournalEntry.kind == "credit")
    rows = desk.rows(Posting, Posting.entry_id == entry.id)
    halves = {row.side: row.id for row in rows}
    with desk.runtime.database.write() as session:
        session.connection().execute(delete(Posting).where(col(Posting.id).in_(halves.values())))
    assert "ledger.amount" in breaks(desk)


def test_a_bonus_that_no_grant_booked_is_a_break(generous: Desk) -> None:
    rma = credited(generous)
    with generous.runtime.database.write() as session:
        session.get_one(ReturnLine, generous.line(rma).id).bonus = 0
    assert "ledger.amount" in breaks(generous)


def test_a_withdrawn_grant_reverses_both(generous: Desk) -> None:
    rma = generous.ask(generous.buy(), "store_credit")["rma"]
    assert generous.balances()[ledger.CREDIT_BONUSES, "USD"] == 100
    generous.cancel(rma)
    assert generous.balances() == {}
    granted, reversed_ = money(generous, "grant"), money(generous, "grant.reversed")
    assert reversed_ == Counter({(name, -amount): n for (name, amount), n in granted.items()})
    assert breaks(generous) == []


def test_the_remainder_is_not_touched_by_the_bonus(generous: Desk) -> None:
    rma = credited(generous)
    line = generous.line(rma)
    with generous.runtime.database.read() as session:
        assert remainder.granted(session, line.order_line_id) == 1000
        row = session.get_one(ReturnLine, line.id)
        remainder.check_remainder(session, row)  # The whole price and a bonus is within law 1.


def test_without_store_credit_there_is_no_bonus(generous: Desk) -> None:
    line = generous.line(generous.ask(generous.buy())["rma"])
    assert (line.amount, line.bonus) == (1000, 0)


def test_a_cap_counts_the_bonus(desk: Desk) -> None:
    desk.use_policy(BONUS.replace('USD: "50000000"', 'USD: "1099"'))
    line = desk.line(desk.ask(desk.buy(), "store_credit")["rma"])
    assert line.state is LineState.IN_REVIEW
    desk.use_policy(BONUS.replace('USD: "50000000"', 'USD: "1100"'))
    line = desk.line(desk.ask(desk.buy(), "store_credit")["rma"])
    assert line.state is LineState.AWAITING_SIGNATURE


class TestReviewer:
    def test_keeps_the_bonus_who_approves_as_proposed(self, generous: Desk) -> None:
        rma = in_review(generous)
        decide(generous, rma, "approve")
        assert (generous.line(rma).amount, generous.line(rma).bonus) == (1000, 100)
        assert generous.balances()[ledger.CREDIT_BONUSES, "USD"] == 100

    @pytest.mark.parametrize(
        "change", [{"remedy": "fiat_refund"}, {"amount": "999"}], ids=["remedy", "amount"]
    )
    def test_loses_the_bonus_who_changes_remedy_or_amount(
        self, generous: Desk, change: dict[str, str]
    ) -> None:
        rma = in_review(generous)
        decide(generous, rma, "approve", **change)
        line = generous.line(rma)
        assert line.bonus == 0
        assert line.amount == int(change.get("amount", "1000"))
        assert (ledger.CREDIT_BONUSES, "USD") not in generous.balances()

    def test_a_denial_books_nothing(self, generous: Desk) -> None:
        decide(generous, in_review(generous), "deny")
        assert generous.balances() == {}
        assert generous.rows(Leg) == []

    def test_the_limit_of_one_person_counts_the_bonus(self, desk: Desk) -> None:
        desk.use_policy(BONUS + 'approval_limits: {USD: "1099"}\n')
        rma = in_review(desk)
        decide(desk, rma, "approve")
        assert desk.line(rma).state is LineState.IN_REVIEW
        decide(desk, rma, "approve", amount="999")
        assert desk.line(rma).state is LineState.AWAITING_SIGNATURE
