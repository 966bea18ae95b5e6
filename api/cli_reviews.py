"""The review desk at the command line: `undrop labels`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.terminal import Slug, opened_runtime, out
from settlement.commands import labels as stored
from settlement.commands.access import merchant_by_slug

labels = typer.Typer(no_args_is_help=True, help="What people decided, for the next training.")


@labels.callback()
def _group() -> None:
    """Keep `export` a command of its own while it is the only one."""


@labels.command()
def export(
    file: Annotated[Path, typer.Argument(help="JSON lines; an older file is replaced.")],
    merchant: Slug = "demo",
) -> None:
    """Write every decision of a person: facts, label, verdicts, reason, time."""
    with opened_runtime() as runtime:
        count = stored.export(runtime, merchant_by_slug(runtime, merchant).id, file)
        out.print(f"{count} labels are in {file}.", highlight=False, soft_wrap=True)
