"""Training: the same table gives the same model, the card is honest, bad tables are refused."""

import math

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from returns.errors import ModelInvalid
from triage import training
from triage.boosting import bins_of, cuts_of
from triage.bulk import cells_of, table_of
from triage.features import FEATURE_NAMES, SIGNS, features
from triage.generator import PERSONAS, SOURCE, compose, training_table
from triage.table import MAX_ROWS, Table
from triage.training import train


@pytest.fixture(scope="module")
def table():
    return training_table(2_000, seed=3)


@pytest.fixture(scope="module")
def trained(table):
    return train(*table, seed=1)


def test_card_says_that_its_figures_come_from_generated_data(model):
    assert model.card["source"] == SOURCE
    assert SOURCE.startswith("Generated data only")
    assert model.card["rows"] == 20_000


def test_card_figures_are_those_of_a_useful_and_calibrated_model(model):
    assert 0.85 < model.card["auc"]["low"] < model.card["auc"]["high"] < 0.95
    assert model.card["average_precision"]["low"] > 0.7
    assert model.card["brier"]["value"] < 0.06
    assert model.card["ece"]["high"] < 0.03


def test_card_names_what_matters_and_what_was_dropped(model):
    importance = model.card["importance"]
    assert max(importance, key=importance.get) == "return_rate_365d"
    assert set(importance) == set(model.names)
    assert sorted([*importance, *model.card["dropped"]]) == sorted(FEATURE_NAMES)
    # the generator draws these alike for everybody: a model that used them would use noise
    assert "by_agent" in model.card["dropped"]


def test_steps_follow_their_signs_and_reward_no_silence(model):
    for part in model.steps:
        rises = [b - a for a, b in zip(part.values, part.values[1:], strict=False)]
        assert min(SIGNS[part.name] * rise for rise in rises) >= 0
        assert part.missing >= 0


def test_contributions_are_centred_on_the_training_rows(model):
    rows, _ = training_table(20_000, seed=7)
    found = np.array([list(s.contributions.values()) for s in model.score_many(rows)])
    assert np.abs(found.mean(axis=0)).max() <= 1


def test_anomaly_orders_requests_as_scikit_learn_does(trained, table, monkeypatch):
    fitted = []
    fit = IsolationForest.fit

    def kept(self, cells):
        fitted.append(fit(self, cells))
        return fitted[-1]

    monkeypatch.setattr(training.IsolationForest, "fit", kept)
    values = table_of(table[0], trained.names)
    assert training._forest(trained.steps, values, 1) == trained.forest
    rows, _ = training_table(500, seed=99)
    cells = cells_of(trained.steps, trained.forest.middles, table_of(rows, trained.names))
    lengths = np.array([trained.forest.length(row) for row in cells.tolist()])
    scores = fitted[0].score_samples(cells)
    order = np.argsort(lengths, kind="stable")
    # lengths are rounded to a millionth per tree: scores ascend with them but for that
    assert np.diff(scores[order]).min() > -1e-6
    assert len(set(lengths.tolist())) > 400


def test_unusual_request_has_a_higher_percentile_than_an_ordinary_one(model, facts):
    usual = model.score(features(facts())).anomaly
    odd = facts(
        returns_90d=9, returns_365d=30, orders_365d=31, round_trips=8, shared_payout=30, paid=1
    )
    assert usual < 0.9 < model.score(features(odd)).anomaly


def test_percentiles_spread_evenly_over_new_requests_of_the_same_kind(model):
    rows, _ = training_table(2_000, seed=8)
    found = [score.anomaly for score in model.score_many(rows)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)
    assert np.mean(np.array(found) > 0.95) == pytest.approx(0.05, abs=0.02)


def test_plain_marketplace_knows_enough_to_be_confident(model, facts):
    plain = facts(price_then=None, price_now=None)
    assert model.score(features(plain)).confidence >= 0.5


def test_same_table_and_seed_give_the_same_bytes(table, trained):
    assert train(*table, seed=1).to_json() == trained.to_json()


def test_table_of_unknown_origin_says_so(trained):
    assert "not stated" in trained.card["source"]


def test_feature_that_defies_its_sign_is_dropped_and_named(table):
    rows, labels = table
    defiant = [
        {**row, "customer_age": float(label)} for row, label in zip(rows, labels, strict=True)
    ]
    defied = train(defiant, labels, seed=1)
    assert "customer_age" in defied.card["dropped"]
    assert "customer_age" not in defied.names


