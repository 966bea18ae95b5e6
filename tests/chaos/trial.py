"""A whole chaos run as a test begins it: short, on SQLite, with a seed, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SEED = "4711"
#: Seconds that a run may take.
_LIMIT_S = 380


def begin(
    what: str, folder: Path, faults: int, sabotage: str = "", end: int = 90
) -> subprocess.Popen[str]:
    """Start a run of tests.chaos.`what`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("UNDROP_")}
    options = ("--faults", str(faults), "--seed", SEED, "--db", "sqlite", "--end", str(end))
    return subprocess.Popen(
        [sys.executable, "-m", f"tests.chaos.{what}.run", *options],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT), "SABOTAGE": sabotage},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(
    what: str, folder: Path, faults: int, sabotage: str = "", end: int = 90
) -> tuple[int, dict[str, Any]]:
    """The exit code and the last line; whatever happens, the run is over in the end."""
    process = begin(what, folder, faults, sabotage, end)
    try:
        said, _ = process.communicate(timeout=_LIMIT_S)
    finally:
        process.terminate()
        process.wait(timeout=60)
    assert said.rstrip().endswith("}"), said[-4000:]
    line: dict[str, Any] = json.loads(said.splitlines()[-1])
    assert process.returncode in (0, 1), said[-4000:]
    if process.returncode:
        sys.stdout.write(said)
    return process.returncode, line
