"""`undrop run` on one machine, as a process of its own on free ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ports import free_port
from walk import Walk

from chain.contracts import Deployment

ROOT = Path(__file__).parent.parent.parent


class Machine:
    """One installation in a folder; started and stopped as often as a test likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("api", "rpc", "processor")}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        others = {key: value for key, value in os.environ.items() if not key.startswith("UNDROP_")}
        return {
            **others,
            "PYTHONPATH": str(ROOT),
            "UNDROP_PORT": str(self.ports["api"]),
            "UNDROP_RPC_URL": f"http://127.0.0.1:{self.ports['rpc']}",
            "UNDROP_PROCESSOR_URL": f"http://127.0.0.1:{self.ports['processor']}",
        }

    @property
    def said(self) -> str:
        return (self.folder / "run.log").read_text()

    @property
    def about(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "var" / "run.json").read_text())
        return content

    def start(self, *options: str, patience_s: float = 120) -> None:
        """Start and wait for the addresses, or for the end."""
        with (self.folder / "run.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "run", *options],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + patience_s
        while "Ctrl-C" not in self.said and self.process.poll() is None:
            assert time.monotonic() < end, self.said
            time.sleep(0.1)

    def stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(timeout=60)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `undrop …` beside it."""
        return subprocess.run(
            [sys.executable, "-m", "api.cli", *words],
            cwd=self.folder,
            env={**self.environment, "UNDROP_HOME": str(self.folder / "var")},
            capture_output=True,
            text=True,
            check=False,
        )

    def walk(self) -> Walk:
        """A customer of this installation."""
        about = self.about
        return Walk(
            api=about["api"],
            api_key=about["api_key"],
            rpc=about["rpc"],
            processor=about["processor"],
            processor_key=about["processor_key"],
            deployment=Deployment(**about["deployment"]),
        )
