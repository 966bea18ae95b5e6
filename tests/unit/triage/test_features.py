"""Features: units, and missing facts that stay missing."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from returns.words import Reason, Remedy
from triage.features import FEATURES, features

OTHER = "0x" + "c" * 40


def test_every_feature_says_unit_source_and_sign():
    assert len({feature.name for feature in FEATURES}) == len(FEATURES) == 9
    for feature in FEATURES:
        assert feature.unit
        assert feature.source.endswith(".")
        assert feature.sign in (-1, 0, 1)


def test_ordinary_facts_have_the_expected_numbers(facts):
    found = features(facts(price_now=45 * 10**18, returns_90d=1, returns_365d=1))
    assert list(found) == [feature.name for feature in FEATURES]
    assert found["hold_days"] == 3.0
    assert found["returns_90d"] == 1.0
    assert found["return_rate_365d"] == pytest.approx(2 / 14)
    assert found["price_drop"] == 0.25
    assert found["amount_log10"] == pytest.approx(math.log10(59.9 / 0.05))
    assert found["customer_age"] == pytest.approx(math.log10(366))
    assert (found["reason_regret"], found["third_party"], found["first_order"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"price_then": None}, "price_drop"),
        ({"price_now": None}, "price_drop"),
        ({"price_then": 0}, "price_drop"),
        ({"customer_since": None}, "customer_age"),
        ({"orders_365d": 0}, "return_rate_365d"),
        ({"orders_365d": 0}, "first_order"),
        ({"buyer_wallet": None}, "third_party"),
        ({"currency": "JPY"}, "amount_log10"),
        ({"requested": 0}, "amount_log10"),
    ],
)
def test_missing_is_missing_and_not_zero(facts, change, name):
    assert features(facts(**change))[name] is None


def test_dates_that_disagree_are_missing(facts):
    early = facts().purchased_at - timedelta(days=1)
    found = features(facts(requested_at=early, customer_since=facts().requested_at))
    assert found["hold_days"] is None
    assert found["customer_age"] is None


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


@given(data=st.data())
def test_every_feature_is_finite_or_missing(any_facts, data):
    for value in features(data.draw(any_facts)).values():
        assert value is None or math.isfinite(value)
