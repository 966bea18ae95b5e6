"""What a `make chaos-…` is told and says: a run for each database, one JSON object in the end."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.chaos.chain.report import together
from tests.chaos.ordeal import Order
from tests.support import stores


class Report(Protocol):
    """What came of a run."""

    def line(self) -> dict[str, Any]:
        """The figures that count."""

    def whole(self) -> dict[str, Any]:
        """Everything."""


@dataclass(frozen=True)
class Command:
    """`name`: of the file in var that keeps everything. `wrong`: figures that have to be 0."""

    name: str
    about: str
    faults: int
    sabotages: Collection[str]
    wrong: tuple[str, ...]
    run: Callable[[Order], Report]
    tell: Callable[[dict[str, Any]], None]

    def main(self) -> None:
        """Run, tell, keep; the exit code says whether all was well."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        reports = [self.run(order) for order in self._orders(self._arguments())]
        kept = [report.whole() for report in reports]
        Path("var").mkdir(exist_ok=True)
        Path(f"var/{self.name}.json").write_text(json.dumps(kept, indent=2) + "\n")
        for one in kept:
            self.tell(one)
        line = together([report.line() for report in reports])
        sys.stdout.write(json.dumps(line) + "\n")
        sys.exit(any(line[key] for key in self.wrong))

    def _arguments(self) -> argparse.Namespace:
        parser = argparse.ArgumentParser(description=self.about)
        parser.add_argument("--faults", type=int, default=self.faults)
        parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
        parser.add_argument("--db", choices=("sqlite", "postgres", "both"), default="both")
        parser.add_argument("--end", type=float, default=150.0, help="seconds to come to an end")
        return parser.parse_args()

    def _orders(self, wanted: argparse.Namespace) -> list[Order]:
        """A run for each database. `SABOTAGE` makes what is tried careless."""
        sabotage = os.environ.get("SABOTAGE", "")
        if sabotage not in self.sabotages:
            known = ", ".join(filter(None, self.sabotages))
            raise SystemExit(f"SABOTAGE={sabotage} is not known: {known}")
        databases = ("sqlite", "postgres") if wanted.db == "both" else (wanted.db,)
        if "postgres" in databases and not stores.answers(stores.POSTGRES):
            raise SystemExit("PostgreSQL does not answer at 127.0.0.1:5432; DB=sqlite needs none")
        return [Order(wanted.faults, wanted.seed, one, sabotage, wanted.end) for one in databases]
