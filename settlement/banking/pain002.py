"""Reads a bank's answer to a file of payments: ISO 20022 pain.002, from a stranger's hands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from returns.errors import FileInvalid, UndropError
from returns.money import from_decimal
from settlement.banking.codes import CODES, reason_of

MAX_BYTES = 5 * 1024 * 1024
_SPACE = "urn:iso:std:iso:20022:tech:xsd:"
#: The versions that banks answer pain.001.001.03 and .09 with, and the one that came after.
VERSIONS = ("pain.002.001.03", "pain.002.001.10", "pain.002.001.11")
_MAX_ID = 35
_PARTIAL = "PART"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a bank says of a group or of one transfer; `code` is None where it says nothing."""

    code: str | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What a bank says of one transfer, and which amount it believes it to have (minor units)."""

    reference: str
    answer: Answer
    amount: int | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Sums:
    """How many transfers the bank believes to have been sent, and what they came to in EUR."""

    place: str
    transfers: int | None
    total: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """A whole file. `overall` holds for the transfers that are not told of one by one."""

    message_id: str
    about: str
    about_kind: str
    overall: Answer
    sums: tuple[Sums, ...]
    told: tuple[Told, ...]


def read_file(file: Path) -> bytes:
    """A file's bytes; raises `FileInvalid` above `MAX_BYTES`."""
    with file.open("rb") as opened:
        content = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise FileInvalid(file=file.name, problem=f"it has more than {MAX_BYTES} bytes")
    return content


def read(content: bytes, name: str) -> Report:
    """Read a status file; raises `FileInvalid` for anything that is not one in full."""
    try:
        root = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as fault:
        raise FileInvalid(file=name, problem="it is not XML that can be read") from fault
    return _Reader(name, _version(root, name)).report(root)


def _version(root: Element, name: str) -> str:
    for version in VERSIONS:
        if root.tag == f"{{{_SPACE}{version}}}Document":
            return version
    known = ", ".join(VERSIONS)
    raise FileInvalid(file=name, problem=f"it is none of {known}")


class _Reader:
    """Looks elements up in the file's namespace, and says which file is wrong."""

    def __init__(self, name: str, version: str) -> None:
        self._name = name
        self._spaces = {"": _SPACE + version}

    def report(self, root: Element) -> Report:
        body = self._one(root, "CstmrPmtStsRpt")
        group = self._one(body, "OrgnlGrpInfAndSts")
        parts = body.findall("OrgnlPmtInfAndSts", self._spaces)
        if len(parts) > 1:
            self._refuse("it tells of several payment blocks; our files have one")
        blocks = [group, *parts]
        return Report(
            message_id=self._id(self._one(body, "GrpHdr"), "MsgId"),
            about=self._id(group, "OrgnlMsgId"),
            about_kind=self._text(group, "OrgnlMsgNmId") or "",
            overall=self._overall(group, parts),
            sums=tuple(map(self._sums, blocks)),
            told=tuple(self._told(one) for part in parts for one in self._all(part, "TxInfAndSts")),
        )

    def _overall(self, group: Element, parts: Sequence[Element]) -> Answer:
        """The block's word before the group's; a part that is told one by one is neither."""
        for part in parts:
            if self._text(part, "PmtInfSts") is not None:
                return self._answer(part, "PmtInfSts")
        return self._answer(group, "GrpSts")

    def _told(self, raw: Element) -> Told:
        amount = raw.find("OrgnlTxRef/Amt/InstdAmt", self._spaces)
        about = (self._id(raw, "OrgnlEndToEndId"), self._answer(raw, "TxSts"))
        if amount is None:
            return Told(*about)
        currency = amount.get("Ccy", "")
        return Told(*about, self._amount(amount.text or "", currency), currency)

    def _answer(self, raw: Element, field: str) -> Answer:
        code = self._text(raw, field)
        if code not in (None, *CODES) and not (code == _PARTIAL and field != "TxSts"):
            self._refuse(f"the status {code!r:.20} is not known")
        why = self._text(raw, "StsRsnInf/Rsn/Cd") or self._text(raw, "StsRsnInf/Rsn/Prtry") or ""
        more = self._text(raw, "StsRsnInf/AddtlInf") or ""
        return Answer(None if code == _PARTIAL else code, reason_of(why, more))

    def _sums(self, raw: Element) -> Sums:
        number, total = self._text(raw, "OrgnlNbOfTxs"), self._text(raw, "OrgnlCtrlSum")
        if number is not None and not (number.isascii() and number.isdigit() and len(number) <= 15):
            self._refuse("OrgnlNbOfTxs is not a number")
        return Sums(
            place=raw.tag.partition("}")[2],
            transfers=None if number is None else int(number),
            total=None if total is None else self._amount(total, "EUR"),
        )

    def _amount(self, text: str, currency: str) -> int:
        try:
            return from_decimal(text, currency).amount
        except UndropError as bad:
            self._refuse(f"{text!r:.40} {currency!r:.10} is not an amount", bad)

    def _id(self, raw: Element, path: str) -> str:
        text = self._text(raw, path)
        if not text or len(text) > _MAX_ID or not text.isprintable():
            self._refuse(f"{path} is missing or longer than {_MAX_ID} characters")
        return text

    def _one(self, raw: Element, path: str) -> Element:
        found = raw.find(path, self._spaces)
        if found is None:
            self._refuse(f"{path} is missing")
        return found

    def _all(self, raw: Element, path: str) -> list[Element]:
        return raw.findall(path, self._spaces)

    def _text(self, raw: Element, path: str) -> str | None:
        found = raw.find(path, self._spaces)
        return None if found is None else (found.text or "").strip()

    def _refuse(self, problem: str, cause: Exception | None = None) -> NoReturn:
        raise FileInvalid(file=self._name, problem=problem) from cause
