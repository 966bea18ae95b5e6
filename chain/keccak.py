"""Keccak-256, the hash of Ethereum (Yellow Paper, section 4), in C.

The default of eth-utils looks its backend up at each call and takes five times as long: a lane
hashes everything that it signs, twice.
"""

from eth_hash.backends.pysha3 import keccak256


def keccak(data: bytes = b"", *, text: str | None = None) -> bytes:
    """The hash of bytes, or of a text in UTF-8: 32 bytes."""
    return bytes(keccak256(data if text is None else text.encode()))
