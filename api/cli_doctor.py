"""`undrop doctor`: what is missing or wrong, and how to mend it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from api.terminal import Slug, out
from settlement.checkup import Check, Level
from settlement.commands import doctor

_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


def examine(
    merchant: Slug = "demo",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Say what is missing or misconfigured, and how to mend it. Exit code 1 if anything fails."""
    checks = doctor.examine(merchant)
    if as_json:
        sys.stdout.write(json.dumps([asdict(check) for check in checks]) + "\n")
    else:
        out.print(_table(checks))
    if any(check.level is Level.FAIL for check in checks):
        raise typer.Exit(1)


def _table(checks: list[Check]) -> Table:
    table = Table("check", "", "what", "how to mend it")
    for check in checks:
        level = f"[{_STYLES[check.level]}]{check.level.value}[/]"
        table.add_row(check.name, level, escape(check.sentence), escape(check.mend))
    return table
