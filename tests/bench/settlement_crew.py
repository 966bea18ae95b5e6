"""Who settles: processes of the product around one database, and reviewers side by side."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path
from uuid import UUID

from fake_chain import DEPLOYMENT, FakeChain
from fakes import FakeClock

from returns.db import Database
from settlement.commands import reviews
from settlement.commands.access import SCOPES, Caller
from settlement.commands.review_inputs import ReviewIn
from settlement.runtime import Runtime
from settlement.settings import Settings

_NEW = multiprocessing.get_context("spawn")
_PATIENCE_S = 60


@contextmanager
def running(commands: Sequence[Sequence[str]], environment: dict[str, str]) -> Iterator[None]:
    """Processes of the product, each in a group of its own; all are ended in the end."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for command in commands
    ]
    try:
        yield
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGTERM)
        for process in started:
            process.wait(timeout=30)


def approve_all(
    url: str, home: Path, merchant: UUID, lines: list[tuple[str, str]], by: int
) -> float:
    """Approve store credit for lines in review, by as many processes; it settles at once.

    Returns seconds, from when all of them are ready.
    """
    ready = _NEW.Barrier(by + 1)
    parts = [lines[number::by] for number in range(by)]
    crew = [
        _NEW.Process(target=_approve, args=(url, home, merchant, part, ready)) for part in parts
    ]
    for process in crew:
        process.start()
    ready.wait(_PATIENCE_S)
    started = time.perf_counter()
    for process in crew:
        process.join()
        if process.exitcode:
            raise SystemExit("an approval failed: nothing to measure")
    return time.perf_counter() - started


def _approve(
    url: str, home: Path, merchant: UUID, lines: list[tuple[str, str]], ready: Barrier
) -> None:
    runtime = Runtime(Settings(home=home, database_url=url), FakeClock())
    runtime.database, runtime.client = Database(url), FakeChain()
    runtime.deployment = DEPLOYMENT
    caller = Caller(merchant, "key:reviewer", frozenset(SCOPES))
    with runtime.database.read() as session:
        session.connection()
    ready.wait(_PATIENCE_S)
    for rma, line in lines:
        said = {"line": line, "decision": "approve", "reason": "measured", "keep": True}
        reviews.decide_review(runtime, caller, rma, ReviewIn(**said, remedy="store_credit"))
    runtime.close()
