"""Identifiers: time-ordered UUIDs inside, RMA numbers for people, CAIP-19 for tokens."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from uuid import UUID

import uuid_utils.compat

from returns.errors import FieldInvalid
from returns.words import TokenStandard

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: Crockford's check characters: the symbol of the number modulo 37.
_CHECK = _CROCKFORD + "*~$=U"
#: Letters that people read for digits; no RMA number contains them.
_MISREAD = str.maketrans("OIL", "011")
#: CAIP-19 of a token on an EVM chain: CAIP-2, then the standard's namespace (CAIP-22, CAIP-29).
#: Digits are those of ASCII: names that look unlike are not one token.
_TOKEN = re.compile(
    r"eip155:([1-9]\d{0,18})/(erc721|erc1155):(0x[0-9a-fA-F]{40})/(\d{1,78})", re.ASCII
)
_RMA = re.compile(r"RMA-([0-9A-Z]{4})-([0-9A-Z]{4})-([0-9A-Z*~$=])\Z")


def new_id() -> UUID:
    """A UUID of version 7 (RFC 9562): unique, and in order of creation for the indexes."""
    return uuid_utils.compat.uuid7()


def bytes32(identifier: UUID) -> bytes:
    """The form in which the contracts know an id: its 16 bytes at the low end of 32."""
    return identifier.bytes.rjust(32, b"\0")


def from_bytes32(value: bytes) -> UUID | None:
    """The id behind a bytes32; a line's name on chain carries its holder before the id."""
    return UUID(bytes=value[16:]) if len(value) == 32 else None


def new_rma() -> str:
    """A random RMA number: 40 bits in eight Crockford base-32 characters, and a check character."""
    number = secrets.randbits(40)
    text = "".join(_CROCKFORD[number >> shift & 31] for shift in range(35, -1, -5))
    return f"RMA-{text[:4]}-{text[4:]}-{_CHECK[number % 37]}"


def parse_rma(text: str) -> str | None:
    """Read an RMA number as people write it (lower case, O for 0, I and L for 1); None if wrong.

    The check character catches every single wrong and every swapped pair of characters
    (Crockford, "Base 32").
    """
    match = _RMA.match(text.strip().upper())
    if match is None:
        return None
    body = (match[1] + match[2]).translate(_MISREAD)
    check = match[3].translate(_MISREAD)
    if any(char not in _CROCKFORD for char in body):
        return None
    number = 0
    for char in body:
        number = number << 5 | _CROCKFORD.index(char)
    if _CHECK[number % 37] != check:
        return None
    return f"RMA-{body[:4]}-{body[4:]}-{check}"


@dataclass(frozen=True, slots=True)
class Token:
    """A token by its CAIP-19 name; the collection in lower case."""

    chain_id: int
    standard: TokenStandard
    collection: str
    token_id: int

    def __str__(self) -> str:
        namespace = self.standard.value
        return f"eip155:{self.chain_id}/{namespace}:{self.collection}/{self.token_id}"


def parse_token(text: str) -> Token:
    """Read a CAIP-19 name such as `eip155:1/erc721:0x…/42`; raises `FieldInvalid`."""
    match = _TOKEN.fullmatch(text)
    token_id = int(match[4]) if match else -1
    if match is None or not 0 <= token_id < 1 << 256 or int(match[1]) >= 1 << 63:
        raise FieldInvalid(field="token", problem="write eip155:<chain>/erc721:<address>/<id>")
    return Token(int(match[1]), TokenStandard(match[2]), match[3].lower(), token_id)


def token_asset(chain_id: int, collection: str, token_id: int) -> str:
    """The CAIP-19 name of an ERC-721 token; the ledger counts tokens under it."""
    return str(Token(chain_id, TokenStandard.ERC721, collection, token_id))
