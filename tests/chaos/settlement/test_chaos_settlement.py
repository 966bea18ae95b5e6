"""Short runs of the whole thing: nothing is paid twice or lost, and sabotage is found out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.trial import ROOT, SEED

pytestmark = [pytest.mark.chain, pytest.mark.timeout(600)]

WRONG = ("double_payments", "lost_payments", "neither", "both", "ledger_imbalance", "breaks")


def run(folder: Path, cases: int, faults: int, sabotage: str = "") -> tuple[int, dict[str, Any]]:
    """The exit code and the last line; whatever happens, the run is over in the end."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("UNDROP_")}
    options = ("--cases", str(cases), "--faults", str(faults), "--seed", SEED, "--db", "sqlite")
    end = ("--end", "20" if sabotage else "200")
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.settlement.run", *options, *end],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT), "SABOTAGE": sabotage},
        capture_output=True,
        text=True,
        check=False,
        timeout=550,
    )
    assert done.returncode in (0, 1), done.stdout[-2000:] + done.stderr[-4000:]
    assert done.stdout.rstrip().endswith("}"), done.stderr[-4000:]
    if done.returncode:
        sys.stdout.write(done.stdout)
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def test_fifteen_returns_in_a_storm_are_paid_once_or_have_their_token_back(tmp_path: Path) -> None:
    code, line = run(tmp_path, 15, 50)
    assert {name: line[name] for name in WRONG} == dict.fromkeys(WRONG, 0)
    assert code == 0
    assert line["cases"] == 15
    assert line["faults"] >= 15
    assert list(line)[-1] == "slowest_repair_s"
    [kept] = json.loads((tmp_path / "var/chaos-settlement.json").read_text())
    assert kept["seed"] == int(SEED)
    assert sum(kept["by_kind"].values()) == line["faults"]


def test_a_processor_that_forgets_keys_is_found_out(tmp_path: Path) -> None:
    code, line = run(tmp_path, 8, 20, "idempotency")
    assert code == 1
    assert line["double_payments"] > 0
