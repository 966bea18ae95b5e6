"""Who may do what: default deny, and somebody else's looks like nothing at all."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import jwt
import pytest
from desk import POLICY, Desk, request_body
from doors import Door, is_problem, order_json
from fastapi.routing import APIRoute

from settlement.commands.access import OPERATOR_SCOPES, SCOPES, SENIOR_SCOPES, create_key

#: Everything that answers without credentials. What is not listed must say 401.
PUBLIC = {
    ("GET", "/v1/returnability"): "terms of sale are public",
    ("POST", "/v1/processors/{name}/webhook"): "proves itself by its own signature",
    ("GET", "/v1/authority"): "who may do what is no secret",
    ("GET", "/healthz"): "a probe",
    ("GET", "/readyz"): "a probe",
    ("GET", "/metrics"): "counts, and lanes, which the chain shows anyway",
    ("GET", "/openapi.json"): "the documentation",
    ("GET", "/"): "a page",
    ("GET", "/shop"): "a page",
    ("GET", "/shop/token/{number}"): "the demo shop's back end, local use only",
    ("GET", "/console"): "a page; it reads nothing without a key",
}

#: The scope that each guarded route asks for.
SCOPE = {
    ("PUT", "/v1/orders"): "orders:write",
    ("PUT", "/v1/signals"): "orders:write",
    ("POST", "/v1/client-tokens"): "tokens:write",
    ("POST", "/v1/decisions"): "decisions:write",
    ("POST", "/v1/returns/eligibility"): "returns:write",
    ("GET", "/v1/returns/{rma}/decision"): "reviews:read",
    ("POST", "/v1/returns"): "returns:write",
    ("GET", "/v1/returns"): "console:read",
    ("GET", "/v1/holds"): "console:read",
    ("GET", "/v1/returns/{rma}"): "returns:read",
    ("GET", "/v1/returns/{rma}/timeline"): "returns:read",
    ("GET", "/v1/returns/{rma}/authorization"): "returns:read",
    ("POST", "/v1/returns/{rma}/authorization"): "returns:write",
    ("POST", "/v1/returns/{rma}/cancel"): "returns:write",
    ("GET", "/v1/reviews"): "reviews:read",
    ("POST", "/v1/reviews/{rma}/decision"): "reviews:write",
    ("POST", "/v1/reviews/{rma}/confirmation"): "reviews:above",
    ("POST", "/v1/returns/{rma}/evidence"): "returns:write",
    ("GET", "/v1/returns/{rma}/evidence"): "returns:read",
    ("GET", "/v1/returns/{rma}/evidence/{evidence_id}"): "returns:read",
    ("POST", "/v1/returns/{rma}/appeal"): "returns:write",
    ("GET", "/v1/reconciliation"): "reconciliation:read",
    ("GET", "/v1/dead-letters"): "work:admin",
    ("POST", "/v1/dead-letters/{queue}/{row}/retry"): "work:admin",
    ("POST", "/v1/dead-letters/inbox/{row}/close"): "work:admin",
    ("GET", "/v1/breaks"): "reconciliation:read",
    ("GET", "/v1/breaks/{break_id}"): "reconciliation:read",
    ("POST", "/v1/breaks/{break_id}/assign"): "reconciliation:write",
    ("POST", "/v1/breaks/{break_id}/propose"): "reconciliation:write",
    ("POST", "/v1/breaks/{break_id}/confirm"): "reconciliation:write",
    ("POST", "/v1/reconciliation/{run_id}/sign-off"): "reconciliation:write",
    ("GET", "/v1/tokens/{caip19}"): "returns:read",
    ("POST", "/v1/relay/transactions"): "relay:write",
    ("GET", "/v1/relay/transactions"): "relay:read",
    ("GET", "/v1/relay/transactions/{relay_id}"): "relay:read",
    ("POST", "/v1/relay/transactions/{relay_id}/cancel"): "relay:write",
    ("POST", "/v1/relay/transactions/{relay_id}/speed-up"): "relay:write",
    ("GET", "/v1/policies"): "policies:read",
    ("GET", "/v1/policies/diff"): "policies:read",
    ("GET", "/v1/policies/{version}"): "policies:read",
    ("POST", "/v1/policies"): "policies:write",
    ("POST", "/v1/policies/{version}/activate"): "policies:write",
    ("POST", "/v1/policies/rollback"): "policies:write",
    ("GET", "/v1/event-kinds"): "webhooks:read",
    ("POST", "/v1/webhook-endpoints"): "webhooks:write",
    ("GET", "/v1/webhook-endpoints"): "webhooks:read",
    ("PATCH", "/v1/webhook-endpoints/{endpoint_id}"): "webhooks:write",
    ("DELETE", "/v1/webhook-endpoints/{endpoint_id}"): "webhooks:write",
    ("POST", "/v1/webhook-endpoints/{endpoint_id}/secret"): "webhooks:write",
    ("POST", "/v1/webhook-endpoints/{endpoint_id}/test"): "webhooks:write",
    ("POST", "/v1/webhook-endpoints/{endpoint_id}/replay"): "webhooks:write",
    ("GET", "/v1/webhook-deliveries"): "webhooks:read",
    ("POST", "/v1/webhook-deliveries/{delivery_id}/resend"): "webhooks:write",
    ("GET", "/v1/returns/{rma}/events"): "events:read",
    ("GET", "/v1/events/stream"): "events:read",
    ("PUT", "/v1/payees/{customer}"): "payees:write",
    ("GET", "/v1/payees/{customer}"): "payees:read",
    ("GET", "/v1/ledger/balances"): "ledger:read",
    ("GET", "/v1/ledger/entries"): "ledger:read",
    ("GET", "/v1/credits"): "credits:read",
    ("POST", "/v1/credits"): "credits:write",
    ("POST", "/v1/credits/{credit_id}/revoke"): "credits:write",
    ("POST", "/v1/credits/holds"): "credits:spend",
    ("POST", "/v1/credits/holds/{reference}/capture"): "credits:spend",
    ("POST", "/v1/credits/holds/{reference}/release"): "credits:spend",
    ("GET", "/v1/relay/lanes"): "relay:admin",
    ("POST", "/v1/relay/lanes/{address}/pause"): "relay:admin",
    ("POST", "/v1/relay/lanes/{address}/drain"): "relay:admin",
    ("POST", "/v1/relay/lanes/{address}/resume"): "relay:admin",
}
RETURN: dict[str, Any] = {
    "order": "A-1",
    "lines": [{"collection": "0x" + "c0" * 20, "token_id": "1"}],
    "reason": "other",
    "remedy": "store_credit",
}
#: A well-formed body for each write.
BODY: dict[str, Any] = {
    "/v1/dead-letters/inbox/{row}/close": {"reason": "looked at it"},
    "/v1/orders": order_json(),
    "/v1/client-tokens": {"order": "A-1"},
    "/v1/signals": {"signals": [{"about": "customer", "key": "ann", "facts": {"consumer": True}}]},
    "/v1/returns/eligibility": RETURN,
    "/v1/returns/{rma}/authorization": {"line": "x", "signature": "0x00"},
    "/v1/reviews/{rma}/decision": {"line": "x", "decision": "deny", "reason": "because"},
    "/v1/payees/{customer}": {"holder": "Ann", "iban": "DE89370400440532013000"},
    "/v1/policies": {"text": POLICY},
    "/v1/policies/{version}/activate": {},
    "/v1/policies/rollback": {"version": 1, "reason": "it was wrong"},
    "/v1/reviews/{rma}/confirmation": {"line": "x", "decision": "confirm", "reason": "because"},
    "/v1/returns/{rma}/evidence": {"line": "x", "text": "look"},
    "/v1/returns/{rma}/appeal": {"line": "x", "statement": "because"},
    "/v1/webhook-endpoints": {"url": "https://hooks.example.com/undrop"},
    "/v1/webhook-endpoints/{endpoint_id}": {"enabled": True},
    "/v1/webhook-endpoints/{endpoint_id}/secret": {},
    "/v1/webhook-endpoints/{endpoint_id}/replay": {"from": {"since": "2026-03-01T00:00:00Z"}},
    "/v1/breaks/{break_id}/assign": {"owner": "custody"},
    "/v1/breaks/{break_id}/propose": {"outcome": "accepted", "reason": "because"},
    "/v1/breaks/{break_id}/confirm": {"decision": "confirm", "reason": "because"},
    "/v1/reconciliation/{run_id}/sign-off": {"note": "looked at"},
    "/v1/relay/transactions": {"chain_id": 31337, "to": "0x" + "d0" * 20},
    "/v1/credits": {"customer": "ann", "currency": "USD", "amount": "1", "reason": "sorry"},
    "/v1/credits/{credit_id}/revoke": {"reason": "by mistake"},
    "/v1/credits/holds": {
        "reference": "c-1",
        "customer": "ann",
        "currency": "USD",
        "amount": "1",
    },
    "/v1/credits/holds/{reference}/capture": {},
}
#: What routes need to be told in their address.
QUERY = {"/v1/ledger/entries": {"rma": "RMA-0000-0000-0"}, "/v1/credits": {"customer": "ann"}}
#: Routes that name one case, and those that only staff and the shop may use.
OF_A_CASE = [route for route in SCOPE if "{rma}" in route[1]]


def routes(door: Door) -> set[tuple[str, str]]:
    def walk(router: Any, prefix: str = "") -> set[tuple[str, str]]:
        found = set()
        for route in router.routes:
            if isinstance(route, APIRoute):
                found |= {
                    (method, prefix + route.path.replace(":path", "")) for method in route.methods
                }
        return found

    paths = door.http.app.openapi()["paths"]
    listed = {(method.upper(), path) for path, ways in paths.items() for method in ways}
    return listed | walk(door.http.app)


def call(door: Door, route: tuple[str, str], key: str | None, rma: str = "RMA-0000-0000-0") -> Any:
    method, path = route
    body = BODY.get(path)
    if path == "/v1/returns" and method == "POST":
        body = RETURN
    if path in ("/v1/policies", "/v1/credits") and method == "GET":
        body = None
    headers = {"Idempotency-Key": "k"}
    names = {"rma": rma, "relay_id": str(UUID(int=1)), "address": "0x" + "a1" * 20}
    names["endpoint_id"] = names["delivery_id"] = str(UUID(int=1))
    names |= {"version": "1", "queue": "outbox", "row": str(UUID(int=1))}
    names["customer"] = "ann"
    names |= {"reference": "c-1", "credit_id": str(UUID(int=1))}
    names |= {"break_id": str(UUID(int=1)), "run_id": str(UUID(int=1))}
    names["version"] = "1"
    names["evidence_id"] = str(UUID(int=1))
    names["caip19"] = f"eip155:1/erc721:0x{'a1' * 20}/1"
    query = QUERY.get(path) if method == "GET" else None
    return door.send(method, path.format(**names), key, json=body, headers=headers, params=query)


def test_every_route_is_public_by_name_or_has_its_scope(door: Door) -> None:
    assert routes(door) - set(PUBLIC) == set(SCOPE)


@pytest.mark.parametrize("route", sorted(SCOPE), ids=" ".join)
class TestEveryGuardedRoute:
    def test_says_401_without_valid_credentials(self, door: Door, route: tuple[str, str]) -> None:
        expired = door.make_key(days=1)
        door.desk.clock.move(days=1)
        before = door.desk.count_all()
        for wrong in (None, "nonsense", "undrop_sk_wrong", "a.b.c", "x" * 3000, " ", expired):
            answer = call(door, route, wrong)
            is_problem(answer, 401, "credentials_invalid")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert door.desk.count_all() == before

    def test_says_403_without_its_scope(self, door: Door, route: tuple[str, str]) -> None:
        others = [
            scope for scope in (*SCOPES, *SENIOR_SCOPES, *OPERATOR_SCOPES) if scope != SCOPE[route]
        ]
        key = door.make_key(*others)
        before = door.desk.count_all()
        answer = call(door, route, key)
        is_problem(answer, 403, "scope_missing")
        assert SCOPE[route] in answer.json()["detail"]
        assert door.desk.count_all() == before


def test_no_key_may_approve_above_the_limit_unless_it_is_told_so(door: Door) -> None:
    assert "reviews:above" not in SCOPES
    route = ("POST", "/v1/reviews/{rma}/confirmation")
    is_problem(call(door, route, door.key), 403, "scope_missing")


def test_no_merchants_key_may_steer_lanes_unless_it_is_told_so(door: Door) -> None:
    assert "relay:admin" not in SCOPES
    is_problem(door.send("GET", "/v1/relay/lanes"), 403, "scope_missing")


def test_wrong_scheme_is_no_credential(door: Door) -> None:
    for header in ("", "Basic abc", f"Token {door.key}", door.key):
        answer = door.http.get("/v1/returns", headers={"Authorization": header})
        is_problem(answer, 401, "credentials_invalid")


class TestClientToken:
    """The buyer's browser: half an hour, one order, no console."""

    def test_reads_and_cancels_the_case_of_its_order(self, door: Door) -> None:
        order = door.desk.buy()
        token = door.client_token(order.number)
        asked = door.ask(request_body(order), token)
        assert asked.status_code == 201
        rma = asked.json()["rma"]
        assert door.send("GET", f"/v1/returns/{rma}", token).status_code == 200
        assert door.send("POST", f"/v1/returns/{rma}/cancel", token).json()["state"] == "canceled"

    def test_ends_after_half_an_hour(self, door: Door) -> None:
        token = door.client_token(door.desk.buy().number)
        door.desk.clock.move(minutes=29, seconds=59)
        is_problem(door.send("GET", "/v1/returns/RMA-0000-0000-0", token), 404)
        door.desk.clock.move(seconds=1)
        is_problem(door.send("GET", "/v1/returns/RMA-0000-0000-0", token), 401)

    @pytest.mark.parametrize("route", [r for r, s in SCOPE.items() if "returns:" not in s])
    def test_opens_nothing_else(self, door: Door, route: tuple[str, str]) -> None:
        token = door.client_token(door.desk.buy().number)
        is_problem(call(door, route, token), 403, "scope_missing")

    @pytest.mark.parametrize("change", ["order", "merchant", "aud", "exp", "alg", "signature"])
    def test_is_refused_when_anything_in_it_is_changed(self, door: Door, change: str) -> None:
        token = door.client_token(door.desk.buy().number)
        claims = jwt.decode(token, options={"verify_signature": False})
        secret, algorithm = "guessed-secret-that-is-long-enough", "HS256"
        if change == "alg":
            secret, algorithm = "", "none"
        elif change != "signature":
            claims[change] = 1 if change == "exp" else "else"
        forged = jwt.encode(claims, secret, algorithm)
        is_problem(door.send("GET", "/v1/returns/RMA-0000-0000-0", forged), 401)

    def test_of_an_unknown_order_is_not_made(self, door: Door) -> None:
        answer = door.send("POST", "/v1/client-tokens", json={"order": "nope"})
        is_problem(answer, 404, "not_found")


