"""Features: units, and missing facts that stay missing."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from returns.words import Reason, Remedy
from triage.features import FEATURE_NAMES, FEATURES, SIGNS, column, features

OTHER = "0x" + "c" * 40
#: Features that every request has, whatever is known of it.
ALWAYS = {"returns_90d", "returns_365d", "by_agent", "reason_regret"}


def test_every_feature_says_unit_source_and_sign():
    assert len(SIGNS) == len(FEATURES) == 36
    for feature in FEATURES:
        assert feature.unit
        assert feature.source.endswith(".")
        assert feature.sign in (-1, 0, 1)


@given(data=st.data())
def test_a_column_has_the_numbers_of_each_line(any_facts, data):
    lines = data.draw(st.lists(any_facts, max_size=3))
    for name in FEATURE_NAMES:
        assert list(column(name, lines)) == [features(one)[name] for one in lines]


def test_ordinary_facts_have_the_expected_numbers(facts):
    found = features(facts(price_now=45 * 10**18, returns_90d=1, returns_365d=1))
    assert tuple(found) == FEATURE_NAMES
    assert found["hold_days"] == 3.0
    assert found["returns_90d"] == 1.0
    assert found["return_rate_365d"] == pytest.approx(2 / 14)
    assert found["price_drop"] == 0.25
    assert found["premium_paid"] == pytest.approx(math.log2(59.9 / 60))
    assert found["refund_over_price"] == pytest.approx(math.log2(59.9 / 45))
    assert found["price_digits"] == 3.0
    assert found["amount_log10"] == pytest.approx(math.log10(59.9 / 0.05))
    assert found["customer_age"] == pytest.approx(math.log10(366))
    assert (found["reason_regret"], found["third_party"], found["first_order"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"price_then": None}, "price_drop"),
        ({"price_now": None}, "price_drop"),
        ({"price_then": 0}, "price_drop"),
        ({"price_then": 0}, "premium_paid"),
        ({"price_now": 0}, "refund_over_price"),
        ({"usual_price": 0}, "amount_over_usual"),
        ({"paid": 0}, "price_digits"),
        ({"customer_since": None}, "customer_age"),
        ({"orders_365d": 0}, "return_rate_365d"),
        ({"orders_365d": 0}, "first_order"),
        ({"buyer_wallet": None}, "third_party"),
        ({"holder": None}, "left_buyer"),
        ({"currency": "JPY"}, "amount_log10"),
        ({"requested": 0}, "amount_log10"),
        ({"rarity_rank": 5, "supply": 0}, "rarity"),
        ({"rarity_rank": 0, "supply": 5}, "rarity"),
        ({"billing_country": "DE"}, "delivery_abroad"),
        ({"connection_country": "DE"}, "connection_abroad"),
        ({"on_lists": None}, "phishing"),
    ],
)
def test_missing_is_missing_and_not_zero(facts, change, name):
    assert features(facts(**change))[name] is None


def test_every_optional_fact_that_is_unknown_is_a_missing_feature(facts):
    unknown = {"customer_since": None, "price_then": None, "price_now": None, "holder": None}
    found = features(facts(**unknown, buyer_wallet=None, requester_wallet=None, orders_365d=0))
    known = {name for name, value in found.items() if value is not None}
    assert known == ALWAYS | {"hold_days", "third_party", "amount_log10", "price_digits"}


def test_dates_that_disagree_are_missing(facts):
    early = facts().purchased_at - timedelta(days=1)
    late = facts().requested_at
    found = features(facts(requested_at=early, customer_since=late, wallet_since=late))
    assert (found["hold_days"], found["customer_age"], found["wallet_age"]) == (None, None, None)


def test_price_that_rose_is_negative_and_bounded(facts):
    assert features(facts(price_then=100, price_now=150))["price_drop"] == -0.5
    assert features(facts(price_then=1, price_now=2**256 - 1))["price_drop"] == -1.0
    assert features(facts(price_then=100, price_now=0))["price_drop"] == 1.0


def test_same_value_in_dollars_and_ether_is_near(facts):
    ether = features(facts(currency="ETH", requested=10**18))["amount_log10"]
    dollars = features(facts(currency="USD", requested=200_000))["amount_log10"]
    tokens = features(facts(currency="TUSD", requested=2_000_000_000))["amount_log10"]
    assert ether == pytest.approx(dollars) == pytest.approx(tokens)


def test_regret_first_order_and_third_party_are_flags(facts):
    found = features(facts(reason=Reason.PRICE_REGRET, orders_365d=1, recipient=OTHER))
    assert (found["reason_regret"], found["first_order"], found["third_party"]) == (1, 1, 1)
    assert features(facts(remedy=Remedy.FIAT_REFUND, buyer_wallet=None))["third_party"] == 0


def test_round_price_has_few_digits_in_any_minor_unit(facts):
    assert features(facts(paid=5 * 10**18))["price_digits"] == 1
    assert features(facts(paid=4_999))["price_digits"] == 4
    assert features(facts(paid=83_291_700_000_000_000))["price_digits"] == 6


def test_countries_are_compared_with_the_connection_and_with_each_other(facts):
    home = {"billing_country": "DE", "delivery_country": "DE", "connection_country": "DE"}
    assert features(facts(**home))["delivery_abroad"] == 0
    assert features(facts(**home))["connection_abroad"] == 0
    assert features(facts(**{**home, "delivery_country": "US"}))["delivery_abroad"] == 1
    assert features(facts(**{**home, "connection_country": "US"}))["connection_abroad"] == 1
    assert features(facts(**{**home, "billing_country": None}))["connection_abroad"] == 0


def test_phishing_counts_in_any_role_and_other_lists_do_not(facts):
    assert features(facts(on_lists=("phishing/payee",)))["phishing"] == 1
    assert features(facts(on_lists=("allow/customer", "phishing/holder")))["phishing"] == 1
    assert features(facts(on_lists=("antiphishing/holder", "sanctions/holder")))["phishing"] == 0
    assert features(facts(on_lists=()))["phishing"] == 0


@pytest.mark.parametrize("name", [f.name for f in FEATURES if f.unit == "log2(1 + count)"])
@pytest.mark.parametrize("count", [0, 1, 255, 256, 10**15])
def test_counts_are_doublings_without_a_jump_where_the_table_ends(facts, name, count):
    assert features(facts(**{name: count}))[name] == math.log2(1 + count)


def test_rarity_is_a_share_even_if_the_rank_is_beyond_the_supply(facts):
    assert features(facts(rarity_rank=5, supply=1_000))["rarity"] == 0.005
    assert features(facts(rarity_rank=50, supply=10))["rarity"] == 1.0


@given(data=st.data())
def test_every_feature_is_finite_or_missing(any_facts, data):
    for value in features(data.draw(any_facts)).values():
        assert value is None or (type(value) is float and math.isfinite(value))


@given(data=st.data())
def test_what_is_easy_to_claim_changes_no_feature(any_facts, facts, data):
    blame = data.draw(st.sampled_from([r for r in Reason if r is not Reason.PRICE_REGRET]))
    words = data.draw(st.text(max_size=50))
    assert features(facts(reason=blame, message=words)) == features(facts())
