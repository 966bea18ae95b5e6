"""What arrives while a transaction is under way is stored by the next one, all together.

A commit waits for the disk; a hundred decisions a second need not wait for a hundred of them. Who
has asked is answered after the commit that has their row in it, and not before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

T = TypeVar("T")

_MOST = 100


class Together(Generic[T]):
    """Calls `store` with many items at once, one call at a time."""

    def __init__(self, store: Callable[[Sequence[T]], None]) -> None:
        self._store = store
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Return when the item is stored; raises what `store` raised for all that went with it."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        await done

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            fault: BaseException | None = None
            try:
                await run_in_threadpool(self._store, [item for item, _ in batch])
            except Exception as problem:  # noqa: BLE001  it is raised where each one waits
                fault = problem
            for _, done in batch:
                _settle(done, fault)
        self._task = None


def _settle(done: asyncio.Future[None], fault: BaseException | None) -> None:
    """A caller that has gone away meanwhile is not told."""
    if done.done():
        return
    if fault is None:
        done.set_result(None)
    else:
        done.set_exception(fault)
