"""A process of a chaos run: told by a file, quick to give up on a node, dead on order."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from chain.client import ChainClient
from tests.chaos.chain.dial import Dial
from tests.support.chain_faults import Fuse, FusedClient

#: Linux: the signal that a process gets when its parent ends (prctl(2)).
_PR_SET_PDEATHSIG = 1
#: A node that has not answered by then is away. Short, so that time-outs are many.
_TIMEOUT_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a process is told, as a JSON file."""

    database: str
    node: str
    dial: str
    log: str
    sabotage: str

    def save(self, path: Path) -> None:
        """Write the file."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: str) -> Self:
        """Read the file."""
        return cls(**json.loads(Path(path).read_text()))


class DialFuse(Fuse):
    """Dies when the dial says so, by a signal that nothing can catch."""

    def __init__(self, dial: Dial) -> None:
        super().__init__()
        self._dial = dial

    def pass_by(self, moment: str) -> None:
        """One moment of this life."""
        self._dial.pass_by(moment)


class HastyClient(FusedClient):
    """Waits for a node no longer than the run can afford."""

    def __init__(self, url: str, fuse: Fuse) -> None:
        ChainClient.__init__(self, url, timeout=_TIMEOUT_S)
        self._fuse = fuse


def begin(settings: Settings) -> threading.Event:
    """A life begins; returns what is set once it was asked to end."""
    die_with_parent()
    logging.basicConfig(
        filename=settings.log, level=logging.INFO, force=True,
        format="%(asctime)s %(process)d %(threadName)s %(levelname)s %(name)s %(message)s",
    )  # fmt: skip
    # On a full disk nothing can be logged either, and saying so would fill the terminal.
    logging.raiseExceptions = False
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    return stop


def die_with_parent() -> None:
    """Whatever happens to who started this process: it does not stay behind."""
    parent = os.getppid()
    libc: Any = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
