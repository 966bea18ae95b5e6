"""Bank accounts as people write them, and how they may be shown."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schwifty import BIC, IBAN
from text_unidecode import unidecode

from returns.errors import FieldInvalid

#: What SEPA lets a text consist of (EPC217-08); everything else would be refused by some bank.
_UNFIT = re.compile(r"[^A-Za-z0-9/?:().,'+ -]")
_MAX_HOLDER = 70
_MAX_WRITTEN = 50


@dataclass(frozen=True, slots=True)
class Account:
    """A checked account: `iban` in its compact form, `holder` as SEPA can carry it."""

    holder: str
    iban: str
    bic: str | None = None


def read_account(holder: str, iban: str, bic: str | None = None) -> Account:
    """Check an account; raises `FieldInvalid` for what no SEPA transfer would reach."""
    name = sepa_text(holder, _MAX_HOLDER)
    if not name:
        raise FieldInvalid(field="holder", problem="no character of it can stand in a transfer")
    found = IBAN(iban[:_MAX_WRITTEN], allow_invalid=True)
    if not found.is_valid:
        raise FieldInvalid(field="iban", problem="its form or its check digits are wrong")
    if not found.in_sepa_zone:
        raise FieldInvalid(field="iban", problem="its country takes no part in SEPA")
    return Account(name, found.compact, _read_bic(bic))


def _read_bic(bic: str | None) -> str | None:
    if bic is None:
        return None
    found = BIC(bic[:_MAX_WRITTEN], allow_invalid=True)
    if not found.is_valid:
        raise FieldInvalid(field="bic", problem="it is not a BIC")
    return found.compact


def masked(iban: str) -> str:
    """Enough to recognise one's own account: country, check digits, the last four characters."""
    return f"{iban[:4]} **** {iban[-4:]}"


def sepa_text(text: str, limit: int) -> str:
    """The text in the characters that every bank takes, at most `limit` of them."""
    plain = _UNFIT.sub(" ", unidecode(text))
    return " ".join(plain.split())[:limit].strip()
