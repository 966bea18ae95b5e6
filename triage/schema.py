"""What a policy may say. Every field is required unless a default means "nothing of the kind"."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PlainSerializer, StringConstraints, model_validator

from returns.words import ALLOWED_PAIRS, Fallback, Remedy, Split, Verdict
from triage.canonical import canonical_json, sha256_hex
from triage.terms import (
    Address,
    Bps,
    Caps,
    Count,
    Currency,
    Minor,
    Override,
    Part,
    Terms,
    merged,
    no_entries,
    read_only,
)

#: The rules whose verdict a policy may choose, and from what; the first is what holds otherwise.
CHOICES: dict[str, tuple[str, ...]] = {
    "holder_not_buyer": ("review", "deny"),
    "third_party_payout": ("review", "deny"),
    "tender_mismatch": ("review", "deny"),
    "purchase_unproven": ("review", "deny"),
    "sanctions_match": ("review", "deny"),
    "phishing_match": ("review", "deny", "off"),
    "blocked": ("deny", "review"),
    "reason_disputed": ("off", "review"),
}


class Misplaced(ValueError):
    """A mistake that is found when keys are held together; `path` says which of them is wrong."""

    def __init__(self, problem: str, *path: str) -> None:
        super().__init__(problem)
        self.path = path


def _choosable(code: str) -> str:
    if code not in CHOICES:
        known = ", ".join(CHOICES)
        raise ValueError(f"there is no rule {code[:60]!r} to choose for; there are {known}")
    return code


Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
RuleCode = Annotated[str, AfterValidator(_choosable)]
ProfileName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$")]
ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}$")]


#: What facts call the returns of each.
_RETURNS = {"customer": "returns", "wallet": "wallet_returns", "cluster": "cluster_returns"}


class Limit(Part):
    """At most so many earlier ones within so many days; what is asked for comes on top."""

    of: Literal["customer", "wallet", "cluster"] = "customer"
    #: Goodwill: lines that a person approved although the policy denied them.
    what: Literal["returns", "goodwill"] = "returns"
    #: The spans that facts carry; goodwill and clusters are known for a year.
    days: Literal[7, 30, 90, 365]
    most: Count
    then: Literal[Verdict.REVIEW, Verdict.DENY]

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if (self.what == "goodwill" or self.of == "cluster") and self.days != 365:
            raise ValueError("goodwill and clusters are counted over 365 days")
        if self.what == "goodwill" and self.of != "customer":
            raise ValueError("goodwill is counted by customer")
        return self

    @cached_property
    def fact(self) -> str:
        """The name of the fact that holds the number."""
        whose = "goodwill" if self.what == "goodwill" else _RETURNS[self.of]
        return f"{whose}_{self.days}d"


class Costs(Part):
    """What deciding wrongly costs, in minor units: the thresholds follow from it."""

    #: One look by a person, the customer's waiting included.
    review: Minor
    #: What is lost of the amount when an abusive return is granted; the token comes back.
    loss_bps: Bps


class Risk(Part):
    """From where on a person looks. None of it can deny or approve."""

    #: Whether the model takes part, is only tried, or is off: then the rule score stands alone.
    model: Literal["decide", "shadow", "off"] = "decide"
    #: A probability of abuse from here on goes to a person.
    review_from: Share
    #: A confidence (see `triage.model.Score`) below this goes to a person.
    confidence_below: Share
    #: More unusual than this share of what the model has seen.
    anomaly_from: Share = 1.0
    #: Points of the rule score, which stands beside the model and alone without it; 100: never.
    score_from: Annotated[int, Field(ge=1, le=100)] = 100
    costs: Annotated[Mapping[Currency, Costs], AfterValidator(read_only), PlainSerializer(dict)] = (
        Field(default_factory=no_entries)
    )


class Payouts(Part):
    """How what was granted is paid back."""

    split: Split = Split.PROPORTIONAL
    fallback: Fallback = Fallback.PERSON


class Policy(Terms):
    """One version of a merchant's rules; `for_line` gives the terms that bind one token."""

    version: Literal[1]
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    limits: tuple[Limit, ...] = ()
    rules: Annotated[
        Mapping[RuleCode, Literal["review", "deny", "off"]],
        AfterValidator(read_only),
        PlainSerializer(dict),
    ] = Field(default_factory=no_entries)
    risk: Risk
    #: A payout above this needs a proven identity.
    identity_above: Caps = Field(default_factory=no_entries)
    #: Most that one reviewer may approve; null: any amount.
    approval_limits: Caps | None = None
    payouts: Payouts = Payouts()
    #: Whether nobody is refunded before lists (sanctions, phishing) have been imported.
    lists_required: bool = False
    #: Words that channels and collections may share.
    profiles: Annotated[
        Mapping[ProfileName, Override], AfterValidator(read_only), PlainSerializer(dict)
    ] = Field(default_factory=no_entries)
    channels: Annotated[
        Mapping[ChannelName, Override], AfterValidator(read_only), PlainSerializer(dict)
    ] = Field(default_factory=no_entries)
    collections: Annotated[
        Mapping[Address, Override], AfterValidator(read_only), PlainSerializer(dict)
    ] = Field(default_factory=no_entries)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        _check_choices(self)
        _check_terms(self)
        for table in ("profiles", "channels", "collections"):
            for name, words in getattr(self, table).items():
                _check_terms(merged(self, *self._layers(words, table, name)), table, name)
        return self

    def for_line(self, collection: str, channel: str) -> Terms:
        """The terms of a token: the base, then its channel's words, then its collection's."""
        if not self.channels and not self.collections:
            return self
        key = (
            collection if collection in self.collections else None,
            channel if channel in self.channels else None,
        )
        if key == (None, None):
            return self
        if key not in self._merged:
            self._merged[key] = self._merge(*key)
        return self._merged[key]

    def choice(self, code: str) -> str:
        """The verdict of a rule that may be chosen: review, deny or off."""
        return self.rules.get(code, CHOICES[code][0])

    @cached_property
    def _merged(self) -> dict[tuple[str | None, str | None], Terms]:
        return {}

    def _merge(self, collection: str | None, channel: str | None) -> Terms:
        layers: list[Override] = []
        if channel is not None:
            layers += self._layers(self.channels[channel])
        if collection is not None:
            layers += self._layers(self.collections[collection])
        return merged(self, *layers)

    def _layers(self, words: Override, *path: str) -> list[Override]:
        """Words with the profiles that they extend, those furthest away first."""
        layers, seen = [words], list[str]()
        while words.extends is not None:
            if words.extends in seen:
                circle = " extends ".join(map(repr, [*seen, words.extends]))
                raise Misplaced(f"the profiles go in a circle: {circle}", *path, "extends")
            if words.extends not in self.profiles:
                problem = f"there is no profile {words.extends[:60]!r}"
                raise Misplaced(problem, *path, "extends")
            seen.append(words.extends)
            words = self.profiles[words.extends]
            layers.insert(0, words)
        return layers

    @cached_property
    def policy_hash(self) -> str:
        """SHA-256 (hex) over the canonical JSON of what was understood, not of how it was typed."""
        return sha256_hex(canonical_json(self.model_dump(mode="json", exclude_none=True)))


def _check_choices(policy: Policy) -> None:
    for code, verdict in policy.rules.items():
        if verdict not in CHOICES[code]:
            problem = f"{code} is one of {', '.join(CHOICES[code])}"
            raise Misplaced(problem, "rules", code)


def _check_terms(terms: Terms, *path: str) -> None:
    """Every remedy on offer has a disposition, and every pair is in the one table of pairs.

    One layer over the base is enough to check: tables only gain keys, so that more layers offer no
    remedy without a disposition and no pair that none of them has.
    """
    for remedy in sorted(terms.remedies):
        if remedy is Remedy.NOTHING:
            problem = "the remedy 'nothing' is what a denial gives; it cannot be offered"
            raise Misplaced(problem, *path, "remedies")
        if remedy not in terms.dispositions:
            problem = f"the remedy {remedy.value!r} has no disposition"
            raise Misplaced(problem, *path, "remedies")
    for remedy, disposition in terms.dispositions.items():
        if (remedy, disposition) not in ALLOWED_PAIRS:
            problem = f"{remedy.value} with {disposition.value} is not an allowed pair"
            raise Misplaced(problem, *path, "dispositions", remedy.value)
