"""A key in this process's memory."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from coincurve import PrivateKey

from chain.addresses import of_public_key
from chain.keccak import keccak
from chain.typed_data import typed_data_preimage
from returns.errors import SettingsInvalid

_KEY = re.compile("(0[xX])?[0-9a-fA-F]{64}")


class LocalSigner:
    """Signs with RFC 6979 nonces: the same preimage gives the same bytes."""

    #: What a signer shows whose key turned out to be none.
    _address = "no account"

    def __init__(self, private_key: str) -> None:
        key = _parse(private_key)
        # A traceback may show the locals of its frames: a wrong key is nearly a key.
        del private_key
        if key is None:
            raise SettingsInvalid(problem="the signer's key is not a private key")
        self._key = key
        self._address = of_public_key(key.public_key.format(compressed=False))

    @property
    def address(self) -> str:
        """The lower-case address of the account."""
        return self._address

    def sign(self, preimage: bytes) -> bytes:
        """Sign keccak256(preimage): r, s and v as 27 or 28, s low."""
        signature: bytes = self._key.sign_recoverable(keccak(preimage), hasher=None)
        return signature[:64] + bytes([signature[64] + 27])

    def sign_typed_data(self, request: dict[str, Any]) -> bytes:
        """Sign a typed-data request as a wallet would: r, s, and v as 27 or 28."""
        return self.sign(typed_data_preimage(request))

    def __repr__(self) -> str:
        return f"LocalSigner({self.address})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer stays in its process: what pickles it would store its key")


def _parse(private_key: str) -> PrivateKey | None:
    """The key, or None for what is not the number of a point: 1 to the curve's order less one."""
    if not _KEY.fullmatch(private_key):
        return None
    try:
        return PrivateKey(bytes.fromhex(private_key[-64:]))
    except ValueError:
        return None
