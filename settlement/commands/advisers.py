"""Which model and reader advise here, and what they were trained on."""

from __future__ import annotations

from typing import Any

from settlement.runtime import Runtime
from triage.generator import SOURCE


def who_advises(runtime: Runtime) -> dict[str, Any]:
    """For people who look at decisions: `composed` says that no real customer was learned from."""
    model, reader = runtime.model, runtime.reader
    return {
        "risk_model": None
        if model is None
        else {
            "hash": model.model_hash,
            "source": model.card.get("source"),
            "composed": model.card.get("source") == SOURCE,
        },
        "message_reader": None if reader is None else {"hash": reader.reader_hash},
    }
