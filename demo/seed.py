"""A small order book for an interactive installation: `python -m demo.seed HOME/run.json`.

Sixty generated orders; the newest dozen belong to the simulated customers among Anvil's well-known
accounts, so that a browser wallet with such a key can return them. Running it again changes
nothing.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from eth_account import Account

from chain.client import ChainClient, RpcError
from chain.contracts import view
from chain.local import CUSTOMERS, anvil_keys
from demo import book, generated
from demo.faults import CannotPlay
from demo.sales import CARD, WALLET, Purchase, Row, names_both_parties
from demo.shop import Shop
from demo.stack import Installation
from demo.wallets import mint

_ORDERS = 60
_OWNED = 12
_SEED = 11


def seed(run_json: Path) -> Path:
    """Load the book into a running installation; returns the list that the shop page shows."""
    home = run_json.parent
    shown = home / "demo_orders.json"
    if shown.exists():
        return shown
    installation = Installation(home)
    prepared = home / "demo_book.csv"
    if not prepared.exists():
        _write(prepared, _rows(datetime.now(UTC).date()))
    loaded = book.read(prepared)
    columns = ["--map", "buyer_wallet=wallet", "--map", "tender=tender"]
    installation.command("import", "sales", str(prepared), *columns)
    owned = list(loaded.purchases[-_OWNED:])
    _deliver(installation.about, owned)
    _replace(shown, [_shown(installation.about, purchase) for purchase in reversed(owned)])
    return shown


def _rows(today: date) -> list[Row]:
    """The newest rows first, one token once; the newest dozen bought by the customers' wallets."""
    clean = [row for row in generated.rows(_SEED) if _is_usable(row)]
    unique = list({row["token_id"]: row for row in clean}.values())[:_ORDERS]
    wallets = [str(Account.from_key(anvil_keys()[one]).address).lower() for one in CUSTOMERS]
    rows = []
    for place, row in enumerate(unique):
        buyer = wallets[place % len(wallets)] if place < _OWNED else row["buyer_address"]
        day = (today - timedelta(days=1 + place // 3)).strftime("%m/%d/%y")
        composed = {"wallet": buyer, "tender": WALLET if place % 2 else CARD}
        rows.append({**row, "buyer_address": buyer, "day": day, "utc_timestamp": day} | composed)
    return rows


def _is_usable(row: Row) -> bool:
    return names_both_parties(row) and row["eth_price"] not in ("0", "n/a")


def _write(path: Path, rows: list[Row]) -> None:
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*generated.COLUMNS, "wallet", "tender"])
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)


def _deliver(about: dict[str, Any], owned: list[Purchase]) -> None:
    """Charges at the processor; tokens that are not there yet to their buyers."""
    shop, client = Shop(about), ChainClient(about["rpc"])
    try:
        shop.create_charges(owned)
        collection = about["deployment"]["collection"]
        missing = [one for one in owned if not _exists(client, collection, one.token_id)]
        mint(client, collection, [(one, one.wallet) for one in missing])
    finally:
        shop.close()


def _exists(client: ChainClient, collection: str, token_id: int) -> bool:
    try:
        view(client, collection, "ReturnableNFT", "ownerOf", token_id)
    except RpcError:
        return False
    return True


def _shown(about: dict[str, Any], purchase: Purchase) -> dict[str, str]:
    """An order as the shop page lists it; the price in minor units."""
    return {
        "number": purchase.number,
        "token_id": str(purchase.token_id),
        "collection": about["deployment"]["collection"],
        "tender": purchase.tender,
        "price": str(purchase.price),
        "currency": purchase.currency,
        "wallet": purchase.wallet,
    }


def _replace(path: Path, content: object) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=2) + "\n")
    part.replace(path)


def main(arguments: Sequence[str]) -> int:
    """Load the book; returns the exit code."""
    if len(arguments) != 1 or not Path(arguments[0]).exists():
        print("Say which installation: python -m demo.seed HOME/run.json", file=sys.stderr)
        return 2
    try:
        print(f"The demo orders are listed in {seed(Path(arguments[0]))}.")
    except CannotPlay as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
