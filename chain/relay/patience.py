"""When a block is cheap: its base fee is under a percentile of the last day's (eth_feeHistory)."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from threading import Lock

from chain.client import ChainClient, RpcError

log = logging.getLogger(__name__)

_DAY = 86_400
#: Samples of the day: pages evenly spaced over it, and blocks of each.
_PAGES, _PAGE = 24, 64
_KEPT = timedelta(minutes=10)


class CheapBlocks:
    """The threshold of one chain; looked up again every ten minutes."""

    def __init__(self, client: ChainClient, percentile: int) -> None:
        self._client = client
        self._percentile = percentile
        self._lock = Lock()
        self._until: datetime | None = None
        self._threshold = 0

    def is_cheap(self, base_fee: int, now: datetime) -> bool:
        """Whether who can wait should go now. Raises `ChainUnavailable`."""
        with self._lock:
            if self._until is None or not self._until - _KEPT <= now < self._until:
                self._threshold = self._find_threshold()
                self._until = now + _KEPT
            return base_fee <= self._threshold

    def _find_threshold(self) -> int:
        """Where the node does not tell what blocks have cost, none is cheap: who can wait waits."""
        try:
            return percentile(self._sample(), self._percentile)
        except RpcError as error:
            log.warning("relay.price_unknown problem=%s", error)
            return -1

    def _sample(self) -> list[int]:
        """Base fees of the last day, oldest first."""
        newest = self._client.newest()
        earlier = self._client.header(max(0, newest.number - 1_000)) or newest
        passed = max(1, newest.timestamp - earlier.timestamp)
        blocks = min(newest.number, _DAY * max(1, newest.number - earlier.number) // passed)
        step = max(_PAGE, blocks // _PAGES)
        ends = range(newest.number, max(0, newest.number - blocks), -step)
        return self._client.base_fees(_PAGE, list(ends)) or [newest.base_fee]


def percentile(values: list[int], percent: int) -> int:
    """The smallest value that at least `percent` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
