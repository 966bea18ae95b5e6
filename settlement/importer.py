"""Sales files become orders: mapped columns, dirty rows listed, every row whole or not at all."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO
from uuid import UUID

from pydantic import ValidationError
from rich.console import Console

from chain.addresses import ZERO, parse_address
from returns.errors import FieldInvalid, FileInvalid, UndropError
from returns.money import from_decimal, to_minor_half_even
from returns.words import Tender
from settlement.commands.inputs import OrderIn
from settlement.commands.orders import KNOWN, STORED, put_orders
from settlement.runtime import Runtime

#: Our field -> the column of the usual export of on-chain sales.
DEFAULT_MAPPING: Mapping[str, str] = {
    "number": "transaction_hash",
    "placed_at": "day",
    "customer": "buyer_address",
    "buyer_wallet": "buyer_address",
    "seller": "seller_address",
    "token_id": "token_id",
    "wallet_price": "eth_price",
    "card_price": "usd_price",
}
#: Fields without a default column: how each row was paid (`wallet` where there is no column).
_OPTIONAL_FIELDS = frozenset({"tender"})
_CURRENCY = {Tender.WALLET: "ETH", Tender.CARD: "USD"}

#: Reasons without the row's own values, so that rows can be counted by them.
_REASONS = {
    "order_differs": "the order is stored already, with another content",
    "payment_claimed": "the payment belongs to another order already",
}

_CHUNK = 1000
_MAX_CHARACTERS = 1 << 30
_MAX_LINE = 1 << 16
_MAX_TEXT = 256 * 1024
_SHOWN = 5

Progress = Callable[[int, int], None]


class RowInvalid(Exception):
    """Why one row is not an order."""


@dataclass
class ImportReport:
    """What became of a file's rows; `rejected` are (line number in the file, reason)."""

    rows: int = 0
    imported: int = 0
    known: int = 0
    rejected: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0

    def to_json(self) -> str:
        """One line for scripts."""
        counts = {"rows": self.rows, "imported": self.imported, "known": self.known}
        return json.dumps({**counts, "rejected": len(self.rejected), "seconds": self.seconds})

    def show(self, console: Console, file: Path | None) -> None:
        """Print rejected rows by reason, with their first lines; all of them go to `file`."""
        by_reason = Counter(reason for _, reason in self.rejected)
        for reason, count in by_reason.most_common():
            lines = [str(line) for line, why in self.rejected if why == reason][:_SHOWN]
            more = ", …" if count > _SHOWN else ""
            console.print(f"{count} rejected: {reason} (line {', '.join(lines)}{more})")
        if file is not None:
            with file.open("w", newline="") as target:
                csv.writer(target).writerows([("line", "reason"), *self.rejected])


def parse_mapping(words: list[str]) -> dict[str, str]:
    """Read field=column pairs; raises `FieldInvalid` for a field that sales do not have."""
    pairs = dict(word.partition("=")[::2] for word in words)
    for name, column in pairs.items():
        if name not in DEFAULT_MAPPING and name not in _OPTIONAL_FIELDS:
            known = ", ".join([*DEFAULT_MAPPING, *_OPTIONAL_FIELDS])
            raise FieldInvalid(field=f"--map {name}", problem=f"there are {known}")
        if not column:
            raise FieldInvalid(field=f"--map {name}", problem="write field=column")
    return pairs


def read_text(file: Path) -> str:
    """A small text file; raises `FileInvalid`."""
    try:
        with file.open("rb") as source:
            raw = source.read(_MAX_TEXT + 1)
        if len(raw) > _MAX_TEXT:
            raise FileInvalid(file=file.name, problem=f"it has more than {_MAX_TEXT} bytes")
        return raw.decode()
    except (OSError, UnicodeDecodeError) as fault:
        raise FileInvalid(file=file.name, problem=why_unreadable(fault)) from fault


def import_sales(
    runtime: Runtime,
    merchant_id: UUID,
    file: Path,
    *,
    collection: str,
    mapping: Mapping[str, str],
    last_day: date | None = None,
    on_progress: Progress = lambda _done, _total: None,
) -> ImportReport:
    """Import a CSV or TSV file, gzip or not. Importing it again recognises every row.

    `last_day` moves all dates by whole days so that the newest sale falls on it. Raises
    `FileInvalid` for a file that is not a table with the mapped columns; nothing is stored then.
    """
    parse_address(collection)
    columns = {**DEFAULT_MAPPING, **mapping}
    rows = list(_rows(file, columns))
    shift = _shift(rows, columns["placed_at"], last_day)
    report = ImportReport(rows=len(rows))
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        _import_chunk(runtime, merchant_id, chunk, columns, collection, shift, report)
        on_progress(start + len(chunk), len(rows))
    return report


def _import_chunk(
    runtime: Runtime,
    merchant_id: UUID,
    chunk: list[tuple[int, dict[str, str]]],
    columns: Mapping[str, str],
    collection: str,
    shift: timedelta,
    report: ImportReport,
) -> None:
    orders: list[OrderIn] = []
    lines: list[int] = []
    for line, row in chunk:
        if None in row:
            report.rejected.append((line, "it has more columns than the header"))
            continue
        values = {name: (row.get(column) or "").strip() for name, column in columns.items()}
        try:
            orders.append(_order(values, collection, shift))
            lines.append(line)
        except RowInvalid as reason:
            report.rejected.append((line, str(reason)))
    for line, result in zip(lines, put_orders(runtime, merchant_id, orders), strict=True):
        report.imported += result.result == STORED
        report.known += result.result == KNOWN
        if result.error is not None:
            report.rejected.append((line, _REASONS.get(result.error.code, str(result.error))))


