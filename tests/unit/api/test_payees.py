"""`/v1/payees`: told in full, shown masked, never another merchant's."""

from __future__ import annotations

from typing import Any

import pytest
from banks import IBANS
from desk import Desk
from doors import Door, is_problem

from returns.tables import AuditRow, PayeeAccount
from settlement.commands.access import SCOPES, create_key

ACCOUNT = {"holder": "Jörg Müßig", "iban": "DE89 3704 0044 0532 0130 00"}


def put(door: Door, customer: str = "ann", **changes: Any) -> Any:
    return door.send("PUT", f"/v1/payees/{customer}", json=ACCOUNT | changes)


@pytest.fixture(autouse=True)
def _may_name_accounts(door: Door) -> None:
    """Whoever has this may send a customer's money elsewhere: no key has it by default."""
    door.key = door.make_key(*SCOPES, "payees:write", label="shop")


def test_no_key_may_name_accounts_by_default(door: Door) -> None:
    answer = door.send("PUT", "/v1/payees/ann", door.make_key(), json=ACCOUNT)
    is_problem(answer, 403, "scope_missing")
    assert door.desk.rows(PayeeAccount) == []


def test_an_account_is_stored_and_shown_masked(door: Door) -> None:
    answer = put(door)
    assert answer.status_code == 200
    shown = {
        "customer": "ann", "holder": "Jorg Mussig", "iban": "DE89 **** 3000", "bic": None,
        "since": "2026-03-02T12:00:00+00:00",
    }  # fmt: skip
    assert answer.json() == shown
    assert door.send("GET", "/v1/payees/ann").json() == shown
    [row] = door.desk.rows(PayeeAccount)
    assert (row.iban, row.created_by) == (IBANS[0], "key:shop")


def test_the_same_account_again_changes_nothing(door: Door) -> None:
    put(door)
    before = door.desk.count_all()
    door.desk.clock.move(days=1)
    assert put(door).json()["since"] == "2026-03-02T12:00:00+00:00"
    assert door.desk.count_all() == before


def test_another_account_takes_its_place_and_both_stay(door: Door) -> None:
    put(door)
    door.desk.clock.move(days=1)
    assert put(door, iban=IBANS[1]).json()["since"] == "2026-03-03T12:00:00+00:00"
    old, new = door.desk.rows(PayeeAccount)
    assert (old.replaced_at, new.replaced_at) == (door.desk.clock(), None)
    audit = door.desk.rows(AuditRow, AuditRow.action == "payee.set")[-1]
    assert (audit.before, audit.after) == ("DE89 **** 3000", "FR14 **** 2606")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"iban": "DE89370400440532013001"}, "iban"),
        ({"iban": "BR1800360305000010009795493C1"}, "iban"),
        ({"holder": "😀"}, "holder"),
        ({"bic": "COBADEFFXX"}, "bic"),
        ({"holder": ""}, "holder"),
        ({"iban": 7}, "iban"),
        ({"more": "x"}, "more"),
    ],
)
def test_what_cannot_be_paid_to_is_refused_and_nothing_stored(
    door: Door, changes: dict[str, Any], field: str
) -> None:
    before = door.desk.count_all()
    answer = put(door, **changes)
    is_problem(answer, 422, "field_invalid")
    assert field in answer.json()["detail"]
    assert "DE89" not in answer.text
    assert door.desk.count_all() == before


def test_another_merchants_customer_looks_like_nobody(door: Door) -> None:
    put(door)
    other = Desk(door.desk.runtime, "other")
    key = create_key(door.desk.runtime, other.merchant.id, "x", SCOPES, None)
    real, none = (door.send("GET", f"/v1/payees/{name}", key) for name in ("ann", "bob"))
    is_problem(real, 404, "not_found")
    assert real.content == none.content


def test_the_customers_browser_cannot_say_where_money_goes(door: Door) -> None:
    order = door.desk.buy()
    token = door.client_token(order.number)
    for method in ("PUT", "GET"):
        body = {"json": ACCOUNT} if method == "PUT" else {}
        answer = door.send(method, f"/v1/payees/{order.customer}", token, **body)
        is_problem(answer, 403, "scope_missing")
    assert door.desk.rows(PayeeAccount) == []
