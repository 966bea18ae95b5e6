"""Training: the same table gives the same model, the card is honest, bad tables are refused."""

import math

import pytest

from returns.errors import ModelInvalid
from triage.features import FEATURES
from triage.generator import PERSONAS, SOURCE, compose, training_table
from triage.training import train, train_on_generated

NAMES = [feature.name for feature in FEATURES]
SIGNS = {feature.name: feature.sign for feature in FEATURES}


@pytest.fixture(scope="module")
def table():
    return training_table(2_000, seed=3)


def test_card_says_that_its_figures_come_from_generated_data(model):
    assert model.card["source"] == SOURCE
    assert SOURCE.startswith("Generated data only")
    assert model.card["rows"] == 20_000


def test_card_figures_are_those_of_a_useful_and_calibrated_model(model):
    assert 0.85 < model.card["auc"] < 0.97
    assert model.card["brier"] < 0.08
    assert model.card["ece"] < 0.03


def test_coefficients_follow_their_signs(model):
    for name, coef in zip(model.names, model.coefs, strict=True):
        assert coef * SIGNS[name] >= 0


def test_same_table_and_seed_give_the_same_bytes(table):
    assert train(*table, seed=1).to_json() == train(*table, seed=1).to_json()
    assert train_on_generated(5, 2_000) == train_on_generated(5, 2_000)


def test_table_of_unknown_origin_says_so(table):
    assert "not stated" in train(*table, seed=1).card["source"]
    assert train(*table, seed=1, source="Shop A, 2023").card["source"] == "Shop A, 2023"


def test_feature_that_defies_its_sign_is_dropped_and_named(table):
    rows, labels = table
    reversed_age = [
        {**row, "customer_age": float(label)} for row, label in zip(rows, labels, strict=True)
    ]
    defied = train(reversed_age, labels, seed=1)
    assert "customer_age" in defied.card["dropped"]
    assert "customer_age" not in defied.names


def test_feature_that_nobody_filled_is_dropped(table):
    rows, labels = table
    bare = [{**row, "price_drop": None} for row in rows]
    assert train(bare, labels, seed=1).card["dropped"] == ["price_drop"]


def test_not_a_number_is_trained_on_as_missing(table):
    rows, labels = table
    none = [{**row, "price_drop": None} if i % 2 else row for i, row in enumerate(rows)]
    nan = [{**row, "price_drop": math.nan} if i % 2 else row for i, row in enumerate(rows)]
    inf = [{**row, "price_drop": math.inf} if i % 2 else row for i, row in enumerate(rows)]
    assert train(none, labels, 1) == train(nan, labels, 1) == train(inf, labels, 1)


def test_refuses_tables_that_cannot_be_learned_from(table):
    rows, labels = table
    for bad_rows, bad_labels in (
        ([], []),
        (rows, labels[:-1]),
        (rows, [0] * len(rows)),
        (rows, [2] * len(rows)),
        (rows[:30], labels[:30]),
        ([{**row, "hold_days": "long"} for row in rows], labels),
        ([{} for _ in rows], labels),
    ):
        with pytest.raises(ModelInvalid):
            train(bad_rows, bad_labels, seed=1)


def test_generator_gives_the_same_requests_for_a_seed_and_others_for_another():
    assert compose(50, seed=1) == compose(50, seed=1)
    assert compose(50, seed=1) != compose(50, seed=2)


def test_generator_keeps_the_shares_that_it_documents():
    facts, labels = compose(5_000, seed=4)
    assert sum(p.weight for p in PERSONAS.values()) == pytest.approx(1)
    assert sum(p.weight for p in PERSONAS.values() if p.abusive) == pytest.approx(0.12)
    assert sum(labels) / 5_000 == pytest.approx(0.12 * 0.98 + 0.88 * 0.02, abs=0.015)
    unknown = sum(f.price_then is None for f in facts) / 5_000
    assert unknown == pytest.approx(0.25, abs=0.03)


def test_generated_requests_are_possible():
    for facts in compose(1_000, seed=5)[0]:
        assert facts.returns_90d <= facts.returns_365d < facts.orders_365d
        assert facts.purchased_at <= facts.requested_at
        assert facts.customer_since is None or facts.customer_since <= facts.purchased_at
