"""The relayer as a process of its own: the product, with a clock that can be wrong and a death that
can be ordered. Everything else is as `undrop relayer` builds it.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from chain.client import ChainClient
from chain.contracts import Deployment
from chain.relay.guard import Guard, escrow_rules
from chain.relay.parts import Parts, RelayPolicy
from chain.signers import LocalSigner, Signer
from tests.chaos.chain import sabotage
from tests.chaos.chain.dial import Dial
from tests.support.chain_faults import Fuse, FusedClient, FusedDatabase, FusedSigner
from tests.support.chain_node import CHAIN_ID, person

#: Linux: the signal that a process gets when its parent ends (prctl(2)).
_PR_SET_PDEATHSIG = 1
#: A node that has not answered by then is away. Short, so that time-outs are many.
_TIMEOUT_S = 2.0
#: Quick, since a run has minutes for what takes a product days.
POLICY = RelayPolicy(
    confirmations=3,
    lease=timedelta(seconds=1),
    batch_window=timedelta(milliseconds=300),
    rebroadcast_after=timedelta(seconds=1),
    stuck_after=timedelta(seconds=4),
)


@dataclass(frozen=True)
class Settings:
    """What a relayer process is told, as a JSON file. `lanes`: Anvil's accounts by their index."""

    database: str
    node: str
    deployment: str
    lanes: Sequence[int]
    dial: str
    log: str
    sabotage: str

    def save(self, path: Path) -> None:
        """Write the file."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: str) -> Settings:
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


def main(path: str) -> None:
    """Work until the process is told to stop, or dies."""
    die_with_parent()
    settings = Settings.load(path)
    logging.basicConfig(
        filename=settings.log, level=logging.INFO, force=True,
        format="%(asctime)s %(process)d %(threadName)s %(levelname)s %(name)s %(message)s",
    )  # fmt: skip
    # On a full disk nothing can be logged either, and saying so would fill the terminal.
    logging.raiseExceptions = False
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    build(settings).run(stop)


def build(settings: Settings) -> sabotage.Runnable:
    """The fleet of this process, sabotaged if it is to be."""
    dial = Dial(Path(settings.dial))
    fuse = DialFuse(dial)
    keys = [person(lane) for lane in settings.lanes]
    parts = Parts(
        database=FusedDatabase(settings.database, fuse),
        client=HastyClient(settings.node, fuse),
        chain_id=CHAIN_ID,
        clock=dial.now,
        guard=_guard(settings, keys),
        policy=POLICY,
    )
    signers: list[Signer] = [FusedSigner(key, fuse) for key in keys]
    return sabotage.FLEETS[settings.sabotage](parts, signers)


def _guard(settings: Settings, keys: Sequence[LocalSigner]) -> Guard:
    deployment = Deployment.load(Path(settings.deployment))
    return Guard(escrow_rules(deployment), [key.address for key in keys])


def die_with_parent() -> None:
    """Whatever happens to who started this process: it does not stay behind."""
    parent = os.getppid()
    libc: Any = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
