"""An account whose key is not here any more."""

from __future__ import annotations

from returns.errors import SignerUnavailable


class KeylessSigner:
    """What was signed before can still be sent and followed; nothing new is signed."""

    def __init__(self, address: str) -> None:
        self._address = address

    @property
    def address(self) -> str:
        """The lower-case address of the account."""
        return self._address

    def sign(self, preimage: bytes) -> bytes:  # noqa: ARG002
        """Raises `SignerUnavailable`, always."""
        raise SignerUnavailable(problem=f"the key of {self._address} is not set up here")
