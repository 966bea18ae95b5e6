"""Prepares a sales file for the product's importer, and reads the result back as the demo's book.

Every row stays, the dirty ones too: what the importer does with them is part of the demonstration.
Two columns are added and composed: `wallet`, the address of a simulated wallet, one per real
buyer; `tender`, card or wallet, drawn by the transaction's hash, about half each.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path

from demo import sales
from demo.faults import CannotPlay
from demo.keys import receiver_name, wallet_of
from demo.sales import CARD, WALLET, Purchase, Row


@dataclass(frozen=True)
class Book:
    """What the file says, read by the demonstration itself.

    `path_of` is, per token, everybody who received it, oldest first: (place in the file, name of
    the receiver's simulated wallet). `newest` is the date of the newest row.
    """

    path: Path
    rows: int
    purchases: tuple[Purchase, ...]
    path_of: Mapping[int, tuple[tuple[int, str], ...]]
    newest: date

    @property
    def rejected(self) -> int:
        """Rows that an importer has to turn away."""
        return self.rows - len(self.purchases)

    def receivers_after(self, purchase: Purchase) -> list[str]:
        """Names of those who received the token after a purchase, in order."""
        moves = self.path_of[purchase.token_id]
        return [name for place, name in moves if place > purchase.place]

    def holder_name(self, purchase: Purchase) -> str:
        """Whose simulated wallet has the purchase's token at the end of the file."""
        return self.path_of[purchase.token_id][-1][1]


def prepare(source: Path, folder: Path) -> Book:
    """Write `prepared.csv` and `wallets.json` into `folder`; return the book."""
    table = sales.read_table(source)
    rows = [_with_composed(row) for row in table.rows]
    target = folder / "prepared.csv"
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*table.columns, "wallet", "tender"])
        writer.writeheader()
        writer.writerows(rows)
    names = {row["buyer_address"] for row in rows if row["wallet"]}
    wallets = {name: wallet_of(name) for name in sorted(names)}
    (folder / "wallets.json").write_text(json.dumps(wallets, indent=1) + "\n")
    return read(target)


def read(prepared: Path) -> Book:
    """Read a prepared file; rows that no importer can use are counted and left out."""
    table = sales.read_table(prepared)
    ordered = sales.chronological(table.rows)
    purchases = [sales.purchase_of(row, place) for place, row in enumerate(ordered)]
    usable = tuple(purchase for purchase in purchases if purchase is not None)
    if not usable:
        raise CannotPlay(f"The file {prepared} has no sale that names buyer and seller.")
    return Book(
        path=prepared,
        rows=len(table.rows),
        purchases=usable,
        path_of=_paths(ordered),
        newest=max(day for row in ordered if (day := sales.day_of(row)) is not None),
    )


def composed_tender(transaction: str) -> str:
    """How a purchase is said to have been paid: composed, no file of sales tells it."""
    return CARD if sha256(transaction.encode()).digest()[0] % 2 else WALLET


def _with_composed(row: Row) -> Row:
    buyer = row["buyer_address"] if sales.names_both_parties(row) else ""
    wallet = wallet_of(buyer) if buyer else ""
    return {**row, "wallet": wallet, "tender": composed_tender(row["transaction_hash"])}


def _paths(ordered: list[Row]) -> dict[int, tuple[tuple[int, str], ...]]:
    paths: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for place, row in enumerate(ordered):
        if row["token_id"].isdigit():
            name = receiver_name(row["buyer_address"], row["transaction_hash"])
            paths[int(row["token_id"])].append((place, name))
    return {token: tuple(path) for token, path in paths.items()}
