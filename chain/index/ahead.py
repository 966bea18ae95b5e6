"""Reads further ranges while one is being written, of a size that the node and the logs allow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from chain.index.reading import Moved, Span, TooMuch
from returns.errors import ChainUnavailable

#: Ranges under way at the same time, and threads that read them.
_IN_FLIGHT = 3
_THREADS = 2
#: Logs that a range should have: enough to be worth its requests, few enough to hold some of them.
_LOGS = 4_000
_FIRST_SIZE, _MOST_BLOCKS = 20, 1_000

Read = Callable[[int, int], Span]


@dataclass(frozen=True, slots=True)
class _Order:
    first: int
    last: int
    span: Future[Span]


class Ahead:
    """One cursor's ranges, in order. `read` is called in threads; use `close` to end them."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._orders: deque[_Order] = deque()
        self._size = _FIRST_SIZE
        self._at_most = _MOST_BLOCKS
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="index")

    def take(self, first: int, head: int) -> Span:
        """The range that begins with `first`, at most up to `head`.

        Where the node finds it too much, or does not answer, less is asked for the next time; a
        single block that is too much raises `ChainUnavailable`. Otherwise as `Reader.read`.
        """
        if self._orders and (self._orders[0].first != first or self._orders[0].last > head):
            self.forget()
        while True:
            self._fill(first, head)
            order = self._orders.popleft()
            try:
                span = order.span.result()
            except TooMuch as limit:
                self._ask_less(order, limit)
            except (ChainUnavailable, Moved):
                self.forget()
                self._size = max(1, self._size // 2)
                raise
            except BaseException:
                self.forget()
                raise
            else:
                self._adapt(order, span)
                return span

    def forget(self) -> None:
        """What was read is of no use any more."""
        while self._orders:
            self._orders.pop().span.cancel()

    def close(self) -> None:
        """End the threads once their requests have ended."""
        self.forget()
        self._threads.shutdown(cancel_futures=True)

    def _fill(self, first: int, head: int) -> None:
        following = self._orders[-1].last + 1 if self._orders else first
        while len(self._orders) < _IN_FLIGHT and following <= head:
            last = min(head, following + self._size - 1)
            span = self._threads.submit(self._read, following, last)
            self._orders.append(_Order(following, last, span))
            following = last + 1

    def _ask_less(self, order: _Order, limit: TooMuch) -> None:
        asked = order.last - order.first + 1
        if asked == 1:
            raise ChainUnavailable(problem=f"one block is too much for it: {limit}") from limit
        told = limit.blocks if limit.blocks and limit.blocks < asked else None
        self._size = told or asked // 2
        # A limit by blocks is the same for every range, one by results is not.
        if told and limit.always:
            self._at_most = told
        self.forget()

    def _adapt(self, order: _Order, span: Span) -> None:
        """Towards the number of logs that a range should have, at most twice as far as before."""
        blocks = order.last - order.first + 1
        fitting = blocks * _LOGS // max(1, span.logs)
        self._size = max(1, min(fitting, 2 * max(blocks, self._size), self._at_most))