def test_feature_that_nobody_filled_is_dropped(table, trained):
    rows, labels = table
    bare = train([{**row, "price_drop": None} for row in rows], labels, 1, "Shop A, 2023")
    assert bare.card["source"] == "Shop A, 2023"
    assert "price_drop" in trained.names
    assert "price_drop" in bare.card["dropped"]


def test_silence_of_the_abusive_is_held_against_nobody_less_than_the_average(table):
    rows, labels = table
    # only honest customers are silent about the price: trees would reward it
    silent = [
        {**row, "price_drop": row["price_drop"] if label else None}
        for row, label in zip(rows, labels, strict=True)
    ]
    for part in train(silent, labels, seed=1).steps:
        assert part.missing >= 0


def test_not_finite_is_trained_on_as_missing_and_absurd_values_are_bounded():
    table = Table()
    for value in (None, math.nan, math.inf, -math.inf, 1e300, -(10**400), 3):
        table.add({"hold_days": value}, 1)
    column = table.values()[:, FEATURE_NAMES.index("hold_days")]
    assert np.isnan(column[:4]).all()
    assert column[4:].tolist() == [1e9, -1e9, 3.0]
    assert np.isnan(np.delete(table.values(), FEATURE_NAMES.index("hold_days"), axis=1)).all()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda rows, labels: ([], []), "fewer than 20"),
        (lambda rows, labels: (rows, labels[:-1]), "2000 rows and 1999 labels"),
        (lambda rows, labels: (rows, [0] * len(rows)), "fewer than 20"),
        (lambda rows, labels: (rows, [2] * len(rows)), "'2' is neither 0 nor 1"),
        (lambda rows, labels: (rows, [0.5] * len(rows)), "'0.5' is neither 0 nor 1"),
        (lambda rows, labels: (rows[:30], labels[:30]), "fewer than 20"),
        (lambda rows, labels: ([{**rows[0], "hold_days": "long"}], [1]), "'hold_days' holds"),
        (lambda rows, labels: ([{**rows[0], "shoe_size": 45.0}], [1]), "named 'shoe_size'"),
        (lambda rows, labels: ([{} for _ in rows], labels), "supports none"),
    ],
)
def test_refuses_tables_that_cannot_be_learned_from(table, spoil, sentence):
    rows, labels = spoil(*table)
    with pytest.raises(ModelInvalid, match=sentence):
        train(rows, labels, seed=1)


def test_refuses_a_row_too_many(monkeypatch):
    assert MAX_ROWS == 2_000_000
    monkeypatch.setattr("triage.table.MAX_ROWS", 1)
    table = Table()
    table.add({}, 1)
    with pytest.raises(ModelInvalid, match="more than 1 rows"):
        table.add({}, 1)
    assert len(table) == 1


def test_cuts_lie_between_values_and_no_value_crowds_out_the_rest():
    many = np.concatenate([np.zeros(9_000), np.arange(1, 1_001, dtype=float)])
    cuts = cuts_of(many)
    assert cuts[0] == 0.5
    assert len(cuts) <= 31
    bins = bins_of(many[:, None], [cuts])[:, 0]
    sizes = np.bincount(bins.astype(int))
    assert sizes[0] == 9_000
    assert sizes[1:].max() <= 3 * sizes[1:].min()
    assert cuts_of(np.array([1.0, 2.0, 2.0, np.nan])) == [1.5]
    assert cuts_of(np.full(5, np.nan)) == cuts_of(np.zeros(5)) == []


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
    plain = sum(f.shared_device is None for f in facts) / 5_000
    assert plain == pytest.approx(1 - 0.5 * 0.6, abs=0.03)


def test_what_the_generator_knows_does_not_depend_on_who_asks():
    facts, labels = compose(20_000, seed=6)
    for name in ("shared_payout", "wallet_since", "perks_claimed", "on_lists", "chargebacks_365d"):
        known = [getattr(one, name) is not None for one in facts]
        abusive = np.mean([k for k, label in zip(known, labels, strict=True) if label])
        assert abusive == pytest.approx(np.mean(known), abs=0.03)


def test_generated_requests_are_possible():
    for facts in compose(1_000, seed=5)[0]:
        weeks = (facts.returns_7d, facts.returns_30d, facts.returns_90d, facts.returns_365d)
        spans = [count for count in weeks if count is not None]
        assert spans == sorted(spans)
        assert facts.returns_365d < facts.orders_365d
        assert facts.purchased_at <= facts.requested_at
        assert facts.customer_since is None or facts.customer_since <= facts.purchased_at
        assert facts.rarity_rank is None or 1 <= facts.rarity_rank <= facts.supply
