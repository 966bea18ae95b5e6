"""Above the limit of one person an approval is a proposal, and somebody else confirms it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from desk import Desk
from review_desk import (
    ask_for_more,
    books,
    browser,
    confirm,
    decide,
    limit_approvals,
    objection,
    waiting,
)

from returns.errors import (
    AppealOwnDecision,
    ApprovalAboveLimit,
    HolderUnknown,
    NotFound,
    RemedyNotPayable,
    ReviewOwnProposal,
)
from returns.tables import DecisionRow, Proposal, ReviewLabel
from returns.words import LineState, ProposalState, Remedy
from settlement.approvals import limit_for
from settlement.commands import appeals


@pytest.fixture
def proposed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> str:
    """A case whose approval waits for a second person."""
    limit_approvals(monkeypatch, {"USD": 999})
    rma = waiting(desk, price=1000)
    view = decide(desk, rma, "approve", by="first", abuse=False)
    assert view["proposal"]["state"] == "open"
    return rma


@pytest.mark.parametrize(
    ("limits", "limit"), [(None, None), ({}, 0), ({"EUR": 5}, 0), ({"USD": 5}, 5)]
)
def test_limit_of_a_currency(limits: dict[str, int] | None, limit: int | None) -> None:
    assert limit_for(SimpleNamespace(approval_limits=limits), "USD") == limit


def test_policy_that_says_nothing_sets_no_limit() -> None:
    assert limit_for(object(), "USD") is None


@pytest.mark.parametrize("limits", [None, {"USD": 1000}, {"USD": 5000, "EUR": 1}])
def test_exactly_the_limit_is_one_persons_matter(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int] | None
) -> None:
    limit_approvals(monkeypatch, limits)
    view = decide(desk, waiting(desk, price=1000), "approve")
    assert (view["state"], view["proposal"]) == ("awaiting_signature", None)


def test_one_unit_more_is_a_proposal_and_moves_nothing(desk: Desk, proposed: str) -> None:
    assert desk.line(proposed).state is LineState.IN_REVIEW
    assert (len(desk.rows(DecisionRow)), desk.rows(ReviewLabel), desk.balances()) == (1, [], {})
    (row,) = desk.rows(Proposal)
    assert (row.by, row.amount, row.approval_limit, row.abuse) == ("key:first", 1000, 999, False)


def test_less_than_was_asked_for_may_be_within_the_limit(desk: Desk, proposed: str) -> None:
    view = decide(desk, proposed, "approve", by="first", amount="999")
    assert (view["state"], view["proposal"]) == ("awaiting_signature", None)
    assert desk.rows(Proposal)[0].state is ProposalState.SUPERSEDED


def test_currency_that_the_table_does_not_name_always_needs_two(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_approvals(monkeypatch, {"EUR": 10**9})
    assert decide(desk, waiting(desk, price=1), "approve")["proposal"]["state"] == "open"


def test_second_person_confirms_and_it_is_approved_as_proposed(desk: Desk, proposed: str) -> None:
    view = confirm(desk, proposed, by="second")
    assert (view["state"], view["proposal"]) == ("awaiting_signature", None)
    decision = desk.rows(DecisionRow)[-1]
    assert decision.decided_by == "key:second"
    body = json.loads(decision.body)
    assert (body["proposed_by"], body["explanation"]) == ("key:first", "looked at it")
    (row,), (label,) = desk.rows(Proposal), desk.rows(ReviewLabel)
    assert (row.state, row.closed_by) == (ProposalState.CONFIRMED, "key:second")
    assert label.abuse is False


def test_second_person_rejects_and_it_stays_in_review(desk: Desk, proposed: str) -> None:
    view = confirm(desk, proposed, by="second", decision="reject")
    assert (view["state"], view["proposal"]) == ("in_review", None)
    assert desk.rows(Proposal)[0].state is ProposalState.REJECTED
    assert len(desk.rows(DecisionRow)) == 1
    assert decide(desk, proposed, "approve", by="second")["proposal"]["by"] == "key:second"


@pytest.mark.parametrize("decision", ["confirm", "reject"])
@pytest.mark.parametrize("by", ["first", "shop"], ids=["proposer", "opener"])
def test_nobody_confirms_their_own(desk: Desk, proposed: str, by: str, decision: str) -> None:
    before = books(desk)
    with pytest.raises(ReviewOwnProposal):
        confirm(desk, proposed, by, decision)
    assert books(desk) == before


def test_same_proposal_once_more_changes_nothing(desk: Desk, proposed: str) -> None:
    before = books(desk)
    decide(desk, proposed, "approve", by="first", abuse=False)
    assert books(desk) == before


@pytest.mark.parametrize(
    ("by", "more"),
    [
        ("second", {"abuse": False}),
        ("first", {"abuse": True}),
        ("first", {"remedy": "store_credit"}),
    ],
)
def test_refuses_another_proposal_beside_it_with_the_limit(
    desk: Desk, proposed: str, by: str, more: dict[str, Any]
) -> None:
    before = books(desk)
    with pytest.raises(ApprovalAboveLimit, match=r"9\.99 USD") as refusal:
        decide(desk, proposed, "approve", by=by, **more)
    assert "reviews:above" in refusal.value.next_step
    assert books(desk) == before


@pytest.mark.parametrize("decision", ["confirm", "reject"])
def test_refuses_where_nothing_is_proposed(desk: Desk, decision: str) -> None:
    rma = waiting(desk)
    before = books(desk)
    with pytest.raises(NotFound):
        confirm(desk, rma, "second", decision)
    assert books(desk) == before


@pytest.mark.parametrize("otherwise", ["deny", "ask"])
def test_other_decision_closes_what_was_proposed(desk: Desk, proposed: str, otherwise: str) -> None:
    if otherwise == "deny":
        decide(desk, proposed, "deny", by="second")
    else:
        ask_for_more(desk, proposed, by="second")
    assert desk.rows(Proposal)[0].state is ProposalState.SUPERSEDED
    before = books(desk)
    with pytest.raises(NotFound):
        confirm(desk, proposed, "third")
    assert books(desk) == before


def test_proposal_of_a_withdrawn_case_is_not_confirmed(desk: Desk, proposed: str) -> None:
    desk.cancel(proposed)
    before = books(desk)
    with pytest.raises(NotFound):
        confirm(desk, proposed, "second")
    assert books(desk) == before


def test_holder_is_read_again_when_it_is_confirmed(desk: Desk, proposed: str) -> None:
    desk.chain.down = True
    before = books(desk)
    with pytest.raises(HolderUnknown):
        confirm(desk, proposed, "second")
    assert books(desk) == before


def test_refuses_to_propose_what_cannot_be_paid(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_approvals(monkeypatch, {})
    rma = waiting(desk)
    before = books(desk)
    with pytest.raises(RemedyNotPayable):
        decide(desk, rma, "approve", remedy=Remedy.CRYPTO_REFUND)
    assert books(desk) == before


def test_refuses_to_confirm_an_appeal_against_ones_own_denial(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_approvals(monkeypatch, {})
    rma = waiting(desk)
    decide(desk, rma, "deny", by="first")
    appeals.appeal(desk.runtime, browser(desk, rma), rma, objection(desk, rma))
    decide(desk, rma, "approve", by="second")
    before = books(desk)
    with pytest.raises(AppealOwnDecision):
        confirm(desk, rma, "first")
    assert books(desk) == before
    assert confirm(desk, rma, "third")["state"] == "awaiting_signature"
