"""The ledger at the command line: `undrop ledger`."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from api.cli_decisions import in_utc
from api.terminal import Slug, err, opened_runtime, out
from settlement.commands import ledger
from settlement.commands.access import merchant_by_slug

app = typer.Typer(no_args_is_help=True, help="What is booked, and the proof that it is unchanged.")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document for scripts.")]
_MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


@app.command()
def balances(
    at: Annotated[
        datetime | None, typer.Option(formats=_MOMENTS, help="As it stood then, in UTC.")
    ] = None,
    account: Annotated[str, typer.Option(help="How the accounts' names begin.")] = "",
    final: Annotated[bool, typer.Option(help="Without what a reorg may still undo.")] = False,
    merchant: Slug = "demo",
    as_json: AsJson = False,
) -> None:
    """Debits less credits by account and asset, in minor units."""
    with opened_runtime() as runtime:
        owner = merchant_by_slug(runtime, merchant)
        found = ledger.balances(runtime, owner.id, in_utc(at), account, final=final, limit=None)
        if as_json:
            sys.stdout.write(json.dumps(found) + "\n")
            return
        table = Table("account", "asset", "balance")
        for row in found["balances"]:
            table.add_row(row["account"], row["asset"], row["balance"])
        out.print(table)


@app.command()
def seal() -> None:
    """Seal what has no seal yet, as the worker does twice a minute."""
    with opened_runtime() as runtime:
        count = ledger.seal(runtime, sys.maxsize)
        out.print(f"{count} entries were sealed.", highlight=False)


@app.command()
def verify(
    merchant: Annotated[str, typer.Option(help="Default: every merchant.")] = "",
    minutes: Annotated[
        int, typer.Option(help="How long an entry may wait for its seal.", min=0, max=10**6)
    ] = 10,
    expect: Annotated[
        str, typer.Option(help="A head told earlier, NUMBER:HASH; needs --merchant.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Recompute hashes and sums. Exit code 1 with a sentence for each thing that was changed.

    Keep the head that it prints outside of this database: with --expect a later run proves that
    everything up to it is unchanged.
    """
    with opened_runtime() as runtime:
        views = ledger.verify_merchants(runtime, merchant, minutes, expect)
    if as_json:
        sys.stdout.write(json.dumps(views) + "\n")
    else:
        _tell(views)
    if any(view["found"] for view in views):
        raise typer.Exit(1)


def _tell(views: list[dict[str, Any]]) -> None:
    for view in views:
        for finding in view["findings"]:
            err.print(finding["sentence"], style="red", highlight=False, soft_wrap=True)
        said = f"{view['merchant']}: {view['sealed']} entries are sealed, {view['unsealed']} wait; "
        said += f"{view['found']} findings; head {view['head']}"
        out.print(said, highlight=False, markup=False, soft_wrap=True)
