"""What is asked of the relayer meanwhile: records that anybody may make, and returns step by step.

Every intent has calldata of its own. What was asked is remembered here: the books are on trial.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from eth_abi.abi import encode
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from chain.relay import queue
from chain.relay.queue import Intent
from returns.db import Database
from returns.errors import NotCancelable
from returns.ids import new_id
from returns.tables import Merchant, RelayRule, RelayTransaction
from tests.chaos.chain.auditor import RECORD, Owed
from tests.chaos.chain.evidence import Node
from tests.chaos.chain.scene import Scene
from tests.chaos.chain.token_returns import Return, Returns, calldata, facts, moves
from tests.support.chain_node import CHAIN_ID

#: What a person asks for once an intent is stored.
Change = Callable[[Session, UUID, UUID, datetime], RelayTransaction]

#: Of a hundred intents, how many begin a return; a return has one to three steps.
_RETURNS_PERCENT = 8
#: Of a hundred records: canceled or hurried a moment later; soon of no use any more; not urgent.
_CHANGED_PERCENT, _BRIEF_PERCENT, _PATIENT_PERCENT = 6, 4, 20
_BRIEF, _PATIENCE = timedelta(seconds=2), timedelta(seconds=5)
#: No more is asked while so many are open: a relayer that was down must not drown.
_OPEN_AT_MOST = 250
_BATCH_LIMIT = 10


class Stream(threading.Thread):
    """Asks for about `rate` intents a second until it is told to stop."""

    def __init__(
        self, scene: Scene, database: Database, seed: int, rate: float, tokens: int
    ) -> None:
        super().__init__(daemon=True, name="stream")
        self.owed: list[Owed] = []
        #: When each id was asked to be recorded at once, as Unix time.
        self.urgent: dict[bytes, float] = {}
        self.problem: BaseException | None = None
        self._scene, self._database, self._pause = scene, database, 1 / rate
        self._draw = random.Random(f"{seed}:stream")
        self._returns = Returns(scene, tokens, self._draw)
        self._over = threading.Event()
        self._second_thoughts: list[tuple[float, UUID, Change]] = []
        self._merchant = _merchant(database, scene.recorder)

    def stop(self) -> None:
        """Ask for no more, and wait until what was begun is stored."""
        self._over.set()
        if self.is_alive():
            self.join(timeout=60)

    def run(self) -> None:
        """Goes on until `stop`; what breaks it is kept in `problem`."""
        node = self._scene.node()
        try:
            while not self._over.wait(self._pause):
                if self._open() < _OPEN_AT_MOST:
                    self._ask(self._next(node))
                self._think_again()
        except BaseException as problem:
            self.problem = problem
            raise

    def _next(self, node: Node) -> list[Intent]:
        intents = [self._step(*step) for step in self._returns.ready(node)]
        if self._draw.randrange(100) < _RETURNS_PERCENT:
            begun = self._returns.begin()
            return intents if begun is None else [*intents, self._step(*begun)]
        return [*intents, self._record()]

    def _record(self) -> Intent:
        """Now and then it may wait, or is of use for a moment only, or is thought about again."""
        relay_id, lot, now = new_id(), self._draw.randrange(100), datetime.now(UTC)
        if lot < _CHANGED_PERCENT:
            change = queue.cancel if lot % 2 else queue.speed_up
            later = time.monotonic() + self._draw.uniform(0.0, 2.0)
            self._second_thoughts.append((later, relay_id, change))
        brief = _CHANGED_PERCENT <= lot < _CHANGED_PERCENT + _BRIEF_PERCENT
        return Intent(
            id=relay_id,
            merchant_id=self._merchant,
            chain_id=CHAIN_ID,
            to=self._scene.recorder,
            data=RECORD + encode(["bytes32"], [relay_id.bytes.rjust(32, b"\0")]),
            send_by=now + _PATIENCE if lot >= 100 - _PATIENT_PERCENT else None,
            expires_at=now + _BRIEF if brief else None,
        )

    def _think_again(self) -> None:
        """Cancel or hurry what was asked a moment ago, if it is not too late for that."""
        for thought in [one for one in self._second_thoughts if one[0] <= time.monotonic()]:
            self._second_thoughts.remove(thought)
            _, relay_id, change = thought
            with suppress(NotCancelable, SQLAlchemyError), self._database.write() as session:
                change(session, self._merchant, relay_id, datetime.now(UTC))

    def _step(self, one: Return, step: str) -> Intent:
        return Intent(
            id=new_id(),
            merchant_id=self._merchant,
            chain_id=CHAIN_ID,
            to=self._scene.escrow,
            data=calldata(one, step),
            facts=facts(one),
            moves=moves(one, step, self._scene.escrow),
            batch_limit=_BATCH_LIMIT,
        )

    def _ask(self, intents: Sequence[Intent]) -> None:
        """Stored at some time, also on a disk that is full for a while: an id is stored once."""
        if not intents:
            return
        while True:
            try:
                with self._database.write() as session:
                    for intent in intents:
                        queue.enqueue(session, intent, datetime.now(UTC))
                break
            except SQLAlchemyError:
                time.sleep(0.2)
        self.owed += [Owed(one.id, one.to, one.data) for one in intents]
        urgent = [one for one in intents if one.data[:4] == RECORD and one.send_by is None]
        self.urgent |= {one.data[4:]: time.time() for one in urgent}

    def _open(self) -> int:
        query = sa.text("SELECT count(*) FROM relay_transaction WHERE state IN ('pending', 'sent')")
        with self._database.read() as session:
            return int(session.connection().scalar(query) or 0)


def _merchant(database: Database, recorder: str) -> UUID:
    """A merchant whose back end may have the recorder called."""
    now = datetime.now(UTC)
    merchant = Merchant(slug="chaos", name="Chaos", created_at=now)
    with database.write() as session:
        session.add(merchant)
        session.flush()
        session.add(
            RelayRule(
                merchant_id=merchant.id,
                chain_id=CHAIN_ID,
                contract=recorder,
                function="record(bytes32)",
                created_at=now,
            )
        )
    return merchant.id
