"""The product as a child process in a folder of its own, spoken to like any user's installation."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.faults import CannotPlay

_ROOT = Path(__file__).parent.parent
#: Seconds until everything must answer, until everything must have ended, and for one command.
_START, _STOP, _COMMAND = 120.0, 30.0, 120.0
_TAIL_LINES = 15


@dataclass(frozen=True)
class Installation:
    """A running installation, as `run.json` describes it."""

    home: Path

    @property
    def about(self) -> dict[str, Any]:
        """The file's content now: process ids change when a worker is started anew."""
        content: dict[str, Any] = json.loads((self.home / "run.json").read_text())
        return content

    def command(self, *words: str, known: Sequence[int] = (0,)) -> str:
        """Run `undrop WORDS`; return what it printed. Raises `CannotPlay` on another exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "api.cli", *words],
            cwd=_ROOT,
            env=environment(self.home, self.about),
            capture_output=True,
            text=True,
            timeout=_COMMAND,
            check=False,
        )
        if done.returncode not in known:
            raise CannotPlay(f"'undrop {words[0]}' ended with {done.returncode}:\n{done.stderr}")
        return done.stdout


class Stack:
    """Starts an installation and stops it again."""

    def __init__(self, home: Path, *, restart_worker: bool) -> None:
        self.installation = Installation(home)
        self._home = home
        self._log = home / "logs" / "supervisor.log"
        options = ["--restart-worker"] if restart_worker else []
        self._command = ["run", "--headless", "--home", str(home), *options]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Installation:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", *self._command],
                cwd=_ROOT,
                env=environment(self._home, _free_addresses()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait(self._process)
        except BaseException:
            self.__exit__()
            raise
        return self.installation

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=_STOP)
        except subprocess.TimeoutExpired:
            self._kill_all(process)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + _START
        while not (self._home / "run.json").exists():
            if process.poll() is not None or time.monotonic() > end:
                raise CannotPlay("The product did not start.")
            time.sleep(0.1)

    def _kill_all(self, process: subprocess.Popen[bytes]) -> None:
        """A supervisor that does not stop is ended with everything that it started."""
        groups = [process.pid]
        if (self._home / "run.json").exists():
            groups += self.installation.about["pids"].values()
        for group in groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()


def environment(home: Path, addresses: dict[str, Any]) -> dict[str, str]:
    """The settings of an installation; those of the caller's own are not handed on."""
    inherited = {name: value for name, value in os.environ.items() if name[:7] != "UNDROP_"}
    return inherited | {
        "UNDROP_HOME": str(home),
        "UNDROP_PORT": addresses["api"].rsplit(":", 1)[1],
        "UNDROP_RPC_URL": addresses["rpc"],
        "UNDROP_PROCESSOR_URL": addresses["processor"],
    }


def log_tails(home: Path) -> str:
    """The last lines of every log, for somebody who wants to know why."""
    parts = []
    for path in sorted((home / "logs").glob("*.log")):
        lines = path.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        parts.append("\n".join([f"--- {path.name}", *lines]))
    return "\n".join(parts)


def _free_addresses() -> dict[str, str]:
    """Addresses on ports that are free now, all probed at once so that they differ."""
    probes = [socket.socket() for _ in range(3)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    urls = [f"http://127.0.0.1:{probe.getsockname()[1]}" for probe in probes]
    for probe in probes:
        probe.close()
    return dict(zip(("api", "rpc", "processor"), urls, strict=True))
