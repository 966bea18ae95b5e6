"""What a policy may say. Every field is required unless a default means "nothing of the kind"."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    model_validator,
)

from returns.errors import AmountInvalid, CurrencyUnknown
from returns.money import MAX_AMOUNT, exponent_of, parse_amount
from returns.words import ALLOWED_PAIRS, Disposition, Remedy, Verdict
from triage.canonical import canonical_json, sha256_hex

K = TypeVar("K")
V = TypeVar("V")


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


def _read_only(table: Mapping[K, V]) -> Mapping[K, V]:
    """Freeze a table: a frozen model does not, and a hash must not outlive what it was taken of."""
    return MappingProxyType(dict(table))


Address = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{40}$")]
Currency = Annotated[str, AfterValidator(_currency)]
Minor = Annotated[int, BeforeValidator(_minor), PlainSerializer(str, return_type=str)]
TokenId = Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
TokenIds = Annotated[frozenset[TokenId], PlainSerializer(sorted, return_type=list[int])]
Days = Annotated[int, Field(ge=0, le=3660)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Caps = Annotated[
    Mapping[Currency, Minor],
    AfterValidator(_read_only),
    PlainSerializer(lambda caps: {code: str(cap) for code, cap in caps.items()}),
]
Dispositions = Annotated[
    Mapping[Remedy, Disposition], AfterValidator(_read_only), PlainSerializer(dict)
]
Remedies = Annotated[
    frozenset[Remedy], Field(min_length=1), PlainSerializer(sorted, return_type=list[str])
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Terms(_Part):
    """What one collection is sold under: the base of a policy with the collection's own words."""

    #: Days after the purchase within which a return may be asked for.
    window_days: Days
    #: Most that is refunded without a person, in minor units by currency.
    caps: Caps
    #: Token ids that are never taken back; true means all of them.
    final_sale: bool | TokenIds = False
    remedies: Remedies
    #: What becomes of the token, by remedy.
    dispositions: Dispositions


class Override(_Part):
    """A collection's own words. What is absent, or null, is inherited; tables merge by key."""

    window_days: Days | None = None
    caps: Caps | None = None
    final_sale: bool | TokenIds | None = None
    remedies: Remedies | None = None
    dispositions: Dispositions | None = None


class ReviewAfter(_Part):
    """So many earlier returns in so many days, and a person looks at the next one."""

    returns: Count
    #: The two spans that facts carry.
    days: Literal[90, 365]


class Risk(_Part):
    """The band between what the model may leave approved and what goes to a person."""

    #: A probability of abuse from here on goes to a person.
    review_from: Share
    #: A confidence (see `triage.model.Score`) below this goes to a person.
    confidence_below: Share


class Policy(Terms):
    """One version of a merchant's rules; `for_collection` gives the terms that bind one token."""

    version: Literal[1]
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    #: Most returns of one customer in 365 days, the one being decided included.
    yearly_limit: Count
    review_after: ReviewAfter
    #: For a requester whose wallet holds the token but is not the wallet that bought it.
    third_party: Literal[Verdict.REVIEW, Verdict.DENY]
    risk: Risk
    collections: Annotated[
        Mapping[Address, Override], AfterValidator(_read_only), PlainSerializer(dict)
    ] = Field(default_factory=lambda: MappingProxyType({}))

    @model_validator(mode="after")
    def _pairs_are_allowed(self) -> Self:
        in_force: tuple[Terms, ...] = (self, *self.by_collection.values())
        for terms in in_force:
            _check_dispositions(terms)
        return self

    @cached_property
    def by_collection(self) -> Mapping[str, Terms]:
        """The merged terms of every collection that has words of its own."""
        return {address: _merged(self, words) for address, words in self.collections.items()}

    def for_collection(self, address: str) -> Terms:
        """Return the terms of the collection at `address` (lower-case hex)."""
        return self.by_collection.get(address, self)

    @cached_property
    def policy_hash(self) -> str:
        """SHA-256 (hex) over the canonical JSON of what was understood, not of how it was typed."""
        return sha256_hex(canonical_json(self.model_dump(mode="json", exclude_none=True)))


def _merged(base: Terms, words: Override) -> Terms:
    own = {name: value for name, value in words if value is not None}
    for table in ("caps", "dispositions"):
        own[table] = _read_only({**getattr(base, table), **own.get(table, {})})
    inherited = {name: getattr(base, name) for name in Terms.model_fields}
    return Terms.model_construct(**{**inherited, **own})


def _check_dispositions(terms: Terms) -> None:
    """Every remedy on offer has a disposition, and every pair is in the one table of pairs."""
    for remedy in sorted(terms.remedies):
        if remedy is Remedy.NOTHING:
            raise ValueError("the remedy 'nothing' is what a denial gives; it cannot be offered")
        if remedy not in terms.dispositions:
            raise ValueError(f"the remedy {remedy.value!r} has no disposition")
    for remedy, disposition in terms.dispositions.items():
        if (remedy, disposition) not in ALLOWED_PAIRS:
            raise ValueError(f"{remedy.value} with {disposition.value} is not an allowed pair")
