"""Contracts at addresses that are known before they exist, the same on every chain (EIP-1014)."""

from __future__ import annotations

from collections.abc import Sequence

from chain import account
from chain.client import ChainClient
from chain.keccak import keccak
from chain.signers import Signer
from returns.errors import ContractsMissing

#: Deployers that stand on most chains; their input is a salt of 32 bytes and the creation code.
#: The first is Safe's own, the second Arachnid's, which Anvil has as well.
SAFE_DEPLOYER = "0x914d7fec6aac8cd542e72bca78b30650d45643d7"
DEPLOYER = "0x4e59b44847b379578588920ca78fbf26c0b4956c"
NO_SALT = bytes(32)


def address_of(deployer: str, salt: bytes, code: bytes) -> str:
    """Where a deployer puts creation code, lower case."""
    packed = b"\xff" + bytes.fromhex(deployer[2:]) + salt + keccak(code)
    return "0x" + keccak(packed)[-20:].hex()


def find_deployer(client: ChainClient, wanted: Sequence[str] = (DEPLOYER,)) -> str:
    """The first of these deployers that stands on the chain; raises `ContractsMissing`."""
    deployer = next((one for one in wanted if client.code(one)), None)
    if deployer is None:
        problem = f"chain {client.chain_id()} has no CREATE2 deployer at {' or '.join(wanted)}"
        raise ContractsMissing(problem=problem)
    return deployer


def put(client: ChainClient, payer: Signer, deployer: str, code: bytes) -> str:
    """The contract with this creation code, made if it is not there; the payer gets no right."""
    address = address_of(deployer, NO_SALT, code)
    if not client.code(address):
        account.send(client, payer, to=deployer, data=NO_SALT + code)
    return address
