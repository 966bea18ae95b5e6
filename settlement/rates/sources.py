"""Sources of rates: fixed ones, a file of observations, feeds on chain."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chain import feeds
from chain.client import ChainClient
from returns.errors import RateUnavailable, UndropError
from settlement.rates.base import Rate, RateSource, read_pair, read_rate

_MAX_BYTES = 5 * 1024 * 1024
#: What reading something else than observations raises.
_UNREADABLE = (
    UndropError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    csv.Error,
    RecursionError,
    ArithmeticError,
)


class FixedRates:
    """Rates that somebody has set: `{"TUSD/USD": "1"}`. They hold at any time."""

    def __init__(self, rates: Mapping[str, str]) -> None:
        self._rates = {read_pair(pair): read_rate(rate) for pair, rate in rates.items()}

    def rate(self, base: str, quote: str, at: datetime, now: datetime) -> Rate | None:  # noqa: ARG002
        """The rate, whatever the moment."""
        found = self._rates.get((base, quote))
        if found is None:
            return None
        return Rate(base, quote, found.numerator, found.denominator, "fixed", at)


class RateFile:
    """Observations in a CSV or JSON file: pair, rate, observed_at (with its time zone).

    Read anew each time: whoever writes it replaces it.
    """

    def __init__(self, path: Path, max_age: timedelta) -> None:
        self._path = path
        self._max_age = max_age

    def rate(self, base: str, quote: str, at: datetime, now: datetime) -> Rate | None:  # noqa: ARG002
        """The newest observation that is not after the moment, nor older than the limit."""
        seen = [
            one for one in self._rates(f"{base}/{quote}") if (one.base, one.quote) == (base, quote)
        ]
        if not seen:
            return None
        before = [one for one in seen if at - self._max_age <= one.observed_at <= at]
        if not before:
            problem = f"{self._path.name} has none for {at.isoformat(timespec='seconds')}"
            raise RateUnavailable(pair=f"{base}/{quote}", problem=problem)
        return max(before, key=lambda one: one.observed_at)

    def _rates(self, pair: str) -> Iterator[Rate]:
        try:
            yield from map(self._read, self._rows())
        except _UNREADABLE as fault:
            problem = f"{self._path.name} cannot be read: {type(fault).__name__}"
            raise RateUnavailable(pair=pair, problem=problem) from fault

    def _rows(self) -> Iterator[dict[str, Any]]:
        with self._path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise ValueError("too large")
        text = raw.decode("utf-8-sig")
        yield from json.loads(text) if text.lstrip().startswith("[") else _table(text)

    def _read(self, row: dict[str, Any]) -> Rate:
        base, quote = read_pair(row["pair"])
        rate, observed_at = read_rate(row["rate"]), datetime.fromisoformat(row["observed_at"])
        if observed_at.tzinfo is None:
            raise ValueError("a time without its zone")
        about = (rate.numerator, rate.denominator, f"file {self._path.name}"[:200])
        return Rate(base, quote, *about, observed_at.astimezone(UTC))


def _table(text: str) -> Iterator[dict[str, Any]]:
    yield from csv.DictReader(io.StringIO(text))


class ChainFeeds:
    """Feeds by pair. They tell what holds now, and nothing of the past."""

    def __init__(
        self, client: ChainClient, addresses: Mapping[str, str], heartbeat: timedelta
    ) -> None:
        self._client = client
        self._addresses = {read_pair(pair): address for pair, address in addresses.items()}
        self._heartbeat = heartbeat

    def rate(self, base: str, quote: str, at: datetime, now: datetime) -> Rate | None:
        """The newest answer. Raises `RateUnavailable`, `ChainUnavailable`."""
        address = self._addresses.get((base, quote))
        if address is None or at != now:
            return None
        told = feeds.latest(self._client, address, f"{base}/{quote}", now, self._heartbeat)
        rate = (told.answer, 10**told.decimals, f"feed {address}")
        return Rate(base, quote, *rate, told.updated_at)


class Rates:
    """All sources, the first that covers a pair decides; a pair may be stored the other way."""

    def __init__(self, sources: Sequence[RateSource]) -> None:
        self._sources = sources

    def rate(self, base: str, quote: str, at: datetime, now: datetime) -> Rate:
        """The rate that held `at` a moment; raises `RateUnavailable`."""
        if base == quote:
            return Rate(base, quote, 1, 1, "same currency", at)
        for source in self._sources:
            found = source.rate(base, quote, at, now)
            if found is not None:
                return found
            turned = source.rate(quote, base, at, now)
            if turned is not None:
                return turned.inverse
        problem = f"no source covers it at {at.isoformat(timespec='seconds')}"
        raise RateUnavailable(pair=f"{base}/{quote}", problem=problem)
