"""What bad input gets: a problem document, nothing stored, nothing moved, never a 500."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from desk import request_body
from doors import Door, is_problem, order_json

WRITES = [
    ("PUT", "/v1/orders"),
    ("POST", "/v1/client-tokens"),
    ("POST", "/v1/returns"),
    ("POST", "/v1/returns/RMA-0000-0000-0/authorization"),
    ("POST", "/v1/reviews/RMA-0000-0000-0/decision"),
    ("POST", "/v1/returns/RMA-0000-0000-0/evidence"),
    ("POST", "/v1/returns/RMA-0000-0000-0/appeal"),
]
UNREADABLE = {
    "nothing": b"",
    "not JSON": b"{",
    "not an object": b"[]",
    "a number": b"1",
    "null": b"null",
    "NaN": b'{"orders": NaN}',
    "trailing": b"{} {}",
    "not UTF-8": b'{"order": "\xff\xfe"}',
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "huge number": b'{"order": ' + b"9" * 10_000 + b"}",
    "unknown field": b'{"surprise": 1}',
    "lone surrogate as a name": b'{"\\ud800": 1}',
    "NUL as a name": b'{"\\u0000": 1}',
}


@pytest.mark.parametrize("route", WRITES, ids=" ".join)
def test_body_that_cannot_be_read(door: Door, route: tuple[str, str]) -> None:
    before = door.desk.count_all()
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    for body in UNREADABLE.values():
        is_problem(door.send(*route, content=body, headers=headers), (400, 422))
        assert door.desk.count_all() == before


@pytest.mark.parametrize("route", WRITES, ids=" ".join)
def test_body_of_five_megabytes(door: Door, route: tuple[str, str]) -> None:
    before = door.desk.count_all()
    body = b'{"order": "' + b"x" * 5_000_000 + b'"}'
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    chunked = iter([body[:3_000_000], body[3_000_000:]])
    for content in (body, chunked):
        is_problem(door.send(*route, content=content, headers=headers), 413, "request_too_large")
    assert door.desk.count_all() == before


def changed(path: str, value: object) -> dict[str, Any]:
    """A bulk of one order in which one place is another."""
    body: Any = order_json()
    place = body["orders"][0]
    *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    for step in way:
        place = place[step]
    place[last] = value
    return body


BAD_AMOUNTS = [
    1000, 10.5, "10.5", "-1", "+1", "1e3", "01", "", " 1", "1 ", "1_0", "٣", True, None, [], {},
    str(2**256), "9" * 5000, "0x10", "NaN", "1\u0000",
]  # fmt: skip
BAD_ADDRESSES = [
    "0x" + "0" * 40, "0x" + "c" * 39, "c0" * 20, "0xZZ" + "c0" * 19, 5, None,
    "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x" + "c0" * 20 + "\u0000", "\ud800",
]  # fmt: skip
BAD_TEXTS = ["", "a b", "a\u0000b", "\ud800", "x" * 101, 5, None, "a\n", "<b>", ["a"]]
BAD_ORDERS = [
    *[(place, bad) for place in ("lines.0.price", "lines.0.token_id", "payment.captured")
      for bad in BAD_AMOUNTS],
    *[("lines.0.collection", bad) for bad in BAD_ADDRESSES],
    *[("buyer_wallet", bad) for bad in BAD_ADDRESSES if bad is not None],
    *[(place, bad) for place in ("number", "customer") for bad in BAD_TEXTS],
    *[("payment.currency", bad) for bad in ("usd", "XAU", "BTC", "", 840, None, "\ud800")],
    *[("payment.tender", bad) for bad in ("cash", "", None, 1)],
    *[("payment.reference", bad) for bad in ("", "a b", "x" * 129, "\u0000", "\ud800")],
    *[("payment.processor", bad) for bad in ("", "Sand Box", "x" * 33)],
    *[("placed_at", bad) for bad in (
        "2026-03-01", "2026-03-01T12:00:00", "yesterday", "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00", None, True)],
    ("lines", []),
    ("payment.captured", "999"),
    ("surprise", 1),
    ("payment.surprise", 1),
    ("lines.0.surprise", 1),
]  # fmt: skip


@pytest.mark.parametrize("path", sorted({path for path, _ in BAD_ORDERS}))
def test_order_with_a_bad_field(door: Door, path: str) -> None:
    before = door.desk.count_all()
    for body in [json.dumps(changed(path, bad)) for place, bad in BAD_ORDERS if place == path]:
        headers = {"Content-Type": "application/json"}
        answer = door.send("PUT", "/v1/orders", content=body, headers=headers)
        is_problem(answer, 422, "field_invalid")
    assert door.desk.count_all() == before


def test_order_with_one_token_on_two_lines(door: Door) -> None:
    body = order_json()
    body["orders"][0]["lines"] *= 2
    body["orders"][0]["payment"]["captured"] = "2000"
    is_problem(door.send("PUT", "/v1/orders", json=body), 422, "field_invalid")


def test_stored_order_does_not_change(door: Door) -> None:
    assert door.send("PUT", "/v1/orders", json=order_json()).json()["results"][0][
        "result"
    ] == "stored"  # fmt: skip
    before = door.desk.count_all()
    known = door.send("PUT", "/v1/orders", json=order_json()).json()["results"]
    assert known == [{"number": "B-1", "result": "known"}]
    other = door.send("PUT", "/v1/orders", json=order_json(customer="somebody-else"))
    (result,) = other.json()["results"]
    assert (result["result"], result["problem"]["code"]) == ("refused", "order_differs")
    assert door.desk.count_all() == before


def test_payment_of_one_order_does_not_pay_another(door: Door) -> None:
    body = order_json()
    body["orders"].append({**body["orders"][0], "number": "B-2"})
    results = door.send("PUT", "/v1/orders", json=body).json()["results"]
    assert [r["result"] for r in results] == ["stored", "refused"]
    assert results[1]["problem"]["code"] == "payment_claimed"


class TestRequest:
    """POST /v1/returns."""

    BAD: ClassVar[list[dict[str, Any]]] = [

            *[{"lines": [{"collection": "0x" + "c0" * 20, "token_id": "100", "amount": bad}]}
              for bad in BAD_AMOUNTS if bad is not None],
            *[{"lines": [{"collection": bad, "token_id": "100"}]} for bad in BAD_ADDRESSES],
            *[{"wallet": bad} for bad in BAD_ADDRESSES if bad is not None],
            *[{"recipient": bad} for bad in BAD_ADDRESSES if bad is not None],
            *[{"order": bad} for bad in BAD_TEXTS],
            *[{"message": bad} for bad in ("a\u0000", "\ud800", "x" * 2001, 5, None)],
            *[{"reason": bad} for bad in ("because", "", None)],
            *[{"remedy": bad} for bad in ("gold", "", None)],
            {"lines": []},
            {"surprise": 1},
    ]  # fmt: skip

    def test_with_a_bad_field(self, door: Door) -> None:
        good = request_body(door.desk.buy())
        before = door.desk.count_all()
        headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
        for changes in self.BAD:
            body = json.dumps(good | changes)
            answer = door.send("POST", "/v1/returns", content=body, headers=headers)
            is_problem(answer, 422, "field_invalid")
        assert door.desk.count_all() == before

    @pytest.mark.parametrize("key", [None, "", "x" * 256, "a\tb"])
    def test_without_a_usable_key(self, door: Door, key: str | None) -> None:
        body = request_body(door.desk.buy())
        before = door.desk.count_all()
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = door.send("POST", "/v1/returns", json=body, headers=headers)
        is_problem(answer, 400, "idempotency_key_missing")
        assert door.desk.count_all() == before

    def test_same_key_and_body_gets_the_same_answer(self, door: Door) -> None:
        body = request_body(door.desk.buy())
        first, *others = [door.ask(body, idempotency="k") for _ in range(3)]
        before = door.desk.count_all()
        assert {(a.status_code, a.content) for a in others} == {(201, first.content)}
        assert [a.headers.get("idempotent-replayed") for a in (first, *others)] == [
            None, "true", "true",
        ]  # fmt: skip
        assert door.desk.count_all() == before

    def test_same_key_with_another_body(self, door: Door) -> None:
        body = request_body(door.desk.buy())
        door.ask(body, idempotency="k")
        before = door.desk.count_all()
        answer = door.ask({**body, "reason": "other"}, idempotency="k")
        is_problem(answer, 409, "idempotency_key_reused")
        assert door.desk.count_all() == before

    def test_refused_request_leaves_its_key_free(self, door: Door) -> None:
        body = request_body(door.desk.buy())
        is_problem(door.ask({**body, "order": "A-999"}, idempotency="k"), 404)
        assert door.ask(body, idempotency="k").status_code == 201

    def test_second_return_of_one_token_names_the_first(self, door: Door) -> None:
        body = request_body(door.desk.buy())
        rma = door.ask(body).json()["rma"]
        before = door.desk.count_all()
        answer = door.ask(body)
        is_problem(answer, 409, "already_returning")
        assert rma in answer.json()["detail"]
        assert door.desk.count_all() == before

    @pytest.mark.parametrize("lines", [2, 0])
    def test_token_twice_or_not_in_the_order(self, door: Door, lines: int) -> None:
        body = request_body(door.desk.buy())
        body["lines"] = body["lines"] * lines or [{**body["lines"][0], "token_id": "5"}]
        before = door.desk.count_all()
        is_problem(door.ask(body), (404, 422))
        assert door.desk.count_all() == before

    def test_amount_above_the_remainder(self, door: Door) -> None:
        body = request_body(door.desk.buy(price=1000))
        before = door.desk.count_all()
        body["lines"][0]["amount"] = "1001"
        is_problem(door.ask(body), 409, "refund_above_remainder")
        assert door.desk.count_all() == before
        body["lines"][0]["amount"] = "1000"
        assert door.ask(body).json()["state"] == "awaiting_signature"
