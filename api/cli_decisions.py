"""Decisions at the command line: made once more, tried on the past, and what they rest on."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from api.terminal import Slug, give_up, opened_runtime, out
from settlement.commands import backtests, opinions, training
from settlement.commands.access import merchant_by_slug
from settlement.commands.backtests import Trial

app = typer.Typer(no_args_is_help=True, help="What was decided, and whether it can be shown.")

Data = Annotated[
    Path | None, typer.Option(help="Labelled requests: CSV, TSV, or JSON lines; gzip or not.")
]
Messages = Annotated[
    Path | None, typer.Option(help="A folder of labelled message sets (docs/decisions.md).")
]
From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])]
To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])]
Explain = Annotated[bool, typer.Option(help="Every case that would be decided otherwise.")]


@app.command()
def replay(rma: Annotated[str, typer.Argument(help="A case.")], merchant: Slug = "demo") -> None:
    """Decide a case once more with its own facts, policy and models: the bytes must be the same."""
    with opened_runtime() as runtime:
        row = merchant_by_slug(runtime, merchant)
        replays = opinions.replay(runtime, row.id, rma)
        for one in replays:
            said = "the same bytes" if one.same else f"differs in {', '.join(one.differs)}"
            out.print(f"Line {one.line}: {said}.", highlight=False, soft_wrap=True)
    if not all(one.same for one in replays):
        raise typer.Exit(1)


def train(data: Data = None, messages: Messages = None) -> None:
    """Train the risk model (--data FILE; otherwise on the generator that ships), or the reader of
    messages (--messages FOLDER)."""
    with opened_runtime() as runtime:
        if messages is not None:
            done = training.train_reader(runtime, messages)
        else:
            done = training.train_model(runtime, data)
        what = f"{done.model_hash[:12]} trained on {done.rows:,} rows"
        out.print(f"{what}: {done.card['source']}", soft_wrap=True)
        if done.skipped:
            out.print(f"{done.skipped:,} rows without a label were left out.")
        out.print(f"It is stored in {done.file}; its card says how well it did.", soft_wrap=True)


def evaluate(data: Data = None, messages: Messages = None) -> None:
    """How good model and reader are, with confidence intervals, as one JSON document."""
    with opened_runtime() as runtime:
        found = training.evaluate(runtime, data, messages)
        sys.stdout.write(json.dumps(found, indent=2) + "\n")


def backtest(
    since: From = None,
    until: To = None,
    policy: Annotated[Path | None, typer.Option(help="Default: the one in force.")] = None,
    model: Annotated[Path | None, typer.Option(help="Default: the one in force.")] = None,
    explain: Explain = False,
    merchant: Slug = "demo",
) -> None:
    """Decide a time's requests anew and compare. Exit code 1 if an approval were out of policy."""
    run_backtest(merchant, Trial(in_utc(since), in_utc(until), policy, model), explain)


def run_backtest(merchant: str, trial: Trial, explain: bool) -> None:
    """Print a backtest's report as JSON."""
    with opened_runtime() as runtime:
        row = merchant_by_slug(runtime, merchant)
        report = backtests.run(runtime, row.id, trial)
        content: dict[str, Any] = report.to_dict(explain=explain)
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
        if not report.is_sound:
            give_up("Approvals above a cap or outside the policy: do not put this in force.")


def in_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
