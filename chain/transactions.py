"""Transactions of EIP-1559 as bytes: what is signed, and what is broadcast.

Encoded by hand (EIP-2718 type 2, RLP of twelve fields), since the general library checks and
normalises a dictionary for longer than signing takes.
"""

from __future__ import annotations

from dataclasses import dataclass

from rlp.codec import encode_raw, length_prefix

from chain.keccak import keccak
from chain.signers.base import Signer, checked
from chain.signers.local import LocalSigner

#: EIP-2718: the first byte of a transaction of EIP-1559.
_TYPE = b"\x02"

#: Bytes of the largest value of each kind of field; a nonce ends below 2^64 - 1 (EIP-2681).
_WORD, _SHORT = 32, 8


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction of one account: fees in wei per gas, value in wei, gas as the limit.

    `to` is an address in 0x-hex; None creates a contract from `data`.
    """

    chain_id: int
    nonce: int
    priority_fee: int
    max_fee: int
    gas: int
    to: str | None
    value: int
    data: bytes


def payload(transaction: Transaction) -> bytes:
    """What is hashed and signed: 0x02 ‖ rlp(nine fields).

    Raises `ValueError` for a number or an address that the format cannot carry.
    """
    return _TYPE + _list(_fields(transaction))


def signed(transaction: Transaction, signature: bytes) -> tuple[str, bytes]:
    """Return (transaction hash, raw bytes); `signature` is r, s, v of 65 bytes, v 27 or 28.

    The signer is not checked: see `sign`.
    """
    return _signed(_fields(transaction), signature)


def sign(signer: Signer, transaction: Transaction) -> tuple[str, bytes]:
    """Have a transaction signed: (transaction hash, raw bytes).

    Raises `SignerRefused` where the signature is not one of `signer.address`: bytes that another
    key signed are never to be broadcast. Only the key of this process itself, whose address was
    made of it, is believed. Otherwise as `Signer.sign` does.
    """
    fields = _fields(transaction)
    preimage = _TYPE + _list(fields)
    signature = signer.sign(preimage)
    if type(signer) is not LocalSigner:
        signature = checked(signer.address, preimage, signature)
    return _signed(fields, signature)


def _signed(fields: bytes, signature: bytes) -> tuple[str, bytes]:
    r, s = signature[:32].lstrip(b"\0"), signature[32:64].lstrip(b"\0")
    parity = _number(signature[64] - 27, 1)
    raw = _TYPE + _list(fields + _items([parity, r, s]))
    return "0x" + keccak(raw).hex(), raw


def _fields(transaction: Transaction) -> bytes:
    """The fields in the order of EIP-1559, each encoded; the access list is empty."""
    return _items(
        [
            _number(transaction.chain_id, _WORD),
            _number(transaction.nonce, _SHORT),
            _number(transaction.priority_fee, _WORD),
            _number(transaction.max_fee, _WORD),
            _number(transaction.gas, _SHORT),
            _address(transaction.to),
            _number(transaction.value, _WORD),
            transaction.data,
            [],
        ]
    )


def _number(value: int, limit: int) -> bytes:
    """Big-endian without leading zeros, at most `limit` bytes; zero is empty."""
    length = (value.bit_length() + 7) // 8
    if value < 0 or length > limit:
        raise ValueError(f"{value} is not a number of at most {limit} bytes")
    return value.to_bytes(length, "big")


def _address(to: str | None) -> bytes:
    if to is None:
        return b""
    raw = bytes.fromhex(to[2:])
    if len(raw) != 20 or not to.startswith("0x"):
        raise ValueError(f"{to} is not an address")
    return raw


def _items(fields: list[bytes | list[bytes]]) -> bytes:
    # They are bytes already: the library need not look for a way to make bytes of them.
    return b"".join(encode_raw(field) for field in fields)


def _list(items: bytes) -> bytes:
    """A list of what is encoded already: signed and broadcast bytes begin with the same fields."""
    return bytes(length_prefix(len(items), 0xC0)) + items
