"""Compare the engine with the oracle on many cases: `python -m tests.oracle.run --cases 100000`.

Prints one line of JSON and keeps it in var/oracle.json. Fails on a difference, whose smallest form
is printed; and on cases that would prove little: a code that none hits, or that no step of one fact
turns on or off, or one verdict above 70 %.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from returns.words import Verdict
from tests.oracle.cases import Case, cases, shipped
from tests.oracle.compare import Difference, held_against, smallest
from tests.oracle.policy_oracle import CODES, answer
from tests.oracle.promises import decided
from tests.oracle.search import pairs, search

_MOST_OF_ONE_VERDICT = 0.7


@dataclass
class Tally:
    """What a run has seen."""

    verdicts: Counter[str] = field(default_factory=Counter)
    policies: set[str] = field(default_factory=set)
    hit: Counter[str] = field(default_factory=Counter)
    #: Codes that one step of one fact has turned on or off.
    edges: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def take(self, pair: tuple[Case, Case]) -> None:
        """Compare a case and its neighbour."""
        codes = [self._one(case) for case in pair]
        self.edges.update(codes[0] ^ codes[1])

    def _one(self, case: Case) -> frozenset[str]:
        expected = answer(case.policy, case.facts)
        found = held_against(expected, case)
        if found:
            self.differences.append(found)
        codes = expected.counting | expected.set_aside
        self.verdicts[expected.verdict] += 1
        self.policies.add(case.text)
        self.hit.update(codes)
        return codes

    def figures(self) -> dict[str, object]:
        """What is printed and kept."""
        return {
            "cases": self.verdicts.total(),
            "policies": len(self.policies),
            "approved": self.verdicts["approve"],
            "reviewed": self.verdicts["review"],
            "denied": self.verdicts["deny"],
            "disagreements": len(self.differences),
            "codes_never_hit": [code for code in CODES if not self.hit[code]],
            "codes_never_at_an_edge": [code for code in CODES if not self.edges[code]],
        }

    def proves_enough(self) -> bool:
        """Every code at an edge, and no verdict above its share."""
        common = max(self.verdicts.values()) / self.verdicts.total()
        return common <= _MOST_OF_ONE_VERDICT and all(self.edges[code] for code in CODES)


def run(count: int, seed: int) -> Tally:
    """Compare `count` cases of a seed."""
    tally = Tally()
    for pair in cases(Random(seed), count):
        tally.take(pair)
    return tally


def main() -> int:
    """Compare, print, keep; 1 where something differs or too little was proven."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--kinds", action="store_true", help="show one difference of each kind")
    parser.add_argument("--search", type=int, default=0, help="then look for money: examples")
    chosen = parser.parse_args()
    begun = time.perf_counter()
    tally = run(chosen.cases, chosen.seed)
    figures = tally.figures() | {"seconds": round(time.perf_counter() - begun, 1)}
    # A search through a fault would only find the fault.
    if chosen.search and not tally.differences:
        figures["searched"] = _search(chosen.search)
    for found in _shown(tally.differences, chosen.kinds):
        sys.stdout.write(smallest(found).text() + "\n\n")
    line = json.dumps(figures)
    Path("var").mkdir(exist_ok=True)
    Path("var/oracle.json").write_text(line + "\n")
    sys.stdout.write(line + "\n")
    return int(bool(tally.differences) or not tally.proves_enough())


def _search(examples: int) -> int:
    """Raises `AssertionError` where a promise is broken; returns how many cases were decided."""
    search(examples)
    return examples + len([decided(case) for text in shipped() for case in pairs(text)])


def _shown(differences: list[Difference], kinds: bool) -> list[Difference]:
    """The difference with the fewest words and facts; or one of each kind, by its codes."""
    ordered = sorted(differences, key=lambda found: len(found.text()))
    if not kinds:
        return ordered[:1]
    by_kind: dict[object, Difference] = {}
    for found in ordered:
        codes = found.engine.counting ^ found.oracle.counting
        aside = found.engine.set_aside ^ found.oracle.set_aside
        kind = "raises" if found.engine.verdict not in set(Verdict) else (codes, aside)
        by_kind.setdefault(kind, found)
    return list(by_kind.values())


if __name__ == "__main__":
    sys.exit(main())
