"""What the chain says about tokens before anything is decided."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chain.client import ChainClient
from chain.keccak import keccak
from returns.errors import ChainUnavailable

Token = tuple[str, int]

_NOBODY = "0x" + "00" * 20
#: An address as the ABI has it: one word, the first twelve bytes of it zero.
_ADDRESS_WORD = re.compile("0x0{24}[0-9a-fA-F]{40}")


@dataclass(frozen=True, slots=True)
class TokenState:
    """What the chain says of a token. None: it does not tell, or the contract has no such thing."""

    holder: str | None
    #: False for a token that is bound to its holder (ERC-5192 `locked`).
    transferable: bool | None = None
    #: Whether somebody other than the holder uses it for now (ERC-4907 `userOf`).
    rented: bool | None = None


def states_of(client: ChainClient, tokens: Sequence[Token]) -> dict[Token, TokenState]:
    """What the chain says of each token, in one go.

    A node that does not answer is the same to a decision as a token that does not exist: the facts
    are missing, and a person looks.
    """
    calls = [call for token in tokens for call in _questions(*token)]
    try:
        answers = client.batch(calls)
    except ChainUnavailable:
        return dict.fromkeys(tokens, TokenState(None))
    per_token = len(calls) // max(1, len(tokens))
    return {
        token: _state(answers[n * per_token : (n + 1) * per_token])
        for n, token in enumerate(tokens)
    }


def _questions(collection: str, token_id: int) -> list[tuple[str, Any]]:
    asked = [
        _owner_of(token_id),
        _selector("locked(uint256)") + token_id.to_bytes(32, "big"),
        _selector("userOf(uint256)") + token_id.to_bytes(32, "big"),
    ]
    return [
        ("eth_call", ({"to": collection, "data": "0x" + data.hex()}, "latest")) for data in asked
    ]


def _selector(signature: str) -> bytes:
    return keccak(signature.encode())[:4]


_OWNER_OF = _selector("ownerOf(uint256)")


def _state(answers: Sequence[Any]) -> TokenState:
    holder, locked, user = answers
    bound, renter = _flag(locked), _address(user)
    owner = _owner(holder)
    return TokenState(
        holder=owner,
        transferable=None if bound is None else not bound,
        rented=None if renter is None else renter not in (_NOBODY, owner),
    )


def _flag(answer: Any) -> bool | None:
    """A bool of the ABI; whatever else a fallback may return tells nothing."""
    if not isinstance(answer, str) or len(answer) != 66:
        return None
    return {"0x" + "0" * 64: False, "0x" + "0" * 63 + "1": True}.get(answer)


def _address(answer: Any) -> str | None:
    if not isinstance(answer, str) or not _ADDRESS_WORD.fullmatch(answer):
        return None
    return "0x" + answer[-40:].lower()


def holders_of(client: ChainClient, tokens: Sequence[Token]) -> dict[Token, str | None]:
    """The owner of each token; None where the chain cannot tell.

    A node that does not answer is the same to a decision as a token that does not exist: the fact
    is missing, and a person looks.
    """
    try:
        return read_holders(client, tokens)
    except ChainUnavailable:
        return dict.fromkeys(tokens)


def read_holders(client: ChainClient, tokens: Sequence[Token]) -> dict[Token, str | None]:
    """The lower-case owner of each (collection, token id), in one go; None for no such token.

    Raises `ChainUnavailable`.
    """
    calls = [
        ("eth_call", ({"to": collection, "data": "0x" + _owner_of(token_id).hex()}, "latest"))
        for collection, token_id in tokens
    ]
    answers = client.batch(calls)
    return {token: _owner(answer) for token, answer in zip(tokens, answers, strict=True)}


def _owner(answer: Any) -> str | None:
    """The address in an answer of ownerOf; None for a refusal, or for what is no address."""
    owner = _address(answer)
    return None if owner == _NOBODY else owner


def _owner_of(token_id: int) -> bytes:
    return _OWNER_OF + token_id.to_bytes(32, "big")
