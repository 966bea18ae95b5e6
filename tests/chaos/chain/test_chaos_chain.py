"""Short runs of the whole thing: the product stays clean, what is sabotaged is found out, nobody
stays behind.
"""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.chaos.trial import SEED, begin, run

pytestmark = [pytest.mark.chain, pytest.mark.timeout(400)]


def test_sixty_faults_send_nothing_twice_leave_no_gap_and_lose_nothing(tmp_path: Path) -> None:
    code, line = run("chain", tmp_path, 60)
    assert (line["double_sends"], line["nonce_gaps"], line["lost"]) == (0, 0, 0)
    assert code == 0
    assert line["faults"] >= 60
    assert line["transactions"] > 60
    assert list(line)[-1] == "worst_repair_s"
    [kept] = json.loads((tmp_path / "var/chaos-chain.json").read_text())
    assert kept["seed"] == int(SEED)
    assert sum(kept["by_kind"].values()) == line["faults"]
    assert kept["executed"] + sum(kept["reasons"].values()) == sum(kept["intents"].values())


@pytest.mark.parametrize("sabotage", ["fence", "write-ahead"])
def test_a_relayer_without_a_safeguard_sends_twice_and_is_found_out(
    tmp_path: Path, sabotage: str
) -> None:
    code, line = run("chain", tmp_path, 14, sabotage, end=10)
    assert code == 1
    assert line["double_sends"] > 0


def test_a_run_that_is_ended_leaves_no_process_behind(tmp_path: Path) -> None:
    process = begin("chain", tmp_path, 200)
    try:
        family = wait_for_family(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 143
    end = time.monotonic() + 20
    while any(is_running(pid) for pid in family) and time.monotonic() < end:
        time.sleep(0.1)
    assert [pid for pid in family if is_running(pid)] == []


def wait_for_family(pid: int, least: int = 6) -> set[int]:
    """Descendants: a node and its wrapper, a fork server, its tracker, a proxy, a relayer."""
    end = time.monotonic() + 120
    while len(family := descendants(pid)) < least:
        assert time.monotonic() < end, "the run does not begin"
        time.sleep(0.2)
    return family


def descendants(pid: int) -> set[int]:
    parents = {child: parent for child in pids() if (parent := parent_of(child)) is not None}
    found, before = {pid}, 0
    while len(found) > before:
        before = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found - {pid}


def pids() -> list[int]:
    return [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]


def parent_of(pid: int) -> int | None:
    fields = stat_of(pid)
    return int(fields[1]) if fields else None


def is_running(pid: int) -> bool:
    """A process that has ended and was not waited for is not running."""
    fields = stat_of(pid)
    return bool(fields) and fields[0] != "Z"


def stat_of(pid: int) -> list[str]:
    """State, parent and more (proc(5)); nothing for a process that is gone."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
