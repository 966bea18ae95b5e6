"""The index at the command line: `undrop index`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from api.terminal import Slug, opened_runtime, out
from settlement.commands import index
from settlement.commands.access import merchant_by_slug

app = typer.Typer(no_args_is_help=True, help="What of the chain is read, and how far.")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document for scripts.")]


@app.command()
def status(as_json: AsJson = False) -> None:
    """How far the index is, and what is wrong with it. Exit code 1 while a gap is open."""
    with opened_runtime() as runtime:
        rows = index.status(runtime)
        if as_json or not rows:
            nothing = "Nothing was read yet: start 'undrop indexer'."
            _show(rows, as_json=as_json, nothing=nothing)
        else:
            # One column for each chain: there are more figures than a terminal has room for.
            table = Table("", *(str(row["chain_id"]) for row in rows))
            for name in list(rows[0])[1:]:
                table.add_row(name.replace("_", " "), *(str(row[name]) for row in rows))
            out.print(table)
    if any(row["open_gaps"] for row in rows):
        raise typer.Exit(1)


@app.command()
def gaps(as_json: AsJson = False) -> None:
    """Blocks of which a node did not tell everything; the mended ones among them."""
    with opened_runtime() as runtime:
        _show(index.gaps(runtime), as_json=as_json, nothing="No gaps.")


@app.command()
def watch(
    address: Annotated[str, typer.Argument(help="Of the collection, or of the treasury.")],
    kind: Annotated[str, typer.Option(help="collection or treasury.")] = "collection",
    since: Annotated[
        int | None, typer.Option(help="First block to read; default: that of our contracts.", min=0)
    ] = None,
    merchant: Slug = "demo",
) -> None:
    """Read one address more; the rest goes on meanwhile. Sales of a collection become orders."""
    with opened_runtime() as runtime:
        owner = merchant_by_slug(runtime, merchant)
        row = index.watch(runtime, owner.id, address, kind, since)
        told = (
            f"is watched from block {row['since_block']}" if row["added"] else "was watched already"
        )
        out.print(f"{row['address']} {told}.", highlight=False)


@app.command()
def watched(as_json: AsJson = False) -> None:
    """Every address that is watched."""
    with opened_runtime() as runtime:
        _show(index.watched(runtime), as_json=as_json, nothing="Nothing is watched yet.")


@app.command()
def replay(
    from_block: Annotated[int, typer.Option(help="The first block to read again.", min=0)],
) -> None:
    """Read blocks again, while the index goes on. Adds what is missing, tells nothing twice."""
    with opened_runtime() as runtime:
        blocks = index.replay(runtime, from_block)
        out.print(f"Blocks {blocks['first']} to {blocks['last']} will be read again.")


def _show(rows: Sequence[dict[str, Any]], *, as_json: bool, nothing: str) -> None:
    if as_json:
        sys.stdout.write(json.dumps(rows) + "\n")
    elif not rows:
        out.print(nothing)
    else:
        table = Table(*rows[0])
        for row in rows:
            table.add_row(*("" if value is None else str(value) for value in row.values()))
        out.print(table)
