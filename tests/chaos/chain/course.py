"""One run: a scene, its processes and its stream; the faults; the way back to quiet; the audit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from returns.db import Database
from tests.chaos.chain import relayer_process
from tests.chaos.chain.auditor import Findings, judge
from tests.chaos.chain.deeds import Doer
from tests.chaos.chain.disks import disk_of
from tests.chaos.chain.evidence import Unreadable, read_books, read_chain
from tests.chaos.chain.monitor import Monitor
from tests.chaos.chain.plan import Plan
from tests.chaos.chain.processes import FIRST, SECOND, Lives, proxied, wait
from tests.chaos.chain.proxy import Steering
from tests.chaos.chain.relayer_process import Settings
from tests.chaos.chain.scene import LANES, Scene, scene
from tests.chaos.chain.stream import Stream
from tests.chaos.ordeal import Logs, Ordeal, Order, own_database, require

#: Intents asked for in a second; tokens that can be returned, for each fault.
_RATE, _TOKENS_PER_FAULT = 12.0, 0.5
#: Seconds until the stream flows.
_WARM_S = 60.0


@dataclass
class Course:
    """The moving parts of one run, on the way."""

    scene: Scene
    proxy: Steering
    relayers: Lives
    stream: Stream
    monitor: Monitor
    doer: Doer
    url: str
    database: str
    fired: list[tuple[float, str]] = field(default_factory=list)

    def suffer(self, planned: Plan) -> None:
        """Everything that was planned."""
        ordeal = Ordeal(self.proxy, self.doer, self.relayers)
        self.fired = ordeal.suffer(planned, self._check)
        _logs(self.database).keep_times(self.fired)

    def _check(self) -> None:
        require([self.stream, self.monitor, self.scene.miner])

    def quieten(self) -> None:
        """No more faults, and nothing more is asked for. Raises where a part of the run broke."""
        self.doer.make_up()
        self.stream.stop()
        # An audit of less than what was asked for would prove nothing.
        if self.stream.problem is not None or self.stream.is_alive():
            raise SystemExit(f"the stream broke: {self.stream.problem!r}")
        require([self.monitor, self.scene.miner])

    def audit(self) -> Findings:
        """Chain and books as they are now."""
        chain = read_chain(self.scene.node(), self.scene.since, self.scene.first)
        return judge(self.stream.owed, chain, read_books(self.url))

    def come_to_an_end(self, seconds: float) -> Findings:
        """Wait until the books say that all is done and the auditor agrees, or time is up."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            wait(0.5, self.relayers)
            if read_books(self.url).unfinished():
                continue
            findings = self._try_audit()
            # What was sent twice stays sent twice; the rest may still be mended.
            if findings is not None and (findings.clean or findings.double_sends):
                return findings
        return self.audit()

    def _try_audit(self) -> Findings | None:
        try:
            return self.audit()
        except Unreadable:
            return None


@contextmanager
def course(order: Order) -> Iterator[Course]:
    """Everything set up and flowing; everything of it gone in the end, whatever happens."""
    with ExitStack() as stack:
        going = _set_up(stack, order)
        _warm_up(going)
        yield going


def _set_up(stack: ExitStack, order: Order) -> Course:
    folder, url = stack.enter_context(own_database(order.database))
    tokens = max(40, int(order.faults * _TOKENS_PER_FAULT))
    set_scene = stack.enter_context(scene(tokens))
    proxy = stack.enter_context(proxied(set_scene.node_port))
    relayers = Lives(relayer_process.main, _settings(order, set_scene, proxy, url, folder), folder)
    stack.callback(relayers.stop_all)
    database = Database(url)
    stack.callback(database.close)
    stream = Stream(set_scene, database, order.seed, _RATE, tokens)
    monitor = Monitor(set_scene)
    stack.callback(monitor.stop)
    stack.callback(stream.stop)
    doer = Doer(relayers, set_scene, proxy, disk_of(url))
    return Course(set_scene, proxy, relayers, stream, monitor, doer, url, order.database)


def _settings(
    order: Order, built: Scene, proxy: Steering, url: str, folder: Path
) -> dict[str, Settings]:
    deployment = folder / "deployment.json"
    built.stage.deployment.save(deployment)
    return {
        name: Settings(
            database=url,
            node=proxy.url,
            deployment=str(deployment),
            lanes=LANES[:1] if order.sabotage else LANES,
            dial=str(folder / f"{name}.dial"),
            log=str(_logs(order.database).fresh(name)),
            sabotage=order.sabotage,
        )
        for name in (FIRST, SECOND)
    }


def _logs(database: str) -> Logs:
    return Logs("chaos-chain", database)


def _warm_up(going: Course) -> None:
    """Lanes are open and the stream flows before anything is broken."""
    going.relayers.start(FIRST)
    going.stream.start()
    going.monitor.start()
    end = time.monotonic() + _WARM_S
    while len(going.monitor.history) < len(LANES) * 3:
        if time.monotonic() > end:
            raise SystemExit("nothing was mined although nothing was broken yet")
        wait(0.1, going.relayers)
