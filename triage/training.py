"""Trains the risk model on a table handed to it. The only module here that needs scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from returns.errors import ModelInvalid
from triage.features import FEATURES
from triage.generator import SOURCE, training_table
from triage.model import Model

Row = Mapping[str, float | None]
Numbers = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

FOLDS = 5
_BINS = 10
_FEWEST_PER_LABEL = 20
_SOURCE_UNKNOWN = "A table that was handed in; its origin was not stated."


def train(
    rows: Sequence[Row], labels: Sequence[int], seed: int, source: str | None = None
) -> Model:
    """Fit a model on rows of `triage.features.features` and labels (1 abusive, 0 not).

    None and values that are not finite are missing: they are set to the mean, which contributes 0.
    `source` says in the card where the table comes from. The same table and seed give the same
    model. Raises `ModelInvalid` if the table is too small or has labels other than 0 and 1.
    """
    values, truth = _table(rows), _truth(rows, labels)
    kept = _kept(values, truth)
    card: dict[str, object] = {
        "source": source or _SOURCE_UNKNOWN,
        "method": "StandardScaler and LogisticRegression of scikit-learn, missing set to the mean",
        "seed": seed,
        "rows": len(rows),
        "abusive_share": round(float(truth.mean()), 6),
        "dropped": [f.name for i, f in enumerate(FEATURES) if i not in kept],
        **_cross_validated(values[:, kept], truth, seed),
    }
    return _as_model(_fitted(values[:, kept], truth), kept, card)


def train_on_generated(seed: int, count: int = 20_000) -> Model:
    """Train on the generator that ships with the product; the card says that it is one."""
    rows, labels = training_table(count, seed)
    return train(rows, labels, seed, SOURCE)


def _table(rows: Sequence[Row]) -> Numbers:
    names = [feature.name for feature in FEATURES]
    try:
        values = np.array([[row.get(name) for name in names] for row in rows], dtype=np.float64)
    except (TypeError, ValueError) as bad:
        raise ModelInvalid(problem="its table holds something that is not a number") from bad
    values[~np.isfinite(values)] = np.nan
    return values.reshape(len(rows), len(names))


def _truth(rows: Sequence[Row], labels: Sequence[int]) -> Labels:
    if len(rows) != len(labels):
        raise ModelInvalid(problem=f"its table has {len(rows)} rows and {len(labels)} labels")
    if any(label not in (0, 1) for label in labels):
        raise ModelInvalid(problem="its labels are not all 0 or 1")
    truth = np.array(labels, dtype=np.int64)
    if min(int(truth.sum()), len(truth) - int(truth.sum())) < _FEWEST_PER_LABEL:
        raise ModelInvalid(problem=f"its table has fewer than {_FEWEST_PER_LABEL} of a label")
    return truth


def _pipeline() -> Pipeline:
    # the scaler passes NaN through; zero after scaling is the mean, so a missing value adds nothing
    return make_pipeline(
        StandardScaler(),
        FunctionTransformer(np.nan_to_num),
        LogisticRegression(C=1.0, max_iter=1000),
    )


def _fitted(values: Numbers, truth: Labels) -> Pipeline:
    return _pipeline().fit(values, truth)


def _kept(values: Numbers, truth: Labels) -> list[int]:
    """Return the columns to train on: without those that nobody filled or that defy their sign.

    One at a time, the worst first: dropping one feature can turn the sign of another.
    """
    kept = [i for i in range(len(FEATURES)) if not np.isnan(values[:, i]).all()]
    while kept:
        coefs = _fitted(values[:, kept], truth)[-1].coef_[0]
        signed = [float(coefs[at]) * FEATURES[i].sign for at, i in enumerate(kept)]
        if min(signed) >= 0:
            return kept
        kept.pop(int(np.argmin(signed)))
    raise ModelInvalid(problem="its table supports none of the features")


@dataclass(frozen=True, slots=True)
class _Bin:
    share: float
    predicted: float
    observed: float


def _cross_validated(values: Numbers, truth: Labels, seed: int) -> dict[str, object]:
    """Score every row by a model that has not seen it; say how right and how honest it was."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    odds = cross_val_predict(_pipeline(), values, truth, cv=folds, method="predict_proba")
    risk: Numbers = odds[:, 1]
    bins = _bins(risk, truth)
    return {
        "folds": FOLDS,
        "auc": round(float(roc_auc_score(truth, risk)), 4),
        "brier": round(float(brier_score_loss(truth, risk)), 4),
        "ece": round(sum(b.share * abs(b.predicted - b.observed) for b in bins), 4),
    }


def _bins(risk: Numbers, truth: Labels) -> list[_Bin]:
    """Split the predictions into ten bins of equal width, as the expected calibration error wants.

    Source: Naeini, Cooper and Hauskrecht (2015), "Obtaining Well Calibrated Probabilities".
    """
    at = np.minimum((risk * _BINS).astype(np.int64), _BINS - 1)
    chosen = [at == i for i in range(_BINS) if (at == i).any()]
    return [_Bin(float(c.mean()), float(risk[c].mean()), float(truth[c].mean())) for c in chosen]


def _as_model(fitted: Pipeline, kept: list[int], card: Mapping[str, object]) -> Model:
    scaler, regression = fitted[0], fitted[-1]
    return Model(
        names=tuple(FEATURES[i].name for i in kept),
        means=tuple(map(float, scaler.mean_)),
        scales=tuple(map(float, scaler.scale_)),
        coefs=tuple(map(float, regression.coef_[0])),
        intercept=float(regression.intercept_[0]),
        card=card,
    )
