"""What the chain says about tokens before anything is decided."""

from collections.abc import Sequence
from typing import Any

from chain.client import ChainClient
from chain.contracts import encode_call
from returns.errors import ChainUnavailable

Token = tuple[str, int]


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
    if not isinstance(answer, str) or len(answer) != 66 or not answer.startswith("0x" + "00" * 12):
        return None
    owner = "0x" + answer[-40:].lower()
    return None if owner == "0x" + "00" * 20 else owner


def _owner_of(token_id: int) -> bytes:
    return encode_call("ReturnableNFT", "ownerOf", token_id)
