"""The README's first return works as printed: its shell blocks, run one after the other."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ports import free_port

pytestmark = pytest.mark.chain

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[dict[str, str]]:
    """`undrop run` with the demo book, in an empty folder, on free ports."""
    ports = {name: free_port() for name in ("api", "rpc", "processor")}
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "UNDROP_PORT": str(ports["api"]),
        "UNDROP_RPC_URL": f"http://127.0.0.1:{ports['rpc']}",
        "UNDROP_PROCESSOR_URL": f"http://127.0.0.1:{ports['processor']}",
        "API": f"http://127.0.0.1:{ports['api']}",
        "RPC": f"http://127.0.0.1:{ports['rpc']}",
    }
    with (tmp_path / "run.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", "run"],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(process, tmp_path / "run.log")
        yield environment
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, (tmp_path / "run.log").read_text()


def test_the_first_return_with_curl_settles_as_printed(
    stack: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", _script()],
        cwd=tmp_path,
        env={**stack, "UNDROP_HOME": str(tmp_path / "var")},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nsettled\n" in done.stdout
    assert '"returnable": true' in done.stdout.replace('":true', '": true')
    assert "No breaks" in done.stdout


def _script() -> str:
    """The blocks of the chapter, with this test's addresses and this Python's `undrop`."""
    chapter = README.split("## A first return with curl")[1].split("\n## ")[0]
    script = "\n".join(re.findall(r"```sh\n(.*?)```", chapter, re.S))
    script = re.sub(r"^(API|RPC)=.*$", "", script, flags=re.M)
    return script.replace(".venv/bin/undrop", f"{sys.executable} -m api.cli")


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 120
    while "Ctrl-C" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.2)
