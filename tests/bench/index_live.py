"""The indexer at the head of the chain: how long a reorg takes it, and how far behind it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from chain.client import ChainClient
from chain.index.indexer import Finality, Indexer
from returns.db import Database
from returns.tables import Chain
from returns.words import WatchKind
from tests.bench.index_chain import EVENTS, EventChain
from tests.support.chain_node import CHAIN_ID

#: Blocks of the reorg; each holds 100 events.
DEPTH, _TRANSACTIONS = 64, 4
#: One block a second with so many transactions: 500 events a second.
_PER_SECOND, _SECONDS = 500 // EVENTS, 15
#: As `undrop indexer` waits where nothing is new.
_PAUSE_S = 0.2


def reorg(chain: EventChain, url: str) -> float:
    """Seconds from a finished reorg of `DEPTH` blocks until the index is at the new head."""
    with _following(chain, url) as (indexer, _):
        snapshot = chain.anvil.snapshot()
        _grow(chain, DEPTH)
        while indexer.step():
            pass
        chain.anvil.revert(snapshot)
        _grow(chain, DEPTH + 1)
        began = time.perf_counter()
        while indexer.step():
            pass
        return time.perf_counter() - began


def lag(chain: EventChain, url: str) -> int:
    """The most blocks that the index was behind, seen right before each new block."""
    with _following(chain, url) as (indexer, database):
        stop, behind = threading.Event(), 0
        follower = threading.Thread(target=_follow, args=(indexer, stop))
        follower.start()
        due = time.monotonic()
        for _ in range(_SECONDS):
            chain.block(_PER_SECOND)
            due += 1.0
            time.sleep(max(0.0, due - time.monotonic()))
            behind = max(behind, chain.client.block_number() - _cursor(database))
        stop.set()
        follower.join()
        return behind


def _follow(indexer: Indexer, stop: threading.Event) -> None:
    while not stop.is_set():
        if not indexer.step():
            stop.wait(_PAUSE_S)


def _grow(chain: EventChain, blocks: int) -> None:
    for _ in range(blocks):
        chain.block(_TRANSACTIONS)


def _cursor(database: Database) -> int:
    with database.read() as session:
        return session.get_one(Chain, CHAIN_ID).cursor_number


@contextmanager
def _following(chain: EventChain, url: str) -> Iterator[tuple[Indexer, Database]]:
    """An indexer that has read everything from the newest block on."""
    database = Database(url)
    indexer = Indexer(
        database,
        ChainClient(chain.anvil.url, timeout=60),
        CHAIN_ID,
        lambda: datetime.now(UTC),
        ours={chain.collection: WatchKind.COLLECTION},
        start_block=chain.client.block_number(),
        finality=Finality(2, 100),
    )
    while indexer.step():
        pass
    try:
        yield indexer, database
    finally:
        indexer.close()
        database.close()
