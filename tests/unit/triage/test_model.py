"""The model file and its score: sums that add up, missing values, files that were changed."""

import json
import math
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from returns.errors import ModelInvalid
from triage.canonical import canonical_json, sha256_hex
from triage.features import FEATURES
from triage.model import Model

NAMES = tuple(feature.name for feature in FEATURES)
NUMBERS = st.none() | st.floats(allow_nan=True, allow_infinity=True)


def small(**changes):
    parts = {"names": ("hold_days", "price_drop"), "means": (1.0, 0.0), "scales": (2.0, 0.5)}
    parts |= {"coefs": (1.0, 2.0), "intercept": -1.0, "card": {}}
    return Model(**{**parts, **changes})


def sealed(content):
    """Write a file whose hash is right whatever else is wrong with it."""
    body = {name: value for name, value in content.items() if name != "hash"}
    return canonical_json({**body, "hash": sha256_hex(canonical_json(body))})


def test_score_is_the_logistic_of_what_adds_up():
    score = small().score({"hold_days": 3.0, "price_drop": 0.25})
    assert score.contributions == {"hold_days": 1.0, "price_drop": 1.0}
    assert score.logit == 1.0
    assert score.probability == pytest.approx(1 / (1 + math.exp(-1)))
    assert score.confidence == pytest.approx(2 * score.probability - 1)
    assert score.missing == ()


@given(row=st.fixed_dictionaries(dict.fromkeys(NAMES, NUMBERS)))
def test_contributions_and_intercept_sum_to_the_logit(model, row):
    score = model.score(row)
    assert abs(model.intercept + sum(score.contributions.values()) - score.logit) <= 1e-12
    assert 0 <= score.probability <= 1
    assert 0 <= score.confidence <= 1


@given(
    row=st.fixed_dictionaries(dict.fromkeys(NAMES, NUMBERS)),
    coefs=st.lists(st.floats(-100, 100), min_size=9, max_size=9),
    intercept=st.floats(-100, 100),
)
def test_sum_is_exact_for_any_model_that_can_be_loaded(row, coefs, intercept):
    parts = {"names": NAMES, "means": (0.0,) * 9, "scales": (1e-3,) * 9, "coefs": tuple(coefs)}
    score = small(**parts, intercept=intercept).score(row)
    total = math.fsum((intercept, *score.contributions.values()))
    assert abs(total - score.logit) <= 1e-12


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_missing_and_not_finite_contribute_nothing_and_cost_confidence(value):
    score = small().score({"hold_days": 3.0, "price_drop": value})
    assert score.contributions["price_drop"] == 0.0
    assert score.missing == ("price_drop",)
    assert score.confidence == pytest.approx(abs(2 * score.probability - 1) / 2)


def test_absent_features_are_missing_and_unknown_ones_unread():
    score = small().score({"shoe_size": 45.0})
    assert score.missing == ("hold_days", "price_drop")
    assert (score.logit, score.confidence) == (-1.0, 0.0)


def test_absurd_value_is_held_at_eight_deviations():
    assert small().score({"hold_days": 1e308}).contributions["hold_days"] == 8.0
    assert small().score({"hold_days": -1e308}).contributions["hold_days"] == -8.0


def test_certainty_does_not_overflow():
    extreme = small(coefs=(100.0, 100.0))
    assert extreme.score({"hold_days": 1e9, "price_drop": 1e9}).probability == 1.0
    assert extreme.score({"hold_days": -1e9, "price_drop": -1e9}).probability < 1e-300


def test_model_survives_its_json_and_keeps_its_hash(model):
    again = Model.from_json(model.to_json())
    assert again == model
    assert again.model_hash == model.model_hash == json.loads(model.to_json())["hash"]
    assert again.to_json() == model.to_json()


def test_model_cannot_be_changed(model):
    with pytest.raises(FrozenInstanceError):
        model.intercept = 0.0


@pytest.mark.parametrize("name", ["coefs", "means", "scales"])
def test_refuses_a_file_with_one_number_changed(model, name):
    content = json.loads(model.to_json())
    content[name][0] += 0.001
    with pytest.raises(ModelInvalid, match="hash"):
        Model.from_json(canonical_json(content))


def test_refuses_a_file_with_another_card_intercept_or_hash(model):
    content = json.loads(model.to_json())
    for change in ({"card": {}}, {"intercept": 0.5}, {"hash": "0" * 64}, {"hash": None}):
        with pytest.raises(ModelInvalid, match="hash"):
            Model.from_json(canonical_json({**content, **change}))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": True},
        {"names": []},
        {"names": "hold_days"},
        {"names": ["hold_days", "hold_days"]},
        {"names": ["hold_days", "shoe_size"]},
        {"names": ["hold_days", 5]},
        {"names": ["hold_days", ["price_drop"]]},
        {"means": [0.0]},
        {"means": None},
        {"scales": [1.0, 0.0]},
        {"scales": [1.0, -1.0]},
        {"coefs": [1.0, "2"]},
        {"coefs": [1.0, True]},
        {"coefs": [1.0, 101.0]},
        {"coefs": [1.0, 10**400]},
        {"intercept": None},
        {"intercept": 1e300},
        {"card": []},
        {"extra": 1},
    ],
)
def test_refuses_a_file_that_cannot_be_scored_with_even_if_its_hash_is_right(change):
    content = {**json.loads(small().to_json()), **change}
    with pytest.raises(ModelInvalid):
        Model.from_json(sealed(content))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", "\x80\x04", "[" * 60_000, "x" * 100_000, '{"coefs": NaN}']
)
def test_refuses_what_is_not_a_model(text):
    with pytest.raises(ModelInvalid):
        Model.from_json(text)


def test_refuses_not_a_number_in_a_file(model):
    text = model.to_json().replace('"intercept":', '"intercept":NaN,"x":')
    with pytest.raises(ModelInvalid):
        Model.from_json(text)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_refuses_to_be_built_from_not_a_number(number):
    for change in ({"coefs": (number, 1.0)}, {"means": (number, 1.0)}, {"intercept": number}):
        with pytest.raises(ModelInvalid):
            small(**change)
