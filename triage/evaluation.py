"""Holds the model against the rule score on requests that it has not seen, and says how sure it is.

Every fold is scored by a model that was trained, and calibrated, on the other folds only. Figures
from the generator say that they are composed: they are no promise for a shop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedKFold

from returns.errors import ModelInvalid
from triage import metrics
from triage.boosting import FOLDS
from triage.bulk import contributions_of
from triage.facts import Facts
from triage.features import FEATURE_NAMES
from triage.generator import SOURCE, compose
from triage.metrics import Numbers, interval, measured, share
from triage.model import probability_of
from triage.rule_score import rule_score
from triage.table import Table
from triage.training import learn

Labels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: The largest expected calibration error that is taken for honest.
ECE_BAR = 0.03
#: As the standard policy has it: what a person looks at.
REVIEW_FROM = 0.6

_THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
_HONESTY: dict[str, metrics.Measure] = {
    "brier": metrics.brier,
    "ece": metrics.ece,
    "ece_equal_mass": metrics.ece_equal_mass,
}
_RANKING: dict[str, metrics.Measure] = {
    "auc": metrics.auc,
    "average_precision": metrics.average_precision,
}

#: By which answers false reviews are compared; each gives a slice's name to every request.
SLICES: dict[str, Callable[[Facts], str]] = {
    "country": lambda facts: "known" if facts.billing_country else "unknown",
    "channel": lambda facts: facts.channel,
    "first_order": lambda facts: "yes" if facts.orders_365d <= 1 else "no",
}
#: Channels are free text: more than this many are put together.
_MOST_IN_A_SLICE = 12


def evaluate_on_generated(seed: int, count: int = 20_000) -> dict[str, object]:
    """Evaluate on the generator that ships with the product; the result says `composed`."""
    facts, labels = compose(count, seed)
    return {"data": "composed", "source": SOURCE, **evaluate_risk(facts, labels, seed)}


def evaluate_risk(
    facts: Sequence[Facts],
    labels: Sequence[int],
    seed: int,
    review_from: float = REVIEW_FROM,
    resamples: int = metrics.RESAMPLES,
) -> dict[str, object]:
    """Measure model and rule score on the same held-out folds.

    `labels` are 1 (abusive) or 0; `review_from` is the probability from which a person looks. Every
    interval holds 95 of 100. The result can be written as JSON. Raises `ModelInvalid` for a table
    that cannot be learned from.
    """
    if len(facts) != len(labels):
        raise ModelInvalid(problem=f"its table has {len(facts)} rows and {len(labels)} labels")
    table = Table()
    for one, label in zip(facts, labels, strict=True):
        table.add_facts(one, label)
    truth = table.truth()
    risk = _held_out(table.values(), truth, seed)
    points = np.array([rule_score(one).points for one in facts], dtype=np.float64)
    return {
        "rows": len(truth),
        "abusive": int(truth.sum()),
        "folds": FOLDS,
        "resamples": resamples,
        "seed": seed,
        **_compared(truth, risk, points, seed, resamples),
        "coverage": [_covered(truth, risk, limit) for limit in _THRESHOLDS],
        "fairness": _fairness(facts, truth, risk >= review_from, review_from),
    }


def _held_out(values: Numbers, truth: Labels, seed: int) -> Numbers:
    """The probability of every row by a model that has seen neither it nor its fold."""
    if np.bincount(truth, minlength=2).min() < FOLDS:
        raise ModelInvalid(problem="its table has too few of a label to hold some out")
    risk = np.zeros(len(truth))
    splits = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(values, truth)
    for seen, unseen in splits:
        learned = learn(values[seen], truth[seen], seed)
        columns = [FEATURE_NAMES.index(one.name) for one in learned.steps]
        parts = contributions_of(learned.steps, values[unseen][:, columns])
        logits = learned.intercept + parts.sum(axis=1)
        risk[unseen] = [probability_of(logit) for logit in logits.tolist()]
    return risk


def _compared(
    truth: Labels, risk: Numbers, points: Numbers, seed: int, resamples: int
) -> dict[str, object]:
    ranking, honesty = list(_RANKING.values()), list(_HONESTY.values())
    wanted: list[metrics.Wanted] = [(risk, [*ranking, *honesty]), (points, ranking)]
    model, rules = measured(truth, wanted, seed, resamples)
    names = (*_RANKING, *_HONESTY)
    figures = {name: interval(*one) for name, one in zip(names, model, strict=True)}
    return {
        "model": figures,
        "rules": {name: interval(*one) for name, one in zip(_RANKING, rules, strict=True)},
        "difference": {
            name: interval(mine[0] - other[0], mine[1] - other[1])
            for name, mine, other in zip(_RANKING, model, rules, strict=False)
        },
        "ece_bar": ECE_BAR,
        "ece_within_bar": figures["ece"]["value"] <= ECE_BAR,
    }


def _covered(truth: Labels, risk: Numbers, limit: float) -> dict[str, object]:
    """What goes through without a person if one looks from `limit` on, and the abuse in it."""
    through = risk < limit
    return {
        "review_from": limit,
        "decided_automatically": round(float(through.mean()), 4),
        "abuse_among_approved": share(int(truth[through].sum()), int(through.sum())),
    }


def _fairness(
    facts: Sequence[Facts], truth: Labels, reviewed: Mask, review_from: float
) -> dict[str, object]:
    """How often honest requests of each slice are sent to a person all the same."""
    honest = truth == 0
    found: dict[str, object] = {"review_from": review_from}
    for slice_, name_of in SLICES.items():
        names = np.array([name_of(one) for one in facts])
        found[slice_] = {
            name: share(int(reviewed[own & honest].sum()), int((own & honest).sum()))
            for name, own in _parts(names)
        }
    return found


def _parts(names: npt.NDArray[np.str_]) -> list[tuple[str, Mask]]:
    """Masks of the most frequent names, and of all others together."""
    values, counts = np.unique(names, return_counts=True)
    chosen = values[np.argsort(-counts, kind="stable")][:_MOST_IN_A_SLICE]
    parts = [(str(name), names == name) for name in sorted(chosen.tolist())]
    rest = ~np.isin(names, chosen)
    return [*parts, ("(others)", rest)] if rest.any() else parts
