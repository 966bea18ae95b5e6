"""Reads a sales file, with rules of its own: nothing here is the product's importer.

Columns: buyer_address, seller_address, eth_price, usd_price (major units), day (MM/DD/YY),
token_id, transaction_hash; others are kept and not looked at. A prepared file has two more,
wallet and tender (see `demo.book`).
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path

from demo.faults import CannotPlay

COLUMNS = (
    "buyer_address",
    "eth_price",
    "usd_price",
    "seller_address",
    "day",
    "token_id",
    "transaction_hash",
)
ZERO = "0x" + "0" * 40

CARD, WALLET = "card", "wallet"

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A file as it stands: its columns in order, its rows as text."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Purchase:
    """A row that names both parties, read: an order of the demonstration.

    `place` numbers all rows of the file from the oldest on; `price` is in minor units of
    `currency` (wei or cents); `day` is the file's own date.
    """

    number: str
    place: int
    customer: str
    wallet: str
    token_id: int
    day: date
    tender: str
    currency: str
    price: int

    @property
    def charge(self) -> str:
        """The card processor's name of the charge: the file's reference, shortened."""
        return "ch_" + self.number[2:26]


def read_table(path: Path) -> Table:
    """Read a CSV or TSV, gzip or not, with or without a byte order mark.

    Raises `CannotPlay` with a sentence for anything that is not a table of sales.
    """
    text = _text(path)
    header = text.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text), delimiter="\t" if "\t" in header else ",")
    columns = tuple(reader.fieldnames or ())
    absent = [name for name in COLUMNS if name not in columns]
    if absent:
        raise CannotPlay(f"The file {path} is not a table of sales: no column {absent[0]!r}.")
    try:
        rows = tuple({name: (row[name] or "").strip() for name in columns} for row in reader)
    except (csv.Error, KeyError) as fault:
        raise CannotPlay(f"The file {path} cannot be read as a table: {fault}.") from fault
    if not rows:
        raise CannotPlay(f"The file {path} has a header and no sales.")
    return Table(columns, rows)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        # By content, not by name: the two bytes with which every gzip stream starts (RFC 1952).
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError as fault:
        raise CannotPlay(f"There is no file {path}.") from fault
    except (OSError, EOFError, UnicodeDecodeError) as fault:
        raise CannotPlay(f"The file {path} cannot be read: {fault}.") from fault


def names_both_parties(row: Row) -> bool:
    """Whether somebody bought and somebody sold; the zero address is nobody."""
    return not {row["buyer_address"], row["seller_address"]} & {"", ZERO}


def day_of(row: Row) -> date | None:
    """The row's date, None where it cannot be read."""
    try:
        return datetime.strptime(row["day"], "%m/%d/%y").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def wei(text: str) -> int | None:
    """Ether as text to wei, exactly; None where it is no such amount."""
    value = _decimal(text)
    minor = None if value is None else value.scaleb(18)
    return None if minor is None or minor != minor.to_integral_value() else int(minor)


def cents(text: str) -> int | None:
    """Dollars as text to cents; a price that comes from a rate is rounded half to even."""
    value = _decimal(text)
    if value is None:
        return None
    return int(value.scaleb(2).to_integral_value(rounding=ROUND_HALF_EVEN))


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and value >= 0 else None


def chronological(rows: Sequence[Row]) -> list[Row]:
    """Rows with a date, the oldest first.

    Files of sales have days only. Within a day the file's own direction counts, so that a token
    that was sold twice in a day ends with the right buyer.
    """
    dated = [(day, row) for row in rows if (day := day_of(row)) is not None]
    if dated and dated[0][0] > dated[-1][0]:
        dated.reverse()
    return [row for _, row in sorted(dated, key=lambda pair: pair[0])]


def purchase_of(row: Row, place: int) -> Purchase | None:
    """A prepared row as a purchase; None for a row that an importer has to reject."""
    day, token = day_of(row), row["token_id"]
    card = row["tender"] == CARD
    price = cents(row["usd_price"]) if card else wei(row["eth_price"])
    if not names_both_parties(row) or day is None or price is None or not token.isdigit():
        return None
    return Purchase(
        number=row["transaction_hash"],
        place=place,
        customer=row["buyer_address"],
        wallet=row["wallet"],
        token_id=int(token),
        day=day,
        tender=row["tender"],
        currency="USD" if card else "ETH",
        price=price,
    )
