"""People, customers and timers at the review desk in any order: its laws hold after every step."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import desk as desks
import pytest
import review_desk as people
import stores
from desk import ADDRESSES, Desk
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from returns import lifecycle
from returns.errors import UndropError
from returns.review_reads import review_queue
from returns.tables import (
    Appeal,
    AuditRow,
    DecisionRow,
    Evidence,
    Proposal,
    ReturnCase,
    ReturnLine,
    ReviewLabel,
)
from returns.words import EvidenceKind, LineState, ProposalState
from settlement.commands import appeals, cases, evidence, reviews

PRICE, LIMIT = 1000, 600
REVIEW = LineState.IN_REVIEW
SOMEBODY = st.sampled_from(["ada", "bob", "cyd"])
CASE = st.integers(0, 5)


class ReviewLife(RuleBasedStateMachine):
    """One desk with a limit, two purchases, three people."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        home = Path(self._folder.name)
        self.desk: Desk = desks.build(stores.sqlite_copy(self.template, home), home)
        self.orders = [self.desk.buy(price=PRICE) for _ in range(2)]
        for order in self.orders:
            self.desk.chain.give(order.lines[0].token_id, ADDRESSES[1])
        self.ask(0)

    def teardown(self) -> None:
        self.desk.runtime.close()
        self._folder.cleanup()

    # -- what can happen -----------------------------------------------------------------------

    @rule(index=st.integers(0, 1))
    def ask(self, index: int) -> None:
        self._try(lambda: self.desk.ask(self.orders[index], wallet=ADDRESSES[1]))

    @rule(case=CASE, by=SOMEBODY, amount=st.sampled_from([None, "600", "601", "1000", "1001"]))
    def approve(self, case: int, by: str, amount: str | None) -> None:
        self._case(
            case, lambda rma: people.decide(self.desk, rma, "approve", by, amount=amount), REVIEW
        )

    @rule(case=CASE, by=SOMEBODY, abuse=st.sampled_from([None, True, False]))
    def deny(self, case: int, by: str, abuse: bool | None) -> None:
        self._case(case, lambda rma: people.decide(self.desk, rma, "deny", by, abuse=abuse), REVIEW)

    @rule(case=CASE, by=SOMEBODY, days=st.sampled_from([1, 7]))
    def question(self, case: int, by: str, days: int) -> None:
        self._case(case, lambda rma: people.ask_for_more(self.desk, rma, by, days=days), REVIEW)

    @rule(case=CASE, by=SOMEBODY, decision=st.sampled_from(["confirm", "reject"]))
    def second_person(self, case: int, by: str, decision: str) -> None:
        self._case(case, lambda rma: people.confirm(self.desk, rma, by, decision), REVIEW)

    @rule(case=CASE, text=st.sampled_from(["yes", "no"]), is_file=st.booleans())
    def answer(self, case: int, text: str, is_file: bool) -> None:
        file = people.file_json() if is_file else None
        self._case(
            case,
            lambda rma: evidence.give(
                self.desk.runtime,
                people.browser(self.desk, rma),
                rma,
                people.answer(self.desk, rma, text, file),
            ),
            LineState.AWAITING_EVIDENCE,
        )

    @rule(case=CASE, statement=st.sampled_from(["not fair", "not right"]))
    def appeal(self, case: int, statement: str) -> None:
        self._case(
            case,
            lambda rma: appeals.appeal(
                self.desk.runtime,
                people.browser(self.desk, rma),
                rma,
                people.objection(self.desk, rma, statement),
            ),
            LineState.DENIED,
        )

    @rule(case=CASE)
    def cancel(self, case: int) -> None:
        self._case(case, self.desk.cancel)

    @rule(days=st.integers(1, 10))
    def later(self, days: int) -> None:
        self.desk.clock.move(days=days)

    @rule()
    def sweep(self) -> None:
        cases.expire(self.desk.runtime)
        reviews.recall(self.desk.runtime)
        assert not [
            line
            for line in self.desk.rows(ReturnLine, ReturnLine.state == LineState.AWAITING_EVIDENCE)
            if line.due_at < self.desk.clock()
        ]

    # -- what must hold ------------------------------------------------------------------------

    @invariant()
    def one_return_of_a_purchase_is_open(self) -> None:
        open_ = Counter(line.order_line_id for line in self.desk.rows(ReturnLine) if line.open)
        assert not open_ or max(open_.values()) == 1

    @invariant()
    def queue_shows_what_is_on_the_desk_and_its_deadline(self) -> None:
        with self.desk.runtime.database.read() as session:
            merchant_id = self.desk.merchant.id
            shown = review_queue(session, merchant_id, self.desk.clock())["reviews"]
        lines = self.desk.rows(ReturnLine)
        waiting = {str(line.id) for line in lines if line.state in lifecycle.ON_THE_DESK}
        assert {item["line"] for item in shown} == waiting
        assert {str(line.id) for line in lines if line.due_at is not None} == waiting

    @invariant()
    def every_persons_decision_has_its_label(self) -> None:
        decided = {row.id for row in self._by_people()}
        assert sorted(row.decision_id for row in self.desk.rows(ReviewLabel)) == sorted(decided)

    @invariant()
    def two_people_stand_behind_what_is_above_the_limit(self) -> None:
        for row in self._by_people():
            body = json.loads(row.body)
            if row.verdict == "approve" and int(body["amount"]) > LIMIT:
                assert body["proposed_by"] not in (None, row.decided_by)

    @invariant()
    def at_most_one_proposal_waits_and_only_where_somebody_can_confirm(self) -> None:
        waits = self.desk.rows(Proposal, Proposal.state == ProposalState.OPEN)
        states = {line.id: line.state for line in self.desk.rows(ReturnLine)}
        assert len({row.line_id for row in waits}) == len(waits)
        assert {states[row.line_id] for row in waits} <= {LineState.IN_REVIEW, LineState.CANCELED}

    @invariant()
    def appeal_is_decided_by_somebody_else(self) -> None:
        found = self.desk.rows(Appeal)
        assert len({row.line_id for row in found}) == len(found)
        deciders = {row.id: row.decided_by for row in self.desk.rows(DecisionRow)}
        for appeal in found:
            after = [row for row in self._by_people(appeal.line_id) if row.id > appeal.id]
            assert deciders[appeal.decision_id] not in [row.decided_by for row in after]

    @invariant()
    def no_timer_denies(self) -> None:
        by_timer = self.desk.rows(AuditRow, AuditRow.actor == "undrop", AuditRow.after == "denied")
        assert by_timer == []

    @invariant()
    def answers_are_limited_and_none_stands_twice(self) -> None:
        given = self.desk.rows(Evidence, Evidence.kind == EvidenceKind.GIVEN)
        besides_appeals = Counter(row.line_id for row in given)
        besides_appeals.subtract(row.line_id for row in self.desk.rows(Appeal))
        assert not given or max(besides_appeals.values()) <= evidence.MAX_ANSWERS

    @invariant()
    def events_have_no_gaps_and_money_is_owed_for_grants_only(self) -> None:
        lines = self.desk.rows(ReturnLine)
        owed = sum(line.amount for line in lines if line.state in lifecycle.GRANTED)
        booked = [v for (account, _), v in self.desk.balances().items() if "payable" in account]
        assert abs(sum(booked)) == owed

    # -- helpers -------------------------------------------------------------------------------

    def _by_people(self, line_id: Any = None) -> list[DecisionRow]:
        rows = self.desk.rows(DecisionRow, DecisionRow.decided_by != "undrop")
        return [row for row in rows if line_id in (None, row.line_id)]

    def _case(self, index: int, action: Any, *states: LineState) -> None:
        """Do something about a case in one of these states; where there is none, about any."""
        fit = {line.case_id for line in self.desk.rows(ReturnLine) if line.state in states}
        found = self.desk.rows(ReturnCase)
        found = [case for case in found if case.id in fit] or found
        self._try(lambda: action(found[index % len(found)].rma))

    def _try(self, action: Any) -> None:
        before = people.books(self.desk)
        self.desk.clock.move(seconds=1)
        with suppress(UndropError):
            action()
            return
        assert people.books(self.desk) == before


def test_laws_of_the_desk_hold_in_whatever_order(
    sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.limit_approvals(monkeypatch, {"USD": LIMIT})
    ReviewLife.template = sqlite_template
    run_state_machine_as_test(
        ReviewLife,
        settings=settings(
            max_examples=6,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
