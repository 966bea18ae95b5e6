"""The kinds of values that facts have: how each is checked, written as JSON, and read again."""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from returns.errors import AmountInvalid, FieldInvalid
from returns.money import MAX_AMOUNT, exponent_of, parse_amount

T = TypeVar("T")

#: More than anybody has ever done, and small enough for every database and every float.
MAX_COUNT = 10**15
#: A message of the API has 2,000 characters; what is longer is not one person's text.
MAX_TEXT = 10_000

_MOST_NAMES = 100
#: Codes that are in use for others of the standard.
_ALIASES = {"UK": "GB", "EL": "GR"}

#: Sums of days stay within what a calendar can say.
_FIRST_YEAR, _LAST_YEAR = 1970, 2999

_ADDRESS = re.compile(r"0x[0-9a-f]{40}\Z")
_COUNTRY = re.compile(r"[A-Z]{2}\Z")
_NAME = re.compile(r"[a-z0-9_./-]{1,100}\Z")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """`check` gives the one spelling of a value or raises; `write` and `read` are JSON's side.

    `schema` tells others what the JSON looks like.
    """

    check: Callable[[str, Any], T]
    write: Callable[[T], object]
    read: Callable[[str, Any], Any]
    schema: dict[str, Any] = field(compare=False)


def kind_of(hint: Any) -> tuple[Kind[Any], bool]:
    """The kind behind a field's annotation, and whether the field may be None."""
    if get_origin(hint) in (types.UnionType, Union):
        return kind_of(get_args(hint)[0])[0], True
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _word(hint), False
    return get_args(hint)[1], False


def _unchanged(value: Any) -> Any:
    return value


def _as_is(_: str, value: Any) -> Any:
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise FieldInvalid(field=name, problem="it is not text")
    if len(value) > MAX_TEXT:
        raise FieldInvalid(field=name, problem=f"it has more than {MAX_TEXT} characters")
    return value


def _amount(_: str, value: object) -> int:
    if type(value) is not int or not 0 <= value <= MAX_AMOUNT:
        raise AmountInvalid(amount=value)
    return value


def _count(name: str, value: object) -> int:
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise FieldInvalid(field=name, problem="it is not a count")
    return value


def _flag(name: str, value: object) -> bool:
    if type(value) is not bool:
        raise FieldInvalid(field=name, problem="it is neither true nor false")
    return value


def _currency(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise FieldInvalid(field=name, problem="it is not text")
    exponent_of(value)
    return value


def _country(name: str, value: object) -> str:
    if not isinstance(value, str) or not _COUNTRY.match(value):
        raise FieldInvalid(field=name, problem="it is not a country in two capitals (ISO 3166-1)")
    return _ALIASES.get(value, value)


def _address(name: str, value: object) -> str:
    if isinstance(value, str):
        if _ADDRESS.match(value):
            return value
        if _ADDRESS.match(value.lower()):
            return value.lower()
    raise FieldInvalid(field=name, problem="it is not an address of 20 bytes in hex")


def _moment(name: str, value: object) -> datetime:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise FieldInvalid(field=name, problem="it is not a time with a time zone")
    try:
        moment = value if value.tzinfo is UTC else value.astimezone(UTC)
    except OverflowError:
        moment = None
    if moment is None or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise FieldInvalid(field=name, problem="it is not a moment of this age")
    return moment


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _from_iso(name: str, value: Any) -> Any:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as bad:
        raise FieldInvalid(field=name, problem="it is not a time") from bad


def _names(name: str, value: object) -> tuple[str, ...]:
    fit = isinstance(value, tuple | frozenset | set | list) and len(value) <= _MOST_NAMES
    if not fit or not all(isinstance(one, str) and _NAME.match(one) for one in value):  # type: ignore[attr-defined]
        raise FieldInvalid(field=name, problem="it is not a list of short names")
    ordered = tuple(sorted(set(value)))  # type: ignore[call-overload]
    return value if value == ordered else ordered


def _word(words: type[StrEnum]) -> Kind[StrEnum]:
    def check(name: str, value: object) -> StrEnum:
        if not isinstance(value, words):
            raise FieldInvalid(field=name, problem=f"it is not a {words.__name__}")
        return value

    def read(name: str, value: Any) -> StrEnum:
        try:
            return words(value)
        except (ValueError, TypeError) as bad:
            known = ", ".join(words)
            raise FieldInvalid(field=name, problem=f"it is not one of {known}") from bad

    return Kind(check, _unchanged, read, {"type": "string", "enum": [*words]})


Text = Annotated[str, Kind(_text, _unchanged, _as_is, {"type": "string", "maxLength": MAX_TEXT})]
#: Minor units, or the id of a token: up to 2**256 - 1, a string of digits in JSON.
Amount = Annotated[
    int,
    Kind(
        _amount,
        str,
        lambda _, value: parse_amount(value),
        {"type": "string", "pattern": "^(0|[1-9][0-9]{0,77})$"},
    ),
]
Count = Annotated[
    int,
    Kind(
        _count,
        _unchanged,
        _as_is,
        {"type": "integer", "minimum": 0, "maximum": MAX_COUNT},
    ),
]
Flag = Annotated[bool, Kind(_flag, _unchanged, _as_is, {"type": "boolean"})]
Currency = Annotated[str, Kind(_currency, _unchanged, _as_is, {"type": "string"})]
#: Two capitals of ISO 3166-1.
Country = Annotated[
    str,
    Kind(_country, _unchanged, _as_is, {"type": "string", "pattern": "^[A-Z]{2}$"}),
]
#: Twenty bytes in hex, kept in lower case.
Address = Annotated[
    str,
    Kind(_address, _unchanged, _as_is, {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"}),
]
#: A moment in UTC.
Moment = Annotated[
    datetime, Kind(_moment, _iso, _from_iso, {"type": "string", "format": "date-time"})
]
#: A set of short names, kept in order; a list in JSON.
Names = Annotated[
    tuple[str, ...],
    Kind(_names, list, _as_is, {"type": "array", "items": {"type": "string"}}),
]
