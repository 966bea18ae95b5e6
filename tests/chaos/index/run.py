"""Hundreds of faults around the index of a chain, then an audit: `make chaos-index`.

The last line is one JSON object; what led to it is kept in var/chaos-index.json. The exit code is 1
if the index has missed a log, has one twice, or a token in wrong hands. `--seed` repeats a plan.
"""

from __future__ import annotations

import time

from tests.chaos.chain.plan import dealt
from tests.chaos.command import Command
from tests.chaos.index.course import course
from tests.chaos.index.deck import DECKS
from tests.chaos.index.report import Report, report_of, tell
from tests.chaos.ordeal import Order


def run(order: Order) -> Report:
    """One run on one database."""
    began = time.monotonic()
    with course(order) as going:
        going.suffer(dealt(order.seed, order.faults, DECKS[order.sabotage]))
        going.quieten()
        findings = going.come_to_an_end(order.end_s)
        return report_of(order, going, findings, time.monotonic() - began)


COMMAND = Command(
    name="chaos-index",
    about=__doc__,
    faults=300,
    sabotages=DECKS,
    wrong=("missed", "twice", "wrong_holder"),
    run=run,
    tell=tell,
)

if __name__ == "__main__":
    COMMAND.main()
