"""Promises of the HTTP door."""

from __future__ import annotations

import sys

import pytest
from desk import Desk, order_body, request_body
from doors import Door, is_problem, open_door
from fake_chain import DEPLOYMENT

from returns.errors import FieldInvalid
from settlement.commands.inputs import OrderIn


@pytest.fixture
def door(desk: Desk) -> Door:
    return open_door(desk)


def test_nested_lists_end_no_process(door: Door) -> None:
    """A library raises Python's limit to 100,000: parsing then overran the stack."""
    assert sys.getrecursionlimit() <= 1000
    headers = {"Content-Type": "application/json"}
    for body in (b"[" * 1_000_000, b'{"a":' * 500_000):
        answer = door.send("PUT", "/v1/orders", None, content=body, headers=headers)
        is_problem(answer, 400, "request_malformed")


def test_order_of_a_collection_that_is_no_contract_goes_to_a_person(door: Door) -> None:
    body = order_body("A-1", [7])
    body["lines"][0]["collection"] = "0x" + "ab" * 20
    order = OrderIn.model_validate(body)
    assert door.send("PUT", "/v1/orders", json={"orders": [body]}).status_code == 200
    assert door.ask(request_body(order)).json()["state"] == "in_review"


@pytest.mark.parametrize("code", ["", "ff" * 32, "00" * 31, "00" * 64])
def test_collection_that_answers_nonsense_goes_to_a_person(door: Door, code: str) -> None:
    order = door.desk.buy()
    door.desk.chain.codes[DEPLOYMENT.collection] = bytes.fromhex(code)
    answer = door.ask(request_body(order))
    assert answer.status_code == 201
    assert answer.json()["state"] in ("in_review", "denied")


def test_answer_stored_for_one_buyer_is_not_replayed_to_another(door: Door) -> None:
    mine, other = door.desk.buy(), door.desk.buy()
    body = request_body(mine)
    first = door.ask(body, door.client_token(mine.number), "order-return")
    assert first.status_code == 201
    answer = door.ask(body, door.client_token(other.number), "order-return")
    is_problem(answer, 404, "not_found")
    again = door.ask(body, door.client_token(mine.number), "order-return")
    assert again.content == first.content


def test_next_step_of_a_wrong_method_leads_to_a_page_that_exists(door: Door) -> None:
    step = door.send("DELETE", "/v1/orders").json()["next_step"]
    (path,) = [word.rstrip(".") for word in step.split() if word.startswith("/")]
    assert door.http.get(path).status_code == 200


@pytest.mark.parametrize("label", ["", "x" * 91, "a\n", "\0"])
def test_key_with_a_label_that_the_books_cannot_hold_is_not_made(door: Door, label: str) -> None:
    before = door.desk.count_all()
    with pytest.raises(FieldInvalid):
        door.make_key(label=label)
    assert door.desk.count_all() == before


def test_node_that_refuses_to_answer_is_no_fault_of_ours(door: Door) -> None:
    rma = door.desk.ask(door.desk.buy())["rma"]
    (offer,) = door.send("GET", f"/v1/returns/{rma}/authorization").json()["authorizations"]
    door.desk.chain.refuses = True
    body = {"line": offer["line"], "signature": "0x" + "11" * 65}
    is_problem(door.send("POST", f"/v1/returns/{rma}/authorization", json=body), 503)
