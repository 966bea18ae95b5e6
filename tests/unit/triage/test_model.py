"""The model file and its score: sums that add up, missing values, files that were changed."""

import contextlib
import json
import math
import random
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from returns.errors import ModelInvalid
from triage.anomaly import Forest
from triage.canonical import canonical_json, sha256_hex
from triage.features import FEATURE_NAMES, SIGNS, features
from triage.generator import compose
from triage.model import MAX_BYTES, Model, Steps

NUMBERS = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.integers(0, 12).map(float)
ROWS = st.dictionaries(st.sampled_from(FEATURE_NAMES), NUMBERS)

HOLD = Steps("hold_days", (1.0, 10.0), (-500_000, 0, 1_000_000), 0, 0.0, 45.0, 3)
DROP = Steps("price_drop", (0.25,), (-200_000, 2_000_000), 100_000, -1.0, 0.9, 1)
#: One tree: hold_days below or above its middle, then price_drop.
TREE = Forest((9, 100), (0,), (0, -1, 1, -1, -1), (127, 1_000_000, 50, 2_000_000, 3_000_000),
              (2, 0, 4, 0, 0), (1_000_000, 2_000_000, 2_000_000, 3_000_000))  # fmt: skip


def small(**changes):
    return replace(Model((HOLD, DROP), -1_000_000, {}, TREE), **changes)


def sealed(content):
    """Write a file whose hash is right whatever else is wrong with it."""
    body = {name: value for name, value in content.items() if name != "hash"}
    return canonical_json({**body, "hash": sha256_hex(canonical_json(body))})


def test_score_is_the_logistic_of_what_adds_up():
    score = small().score({"hold_days": 20.0, "price_drop": 0.25})
    assert score.contributions == {"hold_days": 1_000_000, "price_drop": 2_000_000}
    assert (score.base, score.logit) == (-1_000_000, 2_000_000)
    assert score.probability == round(1 / (1 + math.exp(-2)), 6)
    assert score.confidence == round(2 * score.probability - 1, 4)
    assert (score.missing, score.novel) == ((), ())


@pytest.mark.parametrize(
    ("days", "part"), [(0.99, -500_000), (1.0, 0), (9.9, 0), (10.0, 1_000_000)]
)
def test_value_at_a_cut_belongs_to_the_step_above(days, part):
    assert small().score({"hold_days": days}).contributions["hold_days"] == part


@given(row=ROWS)
def test_contributions_and_base_sum_to_the_logit_exactly(model, row):
    score = model.score(row)
    parts = list(score.contributions.values())
    random.Random(1).shuffle(parts)
    assert score.base + sum(parts) == score.logit
    assert tuple(score.contributions) == model.names
    assert 0 <= score.probability <= 1
    assert 0 <= score.confidence <= 1
    assert 0 <= score.anomaly <= 1


@given(rows=st.lists(ROWS, max_size=6))
def test_many_are_scored_as_one_at_a_time_to_the_bit(model, rows):
    assert model.score_many(rows) == [model.score(row) for row in rows]


def test_more_rows_than_are_scored_at_a_time_keep_their_order(model):
    draw = random.Random(3)
    rows = [{name: draw.choice([None, draw.gauss(0, 3)]) for name in SIGNS} for _ in range(1_100)]
    assert model.score_many(rows) == [model.score(row) for row in rows]


def test_lines_are_scored_as_their_features_to_the_bit(model):
    lines = compose(1_100, seed=3)[0]
    assert model.score_lines(lines) == [model.score(features(one)) for one in lines]
    assert model.score_lines([]) == []


@given(row=ROWS)
def test_many_without_a_forest_have_no_anomaly(row):
    bare = small(forest=None)
    assert bare.score_many([row]) == [bare.score(row)]
    assert bare.score(row).anomaly is None


@given(row=ROWS, name=st.sampled_from(FEATURE_NAMES), more=st.floats(0, 1e9))
def test_risk_moves_only_the_way_of_each_sign(model, row, name, more):
    value = row.get(name)
    if value is None or not math.isfinite(value):
        value = 0.0
    low = model.score({**row, name: value}).logit
    high = model.score({**row, name: value + more}).logit
    if SIGNS[name]:
        assert SIGNS[name] * high >= SIGNS[name] * low


