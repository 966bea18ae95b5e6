"""What is told about subjects: kept, taken back, refused alone, and never above what is known."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from desk import ADDRESSES, Desk
from facts_desk import look
from fake_chain import DEPLOYMENT

from chain.addresses import to_checksum
from custody.eligibility import TokenState
from returns.errors import AddressInvalid, AmountInvalid, FieldInvalid
from returns.tables import Signal
from returns.words import SignalAbout
from settlement.commands import signals
from settlement.commands.inputs import OrderIn
from settlement.commands.signal_inputs import SignalIn
from settlement.commands.signals import SignalResult
from settlement.signals import TELLABLE
from triage.facts import FACT_NAMES, REQUIRED_FACTS

SINCE = "2026-01-01T00:00:00.000000Z"


def tell(desk: Desk, *told: tuple[str, str, dict[str, Any]]) -> list[SignalResult]:
    bulk = [SignalIn.model_validate({"about": a, "key": k, "facts": f}) for a, k, f in told]
    return signals.tell(desk.runtime, desk.merchant.id, bulk, "key:shop")


def kept(desk: Desk) -> dict[tuple[str, str], Any]:
    rows = desk.rows(Signal, Signal.merchant_id == desk.merchant.id)
    return {(row.about.value, row.key): json.loads(row.facts) for row in rows}


def token(order: OrderIn) -> str:
    return f"{DEPLOYMENT.collection}/{order.lines[0].token_id}"


def test_what_is_told_of_each_subject_reaches_the_facts_of_its_purchase(desk: Desk) -> None:
    order, stranger = desk.buy(customer="ann"), desk.buy(owner=1)
    results = tell(
        desk,
        ("customer", "ann", {"chargebacks_365d": 2, "billing_country": "DE"}),
        ("wallet", ADDRESSES[0], {"wallet_moves": 7}),
        ("token", token(order), {"revealed": True, "supply": 10_000}),
        ("order", order.number, {"royalty": "50", "delivery_country": "US"}),
    )
    assert results == [
        SignalResult("ann"),
        SignalResult(ADDRESSES[0]),
        SignalResult(token(order)),
        SignalResult(order.number),
    ]
    facts = look(desk, order)
    assert (facts.chargebacks_365d, facts.billing_country, facts.wallet_moves) == (2, "DE", 7)
    assert (facts.revealed, facts.supply) == (True, 10_000)
    assert (facts.royalty, facts.delivery_country) == (50, "US")
    other = look(desk, stranger)
    assert (other.chargebacks_365d, other.wallet_moves, other.revealed, other.royalty) == (
        None, None, None, None,
    )  # fmt: skip


def test_another_merchants_word_is_not_heard(desk: Desk) -> None:
    order, other = desk.buy(customer="ann"), Desk(desk.runtime, "other")
    tell(
        other, ("customer", "ann", {"chargebacks_365d": 2}), ("token", token(order), {"supply": 9})
    )
    facts = look(desk, order)
    assert (facts.chargebacks_365d, facts.supply) == (None, None)
    tell(desk, ("customer", "ann", {"chargebacks_365d": 1}))
    assert kept(other)["customer", "ann"] == {"chargebacks_365d": 2}


def test_the_books_and_the_chain_go_before_what_is_told(desk: Desk) -> None:
    order = desk.buy(customer="ann")
    for _ in range(9):
        desk.buy(customer="ann")
    tell(
        desk,
        ("customer", "ann", {"customer_since": SINCE}),
        ("token", token(order), {"transferable": True, "rented": True, "price_now": "1"}),
        ("order", order.number, {"price_then": "1"}),
    )
    facts = look(desk, order, state=TokenState(None, transferable=False))
    assert facts.customer_since == order.placed_at
    assert (facts.price_then, facts.price_now) == (1000, 1000)
    # The chain did not say whether it is rented.
    assert (facts.transferable, facts.rented) == (False, True)


def test_of_two_words_that_of_the_order_counts(desk: Desk) -> None:
    order = desk.buy(customer="ann")
    tell(
        desk,
        ("order", order.number, {"consumer": False}),
        ("customer", "ann", {"consumer": True}),
    )
    assert look(desk, order).consumer is False


def test_the_wallet_that_asks_is_the_one_that_is_meant(desk: Desk) -> None:
    order = desk.buy()
    tell(desk, ("wallet", ADDRESSES[1], {"wallet_since": SINCE}))
    assert look(desk, order).wallet_since is None
    asked = look(desk, order, wallet=ADDRESSES[1])
    assert asked.wallet_since == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_newer_word_replaces_null_takes_back_and_the_rest_stays(desk: Desk) -> None:
    tell(desk, ("customer", "ann", {"chargebacks_365d": 2, "consumer": True}))
    first = desk.rows(Signal)[0].told_at
    desk.clock.move(hours=1)
    told = {"chargebacks_365d": None, "consumer": False, "shared_ip": None}
    assert tell(desk, ("customer", "ann", told)) == [SignalResult("ann")]
    assert kept(desk) == {("customer", "ann"): {"consumer": False}}
    assert desk.rows(Signal)[0].told_at > first


def test_an_address_in_any_case_is_one_subject(desk: Desk) -> None:
    order = desk.buy()
    checksum = to_checksum(ADDRESSES[0])
    upper = "0x" + ADDRESSES[0][2:].upper()
    assert len({checksum, upper, ADDRESSES[0]}) == 3
    tell(desk, *[("wallet", key, {"wallet_moves": n}) for n, key in enumerate((checksum, upper))])
    collection = "0x" + DEPLOYMENT.collection[2:].upper()
    tell(desk, ("token", f"{collection}/{order.lines[0].token_id}", {"supply": 5}))
    assert set(kept(desk)) == {("wallet", ADDRESSES[0]), ("token", token(order))}
    facts = look(desk, order)
    assert (facts.wallet_moves, facts.supply) == (1, 5)


@pytest.mark.parametrize(
    ("about", "key", "facts", "error"),
    [
        ("customer", "ann", {"paid": "5"}, FieldInvalid),
        ("customer", "ann", {"no_such_fact": 1}, FieldInvalid),
        ("customer", "ann", {"\ud800": 1}, FieldInvalid),
        ("customer", "ann", {"consumer": True, "supply": 3}, FieldInvalid),
        ("customer", "ann", {"consumer": "yes"}, FieldInvalid),
        ("customer", "ann", {"chargebacks_365d": 1.0}, FieldInvalid),
        ("customer", "ann", {"chargebacks_365d": float("nan")}, FieldInvalid),
        ("customer", "ann", {"chargebacks_365d": -1}, FieldInvalid),
        ("customer", "ann", {"chargebacks_365d": True}, FieldInvalid),
        ("customer", "ann", {"billing_country": "de"}, FieldInvalid),
        ("customer", "ann", {"customer_since": "yesterday"}, FieldInvalid),
        ("customer", "ann", {"customer_since": "2026-01-01T00:00:00"}, FieldInvalid),
        ("order", "A-1", {"royalty": 5}, AmountInvalid),
        ("order", "A-1", {"royalty": ["5"]}, AmountInvalid),
        ("order", "A-1", {"royalty": "\ud800"}, AmountInvalid),
        ("order", "A-1", {"royalty": str(2**256)}, AmountInvalid),
        ("wallet", "ann", {"wallet_moves": 1}, AddressInvalid),
        ("wallet", "0x" + "0" * 40, {"wallet_moves": 1}, AddressInvalid),
        ("token", DEPLOYMENT.collection, {"supply": 1}, FieldInvalid),
        ("token", "punks/1", {"supply": 1}, AddressInvalid),
        ("token", f"{DEPLOYMENT.collection}/0x1", {"supply": 1}, AmountInvalid),
        ("token", f"{DEPLOYMENT.collection}/1/2", {"supply": 1}, AmountInvalid),
    ],
)
def test_what_cannot_be_told_is_refused_alone_and_the_rest_is_stored(
    desk: Desk, about: str, key: str, facts: dict[str, Any], error: type[Exception]
) -> None:
    tell(desk, ("customer", "ann", {"consumer": True}))
    before, refused, after = tell(
        desk,
        ("customer", "bob", {"consumer": True}),
        (about, key, facts),
        ("customer", "eve", {"consumer": True}),
    )
    assert (before, after) == (SignalResult("bob"), SignalResult("eve"))
    assert (refused.key, type(refused.error)) == (key, error)
    str(refused.error).encode()  # A problem document can carry it.
    told = {("customer", name): {"consumer": True} for name in ("ann", "bob", "eve")}
    assert kept(desk) == told


def test_everything_tellable_is_a_fact_that_no_request_must_have() -> None:
    assert set(TELLABLE) == set(SignalAbout)
    for names in TELLABLE.values():
        assert names <= set(FACT_NAMES) - set(REQUIRED_FACTS)
