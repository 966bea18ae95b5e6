"""Short runs of the whole thing: the index is the chain, and what is sabotaged is found out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.chaos.trial import SEED, run

pytestmark = [pytest.mark.chain, pytest.mark.timeout(400)]


def test_forty_faults_leave_nothing_out_nothing_twice_and_no_token_in_wrong_hands(
    tmp_path: Path,
) -> None:
    code, line = run("index", tmp_path, 40)
    assert (line["missed"], line["twice"], line["wrong_holder"]) == (0, 0, 0)
    assert code == 0
    assert line["faults"] >= 40
    assert line["events"] > 1_000
    assert list(line)[-1] == "worst_repair_s"
    [kept] = json.loads((tmp_path / "var/chaos-index.json").read_text())
    assert kept["seed"] == int(SEED)
    assert sum(kept["by_kind"].values()) == line["faults"]


def test_an_index_that_does_not_rewind_is_found_out(tmp_path: Path) -> None:
    code, line = run("index", tmp_path, 12, "rewind", end=5)
    assert code == 1
    assert line["twice"] > 0
    assert line["wrong_holder"] > 0
