"""The review desk from outside: who may see, give, appeal and confirm, and how files go out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from doors import Door, is_problem
from review_desk import PNG, books, denied, file_json, limit_approvals, waiting

from returns.tables import Order, ReturnCase
from settlement.commands.access import SCOPES, SENIOR_SCOPES

SENIOR = (*SCOPES, *SENIOR_SCOPES)


def order_of(door: Door, rma: str) -> str:
    (case,) = door.desk.rows(ReturnCase, ReturnCase.rma == rma)
    (order,) = door.desk.rows(Order, Order.id == case.order_id)
    return str(order.number)


def customer(door: Door, rma: str) -> str:
    return door.client_token(order_of(door, rma))


def line(door: Door, rma: str) -> str:
    return str(door.desk.line(rma).id)


def give(door: Door, rma: str, key: str, **what: Any) -> Any:
    body = {"line": line(door, rma)} | what
    return door.send("POST", f"/v1/returns/{rma}/evidence", key, json=body)


def decide(door: Door, rma: str, key: str, decision: str, **more: Any) -> Any:
    body = {"line": line(door, rma), "decision": decision, "reason": "because"} | more
    return door.send("POST", f"/v1/reviews/{rma}/decision", key, json=body)


def test_customer_is_asked_answers_and_reads_it_again(door: Door) -> None:
    rma = waiting(door.desk)
    staff, client = door.make_key(label="staff"), customer(door, rma)
    asked = decide(door, rma, staff, "ask", question="Is it your wallet?", days=2)
    assert asked.json()["state"] == "awaiting_evidence"
    path = f"/v1/returns/{rma}/evidence"
    view = door.send("GET", path, client).json()
    assert [(row["kind"], row["text"]) for row in view["evidence"]] == [
        ("asked", "Is it your wallet?"),
    ]  # fmt: skip
    assert view["lines"][0]["answer_until"] == view["evidence"][0]["due_at"]
    assert give(door, rma, client, text="Yes").status_code == 201
    assert door.send("GET", f"/v1/returns/{rma}", client).json()["state"] == "in_review"
    (waits,) = door.send("GET", "/v1/reviews", staff).json()["reviews"]
    assert [row["text"] for row in waits["evidence"]] == ["Is it your wallet?", "Yes"]


def test_file_goes_out_as_it_came_and_is_never_shown(door: Door) -> None:
    rma = waiting(door.desk)
    client = customer(door, rma)
    given = give(door, rma, client, file=file_json(name="Geldbörse 1.png")).json()
    answer = door.send("GET", f"/v1/returns/{rma}/evidence/{given['id']}", client)
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''Geldb%C3%B6rse%201.png"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize(("media_type", "data"), [("text/plain", b"<script>"), ("image/png", PNG)])
def test_media_type_goes_out_exactly(door: Door, media_type: str, data: bytes) -> None:
    rma = waiting(door.desk)
    given = give(door, rma, door.key, file=file_json(data, media_type=media_type)).json()
    answer = door.send("GET", f"/v1/returns/{rma}/evidence/{given['id']}")
    assert answer.headers["content-type"] == media_type


def test_file_of_another_case_looks_like_none(door: Door) -> None:
    rma, other = waiting(door.desk), waiting(door.desk)
    given = give(door, rma, door.key, file=file_json()).json()
    none = "00000000-0000-0000-0000-000000000000"
    for client in (customer(door, other), customer(door, rma)):
        real = door.send("GET", f"/v1/returns/{rma}/evidence/{given['id']}", client)
        unknown = door.send("GET", f"/v1/returns/{rma}/evidence/{none}", client)
        is_problem(real, 404, "not_found")
        assert real.content == unknown.content
    is_problem(door.send("GET", f"/v1/returns/{other}/evidence/{given['id']}"), 404, "not_found")
    is_problem(door.send("GET", f"/v1/returns/{rma}/evidence/nonsense"), 404, "not_found")


@pytest.mark.parametrize("what", ["evidence", "appeal"])
def test_customer_of_another_order_gets_nothing_done(door: Door, what: str) -> None:
    rma, other = denied(door.desk), waiting(door.desk)
    body = {"line": line(door, rma)} | (
        {"text": "mine"} if what == "evidence" else {"statement": "mine"}
    )
    before = books(door.desk)
    client = customer(door, other)
    real = door.send("POST", f"/v1/returns/{rma}/{what}", client, json=body)
    none = door.send("POST", f"/v1/returns/RMA-0000-0000-0/{what}", client, json=body)
    is_problem(real, 404, "not_found")
    assert real.content == none.content
    is_problem(door.send("POST", f"/v1/returns/{other}/{what}", client, json=body), 404)
    assert books(door.desk) == before


def test_customer_appeals_once(door: Door) -> None:
    rma = denied(door.desk)
    client, path = customer(door, rma), f"/v1/returns/{rma}/appeal"
    body = {"line": line(door, rma), "statement": "I was ill"}
    assert door.send("POST", path, client, json=body).json()["state"] == "in_review"
    assert door.send("POST", path, client, json=body).status_code == 200
    again = door.send("POST", path, client, json=body | {"statement": "Really"})
    is_problem(again, 409, "appealed_already")


@pytest.mark.parametrize(
    "bad",
    [
        {"text": "x" * 2001}, {"text": "a\0b"}, {"text": 5}, {}, {"text": "\ud800"},
        {"file": file_json(media_type="image/gif")}, {"file": file_json(b"no picture")},
        {"file": {"name": "a.png"}}, {"file": "iVBOR"}, {"text": "a", "by": "somebody"},
    ],
)  # fmt: skip
def test_refuses_bad_evidence_and_stores_nothing(door: Door, bad: dict[str, Any]) -> None:
    rma = waiting(door.desk)
    before = books(door.desk)
    content = {"line": line(door, rma)} | bad
    is_problem(_raw(door, f"/v1/returns/{rma}/evidence", content), (400, 422))
    assert books(door.desk) == before


@pytest.mark.parametrize(
    "query", ["order=rma", "limit=0", "limit=201", "limit=x", "cursor=x", "cursor=" + "x" * 401]
)
def test_refuses_a_bad_page(door: Door, query: str) -> None:
    is_problem(door.send("GET", f"/v1/reviews?{query}"), 422, "field_invalid")


def test_pages_of_the_queue(door: Door) -> None:
    found = [waiting(door.desk, price=price) for price in (1, 3, 2)]
    first = door.send("GET", "/v1/reviews?order=value&limit=2").json()
    assert [item["rma"] for item in first["reviews"]] == [found[1], found[2]]
    query = f"order=value&limit=2&cursor={first['next']}"
    last = door.send("GET", f"/v1/reviews?{query}").json()
    assert ([item["rma"] for item in last["reviews"]], last["next"]) == ([found[0]], None)


def test_second_person_needs_a_scope_of_their_own(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_approvals(monkeypatch, {"USD": 1})
    rma = waiting(door.desk)
    first = door.make_key(*SENIOR, label="first")
    proposed = decide(door, rma, first, "approve").json()
    assert (proposed["state"], proposed["proposal"]["by"]) == ("in_review", "key:first")
    path = f"/v1/reviews/{rma}/confirmation"
    body = {"line": line(door, rma), "decision": "confirm", "reason": "seen"}
    before = books(door.desk)
    junior = door.make_key(label="junior")
    is_problem(door.send("POST", path, junior, json=body), 403, "scope_missing")
    is_problem(door.send("POST", path, first, json=body), 409, "review_own_proposal")
    is_problem(decide(door, rma, junior, "approve"), 409, "approval_above_limit")
    assert {**books(door.desk)["rows"], "api_key": 0} == {**before["rows"], "api_key": 0}
    assert books(door.desk)["state"] == before["state"]
    second = door.make_key(*SENIOR, label="second")
    confirmed = door.send("POST", path, second, json=body).json()
    assert (confirmed["state"], confirmed["proposal"]) == ("awaiting_signature", None)


def test_customer_does_not_read_who_decided_or_which_rule_was_overridden(door: Door) -> None:
    rma = waiting(door.desk)
    decide(door, rma, door.make_key(label="Ada Lovelace"), "approve", abuse=False)
    client = customer(door, rma)
    for path in ("", "/timeline", "/evidence"):
        text = door.send("GET", f"/v1/returns/{rma}{path}", client).text
        assert "Ada" not in text
        assert "override" not in text
        assert "abuse" not in text


def _raw(door: Door, path: str, content: dict[str, Any]) -> Any:
    """JSON as it is, also with a lone surrogate."""
    headers = {"Content-Type": "application/json"}
    return door.send("POST", path, content=json.dumps(content).encode(), headers=headers)
