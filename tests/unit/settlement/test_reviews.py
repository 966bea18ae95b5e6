"""A person's decision: what it moves, what it says about the automatic one, what it leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from desk import Desk
from pydantic import ValidationError
from review_desk import ask_for_more, books, decide, denied, objection, person, waiting

from returns.errors import FieldInvalid, MoveNotAllowed, RefundAboveRemainder, ReviewOwnProposal
from returns.tables import AuditRow, DecisionRow, Evidence, Leg, ReviewLabel
from returns.words import EvidenceKind, LegKind, LineState, Remedy, Verdict
from settlement.commands import appeals, reviews
from settlement.commands.review_inputs import ReviewIn
from settlement.person_decisions import Said, is_override, overridden


def body(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(desk.rows(DecisionRow)[-1].body)
    return found


def test_approval_over_a_rule_is_an_override_that_names_the_rule(desk: Desk) -> None:
    rma = waiting(desk)
    assert decide(desk, rma, "approve")["state"] == "awaiting_signature"
    assert (body(desk)["kind"], body(desk)["overrides"]) == ("override", ["holder_not_buyer"])


def test_denial_of_what_a_person_was_asked_about_overrides_nothing(desk: Desk) -> None:
    rma = waiting(desk)
    assert decide(desk, rma, "deny")["state"] == "denied"
    assert (body(desk)["kind"], body(desk)["overrides"]) == ("review", [])


OFFERED = {"remedy": "store_credit", "amount": "5"}


@pytest.mark.parametrize(
    ("proposed", "verdict", "kind"),
    [
        ({"verdict": "approve"}, Verdict.DENY, True),
        ({"verdict": "review"}, Verdict.DENY, False),
        (OFFERED, Verdict.APPROVE, False),
        (OFFERED | {"remedy": "fiat_refund"}, Verdict.APPROVE, True),
        (OFFERED | {"amount": "6"}, Verdict.APPROVE, True),
        ({"hits": [{"code": "x", "verdict": "deny"}]}, Verdict.APPROVE, True),
        ({"hits": [{"code": "x", "verdict": "approve"}]}, Verdict.APPROVE, False),
        ({"hits": ["x", {"verdict": "deny"}, {"code": 5}]}, Verdict.APPROVE, False),
        ({}, Verdict.APPROVE, False),
    ],
)
def test_override_is_another_decision_than_was_proposed(
    proposed: dict[str, Any], verdict: Verdict, kind: bool
) -> None:
    said = Said(verdict, Remedy.STORE_CREDIT, 5, "why", None)
    assert is_override(proposed, said) is kind


def test_denial_names_no_rule_that_it_overrides() -> None:
    assert overridden({"hits": [{"code": "x", "verdict": "review"}]}, Verdict.DENY) == []


@pytest.mark.parametrize("abuse", [True, False, None])
@pytest.mark.parametrize(("decision", "verdict"), [("approve", "approve"), ("deny", "deny")])
def test_every_decision_leaves_one_label(
    desk: Desk, decision: str, verdict: str, abuse: bool | None
) -> None:
    rma = waiting(desk)
    decide(desk, rma, decision, abuse=abuse)
    (label,) = desk.rows(ReviewLabel)
    assert (label.verdict_before, label.verdict_after, label.abuse) == ("review", verdict, abuse)
    assert (label.by, label.reason) == ("key:staff", "looked at it")
    assert label.decision_id == desk.rows(DecisionRow)[-1].id


def test_less_than_was_asked_for_is_approved_and_paid(desk: Desk) -> None:
    rma = waiting(desk, price=1000)
    view = decide(desk, rma, "approve", amount="400")
    assert view["lines"][0]["amount"]["amount"] == "400"
    desk.sign(rma, owner=1)
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert [leg.amount for leg in desk.rows(Leg, Leg.kind == LegKind.PROCESSOR_REFUND)] == [400]
    assert sum(refund.amount for refund in desk.processor.paid()) == 400


@pytest.mark.parametrize("amount", ["1001", str(2**256 - 1)])
def test_refuses_more_than_was_asked_for(desk: Desk, amount: str) -> None:
    rma = waiting(desk, price=1000)
    before = books(desk)
    with pytest.raises(FieldInvalid, match="1000"):
        decide(desk, rma, "approve", amount=amount)
    assert books(desk) == before


def test_refuses_more_than_is_left_of_what_was_paid(desk: Desk) -> None:
    """A token that came back to its holder after it was paid for: the payout still counts."""
    first = waiting(desk, price=1000)
    decide(desk, first, "approve")
    desk.sign(first, owner=1)
    desk.run()
    line = desk.line(first)
    second = waiting(desk, price=1000)
    with desk.runtime.database.write() as session:
        other = session.merge(desk.line(second))
        settled = session.merge(line)
        settled.open = False
        session.flush()
        other.order_line_id = settled.order_line_id
    before = books(desk)
    with pytest.raises(RefundAboveRemainder):
        decide(desk, second, "approve", amount="1")
    assert books(desk) == before


def test_question_makes_the_line_wait_and_tells_the_customer(desk: Desk) -> None:
    rma = waiting(desk)
    view = ask_for_more(desk, rma, days=3)
    assert view["state"] == "awaiting_evidence"
    (asked,) = desk.rows(Evidence)
    assert (asked.kind, asked.text) == (EvidenceKind.ASKED, "Why is it elsewhere?")
    assert asked.due_at == desk.line(rma).due_at
    assert (asked.due_at - desk.clock()).days == 3
    audit = desk.rows(AuditRow, AuditRow.action == "review.ask")
    assert [row.reason for row in audit] == ["looked at it"]
    assert desk.rows(ReviewLabel) == []


def test_same_question_once_more_changes_nothing(desk: Desk) -> None:
    rma = waiting(desk)
    ask_for_more(desk, rma)
    desk.clock.move(hours=1)
    before = books(desk)
    ask_for_more(desk, rma)
    assert books(desk) == before


@pytest.mark.parametrize("other", [{"question": "And when?"}, {"days": 8}])
def test_refuses_another_question_before_the_first_is_answered(
    desk: Desk, other: dict[str, Any]
) -> None:
    rma = waiting(desk)
    ask_for_more(desk, rma)
    before = books(desk)
    with pytest.raises(MoveNotAllowed):
        ask_for_more(desk, rma, **other)
    assert books(desk) == before


def test_refuses_approval_before_the_question_is_answered_but_not_denial(desk: Desk) -> None:
    rma = waiting(desk)
    ask_for_more(desk, rma)
    before = books(desk)
    with pytest.raises(MoveNotAllowed):
        decide(desk, rma, "approve")
    assert books(desk) == before
    assert decide(desk, rma, "deny")["state"] == "denied"


@pytest.mark.parametrize("decision", ["approve", "deny", "ask"])
def test_refuses_who_opened_the_case(desk: Desk, decision: str) -> None:
    rma = waiting(desk)
    before = books(desk)
    more = {"question": "Why is it elsewhere?"} if decision == "ask" else {}
    with pytest.raises(ReviewOwnProposal):
        decide(desk, rma, decision, by="shop", **more)
    assert books(desk) == before


@pytest.mark.parametrize("decision", ["approve", "deny", "ask"])
def test_refuses_a_line_that_is_not_on_the_desk(desk: Desk, decision: str) -> None:
    rma = desk.ask(desk.buy())["rma"]
    before = books(desk)
    more = {"question": "Why is it elsewhere?"} if decision == "ask" else {}
    with pytest.raises(MoveNotAllowed):
        decide(desk, rma, decision, **more)
    assert books(desk) == before


@pytest.mark.parametrize(
    "bad",
    [
        {"decision": "ask"},
        {"decision": "approve", "question": "Why?"},
        {"decision": "deny", "amount": "5"},
        {"decision": "approve", "amount": "0"},
        {"decision": "approve", "amount": 5},
        {"decision": "retry", "abuse": True},
        {"decision": "ask", "question": "Why?", "abuse": True},
        {"decision": "approve", "abuse": 1},
        {"decision": "approve", "abuse": "yes"},
        {"decision": "ask", "question": "Why?", "days": 0},
        {"decision": "ask", "question": "Why?", "days": 61},
        {"decision": "ask", "question": "Why?", "days": "7"},
        {"decision": "ask", "question": "x" * 2001},
    ],
)
def test_parts_that_do_not_fit_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ReviewIn.model_validate({"line": "x", "reason": "because"} | bad)


def test_unanswered_question_goes_back_to_a_person_after_its_deadline(desk: Desk) -> None:
    rma = waiting(desk)
    ask_for_more(desk, rma, days=1)
    due = desk.line(rma).due_at
    desk.clock.now = due
    before = books(desk)
    assert reviews.recall(desk.runtime) == 0
    assert books(desk) == before
    desk.clock.move(seconds=1)
    assert reviews.recall(desk.runtime) == 1
    assert desk.line(rma).state is LineState.IN_REVIEW
    newest = desk.rows(AuditRow)[-1]
    assert (newest.actor, newest.reason) == ("undrop", f"no answer by {due:%Y-%m-%d %H:%M} UTC")
    assert reviews.recall(desk.runtime) == 0


def test_appeal_against_a_rule_is_approved_over_that_rule(desk: Desk) -> None:
    rma = denied(desk)
    appeals.appeal(desk.runtime, person(desk, "shop"), rma, objection(desk, rma))
    decide(desk, rma, "approve")
    assert (body(desk)["kind"], body(desk)["overrides"]) == ("override", ["window_passed"])
    (label,) = desk.rows(ReviewLabel)
    assert (label.verdict_before, label.verdict_after) == ("deny", "approve")
