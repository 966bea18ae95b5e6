"""What came of a run: the figures that count, and what helps to understand them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.chaos.chain.report import seconds
from tests.chaos.ordeal import Order
from tests.chaos.settlement.auditor import Findings
from tests.chaos.settlement.course import Course
from tests.chaos.settlement.evidence import read_books, read_log, read_moves
from tests.chaos.settlement.facts import RESTING, Log

#: Findings of a kind that are kept, and how much of each is shown.
_SHOWN, _LENGTH = 20, 300
#: Lines that stood longest, of which the report tells.
_SLOWEST = 5
#: States in which the next step is the customer's.
_NOT_OURS = RESTING | {"awaiting_signature", "awaiting_evidence", "in_review"}
#: Figures that have to be 0.
WRONG = (
    "double_payments", "lost_payments", "neither", "both", "ledger_imbalance", "breaks",
    "leftovers",
)  # fmt: skip
REPAIR = "slowest_repair_s"


@dataclass
class Report:
    """What came of it. `stood`: where lines stood longest, the longest first."""

    order: Order
    findings: Findings
    faults: Counter[str]
    breaks: Sequence[dict[str, Any]]
    states: Counter[str]
    kinds: Counter[str]
    money: Counter[str]
    stood: list[Stand]
    decided: Counter[str]
    own_ends: int
    took_s: float

    def line(self) -> dict[str, Any]:
        """The figures that count."""
        found = self.findings
        counted = {
            "cases": found.cases,
            "faults": self.faults.total(),
            "double_payments": len(found.double_payments),
            "lost_payments": len(found.lost_payments),
            "neither": len(found.neither),
            "both": len(found.both),
            "ledger_imbalance": len(found.ledger_imbalance),
            "breaks": len(self.breaks),
        }
        left = {"leftovers": len(found.leftovers)} if found.leftovers else {}
        return counted | left | {REPAIR: seconds(self.stood[0].seconds) if self.stood else 0.0}

    def whole(self) -> dict[str, Any]:
        """Everything, for whoever wants to know more."""
        found = self.findings
        return self.line() | {
            "database": self.order.database,
            "seed": self.order.seed,
            "sabotage": self.order.sabotage,
            "seconds": round(self.took_s),
            "states": dict(sorted(self.states.items())),
            "returns": dict(sorted(self.kinds.items())),
            "processor": dict(sorted(self.money.items())),
            "decided": dict(sorted(self.decided.items())),
            "stood_longest": [
                f"{seconds(one.seconds)} s {one.state} since {one.since}: {one.line}"
                for one in self.stood
            ],
            "ended_by_themselves": self.own_ends,
            "by_kind": dict(sorted(self.faults.items())),
            "problems": [
                f"{name}: {one}"
                for name in WRONG
                if name != "breaks"
                for one in getattr(found, name)[:_SHOWN]
            ],
            "open_breaks": list(self.breaks[:_SHOWN]),
        }


def report_of(order: Order, going: Course, findings: Findings, took_s: float) -> Report:
    """While the run's installation is there still."""
    stands = [longest(its, line) for line, its in read_moves(going.house.url).items()]
    return Report(
        order=order,
        findings=findings,
        faults=Counter(kind for _, kind in going.fired),
        breaks=going.reconcile(),
        states=Counter(line.state for line in read_books(going.house.url).lines),
        kinds=Counter(one.kind for one in going.bought),
        money=_money(read_log(going.house.log_file)),
        stood=sorted(stands, reverse=True)[:_SLOWEST],
        decided=going.desk.decided,
        own_ends=going.house.members.own_ends,
        took_s=took_s,
    )


def _money(log: Log) -> Counter[str]:
    """What the processor went through."""
    said = [("refund", one.status) for one in log.refunds]
    said += [("dispute", one.status) for one in log.disputes]
    return Counter(f"{what} {status}" for what, status in said)


@dataclass(frozen=True, order=True)
class Stand:
    """How long a line stood, in which state, since when."""

    seconds: float
    state: str
    since: str
    line: str = ""


def longest(moves: Sequence[tuple[str, str]], line: str = "") -> Stand:
    """Where a line stood longest while somebody of the shop owed the next step."""
    if moves and moves[-1][1] not in RESTING:
        return Stand(float("inf"), moves[-1][1], moves[-1][0], line)
    stood = (
        Stand(_between(since, until), state, since, line)
        for (since, state), (until, _) in pairwise(moves)
        if state not in _NOT_OURS
    )
    return max(stood, default=Stand(0.0, "", "", line))


def _between(since: str, until: str) -> float:
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()


def together(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums of both databases, and the slower of the two repairs."""
    names = list(dict.fromkeys(name for line in lines for name in line if name != REPAIR))
    summed = {name: sum(line.get(name, 0) for line in lines) for name in names}
    slowest = [line[REPAIR] for line in lines]
    return summed | {REPAIR: None if None in slowest else max(slowest)}


def tell(one: dict[str, Any]) -> None:
    """A run as people read it."""
    say = sys.stdout.write
    say(f"\n{one['database']}, seed {one['seed']}, {one['cases']} cases, {one['seconds']} s")
    say(f" (sabotaged: {one['sabotage']})\n" if one["sabotage"] else "\n")
    for kind, count in one["by_kind"].items():
        say(f"  {kind:<40} {count:>5}\n")
    for name in ("states", "returns", "processor", "decided"):
        say(f"  {name}: " + ", ".join(f"{n} {what}" for what, n in one[name].items()) + "\n")
    say(f"  processes ended by themselves {one['ended_by_themselves']} times\n")
    for stand in one["stood_longest"]:
        say(f"  stood longest: {stand}\n")
    for problem in (*one["problems"], *map(str, one["open_breaks"])):
        say(f"  PROBLEM: {problem[:_LENGTH]}\n")
