"""Contracts at an address that follows from their code, the same on every chain (EIP-1014)."""

from __future__ import annotations

from eth_utils.crypto import keccak

from chain import account
from chain.client import ChainClient
from chain.signers import Signer
from returns.errors import ContractsMissing

#: Deploys by CREATE2 whatever follows a salt of 32 bytes; most chains, and Anvil, have it.
DEPLOYER = "0x4e59b44847b379578588920ca78fbf26c0b4956c"


def address_of(code: bytes, salt: bytes = bytes(32)) -> str:
    """Where `deploy` puts this creation code (constructor arguments included)."""
    packed = b"\xff" + bytes.fromhex(DEPLOYER[2:]) + salt + keccak(code)
    return "0x" + keccak(packed)[-20:].hex()


def deploy(client: ChainClient, payer: Signer, code: bytes, salt: bytes = bytes(32)) -> str:
    """The contract's address; nothing is sent where it stands already.

    Raises `ContractsMissing` on a chain without the deployer.
    """
    address = address_of(code, salt)
    if client.code(address):
        return address
    if not client.code(DEPLOYER):
        raise ContractsMissing(problem=f"chain {client.chain_id()} has no CREATE2 deployer")
    account.send(client, payer, to=DEPLOYER, data=salt + code)
    return address