@given(row=ROWS, name=st.sampled_from(FEATURE_NAMES))
def test_not_knowing_is_never_better_than_the_average(model, row, name):
    score = model.score({**row, name: None})
    assert score.contributions.get(name, 0) >= 0


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_missing_and_not_finite_cost_confidence_by_the_weight(value):
    score = small().score({"hold_days": 3.0, "price_drop": value})
    assert score.contributions["price_drop"] == 100_000
    assert score.missing == ("price_drop",)
    assert score.confidence == round(abs(2 * score.probability - 1) * 3 / 4, 4)


def test_absent_features_are_missing_and_unknown_ones_unread():
    score = small().score({"shoe_size": 45.0})
    assert score.missing == ("hold_days", "price_drop")
    assert (score.logit, score.confidence) == (-900_000, 0.0)


@pytest.mark.parametrize("value", [45.1, 1e308, -0.1, -1e308])
def test_beyond_the_range_of_training_is_the_outermost_step_and_said(value):
    score = small().score({"hold_days": value, "price_drop": 0.0})
    assert score.contributions["hold_days"] == (1_000_000 if value > 0 else -500_000)
    assert score.novel == ("hold_days",)
    assert small().score({"hold_days": 45.0, "price_drop": -1.0}).novel == ()


def test_certainty_does_not_overflow():
    sure = 1_000_000_000
    assert small(intercept=sure).score({}).probability == 1.0
    assert small(intercept=-sure).score({}).probability == 0.0


def test_path_and_percentile_of_a_small_forest():
    # hold_days of 45 is the last cell of its range, so that price_drop is asked
    assert small().score({"hold_days": 1.0}).anomaly == 0.75
    assert small().score({"hold_days": 45.0, "price_drop": -1.0}).anomaly == 0.25
    assert small().score({"hold_days": 45.0, "price_drop": 0.9}).anomaly == 0.0
    # unknown is the median: cells 9 and 100
    assert small().score({}).anomaly == 0.75
    assert small().score({"hold_days": 45.0}).anomaly == 0.0


def test_model_survives_its_json_and_keeps_its_hash(model):
    again = Model.from_json(model.to_json())
    assert again == model
    assert again.model_hash == model.model_hash == json.loads(model.to_json())["hash"]
    assert again.to_json() == model.to_json()
    assert len(model.to_json()) < MAX_BYTES


def test_model_cannot_be_changed(model):
    with pytest.raises(FrozenInstanceError):
        model.intercept = 0


def test_refuses_a_file_with_one_number_changed(model):
    for part, place in (("values", 0), ("cuts", 0)):
        content = json.loads(model.to_json())
        content["features"][0][part][place] -= 1
        with pytest.raises(ModelInvalid, match="hash"):
            Model.from_json(canonical_json(content))


def test_refuses_a_file_with_another_card_intercept_or_hash(model):
    content = json.loads(model.to_json())
    for change in ({"card": {}}, {"intercept": 5}, {"hash": "0" * 64}, {"hash": None}):
        with pytest.raises(ModelInvalid, match="hash"):
            Model.from_json(canonical_json({**content, **change}))


def test_refuses_a_file_of_the_first_version_and_says_so():
    old = {"version": 1, "names": ["hold_days"], "means": [0.0], "scales": [1.0], "coefs": [1.0]}
    with pytest.raises(ModelInvalid, match="version 1, and what is read here is version 2"):
        Model.from_json(sealed({**old, "intercept": 0.0, "card": {}}))


def changed(feature):
    """Write the small model with its first feature changed."""
    content = json.loads(small().to_json())
    return {**content, "features": [{**content["features"][0], **feature}, content["features"][1]]}


