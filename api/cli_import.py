"""Lists at the command line: `undrop import list` and `undrop import lists`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api.terminal import Slug, err, opened_runtime, out
from settlement.commands import lists
from settlement.commands.access import merchant_by_slug


def import_list(
    file: Annotated[Path, typer.Argument(help="JSON array, CSV, TSV or lines; gzip or not.")],
    kind: Annotated[str, typer.Option(help="sanctions, phishing, block, allow or anonymiser.")],
    merchant: Slug = "demo",
    subject: Annotated[
        str | None,
        typer.Option(help="address, network or customer; default: networks of anonymisers."),
    ] = None,
    column: Annotated[str | None, typer.Option(help="Of a table; default: the usual ones.")] = None,
    source: Annotated[
        str | None, typer.Option(help="The list's name; default: the file's. Keep it.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace/--add", help="Take the place of what the source had.")
    ] = True,
    rejects: Annotated[Path | None, typer.Option(help="Write the rejected rows here.")] = None,
) -> None:
    """Import a list. Rows that cannot be used are listed; the same file again changes nothing."""
    with opened_runtime() as runtime:
        report = lists.import_list(
            runtime,
            merchant_by_slug(runtime, merchant).id,
            file,
            kind,
            subject=subject,
            column=column,
            source=source,
            replace=replace,
        )
        report.show(err, rejects)
        if report.already:
            err.print(f"{file.name} is already imported.", highlight=False, markup=False)
        sys.stdout.write(report.to_json() + "\n")


def show_lists(merchant: Slug = "demo") -> None:
    """The versions of lists that requests are held against."""
    with opened_runtime() as runtime:
        rows = lists.listing(runtime, merchant_by_slug(runtime, merchant).id)
        if not rows:
            out.print("No list was imported yet: undrop import list FILE --kind sanctions")
            return
        table = Table(*rows[0])
        for row in rows:
            table.add_row(*(str(value) for value in row.values()))
        out.print(table)
