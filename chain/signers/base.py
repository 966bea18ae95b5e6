"""What a signer does: it signs the hash of what it is given, and says as whom."""

from __future__ import annotations

from typing import Any, Protocol

from chain.keccak import keccak
from chain.signatures import normalise, recover
from returns.errors import SignerRefused


class Signer(Protocol):
    """Signs for one account; may be remote and slow, so never within a database transaction."""

    @property
    def address(self) -> str:
        """The lower-case address of the account."""

    def sign(self, preimage: bytes) -> bytes:
        """Sign keccak256(preimage): 65 bytes r, s, v with v 27 or 28 and a low s (EIP-2).

        It takes what is hashed and not the hash, since some signers hash by themselves; so it can
        never be made to sign a hash of unknown content. Raises `SignerRefused` where the signer
        answers and does not sign, `SignerUnavailable` where it does not answer.
        """


class TypedDataSigner(Protocol):
    """Signs messages that a person can read before signing (EIP-712)."""

    @property
    def address(self) -> str:
        """The lower-case address of the account."""

    def sign_typed_data(self, request: dict[str, Any]) -> bytes:
        """Sign the argument of eth_signTypedData_v4: 65 bytes r, s, v with a low s."""


def checked(address: str, preimage: bytes, signature: bytes) -> bytes:
    """The signature with v as 27 or 28, if it is the account's over keccak256(preimage), s low.

    Raises `SignerRefused` otherwise: what another key signed would move another account.
    """
    digest = keccak(preimage)
    if recover(digest, signature) != address:
        raise SignerRefused(problem=f"what it answers is no signature of {address}")
    return normalise(address, digest, signature)
