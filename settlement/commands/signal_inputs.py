"""What a marketplace may tell."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from returns.words import SignalAbout
from settlement.commands.inputs import Input, Text


class SignalIn(Input):
    """Facts about one subject; null takes an earlier one back.

    `key`: collection/token_id, the shop's name of the customer, a wallet, or an order's number.
    """

    about: SignalAbout
    key: Annotated[Text, Field(min_length=1, max_length=200)]
    facts: Annotated[dict[str, Any], Field(min_length=1, max_length=30)]
