"""The worker's part: events get their deliveries, deliveries are sent, outside any transaction.

Sending happens in threads of the process that are not waited for: an endpoint that takes its time
holds up its own deliveries, of which only some are on their way at once, and nobody else's.
"""

from __future__ import annotations

import logging
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from returns import deliveries, fan_out
from returns.clock import Clock
from returns.db import Database
from returns.deliveries import Failure
from returns.errors import LeaseLost, UndropError
from returns.tables import WebhookDelivery
from settlement.webhooks_out import messages
from settlement.webhooks_out.messages import Message
from settlement.webhooks_out.postman import Taken
from settlement.webhooks_out.sealing import Sealer

log = logging.getLogger(__name__)

#: Requests under way in one process, and to one endpoint.
THREADS, IN_FLIGHT = 24, 4
#: Longer than a name's look-up and a request can take together.
LEASE = timedelta(seconds=60)
#: Transactions of one wake-up; the next one goes on.
_ROUNDS = 40
#: Seconds that a wake-up waits for a next answer; what takes longer is left to its thread.
_MOMENT_S = 0.2


class Post(Protocol):
    """What takes a message somewhere."""

    def post(self, url: str, headers: dict[str, str], body: bytes) -> Taken | Failure: ...


class Dispatcher:
    """The webhooks of one process."""

    def __init__(self, database: Database, clock: Clock, postman: Post, sealer: Sealer) -> None:
        self._database = database
        self._clock = clock
        self._postman = postman
        self._sealer = sealer
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="webhook")
        self._under_way: set[Future[None]] = set()
        self._last: UUID | None = None

    def run(self) -> int:
        """Place what happened and begin to send what is due; returns how much was begun."""
        done = 0
        for _ in range(_ROUNDS):
            placed, begun = self._place(), self._begin()
            done += placed + begun
            if not placed and not begun and not self._one_ended():
                break
        return done

    def settle(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            wait(self._under_way)
            self._forget()

    def close(self) -> None:
        """End the threads, after what they are doing."""
        self._threads.shutdown()

    def _place(self) -> int:
        with self._database.read() as session:
            if not fan_out.is_waiting(session):
                return 0
        with self._database.write() as session:
            return fan_out.fan_out(session, self._clock())

    def _begin(self) -> int:
        self._forget()
        free = THREADS - len(self._under_way)
        claimed = self._claim(free) if free > 0 else []
        for delivery in claimed:
            self._under_way.add(self._threads.submit(self._send, delivery))
        return len(claimed)

    def _one_ended(self) -> bool:
        """Wait a moment for an answer: it makes room, and an event of the same case due."""
        return bool(wait(self._under_way, _MOMENT_S, FIRST_COMPLETED).done)

    def _forget(self) -> None:
        self._under_way = {one for one in self._under_way if not one.done()}

    def _claim(self, free: int) -> list[WebhookDelivery]:
        now = self._clock()
        with self._database.read() as session:
            waiting = self._in_turn(deliveries.endpoints_with_work(session, now))
        claimed: list[WebhookDelivery] = []
        if not waiting:
            return claimed
        with self._database.write() as session:
            for endpoint_id in waiting:
                if len(claimed) >= free:
                    break
                room = free - len(claimed)
                claimed += deliveries.claim(session, endpoint_id, now, LEASE, IN_FLIGHT, room)
                self._last = endpoint_id
        return claimed

    def _in_turn(self, waiting: list[UUID]) -> list[UUID]:
        """Those that come after the last one that was served, then the others."""
        last = self._last
        return sorted(waiting, key=lambda one: (last is not None and one <= last, one))

    def _send(self, delivery: WebhookDelivery) -> None:
        """Whatever goes wrong with one delivery is noted on it; the others go on."""
        try:
            self._deliver(delivery)
        except LeaseLost as lost:
            log.warning("webhook.lease_lost delivery=%s problem=%s", delivery.id, lost)
        except Exception:
            # Its lease ends, and another worker tries again.
            log.exception("webhook.fault delivery=%s", delivery.id)

    def _deliver(self, delivery: WebhookDelivery) -> None:
        message: Message | None = None
        try:
            with self._database.read() as session:
                message = messages.compose(session, self._sealer, delivery, self._clock())
        except UndropError as refused:
            outcome: Taken | Failure = Failure(str(refused))
        else:
            headers = messages.headers(message, self._clock())
            outcome = self._postman.post(message.url, headers, message.body)
        self._record(delivery, outcome, was_failing=message is None or message.was_failing)

    def _record(
        self, delivery: WebhookDelivery, outcome: Taken | Failure, *, was_failing: bool
    ) -> None:
        now = self._clock()
        with self._database.write() as session:
            if isinstance(outcome, Taken):
                status = outcome.status
                deliveries.delivered(session, delivery, status, now, was_failing=was_failing)
            else:
                deliveries.failed(session, delivery, outcome, now)
        if isinstance(outcome, Failure):
            log.warning(
                "webhook.failed endpoint=%s delivery=%s kind=%s attempt=%d problem=%s",
                delivery.endpoint_id,
                delivery.id,
                delivery.kind,
                delivery.attempts,
                outcome.error,
            )
