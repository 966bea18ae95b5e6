"""A vault that is a Safe: a contract account that acts on the signatures of enough of its owners.

The contracts are Safe 1.5.0 as published. What a Safe does and signs: `chain.safe_tx`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from chain import account, create2
from chain.addresses import ZERO, parse_address
from chain.client import ChainClient, RpcError
from chain.contracts import encode_signature, npm_artifact
from chain.keccak import keccak
from chain.signers import Signer
from returns.errors import ContractsMissing, FieldInvalid

_PACKAGE = "@safe-global/safe-smart-account"

#: Through the first come the addresses that Safe publishes for every chain.
DEPLOYERS = (create2.SAFE_DEPLOYER, create2.DEPLOYER)

#: Head of the Safe's list of owners, and so no owner.
_SENTINEL = "0x" + "00" * 19 + "01"
_CREATE = "createProxyWithNonce(address,bytes,uint256)"
_SETUP = "setup(address[],uint256,address,bytes,address,address,uint256,address)"


@dataclass(frozen=True)
class SafeContracts:
    """The contracts that all Safes of a chain share, by lower-case address."""

    singleton: str
    factory: str
    handler: str


@dataclass(frozen=True)
class Safe:
    """A Safe as the newest block has it; owners are sorted, `nonce` is its next transaction's."""

    address: str
    chain_id: int
    owners: tuple[str, ...]
    threshold: int
    nonce: int


def deploy_contracts(client: ChainClient, payer: Signer) -> SafeContracts:
    """The shared contracts, deployed where they are missing. Public chains have them already.

    Raises `ContractsMissing` without the npm package, or on a chain without a CREATE2 deployer.
    """
    deployer = create2.find_deployer(client, DEPLOYERS)
    for code in _shared_code():
        create2.put(client, payer, deployer, code)
    return contracts_through(deployer)


def contracts_through(deployer: str) -> SafeContracts:
    """Where the shared contracts stand, or will, if this one of `DEPLOYERS` creates them."""
    places = (create2.address_of(deployer, create2.NO_SALT, code) for code in _shared_code())
    return SafeContracts(*places)


def vault_address(
    contracts: SafeContracts, owners: Sequence[str], threshold: int, salt: int = 0
) -> str:
    """Where `deploy_vault` puts this Safe; the order of the owners does not matter.

    Raises `AddressInvalid` or `FieldInvalid` for owners and a threshold that no Safe can have.
    """
    proxy = _creation_code("proxies/SafeProxy") + encode(["address"], [contracts.singleton])
    setup = _setup(contracts, _possible(owners, threshold), threshold)
    salted = keccak(keccak(setup) + encode(["uint256"], [salt]))
    return create2.address_of(contracts.factory, salted, proxy)


def deploy_vault(
    client: ChainClient, payer: Signer, owners: Sequence[str], threshold: int, salt: int = 0
) -> Safe:
    """The Safe with these first owners, created if it is not there; the payer gets no right to it.

    One that is there may have changed its owners since: what is returned is read from the chain.
    Raises as `deploy_contracts` and `vault_address` do, with nothing deployed for bad owners.
    """
    first = _possible(owners, threshold)
    contracts = deploy_contracts(client, payer)
    address = vault_address(contracts, first, threshold, salt)
    if not client.code(address):
        data = creation_call(contracts, first, threshold, salt)
        account.send(client, payer, to=contracts.factory, data=data)
    return read(client, address)


def creation_call(
    contracts: SafeContracts, owners: Sequence[str], threshold: int, salt: int = 0
) -> bytes:
    """Calldata for the factory that puts a Safe at its `vault_address`; raises as that does."""
    setup = _setup(contracts, _possible(owners, threshold), threshold)
    return encode_signature(_CREATE, contracts.singleton, setup, salt)


def read(client: ChainClient, address: str) -> Safe:
    """Owners, threshold and nonce; raises `ContractsMissing` where there is no Safe."""
    questions = (
        ("getOwners()", "address[]"),
        ("getThreshold()", "uint256"),
        ("nonce()", "uint256"),
    )
    try:
        owners, threshold, nonce = (
            decode([kind], client.eth_call(address, encode_signature(question)))[0]
            for question, kind in questions
        )
    except (RpcError, DecodingError) as fault:
        raise ContractsMissing(problem=f"{address} is not a Safe") from fault
    known = tuple(sorted(owner.lower() for owner in owners))
    return Safe(address.lower(), client.chain_id(), known, threshold, nonce)


def _setup(contracts: SafeContracts, owners: list[str], threshold: int) -> bytes:
    """The call that names the owners: no modules, no payment to whoever deploys."""
    return encode_signature(_SETUP, owners, threshold, ZERO, b"", contracts.handler, ZERO, 0, ZERO)


def _possible(owners: Sequence[str], threshold: int) -> list[str]:
    parsed = sorted(parse_address(owner) for owner in owners)
    if len(set(parsed)) != len(parsed) or _SENTINEL in parsed:
        raise FieldInvalid(field="owners", problem="each owner counts once, and 0x…01 is reserved")
    if not 1 <= threshold <= len(parsed):
        problem = f"{threshold} of {len(parsed)} owners cannot be asked for"
        raise FieldInvalid(field="threshold", problem=problem)
    return parsed


def _shared_code() -> list[bytes]:
    """Creation code of singleton, factory and handler."""
    handler = "handler/CompatibilityFallbackHandler"
    return [_creation_code(path) for path in ("Safe", "proxies/SafeProxyFactory", handler)]


def _creation_code(path: str) -> bytes:
    file = f"build/artifacts/contracts/{path}.sol/{path.rpartition('/')[2]}.json"
    return bytes.fromhex(npm_artifact(_PACKAGE, file)["bytecode"][2:])
