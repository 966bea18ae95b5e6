"""What is known at the decision time: the only thing that a decision may look at."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from returns.errors import AmountInvalid, FieldInvalid, RequestMalformed
from returns.money import MAX_AMOUNT, exponent_of, parse_amount
from returns.words import Reason, Remedy, Tender
from triage.canonical import canonical_json, sha256_hex

ZERO_ADDRESS = "0x" + "0" * 40

_ADDRESS = re.compile(r"0x[0-9a-f]{40}\Z")
_TEXTS = ("merchant", "order", "message")
_AMOUNTS = ("token_id", "paid", "already_refunded", "requested")
_OPTIONAL_AMOUNTS = ("price_then", "price_now")
_COUNTS = ("returns_90d", "returns_365d", "orders_365d")
_TIMES = ("purchased_at", "requested_at")
_OPTIONAL_TIMES = ("customer_since",)
_OPTIONAL_ADDRESSES = ("buyer_wallet", "holder", "requester_wallet", "recipient")
_WORDS: dict[str, type[StrEnum]] = {"remedy": Remedy, "tender": Tender, "reason": Reason}


@dataclass(frozen=True, slots=True)
class Facts:
    """One line of a request and its surroundings. None is "not known", never "none".

    Amounts are minor units of `currency`. Addresses are kept in lower case and times in UTC, so
    that the same facts have one spelling and one hash. Raises `FieldInvalid`, `AmountInvalid` or
    `CurrencyUnknown` for a value that cannot be a fact.
    """

    merchant: str
    order: str
    collection: str
    token_id: int
    currency: str
    #: What was paid for this line, and how much of it is granted back or pending already.
    paid: int
    already_refunded: int
    requested: int
    remedy: Remedy
    tender: Tender
    reason: Reason
    purchased_at: datetime
    requested_at: datetime
    #: The wallet that the purchase was delivered to; for a payment by wallet also the payer.
    buyer_wallet: str | None
    #: Owner of the token on chain at the decision time.
    holder: str | None
    #: The wallet that the requester proved or named. None: the buyer's wallet is expected to sign.
    requester_wallet: str | None
    #: Who is to get a payout in crypto. None: whoever holds the token.
    recipient: str | None
    #: Earlier returns of the customer, settled or open. The request being decided is NOT counted.
    returns_90d: int
    returns_365d: int
    #: Orders of the customer in the 365 days before the request, this one included.
    orders_365d: int
    customer_since: datetime | None
    #: Floor or last price of the collection at purchase and now, in minor units of `currency`.
    price_then: int | None
    price_now: int | None
    message: str

    def __post_init__(self) -> None:
        self._check_words()
        self._check_numbers()
        for name in ("collection", *_OPTIONAL_ADDRESSES):
            self._set(name, _address(name, getattr(self, name), name != "collection"))
        for name in (*_TIMES, *_OPTIONAL_TIMES):
            self._set(name, _utc(name, getattr(self, name), name in _OPTIONAL_TIMES))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check_words(self) -> None:
        exponent_of(self.currency)
        for name in _TEXTS:
            if not isinstance(getattr(self, name), str):
                raise FieldInvalid(field=name, problem="it is not text")
        for name, words in _WORDS.items():
            if not isinstance(getattr(self, name), words):
                raise FieldInvalid(field=name, problem=f"it is not a {words.__name__}")

    def _check_numbers(self) -> None:
        for name in (*_AMOUNTS, *_OPTIONAL_AMOUNTS):
            value = getattr(self, name)
            if value is None and name in _OPTIONAL_AMOUNTS:
                continue
            if type(value) is not int or not 0 <= value <= MAX_AMOUNT:
                raise AmountInvalid(amount=value)
        for name in _COUNTS:
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                raise FieldInvalid(field=name, problem="it is not a count")

    @property
    def remainder(self) -> int:
        """Minor units that can still be given back; zero if more was granted than paid."""
        return max(0, self.paid - self.already_refunded)

    @property
    def claimant(self) -> str | None:
        """The wallet that would have to sign: the requester's, or else the buyer's."""
        return self.requester_wallet or self.buyer_wallet

    @property
    def payee(self) -> str | None:
        """The wallet that a payout would reach; None where no wallet is paid (card, credit)."""
        if self.recipient is None and self.remedy is Remedy.CRYPTO_REFUND:
            return self.claimant
        return self.recipient

    def to_json(self) -> str:
        """Write canonical JSON: amounts and the token id as strings, times as UTC with `Z`."""
        return canonical_json({f.name: _plain(f.name, getattr(self, f.name)) for f in fields(self)})

    @property
    def facts_hash(self) -> str:
        """SHA-256 (hex) of `to_json`."""
        return sha256_hex(self.to_json())

    @classmethod
    def from_json(cls, text: str) -> Facts:
        """Read what `to_json` wrote; raises as the constructor, and `RequestMalformed`."""
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as bad:
            raise RequestMalformed(problem="it is not JSON") from bad
        names = {f.name for f in fields(cls)}
        if not isinstance(content, dict) or content.keys() != names:
            raise RequestMalformed(problem="it does not have exactly the fields of facts")
        return cls(**{name: _fact(name, value) for name, value in content.items()})


def _address(name: str, value: object, optional: bool) -> str | None:
    if value is None and optional:
        return None
    if not isinstance(value, str) or not _ADDRESS.match(value.lower()):
        raise FieldInvalid(field=name, problem="it is not an address of 20 bytes in hex")
    return value.lower()


def _utc(name: str, value: object, optional: bool) -> datetime | None:
    if value is None and optional:
        return None
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise FieldInvalid(field=name, problem="it is not a time with a time zone")
    return value.astimezone(UTC)


def _plain(name: str, value: object) -> object:
    if value is not None and name in _AMOUNTS + _OPTIONAL_AMOUNTS:
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value


def _fact(name: str, value: Any) -> Any:
    """Undo `_plain`; what does not fit is left as it is, for the constructor to refuse."""
    if value is not None and name in _AMOUNTS + _OPTIONAL_AMOUNTS:
        return parse_amount(value)
    try:
        if isinstance(value, str) and name in _TIMES + _OPTIONAL_TIMES:
            return datetime.fromisoformat(value)
        return _WORDS[name](value) if name in _WORDS else value
    except ValueError as bad:
        raise FieldInvalid(field=name, problem="it is not a value that facts know") from bad
