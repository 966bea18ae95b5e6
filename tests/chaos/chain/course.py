"""One run: a scene, its processes and its stream; the faults; the way back to quiet; the audit."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from returns import migrate
from returns.db import Database
from tests.chaos.chain.auditor import Findings, judge
from tests.chaos.chain.deeds import Doer
from tests.chaos.chain.disks import disk_of
from tests.chaos.chain.evidence import Unreadable, read_books, read_chain
from tests.chaos.chain.monitor import Monitor
from tests.chaos.chain.plan import Plan
from tests.chaos.chain.processes import FIRST, SECOND, Relayers, proxied, wait
from tests.chaos.chain.proxy import Steering
from tests.chaos.chain.relayer_process import Settings
from tests.chaos.chain.scene import LANES, Scene, scene
from tests.chaos.chain.stream import Stream
from tests.support.stores import postgres_database

#: Intents asked for in a second; tokens that can be returned, for each fault.
_RATE, _TOKENS_PER_FAULT = 12.0, 0.5
#: Seconds until the stream flows.
_WARM_S = 60.0


@dataclass(frozen=True)
class Order:
    """What is to be run. `end_s`: seconds for everything to come to an end."""

    faults: int
    seed: int
    database: str
    sabotage: str = ""
    end_s: float = 150.0


@dataclass
class Course:
    """The moving parts of one run, on the way."""

    scene: Scene
    proxy: Steering
    relayers: Relayers
    stream: Stream
    monitor: Monitor
    doer: Doer
    url: str
    database: str
    fired: list[tuple[float, str]] = field(default_factory=list)

    def suffer(self, planned: Plan) -> None:
        """All deeds, each with its faults of the wire; then spare ones until there are enough."""
        wanted = sum(len(step.wire) + 1 for step in planned.steps)
        for step in planned.steps:
            for fault in step.wire:
                self.proxy.arm(fault)
            self.doer.do(step.deed)
            self._require(self.stream, self.monitor, self.scene.miner)
        self._make_up_for_misses(planned, wanted)
        self.fired = sorted(self.proxy.fired() + self.doer.done)
        _keep_times(self.database, self.fired)

    def _make_up_for_misses(self, planned: Plan, wanted: int) -> None:
        for fault in planned.spare:
            if len(self.proxy.fired()) + len(self.doer.done) >= wanted:
                break
            self.proxy.arm(fault)
            wait(0.2, self.relayers)

    def quieten(self) -> None:
        """No more faults, and nothing more is asked for. Raises where a part of the run broke."""
        self.doer.make_up()
        self.stream.stop()
        # An audit of less than what was asked for would prove nothing.
        if self.stream.problem is not None or self.stream.is_alive():
            raise SystemExit(f"the stream broke: {self.stream.problem!r}")
        self._require(self.monitor, self.scene.miner)

    def _require(self, *parts: threading.Thread) -> None:
        for part in parts:
            if not part.is_alive():
                raise SystemExit(f"the {part.name} broke")

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
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-chain-")))
    url = stack.enter_context(_migrated(order.database, folder))
    tokens = max(40, int(order.faults * _TOKENS_PER_FAULT))
    set_scene = stack.enter_context(scene(tokens))
    proxy = stack.enter_context(proxied(set_scene.node_port))
    relayers = Relayers(_settings(order, set_scene, proxy, url, folder), folder)
    stack.callback(relayers.stop_all)
    database = Database(url)
    stack.callback(database.close)
    stream = Stream(set_scene, database, order.seed, _RATE, tokens)
    monitor = Monitor(set_scene)
    stack.callback(monitor.stop)
    stack.callback(stream.stop)
    doer = Doer(relayers, set_scene, proxy, disk_of(url))
    return Course(set_scene, proxy, relayers, stream, monitor, doer, url, order.database)


@contextmanager
def _migrated(kind: str, folder: Path) -> Iterator[str]:
    """A database of this run's own."""
    with ExitStack() as stack:
        path = f"sqlite:///{folder / 'undrop.db'}"
        url = path if kind == "sqlite" else stack.enter_context(postgres_database())
        database = Database(url)
        migrate.upgrade(database)
        database.close()
        yield url


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
            log=str(_log(order.database, name)),
            sabotage=order.sabotage,
        )
        for name in (FIRST, SECOND)
    }


def _log(database: str, name: str) -> Path:
    """What was said in the run before is forgotten."""
    path = Path("var/chaos-chain") / f"{database}-{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path.absolute()


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


def _keep_times(database: str, fired: list[tuple[float, str]]) -> None:
    """When each fault struck, to be read beside what the relayers said (UTC)."""
    lines = [f"{datetime.fromtimestamp(at, UTC):%H:%M:%S.%f} {kind}" for at, kind in fired]
    _log(database, "faults").write_text("\n".join(lines) + "\n")
