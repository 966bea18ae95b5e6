"""What carries wake-ups between processes, and how all of it is lost."""

from __future__ import annotations

from pathlib import Path

from redis import Redis

_BROKER = "redis://127.0.0.1:6379/{}"
#: Says that a database of Redis is taken by a run.
_MARK = "chaos-settlement"
#: Redis has sixteen; the first is everybody's, the last for tests.
_NUMBERS = range(1, 15)


class Files:
    """The broker of one machine: a folder of messages."""

    url = ""

    def __init__(self, home: Path) -> None:
        self._queue = home / "broker" / "queue"

    def lose(self) -> None:
        """Everything that waits in it."""
        for message in self._queue.glob("*.msg"):
            message.unlink(missing_ok=True)


class RedisBroker:
    """A numbered database that nobody else uses."""

    def __init__(self) -> None:
        self._number, self._redis = _free_database()
        self.url = _BROKER.format(self._number)

    def lose(self) -> None:
        """Everything that waits in it."""
        with self._redis.pipeline(transaction=True) as both:
            both.flushdb().set(_MARK, "taken").execute()

    def close(self) -> None:
        """As it was found: empty."""
        self._redis.flushdb()
        self._redis.close()


def _free_database() -> tuple[int, Redis]:
    for number in _NUMBERS:
        client = Redis.from_url(_BROKER.format(number))
        if client.dbsize() == 0 and client.set(_MARK, "taken", nx=True):
            return number, client
        client.close()
    raise SystemExit("every database of Redis at 127.0.0.1:6379 is in use")
