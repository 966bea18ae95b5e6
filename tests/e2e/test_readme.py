"""The README's first return works as printed: its shell blocks, run one after the other."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import Machine

pytestmark = pytest.mark.chain

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """`undrop run` with the demo book, in an empty folder."""
    started = Machine(tmp_path)
    started.start()
    yield started
    assert started.stop() == 0, started.said


def test_the_first_return_with_curl_settles_as_printed(machine: Machine) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", _script(machine)],
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


def _script(machine: Machine) -> str:
    """The blocks of the chapter, with this test's addresses and this Python's `undrop`."""
    chapter = README.split("## A first return with curl")[1].split("\n## ")[0]
    script = "\n".join(re.findall(r"```sh\n(.*?)```", chapter, re.S))
    for name in ("api", "rpc"):
        address = f"http://127.0.0.1:{machine.ports[name]}"
        script = re.sub(rf"^{name.upper()}=.*$", f"{name.upper()}={address}", script, flags=re.M)
    return script.replace(".venv/bin/undrop", f"{sys.executable} -m api.cli")
