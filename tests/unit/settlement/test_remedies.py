"""Each remedy from the request to rest, with real signatures."""

from __future__ import annotations

from datetime import timedelta

import pytest
from desk import ADDRESSES, Desk
from fake_chain import VAULT
from fake_escrow import BURNED

from returns import ledger, reads
from returns.errors import MoveNotAllowed, RemedyNotPayable, ReviewOwnProposal
from returns.tables import (
    Authorization,
    Event,
    Hold,
    JournalEntry,
    Leg,
    OutboxItem,
    RelayTransaction,
)
from returns.words import HoldState, LegKind, LegState, LineState, Remedy
from settlement.commands import setup

SETTLED = LineState.SETTLED


def test_crypto_refund_swaps_token_against_money_in_one_transaction(desk: Desk) -> None:
    order = desk.buy(tender="wallet", price=59 * 10**18)
    rma = desk.ask(order)["rma"]
    desk.sign(rma)
    desk.run()
    assert desk.line(rma).state is SETTLED
    assert desk.owner(order) == VAULT
    assert list(desk.chain.state.paid.values()) == [(ADDRESSES[0], 59 * 10**18)]
    assert [leg.kind for leg in desk.rows(Leg)] == [LegKind.SWAP]
    assert desk.states(rma) == [
        "requested", "approved", "awaiting_signature", "settling", "settled",
    ]  # fmt: skip


def test_fiat_refund_takes_the_token_first_and_pays_once_after_the_final_commit(desk: Desk) -> None:
    order = desk.buy()
    rma = desk.ask(order)["rma"]
    desk.sign(rma)
    desk.run()
    assert desk.line(rma).state is SETTLED
    assert desk.owner(order) == VAULT
    assert [(r.charge, r.amount, r.currency) for r in desk.processor.log] == [
        (order.payments[0].reference, 1000, "USD")
    ]
    assert [leg.kind for leg in desk.rows(Leg)] == [
        LegKind.DEPOSIT, LegKind.COMMIT, LegKind.PROCESSOR_REFUND, LegKind.SETTLE,
    ]  # fmt: skip
    assert {leg.state for leg in desk.rows(Leg)} == {LegState.FINAL}
    assert desk.rows(Hold)[0].state is HoldState.SETTLED
    assert desk.states(rma) == [
        "requested", "approved", "awaiting_signature", "depositing", "in_custody", "committing",
        "settling", "settled",
    ]  # fmt: skip


def test_store_credit_ends_on_the_customers_account(desk: Desk) -> None:
    order = desk.buy()
    rma = desk.ask(order, "store_credit")["rma"]
    desk.sign(rma)
    desk.run()
    assert desk.line(rma).state is SETTLED
    assert desk.processor.log == []
    assert desk.balances()[ledger.credit_account(order.customer), "USD"] == -1000


def test_burned_token_is_booked_as_burned(desk: Desk) -> None:
    policy = setup.STANDARD_POLICY.read_text().replace("fiat_refund: vault", "fiat_refund: burn")
    desk.use_policy(policy)
    order = desk.buy()
    rma = desk.ask(order)["rma"]
    desk.sign(rma)
    desk.run()
    assert desk.line(rma).state is SETTLED
    assert desk.owner(order) == BURNED
    assert desk.rows(Hold)[0].state is HoldState.BURNED
    assert [v for (account, _), v in desk.balances().items() if account == ledger.BURNED] == [1]


def test_every_asset_of_the_ledger_sums_to_zero_after_every_remedy(desk: Desk) -> None:
    for tender, remedy in (("wallet", None), ("card", None), ("card", "store_credit")):
        desk.sign(desk.ask(desk.buy(tender=tender), remedy)["rma"])
    desk.run(20)
    totals: dict[str, int] = {}
    for (_, asset), amount in desk.balances().items():
        totals[asset] = totals.get(asset, 0) + amount
    assert set(totals.values()) == {0}
    assert not any(account == ledger.REFUNDS_PAYABLE for account, _ in desk.balances())


def test_case_of_several_lines_settles_each(desk: Desk) -> None:
    order = desk.buy(tokens=3)
    view = desk.ask(order)
    desk.sign(view["rma"])
    desk.run(20)
    with desk.runtime.database.read() as session:
        case = reads.find_case(session, desk.merchant.id, view["rma"])
        assert reads.case_view(session, case)["state"] == "settled"
    assert [refund.amount for refund in desk.processor.log] == [1000, 1000, 1000]
    assert len({refund.key for refund in desk.processor.log}) == 3


