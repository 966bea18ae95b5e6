"""What people may send to the review desk: decisions, evidence, appeals. Strict, with limits."""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from returns.review_terms import ANSWER_WITHIN
from returns.words import Remedy
from settlement.commands.inputs import Amount, Input, Text, Written

#: Bytes of one file.
MAX_FILE = 1_000_000
_MAX_BASE64 = 4 * -(-MAX_FILE // 3)

#: How files of each kind begin: PNG specification 5.2, JPEG's SOI marker and the next one's first
#: byte, ISO 32000-1 7.5.2.
_BEGINNINGS = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "application/pdf": b"%PDF-",
}

MediaType = Literal["image/png", "image/jpeg", "application/pdf", "text/plain"]


def _printable(name: str) -> str:
    if not name.isprintable() or set(name) & set('/\\"'):
        raise ValueError("it has characters that a file's name must not have")
    return name


LineId = Annotated[str, Field(max_length=36)]
Words = Annotated[Text, Field(min_length=3, max_length=2000)]
FileName = Annotated[Text, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Days = Annotated[int, Field(strict=True, ge=1, le=60)]
YesOrNo = Annotated[bool, Field(strict=True)]


class ReviewIn(Input):
    """What a person decides about a line.

    In review: approve (perhaps another remedy, or less than was asked for), deny, or ask the
    customer a question, to be answered within `days`. Where a line needs attention: retry lets it
    go on with what is not done, release sends a held token back. `abuse` says, for the next
    training of the model, whether the request was abusive.
    """

    line: LineId
    decision: Annotated[str, Field(pattern=r"^(approve|deny|ask|retry|release)$")]
    reason: Written
    remedy: Remedy | None = Field(default=None, description="another remedy than was asked for")
    amount: Amount | None = Field(default=None, ge=1, description="less than was asked for")
    keep: YesOrNo = Field(default=False, description="the customer keeps the token: goodwill")
    abuse: YesOrNo | None = None
    question: Words | None = Field(default=None, description="the customer reads it")
    days: Days = ANSWER_WITHIN.days

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if (self.question is not None) is not (self.decision == "ask"):
            raise ValueError("a question goes with the decision 'ask', and only with that")
        if (self.amount is not None or self.keep) and self.decision != "approve":
            raise ValueError("amount and keep go with the decision 'approve' only")
        if self.abuse is not None and self.decision not in ("approve", "deny"):
            raise ValueError("abuse is said with 'approve' or 'deny' only")
        return self


class ConfirmationIn(Input):
    """What a second person says to a proposal."""

    line: LineId
    decision: Literal["confirm", "reject"]
    reason: Written


class FileIn(Input):
    """A file of at most 1 MB (1,000,000 bytes), in base64 (RFC 4648, section 4, with padding)."""

    name: FileName
    media_type: MediaType
    content: Annotated[str, Field(min_length=4, max_length=_MAX_BASE64)]

    @model_validator(mode="after")
    def _is_what_it_says(self) -> Self:
        if not 0 < len(self.data) <= MAX_FILE:
            raise ValueError(f"a file has 1 to {MAX_FILE} bytes")
        if not _begins_as(self.media_type, self.data):
            raise ValueError(f"its bytes are not {self.media_type}")
        return self

    @cached_property
    def data(self) -> bytes:
        """The file's bytes."""
        try:
            data = base64.b64decode(self.content, validate=True)
        except (binascii.Error, ValueError) as bad:
            raise ValueError("its content is not base64") from bad
        if base64.b64encode(data).decode() != self.content:
            raise ValueError("its content is not base64 in the one form that a file has")
        return data

    @property
    def sha256(self) -> str:
        """The hash of the bytes, in hex."""
        return hashlib.sha256(self.data).hexdigest()


class EvidenceIn(Input):
    """An answer, or something to look at: words, a file, or both."""

    line: LineId
    text: Annotated[Text, Field(max_length=2000)] = ""
    file: FileIn | None = None

    @model_validator(mode="after")
    def _has_something(self) -> Self:
        if not self.text.strip() and self.file is None:
            raise ValueError("there is neither text nor a file")
        return self


class AppealIn(Input):
    """Why a denial should not stand."""

    line: LineId
    statement: Words
    file: FileIn | None = None


def _begins_as(media_type: str, data: bytes) -> bool:
    if media_type != "text/plain":
        return data.startswith(_BEGINNINGS[media_type])
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False
