"""Deciding: one at a time, in bulk, and over HTTP beside a service written as tutorials do.

Requests are composed by the generator that ships with the product, with messages of its own
wording. Both services run alone, one after the other, each as one process, under the same load.
`CASES=n` makes it shorter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import joblib
import numpy as np
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest

from returns import migrate
from settlement.commands import policies, setup, training
from settlement.commands.access import create_key
from settlement.runtime import Runtime
from settlement.settings import Settings
from tests.support import stores
from tests.support.ports import free_port
from triage.examples import phrases
from triage.facts import Facts
from triage.features import FEATURE_NAMES, features
from triage.generator import compose

_CASES = int(os.environ.get("CASES", "20000"))
_SECONDS = 8 if _CASES >= 10_000 else 2
_SEED = 2026
#: What ninety-nine of a hundred decisions have to keep.
_BUDGET_MS = 3
#: Share of requests that come without a message, as from a button.
_SILENT = 0.3


def main() -> None:
    """Measure, print, keep."""
    figures: dict[str, Any] = {}
    for part in _parts():
        figures |= part
        for name, value in part.items():
            sys.stdout.write(f"{name:<24} {value:>10}\n")
        sys.stdout.flush()
    line = json.dumps(figures)
    Path("var").mkdir(exist_ok=True)
    Path("var/bench-triage.json").write_text(line + "\n")
    sys.stdout.write(line + "\n")
    sys.exit(_broken(figures))


def _broken(figures: dict[str, Any]) -> str | None:
    """Promises that hold on any machine: one answer either way, and the budget of a decision."""
    if figures["identical"] != figures["compared"]:
        return "In bulk other decisions were made than one by one."
    if figures["decision_p99_ms"] > _BUDGET_MS:
        return f"A decision took longer than its budget of {_BUDGET_MS} ms."
    return None


def _parts() -> Iterator[dict[str, Any]]:
    yield {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1), "cases": _CASES}
    with tempfile.TemporaryDirectory() as folder, _database() as (name, url):
        home = Path(folder)
        runtime = Runtime(Settings(home=home, database_url=url))
        key = _prepare(runtime)
        facts, labels = _composed()
        cases = home / "cases.jsonl"
        cases.write_text("\n".join(one.to_json() for one in facts))
        yield {"database": name, "train_s": runtime_seconds["train"]}
        yield {"cold_start_s": _cold_start(home, cases)}
        yield _in_child("measure", home, cases)
        with _tutorial(home, facts, labels) as port:
            yield _named("tutorial_http", _load(port, "/predict", "-", _rows(facts)))
        with _ours(home, url) as port:
            bodies = [_handed_in(one) for one in facts[:2_000]]
            path = "/v1/decisions?store="
            yield _named("http", _load(port, f"{path}false", key, bodies))
            yield _named("http_stored", _load(port, f"{path}true", key, bodies))


runtime_seconds: dict[str, float] = {}


@contextmanager
def _database() -> Iterator[tuple[str, str]]:
    """PostgreSQL where it answers, as in production; else a file in the home folder."""
    if stores.answers(stores.POSTGRES):
        with stores.postgres_database() as url:
            yield "PostgreSQL", url
    else:
        yield "SQLite", ""


def _prepare(runtime: Runtime) -> str:
    migrate.upgrade(runtime.database)
    merchant = setup.create_merchant(runtime, "bench", "Bench")
    policies.begin(runtime, merchant.id, setup.STANDARD_POLICY.read_text(), "bench")
    started = time.perf_counter()
    training.train_model(runtime)
    training.train_reader(runtime)
    runtime_seconds["train"] = round(time.perf_counter() - started, 1)
    key = create_key(runtime, merchant.id, "bench", ("decisions:write",), 1)
    runtime.close()
    return key


def _composed() -> tuple[list[Facts], list[int]]:
    dice = Random(_SEED)
    facts, labels = compose(_CASES, _SEED)
    texts = [one.text for one in phrases()]
    spoken = [
        replace(one, message="" if dice.random() < _SILENT else dice.choice(texts)) for one in facts
    ]
    return spoken, labels


def _cold_start(home: Path, cases: Path) -> float:
    """From starting a process to its first decision; the median of some."""
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        _in_child("first", home, cases)
        taken.append(time.perf_counter() - started)
    return round(sorted(taken)[2], 2)


def _in_child(what: str, home: Path, cases: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.triage_process", what, str(home), str(cases)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def _tutorial(home: Path, facts: list[Facts], labels: list[int]) -> Iterator[int]:
    rows = np.array([[_or_zero(value) for value in features(one).values()] for one in facts])
    models = home / "tutorial.joblib"
    parts = {
        "names": list(FEATURE_NAMES),
        "boosting": GradientBoostingClassifier(random_state=1).fit(rows[:4_000], labels[:4_000]),
        "forest": IsolationForest(random_state=1).fit(rows[:4_000]),
    }
    joblib.dump(parts, models)
    with _served(["tests.bench.triage_tutorial:app"], {"TUTORIAL_MODELS": str(models)}) as port:
        yield port


@contextmanager
def _ours(home: Path, url: str) -> Iterator[int]:
    settings = {"UNDROP_HOME": str(home), "UNDROP_DATABASE_URL": url}
    with _served(["--factory", "api.app:create_app"], settings) as port:
        yield port


@contextmanager
def _served(what: list[str], settings: dict[str, str]) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", *what, "--port", str(port), "--no-access-log"]
    process = subprocess.Popen([*command, "--log-level", "warning"], env={**os.environ, **settings})
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError("the service did not start")


def _load(port: int, path: str, key: str, bodies: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.triage_load"]
    done = subprocess.run(
        [*command, str(port), path, key, str(_SECONDS)],
        input="\n".join(bodies), check=True, capture_output=True, text=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _named(name: str, found: dict[str, Any]) -> dict[str, Any]:
    if found["refused"]:
        raise RuntimeError(f"{found['refused']} requests to {name} were refused")
    return {f"{name}_s": found["rate"], f"{name}_p99_ms": found["p99_ms"]}


def _rows(facts: list[Facts]) -> list[str]:
    rows = [{name: _or_zero(value) for name, value in features(one).items()} for one in facts]
    return [json.dumps(row) for row in rows[:2_000]]


def _or_zero(value: float | None) -> float:
    return 0.0 if value is None else value


def _handed_in(facts: Facts) -> str:
    content = json.loads(facts.to_json())
    del content["merchant"]
    return json.dumps(content)


if __name__ == "__main__":
    main()
