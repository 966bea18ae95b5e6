"""The indexer in a process of its own: reads up to a block, then says how long it took.

Prints one JSON object: events, seconds of reading, and the most memory that the process has had.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import UTC, datetime

from chain.client import ChainClient
from chain.index.indexer import Finality, Indexer
from returns.db import Database
from returns.tables import Chain
from returns.words import WatchKind
from tests.support.chain_node import CHAIN_ID


def main() -> None:
    """Arguments: the database's URL, the chain as `about` tells it, and the last block."""
    url, about, upto = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
    database = Database(url)
    indexer = Indexer(
        database,
        _UpTo(about["url"], upto),
        CHAIN_ID,
        lambda: datetime.now(UTC),
        ours={about["collection"]: WatchKind.COLLECTION},
        start_block=about["first"],
        finality=Finality(12, 64),
    )
    began = time.perf_counter()
    while indexer.step():
        pass
    seconds = time.perf_counter() - began
    with database.read() as session:
        events = session.get_one(Chain, CHAIN_ID).events
    indexer.close()
    database.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stdout.write(json.dumps({"events": events, "seconds": seconds, "rss_mb": memory}) + "\n")


class _UpTo(ChainClient):
    """A node whose newest block is this one, so that less than the whole chain is read."""

    def __init__(self, url: str, newest: int) -> None:
        super().__init__(url, timeout=60)
        self._newest = newest

    def newest(self) -> object:  # type: ignore[override]
        """The header of that block."""
        return self.header(self._newest)


if __name__ == "__main__":
    main()
