"""What the demonstration prints: outcomes by kind, mismatches in full, one JSON object."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from demo.customers import Case


@dataclass(frozen=True)
class Result:
    """The last line. `failed` counts cases that did not end as the oracle says."""

    returns: int
    settled: int
    denied: int
    in_review: int
    failed: int
    breaks: int
    planted: int
    found: int
    gas_per_settled_return: int
    seconds: float

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    def keep(self, path: Path) -> None:
        """Write it to a file as well."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.to_json() + "\n")


def mismatches(case: Case) -> list[str]:
    """How a case differs from what it must be; empty for one that ended well."""
    expected = case.expected
    found = list(case.problems)
    if case.state != expected.end:
        found.insert(0, f"it is {case.state} instead of {expected.end}")
    elif expected.remedy is not None:
        said = (case.line.get("remedy"), (case.line.get("amount") or {}).get("amount"))
        if said != (expected.remedy, str(expected.amount)):
            found.append(f"it gave {said} instead of {(expected.remedy, str(expected.amount))}")
    return found


def print_outcomes(console: Console, cases: Sequence[Case]) -> None:
    """A table: what was asked, how it must end and why, how many, and how many ended so."""
    table = Table(
        title="Composed requests, with composed tenders, on the book's purchases",
        title_justify="left",
    )
    for name in ("the customer", "must end", "as", "because"):
        table.add_column(name, overflow="fold")
    table.add_column("number", justify="right")
    table.add_column("ended so", justify="right")
    rows = Counter(map(_row, cases))
    good = Counter(_row(case) for case in cases if not mismatches(case))
    for row, number in sorted(rows.items()):
        table.add_row(*row, str(number), str(good[row]))
    console.print(table)


def print_mismatches(console: Console, cases: Sequence[Case]) -> None:
    """Every case that did not end as it must, with all that is known about it."""
    for case in cases:
        found = mismatches(case)
        if found:
            request = case.request
            console.print(
                f"{case.rma or 'no case'}: {request.kind.value}, token"
                f" {request.purchase.token_id}, order {request.purchase.number}",
                *found,
                json.dumps(case.view, indent=1),
                sep="\n  ",
                markup=False,
                soft_wrap=True,
            )


def print_marks(console: Console, title: str, marks: Sequence[tuple[str, str]]) -> None:
    """Breaks that should not be there, or that are not."""
    for code, subject in sorted(marks):
        console.print(f"{title}: {code} {subject}", markup=False, soft_wrap=True)


def _row(case: Case) -> tuple[str, str, str, str]:
    expected = case.expected
    because = ", ".join(expected.why) or "within the policy"
    return (expected.request.kind.value, expected.end, expected.remedy or "", because)
