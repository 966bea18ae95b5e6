"""A processor's report at the command line: `undrop import report`."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated

import typer

from api.terminal import Slug, err, opened_runtime
from settlement.commands import reconciliation
from settlement.commands.access import merchant_by_slug


def import_report(
    file: Annotated[Path, typer.Argument(help="CSV: id,kind,about,amount,currency,at.")],
    processor: Annotated[str, typer.Option(help="Whose report it is.")],
    merchant: Slug = "demo",
    by: Annotated[str, typer.Option(help="Who brings it.")] = "undrop",
    rejects: Annotated[Path | None, typer.Option(help="Write the rejected rows here.")] = None,
) -> None:
    """Take in a processor's report. Its last line has the number of rows and their sum."""
    with opened_runtime() as runtime:
        row = merchant_by_slug(runtime, merchant)
        report = reconciliation.import_report(runtime, row.id, file, processor, by)
    for number, reason in report.rejected[:20]:
        err.print(f"line {number} rejected: {reason}", highlight=False, markup=False)
    if rejects is not None:
        with rejects.open("w", newline="") as target:
            csv.writer(target).writerows([("line", "reason"), *report.rejected])
    if report.already:
        err.print(f"{file.name} is already imported.", highlight=False, markup=False)
    sys.stdout.write(report.to_json() + "\n")
    if report.rows and len(report.rejected) == report.rows:
        raise typer.Exit(1)
