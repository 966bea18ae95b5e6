"""Reads a file of addresses, networks or customers: JSON, a table, or one value on each line."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import itertools
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chain.addresses import parse_address
from returns.errors import AddressInvalid, FileInvalid
from returns.words import ListSubject
from settlement.lists import network

MAX_BYTES = 64 * 1024 * 1024
MAX_ROWS = 1_000_000
_MAX_LINE = 1 << 16
_CUSTOMER = re.compile(r"[\w.:#@+/-]{1,100}")

#: Columns that are looked for where none is named, the surest first.
COLUMNS: Mapping[ListSubject, tuple[str, ...]] = {
    ListSubject.ADDRESS: ("address", "wallet", "wallet_address", "account", "contract_address"),
    ListSubject.NETWORK: ("network", "cidr", "ip", "ip_address", "address"),
    ListSubject.CUSTOMER: ("customer", "customer_id", "email_hash"),
}


class EntryInvalid(Exception):
    """Why one row is no entry."""


@dataclass(frozen=True, slots=True)
class ListFile:
    """Hash of a file's bytes, its text, and what it is called in sentences."""

    name: str
    sha256: str
    text: str


def read(file: Path) -> ListFile:
    """A file, gzip or not, whole. Raises `FileInvalid` for what is no text of `MAX_BYTES`."""
    try:
        with file.open("rb") as source:
            raw = source.read(MAX_BYTES + 1)
        text = _unpacked(file, raw).decode("utf-8-sig")
    except FileNotFoundError:
        raise FileInvalid(file=file.name, problem="there is no such file") from None
    except IsADirectoryError:
        raise FileInvalid(file=file.name, problem="it is a folder") from None
    except UnicodeDecodeError:
        raise FileInvalid(file=file.name, problem="it is not UTF-8 text") from None
    except (OSError, EOFError, zlib.error):
        raise FileInvalid(file=file.name, problem="it cannot be read") from None
    if "\0" in text:
        raise FileInvalid(file=file.name, problem="it is not text but a binary file")
    if not text.strip():
        raise FileInvalid(file=file.name, problem="it is empty")
    return ListFile(file.name, hashlib.sha256(raw).hexdigest(), text)


def values(file: ListFile, subject: ListSubject, column: str | None) -> Iterator[tuple[int, str]]:
    """(line, or number in the array; value as it stands there) of every row.

    Raises `FileInvalid` for a file of another form.
    """
    start = file.text.lstrip()[:1]
    if start in ("[", "{"):
        yield from _limited(file, _from_json(file, subject, column))
        return
    lines = list(io.StringIO(file.text, newline=""))
    if any(len(line) > _MAX_LINE for line in lines):
        raise FileInvalid(file=file.name, problem=f"a line has more than {_MAX_LINE} characters")
    above = sum(1 for _ in itertools.takewhile(lambda line: not _bare(line), lines))
    header = _bare(lines[above]) if above < len(lines) else ""
    if column is not None or _delimiter(header) is not None or _is_name(header, subject):
        yield from _limited(file, _from_table(file, lines, above, subject, column))
    else:
        yield from _limited(file, _from_lines(lines))


def entry(subject: ListSubject, value: str) -> str:
    """The one spelling in which a value is stored; raises `EntryInvalid`."""
    if not value:
        raise EntryInvalid("it is empty")
    return _PARSERS[subject](value)


def _unpacked(file: Path, raw: bytes) -> bytes:
    if raw[:2] == b"\x1f\x8b" and len(raw) <= MAX_BYTES:
        with gzip.open(io.BytesIO(raw)) as packed:
            raw = packed.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise FileInvalid(file=file.name, problem=f"it has more than {MAX_BYTES} bytes")
    return raw


def _limited(file: ListFile, rows: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    for count, row in enumerate(rows):
        if count == MAX_ROWS:
            raise FileInvalid(file=file.name, problem=f"it has more than {MAX_ROWS} rows")
        yield row


def _from_lines(lines: list[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        if value := _bare(line):
            yield number, value


def _bare(line: str) -> str:
    """A line without its comment."""
    return re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()


def _from_json(
    file: ListFile, subject: ListSubject, column: str | None
) -> Iterator[tuple[int, str]]:
    try:
        content = json.loads(file.text)
    except (ValueError, RecursionError):
        raise FileInvalid(file=file.name, problem="it begins as JSON and is none") from None
    if not isinstance(content, list):
        raise FileInvalid(file=file.name, problem="its JSON is not an array of values")
    names = (column,) if column else COLUMNS[subject]
    for number, item in enumerate(content, 1):
        yield number, _text(_cell(item, names))


def _cell(item: Any, names: tuple[str, ...]) -> Any:
    """A plain value, or that of the first of these keys which an object has."""
    if isinstance(item, dict):
        return next((item[name] for name in names if name in item), "")
    return item


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else repr(value)[:60]


def _from_table(
    file: ListFile, lines: list[str], above: int, subject: ListSubject, column: str | None
) -> Iterator[tuple[int, str]]:
    """`above` lines of comments stand above the header."""
    header = "".join(lines[above : above + 1])
    reader = csv.DictReader(lines[above:], delimiter=_delimiter(header) or ",")
    try:
        name = _column(file, reader.fieldnames or (), subject, column)
        for row in reader:
            # A row with more cells than the header has shifted: its cells may be others'.
            yield reader.line_num + above, "" if None in row else (row[name] or "").strip()
    except csv.Error as fault:
        raise FileInvalid(file=file.name, problem=f"it is not a table ({fault})") from fault


def _column(file: ListFile, header: Any, subject: ListSubject, column: str | None) -> str:
    """The named column, or the first of the usual ones; upper and lower case are one."""
    by_name = {str(name).strip().lower(): str(name) for name in header}
    for name in (column,) if column else COLUMNS[subject]:
        if name.strip().lower() in by_name:
            return by_name[name.strip().lower()]
    there = ", ".join(list(by_name)[:10])
    wanted = f"no column {column!r}" if column else f"no column of {subject.value} values"
    raise FileInvalid(file=file.name, problem=f"it has {wanted}; name one with --column: {there}")


def _is_name(line: str, subject: ListSubject) -> bool:
    return line.strip().strip('"').lower() in COLUMNS[subject]


def _delimiter(line: str) -> str | None:
    """What divides a header; None where nothing does."""
    found = max("\t,;", key=line.count)
    return found if found in line else None


def _address(value: str) -> str:
    try:
        return parse_address(value)
    except AddressInvalid:
        raise EntryInvalid("it is not an address with a right checksum") from None


def _network(value: str) -> str:
    try:
        return network(value)
    except ValueError as fault:
        why = str(fault) if str(fault).startswith("it is wider") else "it is not an IP or a network"
        raise EntryInvalid(why) from None


def _customer(value: str) -> str:
    if not _CUSTOMER.fullmatch(value):
        raise EntryInvalid("it is not a customer's name as orders have it")
    return value


_PARSERS: Mapping[ListSubject, Callable[[str], str]] = {
    ListSubject.ADDRESS: _address,
    ListSubject.NETWORK: _network,
    ListSubject.CUSTOMER: _customer,
}
