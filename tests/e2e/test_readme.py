"""The README's first return works as printed: its shell blocks, run one after the other."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import Machine
from pages import script_of

pytestmark = pytest.mark.chain


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """`undrop run` with the demo book, in an empty folder."""
    started = Machine(tmp_path)
    started.start()
    yield started
    assert started.stop() == 0, started.said


def test_the_first_return_with_curl_settles_as_printed(machine: Machine) -> None:
    api, rpc = (f"http://127.0.0.1:{machine.ports[name]}" for name in ("api", "rpc"))
    script = script_of("README.md", "A first return with curl", API=api, RPC=rpc)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=machine.folder,
        env={**machine.environment, "UNDROP_HOME": str(machine.folder / "var")},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nsettled\n" in done.stdout
    assert '"returnable": true' in done.stdout.replace('":true', '": true')
    assert "No breaks" in done.stdout
