"""A scoring process by itself: how soon it decides, how long one takes, how many in bulk, its size.

`python -m tests.bench.triage_process first|measure HOME CASES`; prints JSON.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from importlib.resources import files
from pathlib import Path

from returns.words import Verdict
from triage.backtest import Past, backtest
from triage.decide import decide, decide_many
from triage.facts import Facts
from triage.model import Model
from triage.policy import parse_policy
from triage.reader import Reader
from triage.schema import Policy

_POLICY = files("triage") / "policies" / "standard.yaml"
_ONE_BY_ONE = 3_000
_COMPARED = 2_000

Desk = tuple[Policy, Model, Reader]


def main() -> None:
    """Load what is in force, decide, print."""
    what, home, cases = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    desk = (
        parse_policy(_POLICY.read_text()),
        Model.from_json((home / "model.json").read_text()),
        Reader.from_json((home / "reader.json").read_text()),
    )
    with cases.open() as lines:
        if what == "first":
            figures: dict[str, object] = {"reasons": _first(desk, next(lines))}
        else:
            figures = _measured(desk, [Facts.from_json(line) for line in lines])
    sys.stdout.write(json.dumps(figures) + "\n")


def _first(desk: Desk, line: str) -> list[str]:
    return list(decide(Facts.from_json(line), *desk).reasons)


def _measured(desk: Desk, facts: list[Facts]) -> dict[str, object]:
    # As a serving process does: what was loaded at the start is no garbage.
    gc.freeze()
    taken = sorted(_taken(desk, one) for one in facts[:_ONE_BY_ONE])
    rates = []
    pasts = [Past(one.order, one, Verdict.REVIEW, 0) for one in facts]
    for _ in range(3):
        rates.append(backtest(pasts, *desk).cases_per_second)
    bulk = decide_many(facts[:_COMPARED], *desk)
    alike = sum(
        one.to_json() == decide(of, *desk).to_json() for one, of in zip(bulk, facts, strict=False)
    )
    return {
        "decision_p50_ms": round(taken[len(taken) // 2] * 1000, 3),
        "decision_p99_ms": round(taken[len(taken) * 99 // 100] * 1000, 3),
        "backtest_s": sorted(rates)[1],
        "compared": min(_COMPARED, len(facts)),
        "identical": alike,
        "rss_mb": _peak_mb(),
    }


def _peak_mb() -> int:
    """The most memory that this process ever had; `ru_maxrss` would be its parent's at the fork."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(one.split()[1]) for one in lines if one.startswith("VmHWM")) // 1024


def _taken(desk: Desk, facts: Facts) -> float:
    started = time.perf_counter()
    decide(facts, *desk)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
