"""Policies at the command line: `undrop policy`."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from api.cli_decisions import Explain, From, To, in_utc, run_backtest
from api.terminal import Slug, opened_runtime, out, refusals
from settlement.commands import policies
from settlement.commands.access import merchant_by_slug
from settlement.commands.backtests import Trial
from settlement.importer import read_text
from settlement.runtime import Runtime

app = typer.Typer(no_args_is_help=True, help="What returns are decided by, version by version.")

File = Annotated[Path, typer.Argument(help="A policy in YAML.")]
Name = Annotated[str, typer.Option("--as", help="Who you are; stands in the books.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document for scripts.")]
_LAST = 2**31 - 1
_NUMBER = re.compile("[0-9]{1,9}")
_MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


@app.command()
def check(file: File) -> None:
    """Read a policy file; its mistakes are told with their lines. Nothing is stored."""
    with refusals():
        name, policy_hash = policies.check(read_text(file))
        _say(f"Policy {name} is well-formed ({policy_hash[:12]}).")


@app.command()
def schema() -> None:
    """Print what a policy file may say as a JSON Schema, for editors."""
    sys.stdout.write(json.dumps(policies.schema(), indent=2) + "\n")


@app.command()
def draft(file: File, name: Name, merchant: Slug = "demo") -> None:
    """Store a version. It is not in force until another person activates it."""
    with opened_runtime() as runtime:
        owner = merchant_by_slug(runtime, merchant)
        row = policies.draft(runtime, owner.id, read_text(file), name)
        _say(f"Version {row.version} ({row.policy_hash[:12]}), drafted by {row.created_by}.")
        _say(f"Another person puts it in force: undrop policy activate {row.version} --as NAME")


@app.command("test")
def hold_against(
    file: File,
    since: From = None,
    until: To = None,
    explain: Explain = False,
    merchant: Slug = "demo",
) -> None:
    """Hold a policy against the requests of a time: what would have been decided otherwise?"""
    run_backtest(merchant, Trial(in_utc(since), in_utc(until), file), explain)


@app.command("diff")
def difference(
    old: Annotated[str, typer.Argument(help="A version's number, or a file.")],
    new: Annotated[str, typer.Argument(help="A version's number, or a file.")],
    merchant: Slug = "demo",
    as_json: AsJson = False,
) -> None:
    """What one policy changes of another, and whether that is looser or stricter."""
    with opened_runtime() as runtime:
        texts = (_text(runtime, merchant, old), _text(runtime, merchant, new))
        changes = policies.difference_of_texts(*texts)
        columns = ("path", "old", "new", "effect")
        _show(changes, columns, as_json=as_json, nothing="They say the same.")


@app.command()
def activate(
    version: Annotated[
        int, typer.Argument(help="Its number, as in 'undrop policy versions'.", min=1, max=_LAST)
    ],
    name: Name,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=_MOMENTS, help="In UTC; default: at once."),
    ] = None,
    reason: str = "",
    merchant: Slug = "demo",
) -> None:
    """Put a version in force that somebody else drafted. A moment ahead may be named."""
    with opened_runtime() as runtime:
        owner = merchant_by_slug(runtime, merchant)
        moment = since.replace(tzinfo=UTC) if since else None
        row = policies.activate(runtime, owner.id, version, name, moment, reason)
        _say(f"Version {version} is in force from {row['effective_from']} on.")


@app.command()
def rollback(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why; stands in the books.")],
    merchant: Slug = "demo",
) -> None:
    """Go back at once to the version that was in force before. One person suffices."""
    with opened_runtime() as runtime:
        row = policies.roll_back(runtime, merchant_by_slug(runtime, merchant).id, name, reason)
        _say(f"Version {row['version']} is in force again.")


@app.command()
def versions(merchant: Slug = "demo", as_json: AsJson = False) -> None:
    """Every version: who drafted it, who put it in force, from when on."""
    with opened_runtime() as runtime:
        rows = policies.versions(runtime, merchant_by_slug(runtime, merchant).id)
        if not as_json:
            rows = [{**row, "activations": _lines(row["activations"])} for row in rows]
            rows = [{**row, "hash": row["hash"][:12]} for row in rows]
        columns = ("version", "name", "hash", "drafted_by", "drafted_at", "in_force", "activations")
        _show(rows, columns, as_json=as_json, nothing="There is no policy yet.")


@app.command()
def show(
    version: Annotated[
        int | None, typer.Argument(help="Default: the one in force.", min=1, max=_LAST)
    ] = None,
    merchant: Slug = "demo",
) -> None:
    """Print a version as it was drafted."""
    with opened_runtime() as runtime:
        row = policies.version(runtime, merchant_by_slug(runtime, merchant).id, version)
        sys.stdout.write(row["text"])


def _text(runtime: Runtime, merchant: str, place: str) -> str:
    """Digits name a version; everything else is a file."""
    if not _NUMBER.fullmatch(place):
        return read_text(Path(place))
    row = policies.version(runtime, merchant_by_slug(runtime, merchant).id, int(place))
    return str(row["text"])


def _lines(activations: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"{one['kind']} from {one['effective_from']} by {one['approved_by']}" for one in activations
    )


def _show(
    rows: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool, nothing: str
) -> None:
    if as_json:
        sys.stdout.write(json.dumps(rows) + "\n")
    elif not rows:
        _say(nothing)
    else:
        table = Table(*(name.replace("_", " ") for name in columns))
        for row in rows:
            table.add_row(*(_cell(row[name]) for name in columns))
        out.print(table)


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _say(sentence: str) -> None:
    out.print(sentence, highlight=False, markup=False, soft_wrap=True)
