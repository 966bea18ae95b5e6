"""A thousand faults over a stream of transactions, then an audit: `make chaos-chain`.

The last line is one JSON object; what led to it is kept in var/chaos-chain.json. The exit code is 1
if anything was sent twice, left out or lost. `--seed` repeats a run's plan.
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

from tests.chaos.chain.course import Order, course
from tests.chaos.chain.plan import FOCUS, plan
from tests.chaos.chain.report import Report, report_of, tell, together
from tests.support import stores


def main() -> None:
    """Run, tell, keep."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    reports = [run(order) for order in _orders(_arguments())]
    kept = [report.whole() for report in reports]
    Path("var").mkdir(exist_ok=True)
    Path("var/chaos-chain.json").write_text(json.dumps(kept, indent=2) + "\n")
    for one in kept:
        tell(one)
    line = together([report.line() for report in reports])
    sys.stdout.write(json.dumps(line) + "\n")
    sys.exit(any(line[key] for key in ("double_sends", "nonce_gaps", "lost")))


def run(order: Order) -> Report:
    """One run on one database."""
    began = time.monotonic()
    with course(order) as going:
        going.suffer(plan(order.seed, order.faults, order.sabotage))
        going.quieten()
        findings = going.come_to_an_end(order.end_s)
        return report_of(order, going, findings, time.monotonic() - began)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--db", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--end", type=float, default=150.0, help="seconds to come to an end")
    return parser.parse_args()


def _orders(wanted: argparse.Namespace) -> list[Order]:
    """A run for each database. `SABOTAGE` (fence, write-ahead) makes relayers careless."""
    sabotage = os.environ.get("SABOTAGE", "")
    if sabotage not in FOCUS:
        raise SystemExit(f"SABOTAGE={sabotage} is not known: {', '.join(filter(None, FOCUS))}")
    databases = ("sqlite", "postgres") if wanted.db == "both" else (wanted.db,)
    if "postgres" in databases and not stores.answers(stores.POSTGRES):
        raise SystemExit("PostgreSQL does not answer at 127.0.0.1:5432; DB=sqlite needs none")
    return [Order(wanted.faults, wanted.seed, one, sabotage, wanted.end) for one in databases]


if __name__ == "__main__":
    main()
