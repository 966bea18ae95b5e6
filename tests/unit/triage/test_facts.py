"""Facts: one spelling, exact amounts, and refusals of what cannot be a fact."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from returns.errors import AmountInvalid, BadInput, CurrencyUnknown, FieldInvalid, RequestMalformed
from returns.words import Remedy
from triage.facts import Facts

BUYER, OTHER = "0x" + "b" * 40, "0x" + "c" * 40


@given(data=st.data())
def test_facts_survive_their_json_exactly(any_facts, data):
    facts = data.draw(any_facts)
    again = Facts.from_json(facts.to_json())
    assert again == facts
    assert again.to_json() == facts.to_json()
    assert again.facts_hash == facts.facts_hash


def test_amounts_and_token_id_are_strings_in_json(facts):
    content = json.loads(facts(token_id=2**256 - 1).to_json())
    assert content["token_id"] == str(2**256 - 1)
    assert content["paid"] == content["requested"] == "59900000000000000000"
    assert content["returns_90d"] == 0
    assert content["requested_at"] == "2022-01-14T12:00:00.000000Z"


def test_same_facts_in_another_spelling_have_the_same_hash(facts):
    local = datetime(2022, 1, 14, 21, 0, tzinfo=timezone(timedelta(hours=9)))
    spelled = facts(holder="0x" + "B" * 40, requested_at=local)
    assert spelled == facts()
    assert spelled.facts_hash == facts().facts_hash


def test_another_fact_has_another_hash(facts):
    assert facts(returns_90d=1).facts_hash != facts().facts_hash


@pytest.mark.parametrize("value", [-1, 1.0, "1", True, 2**256])
@pytest.mark.parametrize("name", ["paid", "requested", "already_refunded", "token_id", "price_now"])
def test_refuses_amounts_that_are_not_uint256(facts, name, value):
    with pytest.raises(AmountInvalid):
        facts(**{name: value})


@pytest.mark.parametrize("value", [-1, 0.5, True, None])
def test_refuses_counts_that_are_not_counts(facts, value):
    with pytest.raises(FieldInvalid):
        facts(returns_90d=value)


@pytest.mark.parametrize("name", ["purchased_at", "requested_at", "customer_since"])
def test_refuses_times_without_a_zone(facts, name):
    with pytest.raises(FieldInvalid):
        facts(**{name: datetime(2022, 1, 1)})  # noqa: DTZ001


@pytest.mark.parametrize("value", ["", "0x1", "b" * 40, "0x" + "g" * 40, BUYER + "\n", 5])
def test_refuses_what_is_not_an_address(facts, value):
    for name in ("collection", "holder", "recipient"):
        with pytest.raises(FieldInvalid):
            facts(**{name: value})


def test_refuses_missing_facts_that_are_always_known(facts):
    for name in ("collection", "paid", "purchased_at", "remedy", "message"):
        with pytest.raises(BadInput):
            facts(**{name: None})


def test_refuses_words_that_are_only_text(facts):
    with pytest.raises(FieldInvalid):
        facts(remedy="crypto_refund")


def test_refuses_unknown_currency(facts):
    with pytest.raises(CurrencyUnknown):
        facts(currency="DOGE")


@pytest.mark.parametrize("text", ["", "[]", "{}", "nope", "[" * 100_000, '"facts"'])
def test_from_json_refuses_what_is_not_facts(text):
    with pytest.raises(RequestMalformed):
        Facts.from_json(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("paid", 5),
        ("paid", "1e3"),
        ("remedy", "gold"),
        ("remedy", 1),
        ("reason", []),
        ("requested_at", "soon"),
        ("requested_at", "2022-01-01"),
        ("purchased_at", 5),
        ("returns_90d", "1"),
        ("holder", "0x"),
        ("message", None),
    ],
)
def test_from_json_refuses_wrong_values(facts, name, value):
    content = {**json.loads(facts().to_json()), name: value}
    with pytest.raises(BadInput):
        Facts.from_json(json.dumps(content))


def test_from_json_refuses_unknown_and_absent_fields(facts):
    content = json.loads(facts().to_json())
    absent = {name: value for name, value in content.items() if name != "paid"}
    for wrong in ({**content, "risk": 0}, absent, {**content, "paid": None}):
        with pytest.raises(RequestMalformed):
            Facts.from_json(json.dumps(wrong))


def test_what_is_not_known_is_left_out_of_the_json_and_null_says_the_same(facts):
    content = json.loads(facts(price_then=None).to_json())
    assert "price_then" not in content
    assert "wallet_since" not in content
    again = Facts.from_json(json.dumps({**content, "price_then": None, "channel": None}))
    assert again == facts(price_then=None)
    assert again.channel == "web"


@pytest.mark.parametrize("value", [[1], "sanctions/holder", ["A b"], [""], ["x" * 101]])
def test_refuses_names_of_lists_that_are_not_short_names(facts, value):
    with pytest.raises(FieldInvalid):
        facts(on_lists=value)


def test_lists_have_one_spelling(facts):
    spelled = facts(on_lists=["phishing/recipient", "allow/customer", "allow/customer"])
    assert spelled.on_lists == ("allow/customer", "phishing/recipient")
    assert Facts.from_json(spelled.to_json()) == spelled


@pytest.mark.parametrize("value", ["de", "DEU", "", 49, "D1"])
def test_refuses_what_is_not_a_country(facts, value):
    with pytest.raises(FieldInvalid):
        facts(billing_country=value)


@pytest.mark.parametrize("value", [0, 1, "true"])
def test_refuses_flags_that_are_not_flags(facts, value):
    with pytest.raises(FieldInvalid):
        facts(listed=value)


def test_refuses_a_text_longer_than_anybody_writes(facts):
    assert facts(message="x" * 10_000).message
    with pytest.raises(FieldInvalid):
        facts(message="x" * 1_000_000)


def test_refuses_a_moment_that_has_no_utc(facts):
    edge = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9)))
    with pytest.raises(FieldInvalid):
        facts(delivered_at=edge)


def test_remainder_is_never_negative(facts):
    assert facts(paid=10, already_refunded=4).remainder == 6
    assert facts(paid=10, already_refunded=11).remainder == 0


def test_payee_is_the_claimant_for_crypto_and_nobody_for_a_card(facts):
    assert facts(requester_wallet=OTHER).payee == OTHER
    assert facts(requester_wallet=None).payee == BUYER
    assert facts(remedy=Remedy.FIAT_REFUND).payee is None
    assert facts(remedy=Remedy.FIAT_REFUND, recipient=OTHER).payee == OTHER


def test_times_are_kept_in_utc(facts):
    local = datetime(2022, 1, 14, 21, 0, tzinfo=timezone(timedelta(hours=9)))
    assert facts(requested_at=local).requested_at.tzinfo is UTC
