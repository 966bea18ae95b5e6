"""A generated order book of the same columns as a real one, for runs without a sales file."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random

from eth_utils.crypto import keccak

from demo.sales import ZERO, Row

COLUMNS = (
    "buyer_address",
    "eth_price",
    "usd_price",
    "seller_address",
    "day",
    "utc_timestamp",
    "token_id",
    "transaction_hash",
    "name",
    "wrapped_punk",
)
ROWS = 4_000

#: Any date: the importer moves the newest row to the day that it is told.
_NEWEST = date(2022, 1, 14)
_SPAN_DAYS = 400
_TOKENS = 3_000
_BUYERS = 1_500
#: A few who buy far more than the others, as in every real market.
_COLLECTORS = 12


@dataclass
class _Market:
    """Who holds which token while the sales are being made up.

    Prices are drawn as floats and written as text; what is computed with is read from the text.
    """

    rng: Random
    holders: dict[int, str] = field(default_factory=dict)

    def sale(self, number: int, day: date) -> Row:
        token = self.rng.randrange(_TOKENS)
        seller = self.holders.get(token) or _address("seller", token)
        buyer = self._buyer()
        self.holders[token] = buyer
        eth = self._price()
        return {
            "buyer_address": buyer,
            "eth_price": eth,
            "usd_price": f"{float(eth) * self.rng.uniform(1_800, 4_600):.3f}",
            "seller_address": seller,
            "day": day.strftime("%m/%d/%y"),
            "utc_timestamp": day.strftime("%m/%d/%y"),
            "token_id": str(token),
            "transaction_hash": "0x" + keccak(text=f"sale {self.rng.random()} {number}").hex(),
            "name": f"Generated #{token}",
            "wrapped_punk": "FALSE",
        }

    def _buyer(self) -> str:
        if self.rng.random() < 0.12:
            return _address("collector", self.rng.randrange(_COLLECTORS))
        return _address("buyer", self.rng.randrange(_BUYERS))

    def _price(self) -> str:
        if self.rng.random() < 0.04:
            return f"{self.rng.uniform(150, 400):.2f}"
        return f"{min(110.0, self.rng.lognormvariate(2.5, 1.2)):.4f}"


def rows(seed: int, count: int = ROWS) -> list[Row]:
    """`count` sales, the newest first; the same seed makes the same book."""
    rng = Random(seed)  # noqa: S311  reproducible on purpose; nothing secret is drawn
    market = _Market(rng)
    days = sorted(_NEWEST - timedelta(days=_age(rng)) for _ in range(count - 1))
    made = [market.sale(number, day) for number, day in enumerate([*days, _NEWEST])]
    # The newest row stays clean: every importer agrees on the book's last day.
    return [made[-1], *reversed([_dirtied(rng, row) for row in made[:-1]])]


def _age(rng: Random) -> int:
    """Days before the newest sale; a sixth of the sales fall into the last month."""
    return rng.randrange(1, 30) if rng.random() < 0.16 else rng.randrange(30, _SPAN_DAYS)


def _dirtied(rng: Random, row: Row) -> Row:
    """Some rows lack what real files lack."""
    dirt: list[Row] = [
        {"buyer_address": "", "seller_address": ""},
        {"buyer_address": ZERO},
        {"eth_price": "0", "usd_price": "0"},
        {"usd_price": "n/a", "eth_price": "n/a"},
        {"seller_address": ""},
    ]
    chosen = rng.choices([*dirt, {}], weights=[5, 4, 2, 1, 1, 87])[0]
    return {**row, **chosen}


def write(path: Path, seed: int, count: int = ROWS) -> Path:
    """Write the generated book as a CSV with a byte order mark, as spreadsheets do."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows(seed, count))
    return path


def _address(kind: str, number: int) -> str:
    return "0x" + keccak(text=f"{kind} {number}").hex()[:40]
