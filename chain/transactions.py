"""Transactions of EIP-1559 as bytes: what is signed, and what is broadcast.

Encoded by hand (EIP-2718 type 2, RLP of twelve fields), since the general library checks and
normalises a dictionary for longer than signing takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import rlp
from eth_utils.crypto import keccak

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
    return _TYPE + _rlp(_fields(transaction))


def signed(transaction: Transaction, signature: bytes) -> tuple[str, bytes]:
    """Return (transaction hash, raw bytes); `signature` is r, s, v of 65 bytes, v 27 or 28.

    The signer is not checked: see `sign`.
    """
    r, s = signature[:32].lstrip(b"\0"), signature[32:64].lstrip(b"\0")
    parity = _number(signature[64] - 27, 1)
    raw = _TYPE + _rlp([*_fields(transaction), parity, r, s])
    return "0x" + keccak(raw).hex(), raw


def sign(signer: Signer, transaction: Transaction) -> tuple[str, bytes]:
    """Have a transaction signed: (transaction hash, raw bytes).

    Raises `SignerRefused` where the signature is not one of `signer.address`: bytes that another
    key signed are never to be broadcast. Only the key of this process itself, whose address was
    made of it, is believed. Otherwise as `Signer.sign` does.
    """
    preimage = payload(transaction)
    signature = signer.sign(preimage)
    if type(signer) is not LocalSigner:
        signature = checked(signer.address, preimage, signature)
    return signed(transaction, signature)


def _fields(transaction: Transaction) -> list[bytes | list[bytes]]:
    """The fields in the order of EIP-1559; the access list is empty."""
    return [
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


def _rlp(fields: list[bytes | list[bytes]]) -> bytes:
    # They are bytes already: the library need not look for a way to make bytes of them.
    encoded: bytes = rlp.encode(fields, infer_serializer=False)
    return encoded
