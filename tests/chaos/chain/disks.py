"""A disk that is full for a while: the relayers' writes to the books fail, on either database."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

_TABLES = ("relay_transaction", "relay_slot", "relay_attempt", "lane")
_PREPARE = """
CREATE TABLE full_disk (is_full boolean NOT NULL);
INSERT INTO full_disk VALUES (false);
CREATE FUNCTION refuse_when_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT is_full FROM full_disk) THEN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
  END IF;
  RETURN NULL;
END $$;
"""
_TRIGGER = """CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table}
              FOR EACH STATEMENT EXECUTE FUNCTION refuse_when_full();"""


class FileLimit:
    """SQLite: no file of these processes may grow (RLIMIT_FSIZE): each write fails with EFBIG."""

    @contextmanager
    def full(self, pids: list[int]) -> Iterator[None]:
        """As long as the block lasts. A process that ends meanwhile takes its limit with it."""
        for pid in pids:
            self._limit(pid, 0)
        try:
            yield
        finally:
            for pid in pids:
                self._limit(pid, resource.RLIM_INFINITY)

    def _limit(self, pid: int, soft: int) -> None:
        with suppress(ProcessLookupError):
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(
                pid, resource.RLIMIT_FSIZE, (min(soft, hard) if hard >= 0 else soft, hard)
            )


class RefusedWrites:
    """PostgreSQL: each write of the relayer's tables is refused with 53100, whoever writes."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("+psycopg", "")
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(_PREPARE)
            for table in _TABLES:
                connection.execute(_TRIGGER.format(table=table))

    @contextmanager
    def full(self, pids: list[int]) -> Iterator[None]:
        """As long as the block lasts, for everybody."""
        self._set(True)
        try:
            yield
        finally:
            self._set(False)

    def _set(self, is_full: bool) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("UPDATE full_disk SET is_full = %s", (is_full,))


def disk_of(url: str) -> FileLimit | RefusedWrites:
    """The one that fits the database."""
    return FileLimit() if url.startswith("sqlite") else RefusedWrites(url)
