"""Points from rules: bounds, what each part gives, and that nothing takes points away."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.rule_score import FACTORS, rule_score

COUNTS = [
    "returns_7d",
    "returns_30d",
    "returns_90d",
    "wallet_returns_7d",
    "wallet_returns_30d",
    "wallet_returns_90d",
    "chargebacks_365d",
    "nonreceipt_365d",
    "shared_payout",
    "shared_wallet",
    "shared_device",
    "shared_ip",
]


def test_table_names_each_factor_once_and_says_why():
    assert len({factor.name for factor in FACTORS}) == len(FACTORS) == 16
    for factor in FACTORS:
        assert factor.most > 0
        assert factor.why.endswith(".")


def test_ordinary_request_has_no_points_and_a_known_share(facts):
    score = rule_score(facts())
    assert (score.points, score.parts) == (0, {})
    # velocity over 90 days (25) and the customer's age (10) of 299 points
    assert score.known == round(35 / 299, 4)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"returns_7d": 1}, {"velocity_7d": 6}),
        ({"returns_7d": 9}, {"velocity_7d": 30}),
        ({"wallet_returns_7d": 2}, {"velocity_7d": 18}),
        ({"returns_30d": 1, "wallet_returns_30d": 4}, {"velocity_30d": 25}),
        ({"returns_30d": 3, "wallet_returns_30d": 0}, {"velocity_30d": 18}),
        ({"returns_90d": 5}, {"velocity_90d": 25}),
        ({"chargebacks_365d": 1}, {"chargebacks": 20}),
        ({"nonreceipt_365d": 3}, {"nonreceipt": 20}),
        ({"shared_payout": 1}, {"shared_payout": 12}),
        ({"shared_wallet": 2}, {"shared_wallet": 15}),
        ({"shared_device": 1}, {"shared_device": 6}),
        ({"shared_ip": 40}, {"shared_ip": 8}),
        ({"billing_country": "DE", "delivery_country": "US"}, {"delivery_country": 8}),
        ({"billing_country": "DE", "connection_country": "US"}, {"connection_country": 8}),
        ({"on_lists": ("anonymiser/connection",)}, {"anonymiser": 10}),
        ({"on_lists": ("phishing/holder",)}, {"phishing": 30}),
        ({"on_lists": ("anonymiser/holder", "sanctions/holder")}, {}),
    ],
)
def test_each_part_gives_its_points(facts, change, parts):
    score = rule_score(facts(**change))
    assert score.parts == parts
    assert score.points == sum(parts.values())


@pytest.mark.parametrize(("times", "points"), [(1, 0), (2, 0), (3, 5), (5, 10), (10, 15)])
def test_amount_is_held_against_the_usual_in_integers(facts, times, points):
    usual = 2**255 // 10
    score = rule_score(facts(usual_price=usual, paid=times * usual, requested=times * usual))
    assert score.parts.get("amount", 0) == points


@pytest.mark.parametrize(
    ("days", "points"), [(0, 10), (1, 7), (6, 7), (7, 4), (29, 4), (30, 0), (900, 0)]
)
def test_young_customers_and_wallets_have_points(facts, days, points):
    since = facts().requested_at - timedelta(days=days)
    score = rule_score(facts(customer_since=since, wallet_since=since))
    assert score.points == 2 * points


def test_first_day_after_the_request_is_not_known(facts):
    later = facts().requested_at + timedelta(seconds=1)
    score = rule_score(facts(customer_since=later))
    assert (score.points, score.known) == (0, round(25 / 299, 4))


@given(data=st.data())
def test_points_are_bounded_and_made_of_their_parts(any_facts, data):
    score = rule_score(data.draw(any_facts))
    most = {factor.name: factor.most for factor in FACTORS}
    assert all(0 < points <= most[name] for name, points in score.parts.items())
    assert score.points == min(100, sum(score.parts.values()))
    assert 0 <= score.known <= 1


@given(data=st.data(), name=st.sampled_from(COUNTS), more=st.integers(1, 5))
def test_more_of_any_count_never_takes_points_away(any_facts, data, name, more):
    facts = data.draw(any_facts)
    count = getattr(facts, name) or 0
    fewer = rule_score(replace(facts, **{name: min(count, 10**14)}))
    assert rule_score(replace(facts, **{name: min(count, 10**14) + more})).points >= fewer.points


@given(data=st.data(), name=st.sampled_from([name for name in COUNTS if name != "returns_90d"]))
def test_not_knowing_gives_no_points_and_is_said(any_facts, data, name):
    facts = data.draw(any_facts)
    silent = rule_score(replace(facts, **{name: None}))
    told = rule_score(replace(facts, **{name: 3}))
    assert silent.points <= told.points
    assert silent.known <= told.known
