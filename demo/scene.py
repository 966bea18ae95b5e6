"""Everything that is known before the product starts: book, requests, and how each must end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from demo import book, choose, generated, oracle, plant, policy
from demo.faults import CannotPlay
from demo.oracle import Expected
from demo.requests import Request


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    returns: int
    sales: Path | None = None
    plant: bool = False
    kills: int = 0
    seed: int = 7


@dataclass(frozen=True)
class Scene:
    """The book, the requests in their order, their ends, and the day of the newest sale."""

    book: book.Book
    requests: list[Request]
    expected: list[Expected]
    last_day: date


def prepare(options: Options, home: Path) -> Scene:
    """Read or generate the book into `home`, compose the requests, ask the oracle."""
    if options.returns < 1:
        raise CannotPlay(f"RETURNS is {options.returns}; it must be at least 1.")
    source = options.sales or generated.write(home / "generated.csv", options.seed)
    prepared = book.prepare(source, home)
    written = policy.read()
    requests = choose.choose(prepared, written, options.returns, options.seed)
    now = datetime.now(UTC)
    last_day = now.date() - timedelta(days=1)
    holders = {one.purchase.token_id: prepared.holder_name(one.purchase) for one in requests}
    shift = (last_day - prepared.newest).days
    situations = oracle.situations(requests, holders, shift, now)
    expected = oracle.foretell(written, situations)
    if options.plant:
        _check_plants(expected)
    return Scene(prepared, requests, expected, last_day)


def _check_plants(expected: list[Expected]) -> None:
    for remedy, number in plant.needed().items():
        there = sum(one.remedy == remedy for one in expected)
        if there < number:
            raise CannotPlay(
                f"PLANT needs {number} settled returns by {remedy}; RETURNS={len(expected)} has"
                f" {there}. Ask for more returns."
            )
