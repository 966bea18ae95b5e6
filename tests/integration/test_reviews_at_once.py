"""People at the review desk at the same moment, on both databases: one of them is heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from desk import ADDRESSES, Desk, order_body
from review_desk import (
    answer,
    ask_for_more,
    browser,
    confirm,
    decide,
    denied,
    file_json,
    limit_approvals,
    objection,
    waiting,
)

from returns.errors import (
    AlreadyReturning,
    ApprovalAboveLimit,
    EvidenceFull,
    MoveNotAllowed,
    NotFound,
    UndropError,
)
from returns.review_reads import QueueOrder, review_queue
from returns.tables import Appeal, DecisionRow, Evidence, Proposal, ReturnLine, ReviewLabel
from returns.words import EvidenceKind, LineState, ProposalState
from settlement.commands import appeals, evidence, reviews
from settlement.commands.inputs import OrderIn

AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]


def heard(results: list[Any], *refusals: type[UndropError]) -> int:
    """How many were done; whoever was not got one of these refusals."""
    assert all(isinstance(one, dict) or type(one) in refusals for one in results), results
    return sum(isinstance(one, dict) for one in results)


def test_people_who_decide_at_once_make_one_decision(desk: Desk, at_once: AtOnce) -> None:
    rma = waiting(desk)
    word = ["approve", "deny"]
    results = at_once(8, lambda n: decide(desk, rma, word[n % 2], by=f"person-{n}"))
    assert heard(results, MoveNotAllowed) == 1
    by_people = desk.rows(DecisionRow, DecisionRow.decided_by != "undrop")
    assert (len(by_people), len(desk.rows(ReviewLabel))) == (1, 1)
    ends = {"approve": LineState.AWAITING_SIGNATURE, "deny": LineState.DENIED}
    assert desk.line(rma).state is ends[by_people[0].verdict]
    owed = sum(amount for (account, _), amount in desk.balances().items() if "payable" in account)
    assert abs(owed) == (1000 if by_people[0].verdict == "approve" else 0)


def test_people_who_ask_at_once_ask_one_question(desk: Desk, at_once: AtOnce) -> None:
    rma = waiting(desk)
    results = at_once(6, lambda n: ask_for_more(desk, rma, question=f"Question {n}?"))
    assert heard(results, MoveNotAllowed) == 1
    assert len(desk.rows(Evidence)) == 1


def test_approvals_above_the_limit_at_once_are_one_proposal(
    desk: Desk, at_once: AtOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_approvals(monkeypatch, {})
    rma = waiting(desk)
    results = at_once(6, lambda n: decide(desk, rma, "approve", by=f"person-{n}"))
    assert heard(results, ApprovalAboveLimit) == 1
    results = at_once(6, lambda n: confirm(desk, rma, f"senior-{n}", ["confirm", "reject"][n % 2]))
    assert heard(results, NotFound) == 1
    (row,) = desk.rows(Proposal)
    is_confirmed = row.state is ProposalState.CONFIRMED
    assert len(desk.rows(ReviewLabel)) == is_confirmed
    assert (desk.line(rma).state is LineState.AWAITING_SIGNATURE) is is_confirmed


def test_same_appeal_at_once_is_one_appeal(desk: Desk, at_once: AtOnce) -> None:
    rma = denied(desk)
    client, given = browser(desk, rma), objection(desk, rma)
    results = at_once(6, lambda _: appeals.appeal(desk.runtime, client, rma, given))
    assert heard(results) == 6
    assert (len(desk.rows(Appeal)), len(desk.rows(Evidence))) == (1, 1)
    assert desk.states(rma) == ["requested", "denied", "appealed", "in_review"]


def test_appeal_and_a_new_request_at_once_open_one_of_them(desk: Desk, at_once: AtOnce) -> None:
    rma = waiting(desk)
    decide(desk, rma, "deny")
    desk.chain.give(100, ADDRESSES[0])
    order = OrderIn.model_validate(order_body("A-1", [100]))
    client, given = browser(desk, rma), objection(desk, rma)

    def act(number: int) -> dict[str, Any]:
        if number % 2:
            return desk.ask(order)
        return appeals.appeal(desk.runtime, client, rma, given)

    results = at_once(2, act)
    assert heard(results, AlreadyReturning) == 1
    assert len(desk.rows(ReturnLine, ReturnLine.open)) == 1
    assert len(desk.rows(ReturnLine)) + len(desk.rows(Appeal)) == 2


def test_same_file_at_once_is_stored_once(desk: Desk, at_once: AtOnce) -> None:
    rma = waiting(desk)
    ask_for_more(desk, rma)
    client, given = browser(desk, rma), answer(desk, rma, file=file_json())
    results = at_once(6, lambda _: evidence.give(desk.runtime, client, rma, given))
    assert heard(results) == 6
    assert len({one["id"] for one in results}) == 1
    assert desk.states(rma)[-2:] == ["awaiting_evidence", "in_review"]


def test_answers_at_once_are_at_most_ten(desk: Desk, at_once: AtOnce) -> None:
    rma = waiting(desk)
    given = [answer(desk, rma, f"answer {n}") for n in range(14)]
    results = at_once(14, lambda n: evidence.give(desk.runtime, desk.shop, rma, given[n]))
    assert heard(results, EvidenceFull) == len(desk.rows(Evidence)) == evidence.MAX_ANSWERS


def test_answer_and_sweep_at_once_bring_it_back_once(desk: Desk, at_once: AtOnce) -> None:
    rma = waiting(desk)
    ask_for_more(desk, rma)
    desk.clock.move(days=8)
    given = answer(desk, rma)

    def act(number: int) -> Any:
        if number:
            return {"recalled": reviews.recall(desk.runtime)}
        return evidence.give(desk.runtime, desk.shop, rma, given)

    assert heard(at_once(4, act)) == 4
    assert desk.states(rma)[-2:] == ["awaiting_evidence", "in_review"]
    assert len(desk.rows(Evidence, Evidence.kind == EvidenceKind.GIVEN)) == 1


@pytest.mark.parametrize(
    ("order", "expected"), [("deadline", [0, 1, 2, 3, 4]), ("value", [3, 1, 4, 2, 0])]
)
def test_queue_is_paged_in_the_same_order_everywhere(
    desk: Desk, order: QueueOrder, expected: list[int]
) -> None:
    found = []
    for tender, price in [("card", 9), ("wallet", 20), ("card", 10), ("wallet", 100), ("card", 99)]:
        found.append(waiting(desk, tender=tender, price=price))
        desk.clock.move(seconds=1)
    decide(desk, waiting(desk), "deny")
    seen: list[str] = []
    cursor = None
    for _ in range(5):
        with desk.runtime.database.read() as session:
            page = review_queue(session, desk.merchant.id, desk.clock(), order, cursor, 1)
        (item,) = page["reviews"]
        assert [one["verdict"] for one in item["similar"]] == ["deny"]
        seen.append(item["rma"])
        cursor = page["next"]
    assert (seen, cursor) == ([found[n] for n in expected], None)
    assert Counter(seen).most_common(1)[0][1] == 1
