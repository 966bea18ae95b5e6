"""Reports that people and spreadsheets read."""

from __future__ import annotations

import csv
import io
from typing import Any

from rich.table import Table

COLUMNS = ("code", "subject", "rma", "expected", "found", "owner", "first_seen")

#: A cell that begins like this would be run as a formula by spreadsheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def breaks_csv(breaks: list[dict[str, Any]]) -> str:
    """Breaks as CSV with a stable header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in breaks:
        writer.writerow({name: _harmless(row[name]) for name in COLUMNS})
    return text.getvalue()


def breaks_table(breaks: list[dict[str, Any]]) -> Table:
    """Breaks as a table for the terminal."""
    title = "No breaks: orders, ledger, processor and chain agree." if not breaks else "Breaks"
    table = Table(title=title, title_justify="left")
    for name in COLUMNS:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in breaks:
        table.add_row(*(str(row[name] or "") for name in COLUMNS))
    return table


def _harmless(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