def test_events_of_a_case_are_numbered_without_gaps(desk: Desk) -> None:
    rma = desk.ask(desk.buy(tokens=2))["rma"]
    desk.sign(rma)
    desk.run(20)
    assert sorted(event.sequence for event in desk.rows(Event)) == list(range(1, 17))


def test_denied_line_offers_nothing_to_sign_and_books_nothing(desk: Desk) -> None:
    order = desk.buy()
    desk.chain.give(order.lines[0].token_id, ADDRESSES[1])  # sold on meanwhile
    rma = desk.ask(order)["rma"]
    assert desk.line(rma).state is LineState.DENIED
    assert desk.rows(Authorization) == desk.rows(JournalEntry) == desk.rows(OutboxItem) == []


def test_denied_purchase_may_be_asked_for_again(desk: Desk) -> None:
    order = desk.buy()
    token = order.lines[0].token_id
    desk.chain.give(token, ADDRESSES[1])
    assert desk.line(desk.ask(order)["rma"]).state is LineState.DENIED
    desk.chain.give(token, ADDRESSES[0])
    assert desk.line(desk.ask(order)["rma"]).state is LineState.AWAITING_SIGNATURE


class TestReview:
    """A person decides."""

    @pytest.fixture
    def rma(self, desk: Desk) -> str:
        """A line in review: the token is in another wallet of the buyer."""
        order = desk.buy()
        desk.chain.give(order.lines[0].token_id, ADDRESSES[1])
        rma = desk.ask(order, wallet=ADDRESSES[1])["rma"]
        assert desk.line(rma).state is LineState.IN_REVIEW
        return rma

    def test_approval_is_offered_to_the_holder_and_settles(self, desk: Desk, rma: str) -> None:
        desk.review(rma, "approve")
        assert desk.rows(Authorization)[0].holder == ADDRESSES[1]
        desk.sign(rma, owner=1)
        desk.run()
        assert desk.line(rma).state is SETTLED

    def test_another_remedy_can_be_chosen(self, desk: Desk, rma: str) -> None:
        desk.review(rma, "approve", "store_credit")
        desk.sign(rma, owner=1)
        desk.run()
        assert desk.line(rma).state is SETTLED
        assert desk.line(rma).remedy is Remedy.STORE_CREDIT
        assert desk.processor.log == []

    def test_denial_ends_it_and_grants_nothing(self, desk: Desk, rma: str) -> None:
        desk.review(rma, "deny")
        assert desk.line(rma).state is LineState.DENIED
        assert desk.rows(JournalEntry) == []

    @pytest.mark.parametrize("remedy", ["crypto_refund", "nothing"])
    def test_remedy_that_the_payment_cannot_carry_is_refused(
        self, desk: Desk, rma: str, remedy: str
    ) -> None:
        before = desk.count_all()
        with pytest.raises(RemedyNotPayable):
            desk.review(rma, "approve", remedy)
        assert desk.count_all() == before
        assert desk.line(rma).state is LineState.IN_REVIEW

    def test_decided_line_cannot_be_decided_again(self, desk: Desk, rma: str) -> None:
        desk.review(rma, "approve")
        before = desk.count_all()
        for decision in ("approve", "deny"):
            with pytest.raises(MoveNotAllowed):
                desk.review(rma, decision)
        assert desk.count_all() == before

    def test_whoever_opened_the_case_cannot_decide_it(self, desk: Desk, rma: str) -> None:
        desk.staff = desk.shop
        before = desk.count_all()
        with pytest.raises(ReviewOwnProposal):
            desk.review(rma, "approve")
        assert desk.count_all() == before


def test_what_waits_for_a_cheap_block_has_a_promised_time_and_the_customer_sees_it(
    desk: Desk,
) -> None:
    """Nobody waits for the token's way to the vault; for deposit and commitment somebody does."""
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    desk.run()
    intents = {row.id: row for row in desk.rows(RelayTransaction)}
    with desk.runtime.database.read() as session:
        view = reads.line_view(session, desk.line(rma))
    seen = {leg["kind"]: leg["promised_by"] for leg in view["legs"]}
    settle = intents[desk.leg(rma, LegKind.SETTLE).id]
    patience = timedelta(seconds=desk.runtime.settings.relay_patience_seconds)
    assert settle.send_by == settle.created_at + patience > settle.created_at
    assert seen == {
        "deposit": None, "commit": None, "processor_refund": None,
        "settle": settle.send_by.isoformat(),
    }  # fmt: skip
