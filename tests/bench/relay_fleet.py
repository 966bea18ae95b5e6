"""Ours: the product's fleet in a process of its own, as it runs, over books and a node."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.synchronize import Event

from chain.client import ChainClient
from chain.contracts import Deployment
from chain.relay.fleet import Fleet
from chain.relay.guard import Guard, escrow_rules
from chain.relay.parts import Parts, RelayPolicy
from chain.relay.queue import Intent
from chain.signers import LocalSigner
from returns.clock import system_clock
from returns.db import Database
from tests.bench.relay_books import Books, books
from tests.bench.relay_setting import fresh_ids, secrets_of_lanes, setting
from tests.support.chain_node import CHAIN_ID

_NEW = multiprocessing.get_context("spawn")
_STOP_S = 60

#: Budgets are counted, and wide. A local node has room for more than sixteen of an account, and
#: the window has to carry a lane over a block's time.
POLICY = RelayPolicy(
    window=400,
    claim=200,
    lease=timedelta(seconds=10),
    case_budget=10**20,
    customer_budget=10**22,
    day_budget=10**24,
)


@dataclass(frozen=True)
class Crew:
    """What a fleet works on: where books and node are, and whose escrow it may call."""

    database: str
    node: str
    deployment: Deployment | None = None
    policy: RelayPolicy = POLICY


@dataclass
class Process:
    """A fleet that is built, and begins when told to."""

    begin: Event = field(default_factory=_NEW.Event)
    ready: Event = field(default_factory=_NEW.Event)
    stop: Event = field(default_factory=_NEW.Event)


@contextmanager
def fleet(crew: Crew) -> Iterator[Callable[[], None]]:
    """A fleet in a process of its own; what is yielded starts it. It stops in the end."""
    signals = Process()
    process = _NEW.Process(target=_serve, args=(crew, signals.ready, signals.begin, signals.stop))
    process.start()
    try:
        if not signals.ready.wait(_STOP_S):
            raise SystemExit("the fleet does not start: nothing to measure")
        yield signals.begin.set
    finally:
        signals.begin.set()
        signals.stop.set()
        process.join(_STOP_S)


def _serve(crew: Crew, ready: Event, begin: Event, stop: Event) -> None:
    own = [] if crew.deployment is None else escrow_rules(crew.deployment)
    parts = Parts(
        Database(crew.database),
        ChainClient(crew.node),
        CHAIN_ID,
        system_clock,
        Guard(own),
        crew.policy,
    )
    crowd = Fleet(parts, [LocalSigner(secret) for secret in secrets_of_lanes()])
    ended = threading.Event()
    threading.Thread(target=_pass_on, args=(stop, ended), daemon=True).start()
    ready.set()
    begin.wait()
    crowd.run(ended)


def _pass_on(stop: Event, ended: threading.Event) -> None:
    stop.wait()
    ended.set()


@dataclass(frozen=True)
class Pace:
    """Per second: until mined on chain, and until the books say so."""

    mined: float
    booked: float


def pace(
    crew: Crew, kept: Books, intents: Sequence[Intent], until_mined: Callable[[], float]
) -> Pace:
    """What a fleet makes of intents that wait for it when it starts."""
    kept.owe(intents)
    with fleet(crew) as begin:
        start = time.perf_counter()
        begin()
        mined = until_mined()
        booked = kept.wait_until_confirmed(len(intents))
    count = len(intents)
    return Pace(count / (mined - start), count / (booked - start))


def relayer(count: int, *, on_postgres: bool, policy: RelayPolicy = POLICY) -> Pace:
    """The call of all settings through eight lanes, with everything on that guards it."""
    with setting() as chain, books(on_postgres=on_postgres) as kept:
        kept.allow(chain.recorder, "record(bytes32)")
        ids = fresh_ids(count)
        intents = [kept.recording(chain, one) for one in ids]
        crew = Crew(kept.database.url, chain.anvil.url, policy=policy)
        found = pace(crew, kept, intents, lambda: chain.wait_until_mined(count))
        chain.require_recorded(ids)
        return found
