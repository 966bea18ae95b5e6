"""Probes, pages that do not exist, and what the routes answer when all is well."""

from __future__ import annotations

import pytest
from desk import ADDRESSES, request_body, signature
from doors import Door, is_problem

from returns.tables import RelayTransaction
from returns.words import RelayState


def test_healthz_answers(door: Door) -> None:
    assert door.http.get("/healthz").json() == {"status": "ok"}


def test_readyz_names_what_does_not_answer(door: Door) -> None:
    assert door.http.get("/readyz").json() == {
        "status": "ready",
        "checks": {"database": "ok", "chain": "ok", "contracts": "ok"},
    }
    door.desk.chain.down = True
    answer = door.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "ok"
    assert "does not answer" in answer.json()["checks"]["chain"]


def test_metrics_count_requests_by_route_and_lines_by_state(door: Door) -> None:
    door.desk.ask(door.desk.buy())
    door.send("GET", "/v1/returns/RMA-0000-0000-0")
    text = door.http.get("/metrics").text
    assert 'undrop_lines{state="awaiting_signature"} 1.0' in text
    assert 'route="/v1/returns/{rma}"' in text
    assert "RMA-0000" not in text


@pytest.mark.parametrize("path", ["/nope", "/v1/nope", "/v1/returns/a/b/c", "/v1/%00", "/%ff"])
def test_page_that_does_not_exist(door: Door, path: str) -> None:
    is_problem(door.send("GET", path), 404, "not_found")


def test_method_that_does_not_exist(door: Door) -> None:
    is_problem(door.send("DELETE", "/v1/orders"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    "rma", ["%00", "%ff", "RMA", "RMA-0000-0000-1", "x" * 32, "RMA-%F0%9F%92%A5-0000-0", "'--"]
)
def test_odd_rma_is_not_found(door: Door, rma: str) -> None:
    is_problem(door.send("GET", f"/v1/returns/{rma}"), 404, "not_found")


def test_rma_is_read_as_people_write_it(door: Door) -> None:
    rma = door.desk.ask(door.desk.buy())["rma"]
    assert door.send("GET", f"/v1/returns/{rma.lower()}").json()["rma"] == rma


@pytest.mark.parametrize(
    "query",
    ["", "merchant=demo", "merchant=demo&collection=0x1", "merchant=nope&collection=0x" + "c0" * 20,
     "merchant=%00&collection=0x" + "c0" * 20, "merchant=" + "x" * 65],
)  # fmt: skip
def test_returnability_of_nothing(door: Door, query: str) -> None:
    is_problem(door.send("GET", f"/v1/returnability?{query}", None), (404, 422))


def test_returnability_tells_the_terms(door: Door) -> None:
    query = "merchant=demo&collection=0x" + "c0" * 20
    terms = door.send("GET", f"/v1/returnability?{query}", None).json()
    assert terms["returnable"] is True
    assert terms["window_days"] == 30
    assert sorted(terms["remedies"]) == ["crypto_refund", "fiat_refund", "store_credit"]


def test_whole_return_through_the_door(door: Door) -> None:
    order = door.desk.buy(tender="wallet", price=5 * 10**17)
    rma = door.ask(request_body(order)).json()["rma"]
    path = f"/v1/returns/{rma}"
    (offer,) = door.send("GET", f"{path}/authorization").json()["authorizations"]
    body = {"line": offer["line"], "signature": signature(offer)}
    assert door.send("POST", f"{path}/authorization", json=body).status_code == 202
    [owed] = door.desk.rows(RelayTransaction)
    assert (owed.state, owed.case_id) == (RelayState.PENDING, door.desk.line(rma).case_id)
    door.desk.run()
    view = door.send("GET", path).json()
    assert view["state"] == "settled"
    assert view["lines"][0]["amount"] == {
        "amount": str(5 * 10**17), "currency": "ETH", "display": "0.500000000000000000",
    }  # fmt: skip
    events = door.send("GET", f"{path}/timeline").json()["events"]
    assert [event["sequence"] for event in events] == [1, 2, 3, 4, 5]
    is_problem(door.send("POST", f"{path}/cancel"), 409, "move_not_allowed")


def test_review_through_the_door(door: Door) -> None:
    order = door.desk.buy()
    door.desk.chain.give(order.lines[0].token_id, ADDRESSES[1])
    rma = door.desk.ask(order, wallet=ADDRESSES[1])["rma"]
    (waiting,) = door.send("GET", "/v1/reviews").json()["reviews"]
    assert waiting["rma"] == rma
    body = {"line": waiting["line"], "decision": "approve", "reason": "talked to them"}
    own = door.send("POST", f"/v1/reviews/{rma}/decision", json=body)
    is_problem(own, 409, "review_own_proposal")
    staff = door.make_key(label="staff")
    for bad in ({"decision": "maybe"}, {"reason": "x"}, {"remedy": "gold"}, {"line": "x" * 37}):
        answer = door.send("POST", f"/v1/reviews/{rma}/decision", staff, json=body | bad)
        is_problem(answer, 422, "field_invalid")
    answer = door.send("POST", f"/v1/reviews/{rma}/decision", staff, json=body)
    assert answer.json()["state"] == "awaiting_signature"
    is_problem(door.send("POST", f"/v1/reviews/{rma}/decision", staff, json=body), 409)


def test_case_in_the_console_lists(door: Door) -> None:
    rma = door.desk.ask(door.desk.buy())["rma"]
    door.desk.sign(rma)
    door.desk.relay()
    door.desk.tell(blocks=0)
    door.desk.work()
    assert [case["rma"] for case in door.send("GET", "/v1/returns").json()["returns"]] == [rma]
    (hold,) = door.send("GET", "/v1/holds").json()["holds"]
    assert (hold["rma"], hold["state"], hold["depositor"]) == (rma, "held", ADDRESSES[0])
