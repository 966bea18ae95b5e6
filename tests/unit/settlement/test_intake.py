"""A request comes in: tried without a trace, and a decision's terms land on the line."""

from __future__ import annotations

import json

import pytest
from desk import ADDRESSES, POLICY, Desk, request_body
from fakes import START
from review_desk import TOO_LATE_DAYS

from returns.errors import FieldInvalid, NotFound
from returns.tables import DecisionRow
from returns.words import Disposition, LineState, Remedy, Verdict
from settlement.commands import intake
from settlement.commands.access import Caller
from settlement.commands.inputs import OrderIn, ReturnIn
from triage.decide import Decision

TERMS = """
credit_bonus_bps: 1000
fees: {restocking_bps: 500}
"""


def attempt(
    desk: Desk, bought: OrderIn, caller: Caller | None = None, **changes: object
) -> list[Decision]:
    request = ReturnIn.model_validate(request_body(bought) | changes)
    return intake.try_return(desk.runtime, caller or desk.shop, request)


class TestTrying:
    def test_stores_nothing_and_says_what_the_request_would_come_to(self, desk: Desk) -> None:
        desk.use_policy(POLICY + TERMS)
        order = desk.buy(tokens=2)
        before = desk.count_all()
        first, second = attempt(desk, order, remedy="store_credit")
        assert desk.count_all() == before
        assert (first.verdict, first.amount, first.bonus) == (Verdict.APPROVE, 950, 95)
        desk.ask(order, "store_credit")
        made = [json.loads(row.body) for row in desk.rows(DecisionRow)]
        shared = ("verdict", "amount", "bonus", "deductions", "disposition", "explanation")
        for tried, body in zip((first, second), made, strict=True):
            told = json.loads(tried.to_json())
            assert {name: told[name] for name in shared} == {name: body[name] for name in shared}

    def test_may_be_done_any_number_of_times_and_counts_for_nothing(self, desk: Desk) -> None:
        order = desk.buy()
        tried = [attempt(desk, order)[0].to_json() for _ in range(3)]
        assert len(set(tried)) == 1
        assert attempt(desk, order)[0].facts.returns_365d == 0

    def test_a_customer_tries_the_own_order_only(self, desk: Desk) -> None:
        order, foreign = desk.buy(), desk.buy(owner=1)
        browser = desk.client(order)
        assert len(attempt(desk, order, browser)) == 1
        stranger = Desk(desk.runtime, "other").shop
        before = desk.count_all()
        said = set()
        for caller in (browser, stranger):
            for number in (foreign.number, "A-999"):
                with pytest.raises(NotFound) as refusal:
                    attempt(desk, foreign, caller, order=number)
                said.add(str(refusal.value))
        assert len(said) == 1
        assert desk.count_all() == before

    def test_shows_nothing_of_another_orders_token(self, desk: Desk) -> None:
        order, foreign = desk.buy(), desk.buy()
        lines = request_body(foreign)["lines"]
        with pytest.raises(NotFound, match="token in this order"):
            attempt(desk, order, lines=lines)

    def test_refuses_a_token_that_stands_twice(self, desk: Desk) -> None:
        order = desk.buy()
        with pytest.raises(FieldInvalid, match="one token stands twice"):
            attempt(desk, order, lines=request_body(order)["lines"] * 2)

    def test_no_customer_says_where_they_come_from(self, desk: Desk) -> None:
        assert desk.shop.ip_of("203.0.113.9") == "203.0.113.9"
        assert desk.client(desk.buy()).ip_of("203.0.113.9") is None

    def test_a_silent_node_sends_it_to_a_person(self, desk: Desk) -> None:
        order = desk.buy()
        desk.chain.down = True
        (tried,) = attempt(desk, order)
        assert (tried.verdict, tried.facts.holder) == (Verdict.REVIEW, None)
        assert "holder_unknown" in tried.reasons


class TestTermsOfADecision:
    def test_amount_bonus_and_disposition_land_on_the_line(self, desk: Desk) -> None:
        burned = POLICY.replace("store_credit: vault", "store_credit: burn")
        desk.use_policy(burned + TERMS)
        rma = desk.ask(desk.buy(), "store_credit")["rma"]
        line = desk.line(rma)
        assert (line.amount, line.bonus) == (950, 95)
        assert (line.remedy, line.disposition) == (Remedy.STORE_CREDIT, Disposition.BURN)
        assert line.state is LineState.AWAITING_SIGNATURE

    def test_a_review_carries_what_a_person_would_grant(self, desk: Desk) -> None:
        desk.use_policy(POLICY + TERMS)
        order = desk.buy()
        desk.chain.give(order.lines[0].token_id, ADDRESSES[1])
        rma = desk.ask(order, "store_credit", wallet=ADDRESSES[1])["rma"]
        line = desk.line(rma)
        assert (line.state, line.amount, line.bonus) == (LineState.IN_REVIEW, 950, 95)

    def test_a_denial_leaves_the_line_as_it_was_asked_for(self, desk: Desk) -> None:
        desk.use_policy(POLICY + TERMS)
        order = desk.buy()
        desk.clock.move(days=TOO_LATE_DAYS)
        line = desk.line(desk.ask(order, "store_credit")["rma"])
        assert (line.state, line.amount, line.bonus) == (LineState.DENIED, 1000, 0)
        assert line.disposition is Disposition.KEEP

    def test_the_decision_is_kept_with_its_facts(self, desk: Desk) -> None:
        rma = desk.ask(desk.buy())["rma"]
        (row,) = desk.rows(DecisionRow)
        facts = json.loads(row.facts)
        assert (row.line_id, row.decided_by, row.decided_at) == (desk.line(rma).id, "undrop", START)
        assert (facts["returns_365d"], facts["already_refunded"]) == (0, "0")
        assert facts["holder"] == ADDRESSES[0]
