"""A scoring service as tutorials write it: a row of features in, two models, a dictionary out.

Gradient boosting and an isolation forest of scikit-learn, loaded with joblib when the service
starts; every request makes a row (of pandas where it is installed, as the tutorials do, otherwise
of numpy, which is faster) and asks both. Nothing is checked, explained or stored.
"""

from __future__ import annotations

import os
from typing import Any

import joblib
import numpy as np
from fastapi import FastAPI

try:
    import pandas
except ImportError:
    pandas = None

app = FastAPI()
_parts: dict[str, Any] = joblib.load(os.environ["TUTORIAL_MODELS"])
_names: list[str] = _parts["names"]


@app.post("/predict")
def predict(features: dict[str, float]) -> dict[str, Any]:
    """Score one request."""
    values = [[features.get(name, 0.0) for name in _names]]
    row = np.array(values) if pandas is None else pandas.DataFrame(values, columns=_names)
    risk = float(_parts["boosting"].predict_proba(row)[0][1])
    anomaly = float(_parts["forest"].decision_function(row)[0])
    decision = "review" if risk > 0.6 or anomaly < -0.1 else "approve"
    return {"risk": risk, "anomaly": anomaly, "decision": decision}