def _order(values: Mapping[str, str], collection: str, shift: timedelta) -> OrderIn:
    _check_parties(values)
    try:
        tender = Tender(values.get("tender") or Tender.WALLET)
    except ValueError:
        raise RowInvalid("the tender is neither card nor wallet") from None
    price = _price(values, tender)
    token = {"collection": collection, "token_id": values["token_id"], "price": price}
    try:
        moment = _shifted(parse_day(values["placed_at"]), shift)
        names = {name: values[name] for name in ("number", "customer", "buyer_wallet")}
        payment = _payment(values["number"], tender, price)
        rest = {"placed_at": moment, "channel": "import", "lines": [token], "payment": payment}
        return OrderIn.model_validate(names | rest)
    except ValidationError as fault:
        where = ".".join(str(part) for part in fault.errors()[0]["loc"])
        raise RowInvalid(f"{where} cannot be used") from fault


def _check_parties(values: Mapping[str, str]) -> None:
    for party, name in (("buyer", "customer"), ("seller", "seller")):
        if not values[name]:
            raise RowInvalid(f"there is no {party}")
        if values[name] == ZERO:
            raise RowInvalid(f"the {party} is the zero address")


def _price(values: Mapping[str, str], tender: Tender) -> str:
    """Minor units. Fiat prices of exports come from a rate and carry too many digits: rounded."""
    text, currency = values[f"{tender.value}_price"], _CURRENCY[tender]
    try:
        if tender is Tender.CARD:
            return str(to_minor_half_even(Decimal(text), currency).amount)
        return str(from_decimal(text, currency).amount)
    except (UndropError, InvalidOperation):
        raise RowInvalid("the price is not an amount") from None


def _payment(number: str, tender: Tender, price: str) -> dict[str, str]:
    on_card = tender is Tender.CARD
    return {
        "tender": tender.value,
        "processor": "sandbox" if on_card else "chain",
        "reference": f"ch_{number.removeprefix('0x')[:24]}" if on_card else number,
        "currency": _CURRENCY[tender],
        "captured": price,
    }


def parse_day(text: str) -> datetime:
    """A moment in UTC from an ISO date or time, or from MM/DD/YY; raises `RowInvalid`."""
    for parse in (datetime.fromisoformat, lambda t: datetime.strptime(t, "%m/%d/%y")):  # noqa: DTZ007
        try:
            moment: datetime = parse(text)
        except ValueError:
            continue
        try:
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except OverflowError:
            break
    raise RowInvalid("the day is not a date")


def _shifted(moment: datetime, shift: timedelta) -> datetime:
    try:
        return moment + shift
    except OverflowError:
        raise RowInvalid("the day is not a date") from None


def _shift(rows: list[tuple[int, dict[str, str]]], column: str, last_day: date | None) -> timedelta:
    if last_day is None:
        return timedelta(0)
    days = []
    for _, row in rows:
        try:
            days.append(parse_day((row.get(column) or "").strip()).date())
        except RowInvalid:
            continue
    return last_day - max(days) if days else timedelta(0)


def _rows(file: Path, columns: Mapping[str, str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, row) of each record; raises `FileInvalid` for what is not a table."""
    try:
        with open_text(file) as source:
            lines = bounded_lines(file, source)
            header = next(lines, "")
            dialect = csv.excel_tab if header.count("\t") > header.count(",") else csv.excel
            reader = csv.DictReader(itertools.chain([header], lines), dialect=dialect)
            _check_header(file, reader.fieldnames or [], columns)
            for row in reader:
                yield reader.line_num, row
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as fault:
        raise FileInvalid(file=file.name, problem=why_unreadable(fault)) from fault


def open_text(file: Path) -> IO[str]:
    """A file of text, gzip or not."""
    with file.open("rb") as raw:
        is_gzip = raw.read(2) == b"\x1f\x8b"
    opener = gzip.open if is_gzip else open
    return opener(file, "rt", encoding="utf-8-sig", newline="")


def bounded_lines(file: Path, source: IO[str]) -> Iterator[str]:
    """Lines with limits, so that a small archive cannot unfold into a huge table or line."""
    total = 0
    while line := source.readline(_MAX_LINE):
        total += len(line)
        if len(line) == _MAX_LINE or total > _MAX_CHARACTERS:
            raise FileInvalid(file=file.name, problem="a line or the whole is too long")
        yield line


def _check_header(file: Path, header: object, columns: Mapping[str, str]) -> None:
    names = list(header) if isinstance(header, (list, tuple)) else []
    for name, column in columns.items():
        if column not in names:
            problem = f"it has no column {column!r} for {name}; name one with --map {name}=COLUMN"
            raise FileInvalid(file=file.name, problem=problem)


def why_unreadable(fault: Exception) -> str:
    """What to tell who named a file that cannot be read."""
    match fault:
        case FileNotFoundError():
            return "there is no such file"
        case IsADirectoryError():
            return "it is a folder"
        case UnicodeDecodeError():
            return "it is not UTF-8 text"
        case csv.Error():
            return f"it is not a table ({fault})"
        case _:
            return "it cannot be read"
