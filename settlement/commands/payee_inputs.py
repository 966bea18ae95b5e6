"""What a shop's back end may say of a customer's bank account."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settlement.commands.inputs import Input, Text


class PayeeIn(Input):
    """An account in the SEPA zone. The IBAN may have spaces."""

    holder: Annotated[Text, Field(min_length=1, max_length=140)]
    iban: Annotated[Text, Field(min_length=5, max_length=50)]
    bic: Annotated[Text, Field(min_length=8, max_length=11)] | None = None
