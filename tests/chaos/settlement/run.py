"""Hundreds of returns in a storm of faults, then an audit of all money: `make chaos-settlement`.

The last line is one JSON object; what led to it is kept in var/chaos-settlement.json. The exit
code is 1 if a payment was made twice or not at all, if a customer has neither token nor money, or
both, if ledger, processor and chain disagree, or if anything has not come to an end. `--seed`
repeats a plan.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from tests.chaos.ordeal import Order
from tests.chaos.settlement import deck
from tests.chaos.settlement.course import course
from tests.chaos.settlement.report import WRONG, Report, report_of, tell, together
from tests.support import stores

NAME = "chaos-settlement"
CASES = 500


def run(order: Order, cases: int) -> Report:
    """One run on one database."""
    began = time.monotonic()
    with course(order, cases) as going:
        going.suffer()
        findings = going.come_to_an_end()
        return report_of(order, going, findings, time.monotonic() - began)


def main() -> None:
    """Run, tell, keep; the exit code says whether all was well."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = _arguments()
    reports = [run(order, wanted.cases) for order in _orders(wanted)]
    kept = [report.whole() for report in reports]
    Path("var").mkdir(exist_ok=True)
    Path(f"var/{NAME}.json").write_text(json.dumps(kept, indent=2) + "\n")
    for one in kept:
        tell(one)
    line = together([report.line() for report in reports])
    sys.stdout.write(json.dumps(line) + "\n")
    sys.exit(any(line.get(name) for name in WRONG))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--faults", type=int, help="if not as many as fit the cases")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--db", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--end", type=float, default=240.0, help="seconds to come to an end")
    return parser.parse_args()


def _orders(wanted: argparse.Namespace) -> list[Order]:
    """A run for each database. `SABOTAGE` makes the processor careless."""
    sabotage = os.environ.get("SABOTAGE", "")
    if sabotage not in deck.DECKS:
        known = ", ".join(filter(None, deck.DECKS))
        raise SystemExit(f"SABOTAGE={sabotage} is not known: {known}")
    databases = ("sqlite", "postgres") if wanted.db == "both" else (wanted.db,)
    if "postgres" in databases and not all(map(stores.answers, (stores.POSTGRES, stores.REDIS))):
        raise SystemExit("PostgreSQL or Redis does not answer; DB=sqlite needs neither")
    faults = wanted.faults or deck.faults_for(wanted.cases)
    return [Order(faults, wanted.seed, one, sabotage, wanted.end) for one in databases]


if __name__ == "__main__":
    main()
