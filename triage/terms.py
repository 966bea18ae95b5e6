"""What a token is sold under: the words of a policy that a channel or a collection may replace."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    create_model,
)

from returns.errors import AmountInvalid, CurrencyUnknown
from returns.money import MAX_AMOUNT, exponent_of, parse_amount
from returns.words import Disposition, Reason, Remedy, Tender

K = TypeVar("K")
V = TypeVar("V")


class Since(StrEnum):
    """What starts the window."""

    PURCHASE = "purchase"
    DELIVERY = "delivery"
    #: Before the reveal the window has not begun to run.
    REVEAL = "reveal"


class Condition(StrEnum):
    """What a token must still be to be taken back."""

    UNREVEALED = "unrevealed"
    PERKS_UNCLAIMED = "perks_unclaimed"
    UNLISTED = "unlisted"
    UNLOCKED = "unlocked"
    NOT_RENTED = "not_rented"
    NOT_MOVED = "not_moved"


class Bearer(StrEnum):
    """Who bears a cost that cannot be got back."""

    MERCHANT = "merchant"
    CUSTOMER = "customer"


def _minor(text: object) -> int:
    try:
        return parse_amount(text)
    except AmountInvalid:
        raise ValueError("write minor units as digits in quotes") from None


def _currency(code: str) -> str:
    try:
        exponent_of(code)
    except CurrencyUnknown:
        raise ValueError(f"the currency {code[:20]!r} is not known") from None
    return code


def read_only(table: Mapping[K, V]) -> Mapping[K, V]:
    """Freeze a table: a frozen model does not, and a hash must not outlive what it was taken of."""
    return MappingProxyType(dict(table))


def no_entries() -> Mapping[Any, Any]:
    """The default of a table that may be left out."""
    return MappingProxyType({})


def _in_order(table: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): sorted(value) for key, value in table.items()}


Address = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{40}$")]
Currency = Annotated[str, AfterValidator(_currency)]
Minor = Annotated[
    int,
    BeforeValidator(_minor, json_schema_input_type=str),
    PlainSerializer(str, return_type=str),
]
TokenId = Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
TokenIds = Annotated[frozenset[TokenId], PlainSerializer(sorted, return_type=list[int])]
Days = Annotated[int, Field(ge=0, le=3660)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
#: Hundredths of a percent.
Bps = Annotated[int, Field(ge=0, le=10_000)]
Caps = Annotated[
    Mapping[Currency, Minor],
    AfterValidator(read_only),
    PlainSerializer(lambda caps: {code: str(cap) for code, cap in caps.items()}),
]
Dispositions = Annotated[
    Mapping[Remedy, Disposition], AfterValidator(read_only), PlainSerializer(dict)
]
Windows = Annotated[Mapping[Remedy, Days], AfterValidator(read_only), PlainSerializer(dict)]
Remedies = Annotated[
    frozenset[Remedy], Field(min_length=1), PlainSerializer(sorted, return_type=list[str])
]
ByTender = Annotated[
    Mapping[Tender, Remedies], AfterValidator(read_only), PlainSerializer(_in_order)
]
Conditions = Annotated[frozenset[Condition], PlainSerializer(sorted, return_type=list[str])]
Reasons = Annotated[frozenset[Reason], PlainSerializer(sorted, return_type=list[str])]


class Part(BaseModel):
    """Refuses what it does not know, and never turns one type into another."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Fees(Part):
    """Who bears what a return costs. The customer's part is taken off the refund."""

    gas: Bearer = Bearer.MERCHANT
    royalty: Bearer = Bearer.MERCHANT
    platform_fee: Bearer = Bearer.MERCHANT
    #: Of what is asked for; rounded down, in the customer's favour.
    restocking_bps: Bps = 0

    @cached_property
    def are_none(self) -> bool:
        """Whether nothing is taken off."""
        bearers = (self.gas, self.royalty, self.platform_fee)
        return self.restocking_bps == 0 and Bearer.CUSTOMER not in bearers


class Terms(Part):
    """The base of a policy, or what a channel or collection has made of it."""

    #: Days of 86,400 seconds within which a return may be asked for; the last second counts.
    window_days: Days
    #: Other windows for some remedies.
    windows: Windows = Field(default_factory=no_entries)
    window_from: Since = Since.PURCHASE
    #: The same by blocks since the purchase. Whichever ends first ends the window.
    window_blocks: Annotated[int, Field(ge=0, le=10**12)] | None = None
    #: Most that is paid out without a person, in minor units by currency.
    caps: Caps
    #: Token ids that are never taken back; true means all of them.
    final_sale: bool | TokenIds = False
    condition: Conditions = frozenset()
    remedies: Remedies
    #: What becomes of the token, by remedy.
    dispositions: Dispositions
    #: For some tenders, the only remedies that they can be given back in.
    tenders: ByTender = Field(default_factory=no_entries)
    #: What is proposed instead of a refused remedy, the best first.
    alternatives: tuple[Remedy, ...] = ()
    #: Reasons that a person has to look at.
    person_for: Reasons = frozenset()
    fees: Fees = Fees()
    #: What store credit is worth more than money.
    credit_bonus_bps: Bps = 0
    #: Passes are refunded by the share of their time that is not used.
    prorate: bool = False


def _optional() -> Any:
    """Every word of `Terms`, each of which may be left out: absent, or null, is inherited."""
    hints = get_type_hints(Terms, include_extras=True)
    fields: dict[str, Any] = {name: (hints[name] | None, None) for name in Terms.model_fields}
    return create_model("Words", __base__=Part, **fields)


class Override(_optional()):  # type: ignore[misc]  # built from `Terms`, so that neither lacks a word
    """A channel's, profile's or collection's own words. Tables merge by key, the rest replaces."""

    #: A profile of the policy whose words come before these.
    extends: str | None = None


#: Merged by key: a collection that changes one cap keeps the others.
_TABLES = ("caps", "dispositions", "windows", "tenders")


def merged(base: Terms, *layers: Override) -> Terms:
    """Lay words over terms, the later over the earlier."""
    found = {name: getattr(base, name) for name in Terms.model_fields}
    for words in layers:
        for name in Terms.model_fields:
            own = getattr(words, name)
            if own is not None:
                found[name] = read_only({**found[name], **own}) if name in _TABLES else own
    return Terms.model_construct(**found)
