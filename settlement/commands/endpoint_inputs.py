"""What merchants may say about their webhook endpoints and deliveries."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from returns.words import PayloadStyle
from settlement.commands.inputs import Input, Moment, Text

_WEEK_S = 7 * 86_400

Url = Annotated[Text, Field(min_length=1, max_length=1000)]
Description = Annotated[Text, Field(max_length=200)]
Kinds = Annotated[list[Annotated[Text, Field(max_length=64)]], Field(max_length=64)]
YesOrNo = Annotated[bool, Field(strict=True)]


class EndpointIn(Input):
    """A new endpoint. Without `kinds` it gets every event."""

    url: Url
    description: Description = ""
    kinds: Kinds = Field(default_factory=list)
    payload: PayloadStyle = PayloadStyle.THIN


class EndpointChangeIn(Input):
    """What is to change; what is left out stays. An empty list of kinds means every kind."""

    url: Url | None = None
    description: Description | None = None
    kinds: Kinds | None = None
    payload: PayloadStyle | None = None
    enabled: YesOrNo | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(value is None for _, value in self):
            raise ValueError("it names nothing to change")
        return self


class RotationIn(Input):
    """How long the present secret still signs beside the new one."""

    grace_seconds: Annotated[int, Field(strict=True, ge=0, le=_WEEK_S)] = 86_400


class StartIn(Input):
    """From an event of one case on, or everything since a moment."""

    rma: Annotated[Text, Field(max_length=32)] | None = None
    sequence: Annotated[int, Field(strict=True, ge=1, lt=2**31)] | None = None
    since: Moment | None = None

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.rma is None) is not (self.sequence is None):
            raise ValueError("rma and sequence go together")
        if (self.rma is None) is (self.since is None):
            raise ValueError("write either rma and sequence, or since")
        return self


class ReplayIn(Input):
    """Which events an endpoint is to be sent again."""

    start: StartIn = Field(alias="from")
