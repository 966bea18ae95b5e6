"""The processes of a run: a proxy, and others that can be killed, frozen and started in no time.

They are forked from a server that has imported everything already, so that hundreds of lives fit
into minutes. None of them outlives the run: the kernel kills them when that server ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Protocol

from tests.chaos.chain import proxy, relayer_process
from tests.chaos.chain.dial import Dial
from tests.chaos.process import Settings, die_with_parent

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([relayer_process.__name__, proxy.__name__])
#: The one that is always there, and the one that is there at the same time now and then.
FIRST, SECOND = "first", "second"


#: What a process runs, given the path of its settings.
Main = Callable[[str], None]


class Place:
    """A place for one process, through all its lives."""

    def __init__(self, main: Main, settings: Settings, folder: Path, name: str) -> None:
        self.dial = Dial(Path(settings.dial))
        self._main = main
        self._settings = folder / f"{name}.json"
        settings.save(self._settings)
        self._process: ForkServerProcess | None = None

    @property
    def pid(self) -> int:
        """Of the life that goes on, or went on last."""
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def start(self) -> None:
        """Begin a life."""
        self.dial.spare()
        self._process = _CONTEXT.Process(
            target=self._main, args=(str(self._settings),), daemon=True
        )
        self._process.start()

    def is_alive(self) -> bool:
        """Whether there is a life at present; a frozen one is."""
        return self._process is not None and self._process.is_alive()

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        if self.is_alive():
            os.kill(self.pid, signal.SIGKILL)
        if self._process is not None:
            self._process.join(timeout=10)

    def freeze(self) -> None:
        """SIGSTOP: it stands still and does not know."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)


class Lives:
    """All places, and what an init system does: who ends is started again."""

    def __init__(self, main: Main, settings: Mapping[str, Settings], folder: Path) -> None:
        self.all = {name: Place(main, one, folder, name) for name, one in settings.items()}
        self.own_ends = 0
        self._wanted: set[str] = set()

    def __getitem__(self, name: str) -> Place:
        return self.all[name]

    def start(self, name: str) -> None:
        """From now on there is to be one."""
        self._wanted.add(name)
        if not self[name].is_alive():
            self[name].start()

    def stop(self, name: str) -> None:
        """From now on there is to be none; what there is is killed."""
        self._wanted.discard(name)
        self[name].kill()

    def tend(self) -> None:
        """Start again who has ended by itself."""
        for name in self._wanted:
            if not self[name].is_alive():
                self.own_ends += 1
                self[name].start()

    def stop_all(self) -> None:
        """Nobody stays."""
        for name in self.all:
            self.stop(name)


@contextmanager
def proxied(node_port: int) -> Iterator[proxy.Steering]:
    """A proxy before the node, in a process of its own."""
    ours, its = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_serve, args=(node_port, its), daemon=True)
    process.start()
    try:
        if not ours.poll(30):
            raise RuntimeError("the proxy does not begin")
        yield proxy.Steering(ours.recv())
    finally:
        process.kill()
        process.join(timeout=10)


def _serve(node_port: int, told: Connection) -> None:
    die_with_parent()
    with proxy.server(node_port) as server:
        told.send(server.server_address[1])
        server.serve_forever()


class Tended(Protocol):
    """Processes that are started again when they end."""

    def tend(self) -> None:
        """Start again who has ended by itself."""


def wait(seconds: float, lives: Tended) -> None:
    """Let time pass; who ends meanwhile is started again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        lives.tend()
        time.sleep(0.05)
