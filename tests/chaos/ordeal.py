"""What every chaos run is made of: a database of its own, what is suffered, what is logged."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Protocol

from returns import migrate
from returns.db import Database
from tests.chaos.chain.plan import Deed, Plan
from tests.chaos.chain.processes import Tended, wait
from tests.chaos.chain.proxy import Armed
from tests.support.stores import postgres_database

#: What has happened: (Unix time, kind).
Fired = list[tuple[float, str]]


@dataclass(frozen=True)
class Order:
    """What is to be run. `end_s`: seconds for everything to come to an end."""

    faults: int
    seed: int
    database: str
    sabotage: str = ""
    end_s: float = 150.0


class Hands(Protocol):
    """Does deeds. `done`: those that have happened."""

    done: Fired

    def do(self, deed: Deed) -> None:
        """One deed and its pause."""


class Wire(Protocol):
    """Lets faults happen to what passes it."""

    def arm(self, fault: Armed) -> None:
        """To the next that it fits."""

    def fired(self) -> Fired:
        """What has happened."""


@dataclass
class Ordeal:
    """Faults of the wire and deeds, as they were planned."""

    proxy: Wire
    hands: Hands
    lives: Tended

    def suffer(self, planned: Plan, check: Callable[[], None]) -> Fired:
        """All deeds, each with its faults of the wire; then spare ones until there are enough.

        Whatever else must go on meanwhile is for `check` to see.
        """
        wanted = sum(len(step.wire) + 1 for step in planned.steps)
        for step in planned.steps:
            for fault in step.wire:
                self.proxy.arm(fault)
            self.hands.do(step.deed)
            check()
        self._make_up_for_misses(planned, wanted)
        return sorted(self.proxy.fired() + self.hands.done)

    def _make_up_for_misses(self, planned: Plan, wanted: int) -> None:
        for fault in planned.spare:
            if len(self.proxy.fired()) + len(self.hands.done) >= wanted:
                break
            self.proxy.arm(fault)
            wait(0.2, self.lives)


def require(threads: Sequence[Thread]) -> None:
    """An audit of less than what was to be done would prove nothing."""
    for one in threads:
        if not one.is_alive():
            raise SystemExit(f"the {one.name} broke")


@contextmanager
def own_database(kind: str) -> Iterator[tuple[Path, str]]:
    """A folder of this run's own, and the URL of a database with its tables."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        path = f"sqlite:///{folder / 'undrop.db'}"
        url = path if kind == "sqlite" else stack.enter_context(postgres_database())
        database = Database(url)
        migrate.upgrade(database)
        database.close()
        yield folder, url


@dataclass(frozen=True)
class Logs:
    """Where the processes of a run say what they do: var/`name`."""

    name: str
    database: str

    def fresh(self, of: str) -> Path:
        """What was said in the run before is forgotten."""
        path = Path("var") / self.name / f"{self.database}-{of}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        return path.absolute()

    def keep_times(self, fired: Fired) -> None:
        """When each fault struck, to be read beside what the processes said (UTC)."""
        lines = [f"{datetime.fromtimestamp(at, UTC):%H:%M:%S.%f} {kind}" for at, kind in fired]
        self.fresh("faults").write_text("\n".join(lines) + "\n")
