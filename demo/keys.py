"""Simulated wallets: one deterministic key per name, so that a run can be repeated and checked."""

from __future__ import annotations

from functools import cache

from eth_account import Account
from eth_utils.crypto import keccak

from chain.signers import LocalSigner

_SALT = "undrop-demo"


def key_of(name: str) -> str:
    """The private key (0x-hex) of the simulated wallet of a real address, or of any other name."""
    return "0x" + keccak(text=_SALT + name).hex()


@cache
def wallet_of(name: str) -> str:
    """The lower-case address of that wallet."""
    return str(Account.from_key(key_of(name)).address).lower()


def signer_of(name: str) -> LocalSigner:
    """That wallet, able to sign transactions."""
    return LocalSigner(key_of(name))


def receiver_name(buyer: str, transaction: str) -> str:
    """Whose simulated wallet a sale's token goes to.

    A sale without a named buyer still moves the token, to somebody whom nobody knows: a wallet of
    that transaction alone.
    """
    nobody = not buyer or buyer == "0x" + "0" * 40
    return f"nobody:{transaction}" if nobody else buyer
