"""Writes credit transfers as an ISO 20022 pain.001 file (SEPA, EUR)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from sepaxml import SepaTransfer
from xmlschema import XMLSchema

from settlement.banking.accounts import Account, sepa_text

#: The version of the SEPA rulebooks since 2023.
SCHEMA = "pain.001.001.09"
CURRENCY = "EUR"
#: The most that one SEPA credit transfer carries: 999,999,999.99 EUR.
MAX_AMOUNT = 99_999_999_999
_MAX_NOTE = 140


@dataclass(frozen=True, slots=True)
class Transfer:
    """One payment: `reference` comes back as EndToEndId (at most 35 characters); cents of EUR."""

    reference: str
    payee: Account
    amount: int
    note: str


def write(
    message_id: str, created_at: datetime, debtor: Account, transfers: Sequence[Transfer]
) -> bytes:
    """The file, checked against its schema. The same arguments give the same bytes."""
    document = _Document(message_id, created_at, debtor)
    for transfer in transfers:
        document.add_payment(_payment(transfer, created_at))
    content: bytes = document.export(validate=False)
    _schema().validate(content.decode())
    return content


@cache
def _schema() -> XMLSchema:
    """Read once: the library would read it for each file, which takes longer than the rest."""
    return XMLSchema(str(files("sepaxml") / "schemas" / f"{SCHEMA}.xsd"))


def _payment(transfer: Transfer, created_at: datetime) -> dict[str, Any]:
    about = {
        "name": transfer.payee.holder,
        "IBAN": transfer.payee.iban,
        "amount": transfer.amount,
        "execution_date": created_at.date(),
        "description": sepa_text(transfer.note, _MAX_NOTE),
        "endtoend_id": transfer.reference,
    }
    return about if transfer.payee.bic is None else {**about, "BIC": transfer.payee.bic}


class _Document(SepaTransfer):  # type: ignore[misc]  # the library has no types
    """The library's, but for ids and times: it makes them up, and a file must be repeatable."""

    def __init__(self, message_id: str, created_at: datetime, debtor: Account) -> None:
        self._message_id, self._created_at = message_id, created_at
        config = {"name": debtor.holder, "IBAN": debtor.iban, "currency": CURRENCY, "batch": True}
        bic = {} if debtor.bic is None else {"BIC": debtor.bic}
        super().__init__({**config, **bic}, SCHEMA, clean=False)

    def _create_header(self) -> None:
        self.msg_id = self._message_id
        super()._create_header()
        created = self._xml.find("CstmrCdtTrfInitn/GrpHdr/CreDtTm")
        created.text = self._created_at.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _finalize_batch(self) -> None:
        super()._finalize_batch()
        for number, name in enumerate(self._xml.iter("PmtInfId"), start=1):
            name.text = f"{self._message_id}-{number}"
