"""What came of a run: the figures that count, and what helps to understand them."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tests.chaos.chain.auditor import Findings
from tests.chaos.chain.course import Course
from tests.chaos.chain.evidence import read_story
from tests.chaos.chain.monitor import repairs
from tests.chaos.ordeal import Order

#: Lines of a kind that are shown, and intents whose rows are.
_SHOWN, _TOLD = 20, 5


@dataclass
class Report:
    """What came of it."""

    order: Order
    findings: Findings
    faults: Counter[str]
    worst_repair: dict[str, float]
    own_ends: int
    seconds: float
    stories: dict[str, Any]
    slowest: dict[str, Any]

    def line(self) -> dict[str, Any]:
        """The figures that count."""
        return {
            "faults": self.faults.total(),
            "transactions": self.findings.transactions,
            "double_sends": len(self.findings.double_sends),
            "nonce_gaps": len(self.findings.nonce_gaps),
            "lost": len(self.findings.lost),
            "worst_repair_s": seconds(max(self.worst_repair.values(), default=0.0)),
        }

    def whole(self) -> dict[str, Any]:
        """Everything, for whoever wants to know more."""
        found = self.findings
        return self.line() | {
            "database": self.order.database,
            "seed": self.order.seed,
            "sabotage": self.order.sabotage,
            "seconds": round(self.seconds),
            "executed": found.executed,
            "intents": dict(found.ended),
            "reasons": found.reasons,
            "relayer_ended_by_itself": self.own_ends,
            "by_kind": dict(sorted(self.faults.items())),
            "worst_repair_by_kind": {k: seconds(v) for k, v in sorted(self.worst_repair.items())},
            "stories": self.stories,
            "slowest": self.slowest,
            "problems": (found.double_sends + found.nonce_gaps + found.lost)[:_SHOWN],
        }


def report_of(order: Order, going: Course, findings: Findings, seconds: float) -> Report:
    """While the run's database is there still."""
    return Report(
        order=order,
        findings=findings,
        faults=Counter(kind for _, kind in going.fired),
        worst_repair=_worst_repairs(going),
        own_ends=going.relayers.own_ends,
        seconds=seconds,
        stories=_stories(going.url, findings),
        slowest=_slowest(going),
    )


def tell(one: dict[str, Any]) -> None:
    """A run as people read it."""
    say = sys.stdout.write
    say(f"\n{one['database']}, seed {one['seed']}, {one['seconds']} s")
    say(f" (sabotaged: {one['sabotage']})\n" if one["sabotage"] else "\n")
    for kind, count in one["by_kind"].items():
        say(f"  {kind:<50} {count:>5}   repaired within {one['worst_repair_by_kind'][kind]} s\n")
    say(f"  intents in the end: {one['intents']}; on the chain: {one['executed']}\n")
    for reason, count in sorted(one["reasons"].items(), key=lambda pair: -pair[1])[:_SHOWN]:
        say(f"  {count:>5} ended badly: {reason[:90]}\n")
    say(f"  the relayer ended by itself {one['relayer_ended_by_itself']} times\n")
    for problem in one["problems"]:
        say(f"  PROBLEM: {problem}\n")


def together(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sums of both databases, and the worse of the two repairs."""
    summed = {key: sum(line[key] for line in lines) for key in lines[0] if key != "worst_repair_s"}
    worst = [line["worst_repair_s"] for line in lines]
    return summed | {"worst_repair_s": None if None in worst else max(worst)}


def _stories(url: str, findings: Findings) -> dict[str, Any]:
    """What chain and books have about the first intents with which something is wrong."""
    suspects = list(findings.suspects.items())[:_TOLD]
    return {str(one): {"chain": traces} | read_story(url, one) for one, traces in suspects}


def _came(going: Course) -> dict[bytes, list[tuple[float, bool]]]:
    """The history of what came to stay; the rest was canceled or refused, or is a finding."""
    return {one: events for one, events in going.monitor.history.items() if events[-1][1]}


def _worst_repairs(going: Course) -> dict[str, float]:
    """By kind of fault, in seconds."""
    history = _came(going)
    asked = {one: at for one, at in going.stream.urgent.items() if one in history}
    worst: dict[str, float] = {}
    for (_, kind), took in zip(going.fired, repairs(going.fired, asked, history), strict=True):
        worst[kind] = max(worst.get(kind, 0.0), took)
    return worst


def _slowest(going: Course) -> dict[str, Any]:
    """What the books have about the urgent intents that waited longest for their first block."""
    history = _came(going)
    waited = {
        one: history[one][0][0] - at for one, at in going.stream.urgent.items() if one in history
    }
    last = sorted(waited, key=lambda one: -waited[one])[:_TOLD]
    return {
        str(relay_id): {
            "asked": f"{datetime.fromtimestamp(going.stream.urgent[one], UTC):%H:%M:%S}"
        }
        | {"waited_s": round(waited[one], 1)}
        | read_story(going.url, relay_id)
        for one, relay_id in ((one, UUID(bytes=one[-16:])) for one in last)
    }


def seconds(value: float) -> float | None:
    """JSON has no infinity: None is what was never repaired."""
    return round(value, 2) if math.isfinite(value) else None
