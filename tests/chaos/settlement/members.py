"""The processes of an installation, and what an init system does: who ends is started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_LEASH = Path(__file__).parent / "leash.py"


@dataclass
class Member:
    """One process with its children, which live and die together."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    lives: int = 0
    thaw_at: float | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin a life in a group of its own."""
        self.lives += 1
        self.thaw_at = None
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(_LEASH), *self.argv],
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def is_alive(self) -> bool:
        """Whether there is a life at present; a frozen one is."""
        return self.process is not None and self.process.poll() is None

    def signal(self, what: signal.Signals) -> None:
        """To the whole group."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, what)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(timeout=20)


@dataclass
class Members:
    """All of them. `own_ends`: how often one has ended by itself."""

    all: dict[str, Member] = field(default_factory=dict)
    own_ends: int = 0

    def start(self) -> None:
        """All, in their order."""
        for member in self.all.values():
            member.start()

    def kinds(self, kind: str) -> list[Member]:
        """Those that do the same: several workers."""
        return [one for name, one in self.all.items() if name.split("-")[0] == kind]

    def kill(self, member: Member) -> None:
        """And a new life at once."""
        member.kill()
        member.start()

    def freeze(self, member: Member, seconds: float) -> None:
        """It stands still and does not know; `tend` wakes it."""
        member.signal(signal.SIGSTOP)
        member.thaw_at = time.monotonic() + seconds

    def tend(self) -> None:
        """Wake who has slept long enough, start again who has ended by itself."""
        for member in self.all.values():
            if member.thaw_at is not None and time.monotonic() >= member.thaw_at:
                self.thaw(member)
            if not member.is_alive():
                self.own_ends += 1
                member.start()

    def thaw(self, member: Member) -> None:
        """SIGCONT."""
        member.thaw_at = None
        member.signal(signal.SIGCONT)

    def thaw_all(self) -> None:
        """Nobody sleeps any more."""
        for member in self.all.values():
            self.thaw(member)

    def stop(self) -> None:
        """Nobody stays."""
        for member in self.all.values():
            member.kill()
