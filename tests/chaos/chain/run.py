"""A thousand faults over a stream of transactions, then an audit: `make chaos-chain`.

The last line is one JSON object; what led to it is kept in var/chaos-chain.json. The exit code is 1
if anything was sent twice, left out or lost. `--seed` repeats a run's plan.
"""

from __future__ import annotations

import time

from tests.chaos.chain.course import course
from tests.chaos.chain.plan import FOCUS, plan
from tests.chaos.chain.report import Report, report_of, tell
from tests.chaos.command import Command
from tests.chaos.ordeal import Order


def run(order: Order) -> Report:
    """One run on one database."""
    began = time.monotonic()
    with course(order) as going:
        going.suffer(plan(order.seed, order.faults, order.sabotage))
        going.quieten()
        findings = going.come_to_an_end(order.end_s)
        return report_of(order, going, findings, time.monotonic() - began)


COMMAND = Command(
    name="chaos-chain",
    about=__doc__,
    faults=1_000,
    sabotages=FOCUS,
    wrong=("double_sends", "nonce_gaps", "lost"),
    run=run,
    tell=tell,
)

if __name__ == "__main__":
    COMMAND.main()
