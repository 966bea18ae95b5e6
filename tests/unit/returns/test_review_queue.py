"""The queue: what waits, why, until when, in which order; a page costs the same queries always."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from desk import Desk
from review_desk import (
    answer,
    ask_for_more,
    browser,
    decide,
    denied,
    limit_approvals,
    objection,
    waiting,
)
from sqlalchemy import event

from returns.errors import FieldInvalid
from returns.review_reads import review_queue
from returns.review_terms import REVIEW_WITHIN
from returns.tables import DecisionRow
from settlement.commands import appeals, evidence, reviews


def queue(desk: Desk, *args: Any, **more: Any) -> dict[str, Any]:
    with desk.runtime.database.read() as session:
        return review_queue(session, desk.merchant.id, desk.clock(), *args, **more)


def pages(desk: Desk, order: str, limit: int) -> Iterator[list[str]]:
    cursor = None
    while True:
        page = queue(desk, order, cursor, limit)
        yield [item["rma"] for item in page["reviews"]]
        cursor = page["next"]
        if cursor is None:
            return


@contextmanager
def counted(desk: Desk) -> Iterator[list[str]]:
    """The statements that are sent to the database meanwhile."""
    sent: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(desk.runtime.database.engine, "before_cursor_execute", note)
    yield sent
    event.remove(desk.runtime.database.engine, "before_cursor_execute", note)


def test_nothing_waits_on_an_empty_desk(desk: Desk) -> None:
    desk.ask(desk.buy())
    assert queue(desk) == {"reviews": [], "next": None}


def test_line_says_why_it_is_here_and_what_was_proposed(desk: Desk) -> None:
    rma = waiting(desk, price=123456)
    (item,) = queue(desk)["reviews"]
    (hit,) = item["why"]["hits"]
    assert (hit["code"], hit["verdict"]) == ("holder_not_buyer", "review")
    assert hit["sentence"]
    assert item["why"]["reasons"] == item["decision"]["reasons"] == ["holder_not_buyer"]
    assert item["why"]["score"] is None
    assert item["why"]["since"] == desk.clock().isoformat()
    assert item["proposed"] == {
        "verdict": "review",
        "remedy": "fiat_refund",
        "disposition": "vault",
        "amount": {"amount": "123456", "currency": "USD", "display": "1234.56"},
    }
    assert (item["rma"], item["order"], item["state"]) == (rma, "A-1", "in_review")
    assert item["actions"] == ["approve", "deny", "ask"]


def test_score_is_summed_up_and_odd_bodies_are_survived(desk: Desk) -> None:
    waiting(desk)
    scored = {"probability": 0.7, "confidence": 0.4}
    odd = {"score": "high", "hits": {"a": 1}, "reasons": None, "amount": 5, "currency": "USD"}
    for body, score in [
        ({"score": scored | {"logit": 1.0}}, scored),
        (odd, None),
        ({"hits": [1]}, None),
    ]:
        with desk.runtime.database.write() as session:
            session.merge(desk.rows(DecisionRow)[0]).body = json.dumps(body)
        (item,) = queue(desk)["reviews"]
        assert (item["why"]["score"], item["why"]["hits"], item["proposed"]) == (score, [], None)


def test_deadline_is_two_days_after_it_came_and_one_second_later_it_is_overdue(desk: Desk) -> None:
    waiting(desk)
    came = desk.clock()
    desk.clock.now = came + REVIEW_WITHIN
    (item,) = queue(desk)["reviews"]
    assert (item["due_at"], item["overdue"]) == ((came + REVIEW_WITHIN).isoformat(), False)
    desk.clock.move(seconds=1)
    assert queue(desk)["reviews"][0]["overdue"]
    assert REVIEW_WITHIN.total_seconds() == 48 * 3600


def test_question_and_answers_are_shown_without_the_bytes_of_files(desk: Desk) -> None:
    rma = waiting(desk)
    ask_for_more(desk, rma, days=9)
    (item,) = queue(desk)["reviews"]
    assert (item["state"], item["actions"]) == ("awaiting_evidence", ["deny"])
    assert item["due_at"] == item["evidence"][0]["due_at"]
    evidence.give(desk.runtime, browser(desk, rma), rma, answer(desk, rma))
    (item,) = queue(desk)["reviews"]
    assert [(row["kind"], row["by"]) for row in item["evidence"]] == [
        ("asked", "merchant"), ("given", "customer"),
    ]  # fmt: skip
    assert item["why"]["came"] == "the question was answered"


def test_unanswered_question_is_why_it_is_here(desk: Desk) -> None:
    rma = waiting(desk)
    ask_for_more(desk, rma)
    desk.clock.move(days=8)
    assert reviews.recall(desk.runtime) == 1
    assert queue(desk)["reviews"][0]["why"]["came"].startswith("no answer by 20")


def test_line_that_needs_attention_says_which_leg_failed(desk: Desk) -> None:
    desk.processor.mode = "decline"
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    desk.run()
    (item,) = queue(desk)["reviews"]
    assert item["actions"] == ["retry", "release"]
    assert item["legs"][-1]["state"] == "failed"
    assert "failed" in item["why"]["came"]


def test_appeal_shows_the_denial_that_it_is_against(desk: Desk) -> None:
    rma = denied(desk)
    appeals.appeal(desk.runtime, browser(desk, rma), rma, objection(desk, rma))
    (item,) = queue(desk)["reviews"]
    assert item["appeal"]["evidence"] == item["evidence"][0]["id"]
    assert [one["verdict"] for one in item["decisions"]] == ["deny"]
    assert item["decisions"][0]["kind"] == "automatic"


def test_proposal_offers_its_confirmation(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_approvals(monkeypatch, {"USD": 1})
    rma = waiting(desk)
    decide(desk, rma, "approve", by="first")
    (item,) = queue(desk)["reviews"]
    assert item["actions"] == ["confirm", "reject", "deny", "ask"]
    assert (item["proposal"]["by"], item["proposal"]["limit"]["amount"]) == ("key:first", "1")


def test_similar_cases_are_the_customers_own_then_the_collections(desk: Desk) -> None:
    past = []
    for number in range(7):
        rma = waiting(desk, customer="same" if number == 0 else f"other-{number}")
        decide(desk, rma, "deny" if number % 2 else "approve")
        past.append(rma)
        desk.clock.move(minutes=1)
    canceled = waiting(desk, customer="same")
    desk.cancel(canceled)
    waiting(desk, customer="same")
    (item,) = queue(desk)["reviews"]
    shown = item["similar"]
    assert [one["rma"] for one in shown] == [past[0], *reversed(past[3:])]
    assert [one["verdict"] for one in shown] == ["approve", "approve", "deny", "approve", "deny"]
    assert [one["outcome"] for one in shown[:3]] == ["awaiting_signature"] * 2 + ["denied"]
    assert [one["same_customer"] for one in shown] == [True, False, False, False, False]
    assert all(one["same_collection"] for one in shown)


def test_order_by_deadline_and_by_value_within_a_currency(desk: Desk) -> None:
    prices = [("card", 500), ("wallet", 7), ("card", 900), ("wallet", 9), ("card", 500)]
    found = []
    for tender, price in prices:
        found.append(waiting(desk, tender=tender, price=price))
        desk.clock.move(minutes=1)
    assert [item["rma"] for item in queue(desk)["reviews"]] == found
    by_value = [found[3], found[1], found[2], found[0], found[4]]
    assert [item["rma"] for item in queue(desk, "value")["reviews"]] == by_value


@pytest.mark.parametrize("order", ["deadline", "value"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_show_each_line_once_in_order(desk: Desk, order: str, limit: int) -> None:
    for price in (5, 5, 5, 9, 1, 5, 9):
        waiting(desk, price=price)
    whole = [item["rma"] for item in queue(desk, order)["reviews"]]
    parts = list(pages(desk, order, limit))
    assert [rma for part in parts for rma in part] == whole
    assert len(set(whole)) == 7
    assert len(parts) == -(-7 // limit)


@pytest.mark.parametrize("order", ["deadline", "value"])
def test_page_goes_on_after_its_last_line_has_left(desk: Desk, order: str) -> None:
    for _ in range(4):
        waiting(desk)
    whole = [item["rma"] for item in queue(desk, order)["reviews"]]
    first = queue(desk, order, None, 2)
    decide(desk, whole[1], "deny")
    rest = queue(desk, order, first["next"], 2)
    assert [item["rma"] for item in rest["reviews"]] == whole[2:]


def _encoded(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "", "x", "é", "====", "bm90IGpzb24=", _encoded("value", "USD", "5", "x" * 36),
        _encoded("deadline"), _encoded("deadline", "2026-01-01", "0" * 32),
        _encoded("deadline", "2026-01-01T00:00:00", "0" * 32),
        _encoded("deadline", 5, "0" * 32), _encoded("deadline", "soon", "0" * 32),
        _encoded("deadline", "0001-01-01T00:00:00+23:00", "0" * 32), _encoded("deadline", "", 5),
        _encoded("deadline", "2026-01-01T00:00:00+00:00", "no id"),
    ],
)  # fmt: skip
def test_refuses_a_cursor_that_is_none_of_ours(desk: Desk, cursor: str) -> None:
    with pytest.raises(FieldInvalid, match="cursor"):
        queue(desk, "deadline", cursor)


@pytest.mark.parametrize(
    "cursor",
    [
        _encoded("value", "USD", "-5", "0" * 32),
        _encoded("value", "USD", str(2**256), "0" * 32),
        _encoded("value", 5, "5", "0" * 32),
        _encoded("value", "U\0", "5", "0" * 32),
        _encoded("deadline", "a", "b"),
    ],
)
def test_refuses_a_cursor_of_another_order_or_amount(desk: Desk, cursor: str) -> None:
    with pytest.raises(FieldInvalid, match="cursor"):
        queue(desk, "value", cursor)


def test_page_costs_the_same_statements_however_many_lines_are_on_it(desk: Desk) -> None:
    def fill(count: int) -> int:
        for _ in range(count):
            rma = waiting(desk)
            ask_for_more(desk, rma)
            evidence.give(desk.runtime, desk.shop, rma, answer(desk, rma))
        with counted(desk) as sent:
            queue(desk)
        return len([one for one in sent if one.lstrip().upper().startswith("SELECT")])

    assert fill(1) == fill(9) == 8


def test_queue_of_another_merchant_is_empty(desk: Desk) -> None:
    waiting(desk)
    other = Desk(desk.runtime, "other")
    assert queue(other)["reviews"] == []
    waiting(other)
    (item,) = queue(other)["reviews"]
    assert item["similar"] == []