class TestNotYoursLooksLikeNothing:
    """Law 7: the same status and the same body."""

    @pytest.fixture
    def foreign(self, door: Door) -> tuple[str, str]:
        """An order number and RMA of somebody else."""
        order = door.desk.buy()
        return order.number, door.desk.ask(order)["rma"]

    def strangers(self, door: Door) -> list[str]:
        """Another order's browser, and another merchant."""
        own = door.desk.buy()
        other = Desk(door.desk.runtime, "other")
        key = create_key(door.desk.runtime, other.merchant.id, "x", SCOPES, None)
        return [door.client_token(own.number), key]

    @pytest.mark.parametrize("route", OF_A_CASE, ids=" ".join)
    def test_case(self, door: Door, route: tuple[str, str], foreign: tuple[str, str]) -> None:
        for key in self.strangers(door):
            before = door.desk.count_all()
            real = call(door, route, key, foreign[1])
            none = call(door, route, key, "RMA-0000-0000-0")
            is_problem(real, (403, 404))
            assert (real.status_code, real.content) == (none.status_code, none.content)
            assert door.desk.count_all() == before

    def test_order(self, door: Door, foreign: tuple[str, str]) -> None:
        for key in self.strangers(door):
            before = door.desk.count_all()
            asked = {"lines": [{"collection": "0x" + "c0" * 20, "token_id": "100"}],
                     "reason": "other", "remedy": "store_credit"}  # fmt: skip
            real = door.ask({**asked, "order": foreign[0]}, key, "same")
            none = door.ask({**asked, "order": "A-999"}, key, "same")
            is_problem(real, 404, "not_found")
            assert real.content == none.content
            assert door.desk.count_all() == before

    def test_order_that_is_only_tried(self, door: Door, foreign: tuple[str, str]) -> None:
        for key in self.strangers(door):
            before = door.desk.count_all()
            asked = {**RETURN, "lines": [{**RETURN["lines"][0], "token_id": "100"}]}
            path = "/v1/returns/eligibility"
            real = door.send("POST", path, key, json={**asked, "order": foreign[0]})
            none = door.send("POST", path, key, json={**asked, "order": "A-999"})
            is_problem(real, 404, "not_found")
            assert real.content == none.content
            assert door.desk.count_all() == before

    def test_client_token_of_another_merchants_order(self, door: Door) -> None:
        order, other = door.desk.buy(), self.strangers(door)[1]
        real = door.send("POST", "/v1/client-tokens", other, json={"order": order.number})
        none = door.send("POST", "/v1/client-tokens", other, json={"order": "A-999"})
        is_problem(real, 404)
        assert real.content == none.content

    def test_lists_show_nothing_of_another_merchant(self, door: Door, foreign: object) -> None:
        other = self.strangers(door)[1]
        assert door.send("GET", "/v1/returns", other).json() == {"returns": []}
        assert door.send("GET", "/v1/holds", other).json() == {"holds": []}
        assert door.send("GET", "/v1/reviews", other).json()["reviews"] == []
        empty = {"run": None, "breaks": []}
        assert door.send("GET", "/v1/reconciliation", other).json() == empty
