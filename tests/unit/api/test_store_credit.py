"""Store credit over HTTP: a checkout from hold to capture, and refusals that say what was done."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from desk import Desk
from doors import Door, is_problem

from settlement.commands.access import SCOPES, SENIOR_SCOPES, create_key


@pytest.fixture
def senior(door: Door) -> str:
    return door.make_key(*SCOPES, *SENIOR_SCOPES, label="senior")


def post(door: Door, path: str, body: Any, key: str = "", idempotency: str | None = None) -> Any:
    headers = {"Idempotency-Key": idempotency or str(uuid4())}
    return door.send("POST", f"/v1/credits{path}", key, json=body, headers=headers)


def give(door: Door, senior: str, amount: str = "100") -> Any:
    body = {"customer": "ann", "currency": "USD", "amount": amount, "reason": "sorry"}
    return post(door, "", body, senior)


def hold(door: Door, amount: str, reference: str = "c-1", **more: Any) -> Any:
    body = {"reference": reference, "customer": "ann", "currency": "USD", "amount": amount}
    return post(door, "/holds", body | more.pop("change", {}), **more)


def test_a_checkout_from_hold_to_capture(door: Door, senior: str) -> None:
    assert give(door, senior).status_code == 201
    held = hold(door, "60")
    assert (held.status_code, held.json()["state"]) == (201, "open")
    seen = door.send("GET", "/v1/credits?customer=ann").json()
    assert seen["balances"] == [{"currency": "USD", "owed": "100", "held": "60", "available": "40"}]
    spent = post(door, "/holds/c-1/capture", {"amount": "45"})
    assert (spent.status_code, spent.json()["captured"]) == (200, "45")
    seen = door.send("GET", "/v1/credits?customer=ann").json()
    assert seen["balances"][0]["available"] == "55"
    assert seen["holds"] == []


def test_the_same_request_gets_the_same_answer_and_says_so(door: Door, senior: str) -> None:
    give(door, senior)
    first = hold(door, "60", idempotency="k")
    again = hold(door, "60", idempotency="k")
    assert (again.status_code, again.content) == (201, first.content)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    is_problem(hold(door, "61", idempotency="k"), 409, "idempotency_key_reused")


def test_refusals_say_what_was_done_already_and_that_nothing_moved(door: Door, senior: str) -> None:
    give(door, senior)
    hold(door, "60")
    before = door.desk.count_all()
    is_problem(hold(door, "41", "c-2"), 409, "credit_insufficient")
    is_problem(hold(door, "59"), 409, "credit_reference_used")
    is_problem(post(door, "/holds/c-1/capture", {"amount": "61"}), 409, "capture_above_hold")
    wrong = {"currency": "EUR"}
    is_problem(post(door, "/holds/c-1/capture", wrong), 409, "credit_currency_differs")
    is_problem(post(door, "/holds/c-9/capture", {}), 404, "not_found")
    is_problem(post(door, "/x/revoke", {"reason": "x"}, senior), 404, "not_found")
    assert door.desk.count_all() == before
    post(door, "/holds/c-1/capture", {})
    told = post(door, "/holds/c-1/capture", {})
    is_problem(told, 409, "credit_captured_already")
    assert "60 of the 60 USD of c-1 were captured at" in told.json()["detail"]
    is_problem(hold(door, "60", "c-2"), 409, "credit_spent_already")
    door.desk.clock.move(hours=1)
    hold(door, "40", "c-3", change={"seconds": 5})
    door.desk.clock.move(seconds=5)
    is_problem(post(door, "/holds/c-3/capture", {}), 409, "credit_hold_expired")
    assert post(door, "/holds/c-3/release", None).json()["state"] == "expired"


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "0"},
        {"amount": 5},
        {"amount": "1.5"},
        {"amount": "-1"},
        {"amount": str(2**256)},
        {"currency": "XXX1"},
        {"customer": ""},
        {"customer": "a\0b"},
        {"reference": "a/b"},
        {"reference": "x" * 101},
        {"seconds": 0},
        {"seconds": 7 * 86_400 + 1},
        {"more": "x"},
    ],
)
def test_bad_input_is_refused_and_changes_nothing(
    door: Door, senior: str, change: dict[str, Any]
) -> None:
    give(door, senior)
    before = door.desk.count_all()
    is_problem(hold(door, "60", change=change), 422)
    assert door.desk.count_all() == before


def test_writes_without_a_key_of_their_own_are_refused(door: Door, senior: str) -> None:
    body = {"customer": "ann", "currency": "USD", "amount": "1", "reason": "sorry"}
    answer = door.send("POST", "/v1/credits", senior, json=body)
    is_problem(answer, 400, "idempotency_key_missing")


def test_a_checkouts_key_issues_nothing_unless_it_is_told_so(door: Door) -> None:
    assert "credits:write" not in SCOPES
    is_problem(give(door, door.key), 403, "scope_missing")


def test_another_merchants_credit_looks_like_none(door: Door, senior: str) -> None:
    given = give(door, senior).json()
    hold(door, "60")
    from_elsewhere = door.make_key(*SCOPES, *SENIOR_SCOPES)
    other = _other_key(door)
    assert door.send("GET", "/v1/credits?customer=ann", other).json() == {
        "customer": "ann",
        "balances": [],
        "credits": [],
        "holds": [],
    }
    before = door.desk.count_all()
    is_problem(post(door, "/holds/c-1/capture", {}, other), 404, "not_found")
    is_problem(post(door, "/holds/c-1/release", None, other), 404, "not_found")
    is_problem(post(door, f"/{given['id']}/revoke", {"reason": "x"}, other), 404, "not_found")
    assert door.desk.count_all() == before
    done = post(door, f"/{given['id']}/revoke", {"reason": "x"}, from_elsewhere)
    assert (done.status_code, done.json()["remaining"]) == (200, "60")


def _other_key(door: Door) -> str:
    other = Desk(door.desk.runtime, "other")
    return create_key(door.desk.runtime, other.merchant.id, "x", (*SCOPES, *SENIOR_SCOPES), None)
