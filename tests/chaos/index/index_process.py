"""The indexer as a process of its own: the product, with a death that can be ordered.

Everything else is as `undrop indexer` does it, only sooner.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chain.index.indexer import Finality, Indexer
from returns.errors import LeaseLost, Unavailable
from returns.words import WatchKind
from tests.chaos import process
from tests.chaos.chain.dial import Dial
from tests.chaos.index.careless import WithoutRewind
from tests.chaos.index.ground import CONFIRMED, FINAL
from tests.support.chain_faults import FusedDatabase
from tests.support.chain_node import CHAIN_ID

log = logging.getLogger(__name__)

#: Seconds between looks, and until the next one where the node was away.
_PAUSE_S, _AWAY_S = 0.05, 0.2

#: What a process runs, by the name of what is sabotaged.
INDEXERS: dict[str, Callable[..., Indexer]] = {"": Indexer, "rewind": WithoutRewind}


@dataclass(frozen=True, kw_only=True)
class Settings(process.Settings):
    """What an indexer process is told besides. `ours`: what is watched from `start` on."""

    ours: dict[str, str]
    start: int


def main(path: str) -> None:
    """Follow the chain until the process is told to stop, or dies."""
    settings = Settings.load(path)
    stop = process.begin(settings)
    try:
        follow(build(settings), stop)
    except Exception:
        # It is started again, as by any supervisor; why it had to be, the log says.
        log.exception("index.ended")
        sys.exit(1)


def build(settings: Settings) -> Indexer:
    """The indexer of this process, sabotaged if it is to be."""
    dial = Dial(Path(settings.dial))
    fuse = process.DialFuse(dial)
    return INDEXERS[settings.sabotage](
        FusedDatabase(settings.database, fuse),
        process.HastyClient(settings.node, fuse),
        CHAIN_ID,
        dial.now,
        ours={address: WatchKind(kind) for address, kind in settings.ours.items()},
        start_block=settings.start,
        finality=Finality(CONFIRMED, FINAL),
    )


def follow(indexer: Indexer, stop: threading.Event) -> None:
    """Step after step; what the product's own process does not survive, this one does not."""
    indexer.check_pinned()
    while not stop.is_set():
        try:
            if indexer.step():
                continue
        except (Unavailable, LeaseLost) as problem:
            log.warning("index.interrupted problem=%s", problem)
            stop.wait(_AWAY_S)
        stop.wait(_PAUSE_S)
