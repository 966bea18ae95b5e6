"""Branch coverage of the contracts' own sources, from the report that `forge coverage` writes.

Forge counts an `if` without an `else` as one branch, the taken one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_KEPT = _ROOT / "var"
_FLOOR_PERCENT = 95


@dataclass
class Source:
    """Branches of one file: the line of each, and whether any test takes it."""

    name: str
    branches: list[tuple[int, bool]] = field(default_factory=list)

    def hit(self) -> int:
        """How many branches some test takes."""
        return sum(taken for _, taken in self.branches)

    def missed(self) -> list[int]:
        """The lines whose branches no test takes."""
        return sorted({line for line, taken in self.branches if not taken})


def main() -> int:
    """Measure, print, keep; 1 below the floor, forge's status where a test fails."""
    report = _KEPT / "coverage.lcov"
    status = _forge_coverage(report)
    if status:
        return status
    sources = parse(report.read_text())
    _table(sources)
    branches = sum(len(source.branches) for source in sources)
    hit = sum(source.hit() for source in sources)
    share = round(100 * hit / branches, 2) if branches else 0
    figures = {"branches": branches, "branches_hit": hit, "branch_coverage": share}
    line = json.dumps(figures)
    (_KEPT / "coverage.json").write_text(line + "\n")
    sys.stdout.write(line + "\n")
    return int(not branches or 100 * hit < _FLOOR_PERCENT * branches)


def parse(report: str) -> list[Source]:
    """The files under src/ of an LCOV report; BRDA is line, block, branch, times taken."""
    sources: list[Source] = []
    for line in report.splitlines():
        key, _, value = line.partition(":")
        if key == "SF":
            sources.append(Source(value))
        elif key == "BRDA":
            at, *_, taken = value.split(",")
            sources[-1].branches.append((int(at), taken not in ("-", "0")))
    return [source for source in sources if source.name.startswith("src/")]


def _forge_coverage(report: Path) -> int:
    """Built beside the other artifacts, since coverage compiles without the optimizer."""
    _KEPT.mkdir(exist_ok=True)
    apart = {
        "FOUNDRY_OUT": str(_KEPT / "coverage" / "out"),
        "FOUNDRY_CACHE_PATH": str(_KEPT / "coverage" / "cache"),
    }
    command = ["coverage", "--report", "lcov", "--report-file", str(report), *sys.argv[1:]]
    done = subprocess.run(
        [_ROOT / "contracts" / "forge", *command],
        env={**os.environ, **apart},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
    return done.returncode


def _table(sources: list[Source]) -> None:
    for source in sources:
        count = f"{source.hit()}/{len(source.branches)}"
        missed = ", ".join(str(line) for line in source.missed())
        note = f"  not taken: line {missed}" if missed else ""
        sys.stdout.write(f"{source.name:<36} {count:>9}{note}\n")


if __name__ == "__main__":
    sys.exit(main())
