"""The worker killed with SIGKILL, again and again, loses nothing and pays nothing twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.chain
@pytest.mark.timeout(600)
def test_ten_kills_of_the_worker_during_forty_returns_leave_no_break(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo.run", "--returns", "40", "--kills", "10"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**_environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["returns"], result["failed"], result["breaks"]) == (40, 0, 0)
    assert result["settled"] + result["denied"] + result["in_review"] == 40


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("UNDROP_")}
