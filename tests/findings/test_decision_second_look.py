"""What a second look at decisions and the review desk found."""

import json
from dataclasses import replace

import pytest
from desk import ADDRESSES, Desk
from review_desk import browser, confirm, decide, limit_approvals, waiting

from returns import reads
from returns.errors import PolicyOwnDraft, ReviewOwnProposal
from returns.tables import AuditRow, DecisionRow
from returns.words import SignalAbout
from settlement.commands import policies, signals
from settlement.commands.setup import STANDARD_POLICY
from settlement.commands.signal_inputs import SignalIn
from triage.generator import compose
from triage.policy import evaluate, parse_policy

BOTH = ("phishing", "sanctions")


def codes(desk: Desk, rma: str) -> list[str]:
    """Why the newest decision about a case's first line was made."""
    row = desk.rows(DecisionRow, DecisionRow.line_id == desk.line(rma).id)[-1]
    return json.loads(row.body)["reasons"]


def moved_away_and_back(desk: Desk) -> tuple:
    """A request that a person has; the token is back with its buyer before it is asked again."""
    order = desk.buy()
    token = order.lines[0].token_id
    desk.chain.give(token, ADDRESSES[1])
    rma = desk.ask(order, wallet=ADDRESSES[1])["rma"]
    assert desk.states(rma)[-1] == "in_review"
    desk.chain.give(token, ADDRESSES[0])
    return order, rma


def test_a_persons_denial_is_not_undone_by_asking_again(desk: Desk) -> None:
    order, rma = moved_away_and_back(desk)
    desk.review(rma, "deny")
    again = desk.ask(order, reason="accidental", message="")["rma"]
    assert desk.states(again)[-1] == "in_review"
    assert codes(desk, again) == ["asked_again"]


def test_withdrawing_what_a_person_has_does_not_get_past_them(desk: Desk) -> None:
    order, rma = moved_away_and_back(desk)
    desk.cancel(rma)
    again = desk.ask(order)["rma"]
    assert desk.states(again)[-1] == "in_review"
    assert codes(desk, again) == ["asked_again"]


def test_what_was_withdrawn_after_an_approval_may_be_asked_again(desk: Desk) -> None:
    order = desk.buy()
    desk.cancel(desk.ask(order)["rma"])
    again = desk.ask(order)["rma"]
    assert desk.states(again)[-1] == "awaiting_signature"
    assert codes(desk, again) == []


def test_customers_read_no_codes_of_lists_and_risk_but_staff_do(desk: Desk) -> None:
    order, rma = moved_away_and_back(desk)
    desk.review(rma, "deny")
    again = desk.ask(order)["rma"]
    with desk.runtime.database.read() as session:
        case = reads.find_case(session, desk.merchant.id, again, browser(desk, again).order_id)
        (line,) = reads.case_view(session, case)["lines"]
        events = reads.timeline(session, case)
    assert line["decision"]["reasons"] == []
    assert "asked_again" not in json.dumps(events)
    row = desk.rows(DecisionRow, DecisionRow.line_id == desk.line(again).id)[-1]
    assert reads.decision_view(row, for_staff=True)["reasons"] == ["asked_again"]


def test_nobody_takes_a_policy_back_to_their_own_draft(desk: Desk) -> None:
    text = STANDARD_POLICY.read_text()
    wide = text.replace("window_days: 30", "window_days: 60")
    loose = policies.draft(desk.runtime, desk.merchant.id, wide, "ana")
    policies.activate(desk.runtime, desk.merchant.id, loose.version, "ben")
    desk.clock.move(seconds=1)
    narrow = text.replace("window_days: 30", "window_days: 7")
    strict = policies.draft(desk.runtime, desk.merchant.id, narrow, "ben")
    policies.activate(desk.runtime, desk.merchant.id, strict.version, "cy")
    desk.clock.move(seconds=1)
    with pytest.raises(PolicyOwnDraft):
        policies.roll_back(desk.runtime, desk.merchant.id, "key:Ana ", "too strict")
    with desk.runtime.database.read() as session:
        in_force, _ = policies.in_force(session, desk.merchant.id, desk.clock())
    assert in_force.version == strict.version


def test_a_second_person_is_not_the_first_in_another_spelling(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_approvals(monkeypatch, {"USD": 1})
    rma = waiting(desk)
    decide(desk, rma, "approve", "anna")
    with pytest.raises(ReviewOwnProposal):
        confirm(desk, rma, "Anna ")
    assert desk.states(rma)[-1] == "in_review"


def test_who_told_a_signal_stands_in_the_audit(desk: Desk) -> None:
    told = SignalIn(about=SignalAbout.CUSTOMER, key="ann", facts={"identity_verified": True})
    signals.tell(desk.runtime, desk.merchant.id, [told], "key:storefront")
    rows = desk.rows(AuditRow, AuditRow.action == "signal.tell")
    assert [(row.actor, row.reason) for row in rows] == [
        ("key:storefront", 'customer ann: {"identity_verified": true}')
    ]


@pytest.mark.parametrize(
    ("searched", "held"),
    [(None, True), (("allow", "block"), True), (("sanctions",), True), (BOTH, False)],
)
def test_lists_that_are_required_are_those_of_sanctions_and_phishing(searched, held) -> None:
    policy = parse_policy(STANDARD_POLICY.read_text() + "\nlists_required: true\n")
    facts, _ = compose(1, 1)
    known = replace(facts[0], on_lists=(), lists_searched=searched)
    found = [hit.code for hit in evaluate(policy, known)]
    assert ("lists_missing" in found) is held
