"""Bank transfers at the command line: `undrop bank`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api.terminal import Slug, opened_runtime, out
from returns.tables import BankFile
from settlement.commands import bank_answers, bank_files
from settlement.commands.access import merchant_by_slug

app = typer.Typer(no_args_is_help=True, help="Bank transfers: files out, answers in.")

ACTOR = "cli"


@app.command("account")
def set_account(
    iban: Annotated[str, typer.Argument(help="Of the merchant's own account.")],
    holder: Annotated[str, typer.Option(help="As the bank knows it.")],
    bic: Annotated[str | None, typer.Option(help="Where the bank wants it.")] = None,
    merchant: Slug = "demo",
) -> None:
    """Say from which account transfers are paid."""
    with opened_runtime() as runtime:
        row = merchant_by_slug(runtime, merchant)
        shown = bank_files.set_account(runtime, row.id, holder, iban, bic, ACTOR)
        out.print(f"{row.slug} pays from {shown}.")


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Where the file is written.")] = Path(),
    again: Annotated[
        str | None, typer.Option(help="Message id of a file to write once more.")
    ] = None,
    merchant: Slug = "demo",
) -> None:
    """Write what is due as pain.001, each transfer into one file ever."""
    with opened_runtime() as runtime:
        row = merchant_by_slug(runtime, merchant)
        if again is None:
            file = bank_files.export(runtime, row.id, ACTOR)
        else:
            file = bank_files.written(runtime, row.id, again)
        if file is None:
            out.print("No transfer is due.")
            return
        sys.stdout.write(json.dumps(_told(file, _write(folder, file))) + "\n")


@app.command("import-status")
def import_status(
    file: Annotated[Path, typer.Argument(help="The bank's answer, pain.002.")],
    merchant: Slug = "demo",
) -> None:
    """Take in what the bank says of a file: whole, and once."""
    with opened_runtime() as runtime:
        row = merchant_by_slug(runtime, merchant)
        taken = bank_answers.import_status(runtime, row.id, file, ACTOR)
        about = {"message": taken.message_id, "about": taken.about, "changed": taken.changed}
        sys.stdout.write(json.dumps(about) + "\n")


@app.command("files")
def show_files(merchant: Slug = "demo") -> None:
    """The newest files and what banks said of their transfers."""
    with opened_runtime() as runtime:
        rows = bank_files.listing(runtime, merchant_by_slug(runtime, merchant).id)
        table = Table("message", "at", "transfers", "total", "currency", "told")
        for row in rows:
            told = " ".join(f"{number} {word}" for word, number in row.pop("told").items())
            table.add_row(*(str(value) for value in row.values()), told)
        out.print(table)


def _write(folder: Path, file: BankFile) -> Path:
    """Whole or not at all, and for nobody else's eyes: it names accounts of customers."""
    path, unfinished = (folder / f"pain001-{file.message_id}{end}" for end in (".xml", ".part"))
    opened = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "wb") as target:
        target.write(file.content)
        target.flush()
        os.fsync(target.fileno())
    unfinished.replace(path)
    return path


def _told(file: BankFile, path: Path) -> dict[str, str | int]:
    return {
        "message": file.message_id,
        "file": str(path),
        "transfers": file.transfers,
        "total": str(file.total),
        "currency": file.currency,
        "sha256": file.sha256,
    }