@pytest.mark.parametrize(
    "feature",
    [
        {"name": "shoe_size"},
        {"name": "price_drop"},
        {"name": ["hold_days"]},
        {"cuts": [10.0, 1.0]},
        {"cuts": [1.0, 1.0]},
        {"cuts": [1.0]},
        {"cuts": [1.0, True]},
        {"cuts": [1.0, "10"]},
        {"cuts": [1.0, 10**400]},
        {"cuts": None},
        {"values": [0, 1]},
        {"values": [0, -1, 1]},
        {"values": [0, 1, 2.0]},
        {"values": [0, 1, True]},
        {"values": [0, 1, 10**10]},
        {"values": 5},
        {"missing": -1},
        {"missing": 0.5},
        {"low": 50.0},
        {"high": None},
        {"weight": -1},
        {"weight": 1.5},
        {"extra": 1},
    ],
)
def test_refuses_steps_that_cannot_be_scored_with_even_if_the_hash_is_right(feature):
    with pytest.raises(ModelInvalid):
        Model.from_json(sealed(changed(feature)))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 3},
        {"version": True},
        {"features": []},
        {"features": {}},
        {"features": [5]},
        {"features": [{}] * 50},
        {"intercept": None},
        {"intercept": 0.5},
        {"intercept": 10**300},
        {"card": []},
        {"forest": []},
        {"forest": {}},
        {"extra": 1},
    ],
)
def test_refuses_a_file_that_is_no_model_even_if_its_hash_is_right(change):
    with pytest.raises(ModelInvalid):
        Model.from_json(sealed({**json.loads(small().to_json()), **change}))


@pytest.mark.parametrize(
    "change",
    [
        {"middles": [9]},
        {"middles": [9, 256]},
        {"middles": [9, 1.0]},
        {"roots": []},
        {"roots": [1]},
        {"roots": [0, 5]},
        {"roots": [0, 2, 1]},
        {"columns": [0, -1, 2, -1, -1]},
        {"columns": [0, -1, -2, -1, -1]},
        {"columns": [0, -1, 1, -1]},
        {"limits": [256, 1_000_000, 50, 2_000_000, 3_000_000]},
        {"limits": [127, -1, 50, 2_000_000, 3_000_000]},
        {"limits": [127, 1_000_000, 50, 2_000_000, 10**400]},
        {"rights": [1, 0, 4, 0, 0]},
        {"rights": [0, 0, 4, 0, 0]},
        {"rights": [5, 0, 4, 0, 0]},
        {"rights": [2, 1, 4, 0, 0]},
        {"lengths": []},
        {"lengths": [2, 1]},
        {"lengths": None},
    ],
)
def test_refuses_a_forest_that_leads_nowhere(change):
    content = json.loads(small().to_json())
    with pytest.raises(ModelInvalid):
        Model.from_json(sealed({**content, "forest": {**content["forest"], **change}}))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", "\x80\x04", "[" * 60_000, "x" * 1_000_001, '{"version": NaN}']
)
def test_refuses_what_is_not_a_model(text):
    with pytest.raises(ModelInvalid):
        Model.from_json(text)


def test_refuses_not_a_number_and_endless_numbers_in_a_file():
    text = small().to_json()
    for bad in ("NaN", "1e999", "-Infinity"):
        with pytest.raises(ModelInvalid):
            Model.from_json(text.replace('"card":{}', f'"card":{{"auc":{bad}}}'))


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_refuses_to_be_built_from_not_a_number(number):
    for change in ({"cuts": (number, 10.0)}, {"low": number}, {"high": number}):
        with pytest.raises(ModelInvalid):
            replace(HOLD, **change)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.lists(st.integers(-5, 300) | st.floats(allow_nan=False, allow_infinity=False), max_size=5),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


def places(content, path=()):
    """List the path of every value in it."""
    inner = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in inner:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


@given(data=st.data(), row=ROWS)
def test_file_changed_anywhere_is_refused_or_can_be_scored_with(data, row):
    """Without its hash mended it is always refused; with it, it must still never fail in use."""
    content = json.loads(small().to_json())
    *path, last = data.draw(st.sampled_from(list(places(content))))
    target = content
    for step in path:
        target = target[step]
    before, target[last] = target[last], data.draw(JUNK)
    if canonical_json(before) != canonical_json(target[last]):
        with contextlib.suppress(ModelInvalid):
            assert Model.from_json(canonical_json(content)) == small()  # 1 for 1.0 is the same
    try:
        mended = Model.from_json(sealed(content))
    except ModelInvalid:
        return
    assert mended.score_many([row]) == [mended.score(row)]


@given(at=st.integers(0), byte=st.characters())
def test_text_changed_anywhere_is_refused_or_says_the_same(at, byte):
    text = small().to_json()
    place = at % len(text)
    try:
        again = Model.from_json(text[:place] + byte + text[place + 1 :])
    except ModelInvalid:
        return
    assert again == small()
