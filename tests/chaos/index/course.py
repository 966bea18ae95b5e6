"""One run: a chain, an index and its faults; the way back to quiet; the audit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from returns.db import Database
from tests.chaos.chain.evidence import Unreadable
from tests.chaos.chain.plan import DEEPEST, Plan
from tests.chaos.chain.processes import FIRST, Lives, proxied, wait
from tests.chaos.chain.proxy import Steering
from tests.chaos.index import index_process
from tests.chaos.index.auditor import Depths, Findings, judge
from tests.chaos.index.deeds import Doer
from tests.chaos.index.facts import Books
from tests.chaos.index.ground import CONFIRMED, FINAL, Ground, ground
from tests.chaos.index.index_process import Settings
from tests.chaos.index.pulse import Pulse
from tests.chaos.index.raw_books import read_books
from tests.chaos.index.raw_chain import read_chain
from tests.chaos.ordeal import Fired, Logs, Ordeal, Order, own_database, require

DEPTHS = Depths(CONFIRMED, FINAL)


@dataclass
class Course:
    """The moving parts of one run, on the way."""

    ground: Ground
    proxy: Steering
    indexers: Lives
    pulse: Pulse
    doer: Doer
    url: str
    logs: Logs
    fired: Fired = field(default_factory=list)

    def suffer(self, planned: Plan) -> None:
        """Everything that was planned."""
        ordeal = Ordeal(self.proxy, self.doer, self.indexers)
        self.fired = ordeal.suffer(planned, self._check)
        self.logs.keep_times(self.fired)

    def quieten(self) -> None:
        """No more faults; then as many blocks as make all final that was undone; rest."""
        self.doer.make_up()
        self._check()
        self.ground.miner.stop()
        self.ground.miner.blocks(DEEPEST + FINAL)

    def _check(self) -> None:
        require([self.ground.miner, self.pulse])
        self.ground.require_contracts()

    def audit(self) -> Findings:
        """Chain and books as they are now."""
        return judge(
            read_chain(self.ground.node(), self.ground.wanted), read_books(self.url), DEPTHS
        )

    def come_to_an_end(self, seconds: float) -> Findings:
        """Wait until the index is at the head and the auditor agrees, or time is up."""
        end = time.monotonic() + seconds
        head = self.ground.node().head()
        while time.monotonic() < end:
            wait(0.5, self.indexers)
            if _is_under_way(read_books(self.url), head):
                continue
            findings = self._try_audit()
            # What is there twice stays; the rest may still be mended.
            if findings is not None and (findings.clean or findings.twice):
                return findings
        return self.audit()

    def _try_audit(self) -> Findings | None:
        try:
            return self.audit()
        except Unreadable:
            return None


def _is_under_way(books: Books, head: int) -> bool:
    return bool(books.open_scans or not books.blocks or books.blocks[-1].number != head)


@contextmanager
def course(order: Order) -> Iterator[Course]:
    """Everything set up and going; everything of it gone in the end, whatever happens."""
    with ExitStack() as stack:
        going = _set_up(stack, order)
        going.indexers.start(FIRST)
        going.pulse.start()
        yield going


def _set_up(stack: ExitStack, order: Order) -> Course:
    folder, url = stack.enter_context(own_database(order.database))
    built = stack.enter_context(ground(order.seed))
    proxy = stack.enter_context(proxied(built.node_port))
    logs = Logs("chaos-index", order.database)
    settings = Settings(
        database=url,
        node=proxy.url,
        dial=str(folder / f"{FIRST}.dial"),
        log=str(logs.fresh(FIRST)),
        sabotage=order.sabotage,
        ours=built.ours,
        start=built.start,
    )
    indexers = Lives(index_process.main, {FIRST: settings}, Path(folder))
    stack.callback(indexers.stop_all)
    database = Database(url)
    stack.callback(database.close)
    pulse = Pulse(built.node(), url)
    stack.callback(pulse.stop)
    doer = Doer(indexers, built, proxy, database)
    return Course(built, proxy, indexers, pulse, doer, url, logs)
