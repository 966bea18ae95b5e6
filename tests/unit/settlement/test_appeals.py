"""Appeals: one for a line, in time, decided by another person, never beside another return."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from desk import ADDRESSES, Desk, order_body
from review_desk import (
    answer,
    books,
    browser,
    decide,
    denied,
    file_json,
    objection,
    person,
    waiting,
)

from returns.errors import (
    AlreadyReturning,
    AppealedAlready,
    AppealOwnDecision,
    AppealTooLate,
    MoveNotAllowed,
    ReviewOwnProposal,
)
from returns.review_terms import APPEAL_WITHIN
from returns.tables import Appeal, DecisionRow, Evidence, ReturnLine
from returns.words import LineState
from settlement.commands import appeals, evidence
from settlement.commands.inputs import OrderIn
from settlement.commands.review_inputs import AppealIn


def appeal(desk: Desk, rma: str, *what: Any) -> dict[str, Any]:
    return appeals.appeal(desk.runtime, browser(desk, rma), rma, objection(desk, rma, *what))


def test_appeal_brings_a_denied_line_before_a_person(desk: Desk) -> None:
    rma = denied(desk)
    assert appeal(desk, rma)["state"] == "in_review"
    assert desk.states(rma) == ["requested", "denied", "appealed", "in_review"]
    (row,), (said,), (denial,) = (desk.rows(x) for x in (Appeal, Evidence, DecisionRow))
    assert (row.decision_id, row.evidence_id, row.by) == (denial.id, said.id, "customer")
    assert said.text == "You were late, not I"
    assert desk.line(rma).open


def test_file_of_an_appeal_is_evidence(desk: Desk) -> None:
    rma = denied(desk)
    given = AppealIn.model_validate(objection(desk, rma).model_dump() | {"file": file_json()})
    appeals.appeal(desk.runtime, browser(desk, rma), rma, given)
    assert desk.rows(Evidence)[0].media_type == "image/png"


def test_same_appeal_once_more_changes_nothing(desk: Desk) -> None:
    rma = denied(desk)
    appeal(desk, rma)
    before = books(desk)
    assert appeal(desk, rma)["state"] == "in_review"
    assert books(desk) == before


def test_refuses_a_second_appeal(desk: Desk) -> None:
    rma = denied(desk)
    appeal(desk, rma)
    decide(desk, rma, "deny")
    before = books(desk)
    with pytest.raises(AppealedAlready):
        appeal(desk, rma, "Once more: no")
    assert books(desk) == before


def test_appeal_is_possible_to_the_last_moment_and_not_later(desk: Desk) -> None:
    first, second = denied(desk), denied(desk)
    denials = {row.line_id: row.decided_at for row in desk.rows(DecisionRow)}
    desk.clock.now = denials[desk.line(second).id] + APPEAL_WITHIN
    appeal(desk, second)
    assert denials[desk.line(first).id] < desk.clock() - APPEAL_WITHIN
    before = books(desk)
    with pytest.raises(AppealTooLate):
        appeal(desk, first)
    assert books(desk) == before
    assert timedelta(days=30) == APPEAL_WITHIN


@pytest.mark.parametrize("state", ["in_review", "awaiting_signature", "canceled"])
def test_refuses_what_is_not_denied(desk: Desk, state: str) -> None:
    rma = waiting(desk)
    if state == "awaiting_signature":
        decide(desk, rma, "approve")
    if state == "canceled":
        desk.cancel(rma)
    assert desk.line(rma).state == state
    before = books(desk)
    with pytest.raises(MoveNotAllowed):
        appeal(desk, rma)
    assert books(desk) == before


@pytest.mark.parametrize("course", ["open", "settled"])
def test_refuses_while_the_purchase_is_in_another_return(desk: Desk, course: str) -> None:
    rma = waiting(desk)
    decide(desk, rma, "deny")
    (line,) = desk.rows(ReturnLine)
    order = _order(desk)
    second = desk.ask(order)["rma"] if course == "open" else _settled(desk, order)
    before = books(desk)
    with pytest.raises(AlreadyReturning, match=second):
        appeal(desk, rma)
    assert books(desk) == before
    assert desk.line(rma).state is LineState.DENIED
    assert not desk.rows(ReturnLine, ReturnLine.id == line.id)[0].open


def test_purchase_is_free_again_after_the_other_return_ended(desk: Desk) -> None:
    rma = waiting(desk)
    decide(desk, rma, "deny")
    desk.cancel(_again(desk))
    assert appeal(desk, rma)["state"] == "in_review"


def test_appealed_purchase_cannot_be_asked_for_again(desk: Desk) -> None:
    rma = waiting(desk)
    decide(desk, rma, "deny")
    appeal(desk, rma)
    before = books(desk)
    with pytest.raises(AlreadyReturning, match=rma):
        _again(desk)
    assert books(desk) == before


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_refuses_the_person_whose_denial_it_is_against(desk: Desk, decision: str) -> None:
    rma = waiting(desk)
    decide(desk, rma, "deny", by="first")
    appeal(desk, rma)
    before = books(desk)
    with pytest.raises(AppealOwnDecision):
        decide(desk, rma, decision, by="first")
    assert books(desk) == before
    decide(desk, rma, decision, by="second")
    assert desk.line(rma).state in (LineState.AWAITING_SIGNATURE, LineState.DENIED)


def test_refuses_the_person_who_handed_it_in(desk: Desk) -> None:
    rma = denied(desk)
    given = objection(desk, rma)
    appeals.appeal(desk.runtime, person(desk, "helpful"), rma, given)
    before = books(desk)
    with pytest.raises(ReviewOwnProposal):
        decide(desk, rma, "approve", by="helpful")
    assert books(desk) == before


def test_appeal_is_withdrawn_like_any_request(desk: Desk) -> None:
    rma = denied(desk)
    appeal(desk, rma)
    assert desk.cancel(rma)["state"] == "canceled"
    assert desk.balances() == {}


def test_customer_is_told_until_when_an_appeal_is_possible(desk: Desk) -> None:
    rma = denied(desk)
    (line,) = evidence.listed(desk.runtime, browser(desk, rma), rma)["lines"]
    assert line["appeal_until"] == (desk.clock() + APPEAL_WITHIN).isoformat()
    assert not line["takes_evidence"]
    appeal(desk, rma)
    (line,) = evidence.listed(desk.runtime, browser(desk, rma), rma)["lines"]
    assert (line["appeal_until"], line["takes_evidence"]) == (None, True)
    evidence.give(desk.runtime, browser(desk, rma), rma, answer(desk, rma))


def _order(desk: Desk) -> OrderIn:
    """The first purchase, put back to where its buyer can return it."""
    order = OrderIn.model_validate(order_body("A-1", [100]))
    desk.chain.give(100, ADDRESSES[0])
    return order


def _again(desk: Desk) -> str:
    return str(desk.ask(_order(desk))["rma"])


def _settled(desk: Desk, order: OrderIn) -> str:
    rma = str(desk.ask(order)["rma"])
    # A person had denied it: asked again, it comes to a person again.
    desk.review(rma, "approve")
    desk.sign(rma)
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    return rma
