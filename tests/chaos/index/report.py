"""What came of a run: the figures that count, and what helps to understand them."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.chaos.chain.report import seconds
from tests.chaos.index.auditor import Findings
from tests.chaos.index.course import Course
from tests.chaos.index.pulse import repairs
from tests.chaos.index.raw_books import read_figures
from tests.chaos.ordeal import Order

#: Findings of a kind that are kept, and how much of each is shown.
_SHOWN, _LENGTH = 20, 240


@dataclass
class Report:
    """What came of it."""

    order: Order
    findings: Findings
    faults: Counter[str]
    worst_repair: dict[str, float]
    own_ends: int
    took_s: float
    blocks: int
    went_through: dict[str, int]

    def line(self) -> dict[str, Any]:
        """The figures that count."""
        return {
            "faults": self.faults.total(),
            "events": self.findings.events,
            "missed": len(self.findings.missed),
            "twice": len(self.findings.twice),
            "wrong_holder": len(self.findings.wrong_holder),
            "worst_repair_s": seconds(max(self.worst_repair.values(), default=0.0)),
        }

    def whole(self) -> dict[str, Any]:
        """Everything, for whoever wants to know more."""
        found = self.findings
        problems = (found.missed, found.twice, found.wrong_holder)
        return self.line() | {
            "database": self.order.database,
            "seed": self.order.seed,
            "sabotage": self.order.sabotage,
            "seconds": round(self.took_s),
            "blocks": self.blocks,
            "went_through": self.went_through,
            "indexer_ended_by_itself": self.own_ends,
            "by_kind": dict(sorted(self.faults.items())),
            "worst_repair_by_kind": {k: seconds(v) for k, v in sorted(self.worst_repair.items())},
            "problems": [one for kind in problems for one in kind[:_SHOWN]],
        }


def report_of(order: Order, going: Course, findings: Findings, took_s: float) -> Report:
    """While the run's chain is there still."""
    worst: dict[str, float] = {}
    for (_, kind), took in zip(going.fired, repairs(going.fired, going.pulse.turns), strict=True):
        worst[kind] = max(worst.get(kind, 0.0), took)
    return Report(
        order=order,
        findings=findings,
        faults=Counter(kind for _, kind in going.fired),
        worst_repair=worst,
        own_ends=going.indexers.own_ends,
        took_s=took_s,
        blocks=going.ground.node().head(),
        went_through=read_figures(going.url),
    )


def tell(one: dict[str, Any]) -> None:
    """A run as people read it."""
    say = sys.stdout.write
    say(f"\n{one['database']}, seed {one['seed']}, {one['seconds']} s, {one['blocks']} blocks")
    say(f" (sabotaged: {one['sabotage']})\n" if one["sabotage"] else "\n")
    for kind, count in one["by_kind"].items():
        say(f"  {kind:<50} {count:>5}   at the head in {one['worst_repair_by_kind'][kind]} s\n")
    say("  " + ", ".join(f"{n} {what}" for what, n in one["went_through"].items()) + "\n")
    say(f"  the indexer ended by itself {one['indexer_ended_by_itself']} times\n")
    for problem in one["problems"]:
        say(f"  PROBLEM: {problem[:_LENGTH]}\n")
