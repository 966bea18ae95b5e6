"""Evaluation: measures that agree with scikit-learn, intervals, and honest words for figures."""

import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from returns.errors import ModelInvalid
from triage import evaluation, metrics
from triage.evaluation import ECE_BAR, evaluate_on_generated, evaluate_risk
from triage.generator import SOURCE, compose

RANKING = [metrics.auc, metrics.average_precision]


@pytest.fixture(scope="module")
def evaluated():
    return evaluate_on_generated(seed=4, count=2_500)


@pytest.fixture(scope="module")
def scored():
    rng = np.random.default_rng(5)
    risk = np.round(rng.beta(1, 5, 3_000), 2)  # with ties
    return risk, (rng.random(3_000) < risk).astype(np.int64)


def value(measure, risk, truth):
    return metrics.measured(truth, [(risk, [measure])], seed=1, resamples=1)[0][0][0]


def test_measures_agree_with_scikit_learn(scored):
    risk, truth = scored
    assert value(metrics.auc, risk, truth) == pytest.approx(roc_auc_score(truth, risk))
    found = value(metrics.average_precision, risk, truth)
    assert found == pytest.approx(average_precision_score(truth, risk))
    assert value(metrics.brier, risk, truth) == pytest.approx(brier_score_loss(truth, risk))


def test_resamples_are_those_of_rows_and_the_same_for_both_scores(scored):
    risk, truth = scored
    wanted = [(risk, RANKING), (risk, RANKING)]
    first, second = metrics.measured(truth, wanted, seed=9, resamples=50)
    for mine, other in zip(first, second, strict=True):
        assert np.array_equal(mine[1], other[1])
    drawn = np.random.default_rng(9).integers(0, len(truth), (50, len(truth)))[7]
    assert first[0][1][7] == pytest.approx(roc_auc_score(truth[drawn], risk[drawn]))


def test_calibration_error_of_what_is_always_or_never_right():
    truth = np.array([0, 1] * 50)
    assert value(metrics.ece, np.full(100, 0.5), truth) == 0.0
    assert value(metrics.ece_equal_mass, np.full(100, 0.5), truth) == 0.0
    assert value(metrics.ece, np.full(100, 0.9), truth) == pytest.approx(0.4)
    assert value(metrics.ece, truth.astype(float), 1 - truth) == 1.0


def test_wilson_interval_is_that_of_the_textbook():
    assert metrics.share(0, 10) == {"of": 10, "value": 0.0, "low": 0.0, "high": 0.2775}
    assert metrics.share(5, 10) == {"of": 10, "value": 0.5, "low": 0.2366, "high": 0.7634}
    assert metrics.share(0, 0) == {"of": 0, "value": None, "low": None, "high": None}


def test_figures_of_the_generator_are_called_composed(evaluated):
    assert (evaluated["data"], evaluated["source"]) == ("composed", SOURCE)
    assert json.loads(json.dumps(evaluated, allow_nan=False)) == evaluated


def test_model_beats_the_rules_beyond_doubt_and_is_calibrated(evaluated):
    for name in ("auc", "average_precision"):
        gap = evaluated["difference"][name]
        assert 0 < gap["low"] < gap["value"] < gap["high"]
        mine, rules = evaluated["model"][name]["value"], evaluated["rules"][name]["value"]
        assert gap["value"] == pytest.approx(mine - rules, abs=2e-4)
    assert evaluated["model"]["ece"]["value"] <= ECE_BAR == evaluated["ece_bar"] == 0.03
    assert evaluated["ece_within_bar"] is True
    assert (evaluated["resamples"], evaluated["folds"]) == (1_000, 5)


def test_coverage_and_abuse_rise_with_the_threshold(evaluated):
    rows = evaluated["coverage"]
    shares = [row["decided_automatically"] for row in rows]
    assert shares == sorted(shares)
    for row in rows:
        through = row["abuse_among_approved"]
        assert through["of"] == round(row["decided_automatically"] * 2_500)
        assert through["value"] is None or through["low"] <= through["value"] <= through["high"]
    assert rows[-1]["abuse_among_approved"]["value"] > rows[2]["abuse_among_approved"]["value"]


def test_slices_hold_every_honest_request_once(evaluated):
    honest = evaluated["rows"] - evaluated["abusive"]
    fairness = dict(evaluated["fairness"])
    assert fairness.pop("review_from") == 0.6
    assert set(fairness) == {"country", "channel", "first_order"}
    for parts in fairness.values():
        assert sum(part["of"] for part in parts.values()) == honest


def test_rare_channels_are_put_together():
    parts = dict(evaluation._parts(np.array([f"shop-{number}" for number in range(40)])))
    assert len(parts) == 13
    assert parts["(others)"].sum() == 40 - 12


def test_refuses_labels_that_do_not_fit():
    facts, labels = compose(60, seed=1)
    with pytest.raises(ModelInvalid, match="60 rows and 59 labels"):
        evaluate_risk(facts, labels[:-1], seed=1)
    with pytest.raises(ModelInvalid, match="too few"):
        evaluate_risk(facts, [0] * 60, seed=1)
