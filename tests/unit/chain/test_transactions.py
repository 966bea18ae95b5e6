"""Transactions as bytes: those of the reference library, and only over the right signature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chain.addresses import to_checksum
from chain.signers import LocalSigner
from chain.transactions import Transaction, payload, sign, signed
from returns.errors import SignerRefused

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEY = "0x" + "5e" * 31 + "01"
PLAIN = Transaction(1, 0, 1, 2, 21_000, "0x" + "11" * 20, 0, b"")

words = st.one_of(st.integers(0, 300), st.integers(0, 2**256 - 1))
short = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 2))
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())

transactions = st.builds(
    Transaction,
    chain_id=st.integers(1, 2**64 - 1),
    nonce=short,
    priority_fee=words,
    max_fee=words,
    gas=short,
    to=st.none() | addresses,
    value=words,
    data=st.one_of(st.binary(max_size=80), st.binary(min_size=250, max_size=70_000)),
)


def by_the_library(one: Transaction, key: str) -> tuple[str, bytes]:
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": one.chain_id,
        "nonce": one.nonce,
        "maxPriorityFeePerGas": one.priority_fee,
        "maxFeePerGas": one.max_fee,
        "gas": one.gas,
        "value": one.value,
        "data": one.data,
    }
    to = {} if one.to is None else {"to": to_checksum(one.to)}
    made = Account.sign_transaction({**fields, **to}, key)
    return "0x" + made.hash.hex(), bytes(made.raw_transaction)


@settings(max_examples=400, deadline=None)
@given(one=transactions, key=st.integers(1, ORDER - 1))
@example(one=replace(PLAIN, to=None), key=1)
@example(one=replace(PLAIN, data=b"\x00"), key=1)
@example(one=replace(PLAIN, data=b"\x7f"), key=1)
@example(one=replace(PLAIN, data=b"\x80"), key=1)
@example(one=replace(PLAIN, data=b"\x01" * 55), key=1)
@example(one=replace(PLAIN, data=b"\x01" * 56), key=1)
@example(one=Transaction(1, 0, 0, 0, 0, "0x" + "00" * 20, 0, b""), key=ORDER - 1)
def test_bytes_and_hash_are_the_reference_librarys(one: Transaction, key: int) -> None:
    private = f"0x{key:064x}"
    assert sign(LocalSigner(private), one) == by_the_library(one, private)


@pytest.mark.parametrize("nonce", [885, 55])
def test_short_numbers_of_a_signature_lose_their_leading_zeros(nonce: int) -> None:
    """One signature in 256 has an r or an s of 31 bytes: RLP takes no leading zero."""
    one = replace(PLAIN, nonce=nonce)
    signature = LocalSigner(KEY).sign(payload(one))
    assert 0 in (signature[0], signature[32])
    assert sign(LocalSigner(KEY), one) == by_the_library(one, KEY)


@given(transactions)
def test_the_hash_is_the_hash_of_the_bytes(one: Transaction) -> None:
    tx_hash, raw = sign(LocalSigner(KEY), one)
    assert tx_hash == "0x" + keccak(raw).hex()
    assert raw[:1] == b"\x02"


@pytest.mark.parametrize(
    "broken",
    [
        {"nonce": -1},
        {"nonce": 2**64},
        {"gas": 2**64},
        {"value": 2**256},
        {"value": -1},
        {"max_fee": 2**256},
        {"chain_id": 2**256},
        {"to": "nobody"},
        {"to": "0x12"},
        {"to": ""},
        {"to": "11" * 20},
        {"to": "11" * 21},
    ],
)
def test_what_the_format_cannot_carry_is_not_signed(broken: dict[str, Any]) -> None:
    asked = Asked(LocalSigner(KEY))
    with pytest.raises(ValueError, match=r"not a number|not an address|hexadecimal"):
        sign(asked, replace(PLAIN, **broken))
    assert asked.times == 0


class Asked:
    """Counts what a signer is asked for."""

    def __init__(self, signer: LocalSigner) -> None:
        self.address = signer.address
        self.times = 0

    def sign(self, preimage: bytes) -> bytes:
        self.times += 1
        raise AssertionError("nothing was to be signed")


class Lying:
    """A signer whose answers a test chooses."""

    address = LocalSigner(KEY).address

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def sign(self, preimage: bytes) -> bytes:
        return self._answer


RIGHT = LocalSigner(KEY).sign(payload(PLAIN))
HIGH_S = (
    RIGHT[:32]
    + (ORDER - int.from_bytes(RIGHT[32:64], "big")).to_bytes(32, "big")
    + bytes([55 - RIGHT[64]])
)


@pytest.mark.parametrize(
    "answer",
    [
        LocalSigner("0x" + "01" * 32).sign(payload(PLAIN)),
        LocalSigner(KEY).sign(payload(replace(PLAIN, value=1))),
        LocalSigner(KEY).sign(payload(PLAIN)[1:]),
        HIGH_S,
        RIGHT[:64] + bytes([55 - RIGHT[64]]),
        RIGHT[:64] + bytes([RIGHT[64] + 8]),
        RIGHT[:64],
        RIGHT + b"\x00",
        RIGHT[:64] + b"\x00" + RIGHT[64:],
        bytes(65),
        b"",
        b"\x1b" * 65,
    ],
)
def test_a_signature_of_another_key_or_form_becomes_no_transaction(answer: bytes) -> None:
    with pytest.raises(SignerRefused):
        sign(Lying(answer), PLAIN)


def test_either_form_of_v_is_taken() -> None:
    assert sign(Lying(RIGHT[:64] + bytes([RIGHT[64] - 27])), PLAIN) == by_the_library(PLAIN, KEY)


def test_the_right_signature_from_the_same_signer_is_taken() -> None:
    """So that the refusals above are refusals of the answers."""
    assert sign(Lying(RIGHT), PLAIN) == by_the_library(PLAIN, KEY)
    assert signed(PLAIN, RIGHT) == by_the_library(PLAIN, KEY)
