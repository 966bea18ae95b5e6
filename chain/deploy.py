"""Puts our contracts on any chain, and gives merchants their vaults, limits and floats there.

Addresses follow from code and people alone (CREATE2), so that they are known before and the same on
every chain. Whoever pays for a deployment gets no right by it: roles are given at construction, and
read back afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from eth_abi.abi import encode

from chain import account, create2
from chain.addresses import NATIVE
from chain.client import ChainClient
from chain.contracts import Deployment, abi_type, artifact, encode_call, view
from chain.keccak import keccak
from chain.seaport import deploy_seaport
from chain.signers import Signer
from chain.typed_data import Domain, read_domain
from returns.errors import ContractsMissing

#: Names in the EIP-712 domains of the contracts that have roles.
ESCROW, ZONE = "Undrop ReturnEscrow", "Undrop SeaportReturnZone"
_DEFAULT_ADMIN = bytes(32)


@dataclass(frozen=True)
class People:
    """Who may do what in the escrow, by lower-case address. Two admins: changes need two people."""

    admin: str
    second_admin: str
    operator: str
    approver: str
    guardian: str
    treasurer: str

    def roles(self) -> dict[str, tuple[bytes, set[str]]]:
        """Each role's id and who has it."""
        named = ("operator", "approver", "guardian", "treasurer")
        single = {name: (_role(name), {getattr(self, name)}) for name in named}
        return {"admin": (_DEFAULT_ADMIN, {self.admin, self.second_admin}), **single}


@dataclass(frozen=True)
class Collection:
    """What a marketplace decides about its own collection; `royalty` in hundredths of a percent."""

    name: str
    symbol: str
    return_window_s: int
    vault: str
    royalties_to: str
    royalty: int = 500


@dataclass(frozen=True)
class Limit:
    """What an operator may pay alone in an asset, in units of 2**unit minor units."""

    asset: str
    unit: int
    single: int
    daily: int


def deploy(
    client: ChainClient,
    payer: Signer,
    people: People,
    own: Collection,
    *,
    dollar: str | None = None,
    since: int | None = None,
) -> Deployment:
    """Escrow, Seaport zone, collection and, unless a `dollar` is named, test dollar.

    Each is made if it is missing, as is Seaport where the chain has none. `since`: the block of the
    escrow, where it is known. Everybody's roles are checked in any case. Raises `ContractsMissing`
    where the chain has no CREATE2 deployer, or what stands at an address is not ours to trust.
    """
    deployer = create2.find_deployer(client)
    block = _since(client, address_of(people)) if since is None else since
    escrow = create2.put(client, payer, deployer, _escrow_code(people))
    seaport = deploy_seaport(client, payer)
    zone = create2.put(client, payer, deployer, _zone_code(people, seaport))
    for contract, name in ((escrow, ESCROW), (zone, ZONE)):
        check(client, contract, people, name)
    return Deployment(
        chain_id=client.chain_id(),
        block=block,
        escrow=escrow,
        seaport=seaport,
        zone=zone,
        collection=create2.put(client, payer, deployer, _collection_code(people, own)),
        dollar=dollar or create2.put(client, payer, deployer, _dollar_code(people)),
    )


def planned(
    people: People,
    own: Collection,
    chain_id: int,
    seaport: str,
    *,
    dollar: str | None = None,
    block: int = 0,
) -> Deployment:
    """What `deploy` makes, known before: addresses are the same on every chain."""
    collection = _place(_collection_code(people, own))
    return Deployment(
        chain_id=chain_id,
        block=block,
        escrow=address_of(people),
        seaport=seaport,
        zone=_place(_zone_code(people, seaport)),
        collection=collection,
        dollar=dollar or _place(_dollar_code(people)),
    )


def address_of(people: People) -> str:
    """Where the escrow of these people stands, or will."""
    return _place(_escrow_code(people))


def check(client: ChainClient, contract: str, people: People, name: str = ESCROW) -> None:
    """Everybody has their role and nobody else has it; the domain is the one that is signed for.

    Raises `ContractsMissing` with the first difference.
    """
    for title, (role, wanted) in people.roles().items():
        found = _members(client, contract, role)
        if found != wanted:
            problem = f"{contract} has {sorted(found)} as {title}, not {sorted(wanted)}"
            raise ContractsMissing(problem=problem)
    if read_domain(client, contract) != Domain(client.chain_id(), contract, name):
        raise ContractsMissing(problem=f"{contract} signs for another domain")


def _members(client: ChainClient, contract: str, role: bytes) -> set[str]:
    """Who has a role; escrow and zone answer alike."""
    count = view(client, contract, "ReturnEscrow", "getRoleMemberCount", role)
    asked = range(count)
    return {view(client, contract, "ReturnEscrow", "getRoleMember", role, i) for i in asked}


def is_deployed(client: ChainClient, deployment: Deployment) -> bool:
    """Whether the chain really has the contracts of a deployment's file."""
    return client.chain_id() == deployment.chain_id and bool(client.code(deployment.escrow))


def changes_for(
    client: ChainClient, escrow: str, vault: str, limits: Sequence[Limit]
) -> list[bytes]:
    """Calldata of the changes that open a merchant, which two admins have to carry out."""
    known = view(client, escrow, "ReturnEscrow", "isMerchant", vault)
    register = [] if known else [encode_call("ReturnEscrow", "registerMerchant", vault)]
    return register + [
        encode_call("ReturnEscrow", "setLimits", vault, one.asset, one.unit, one.single, one.daily)
        for one in limits
    ]


def propose_and_confirm(change: bytes) -> tuple[bytes, bytes]:
    """What one admin sends to the escrow, and then another."""
    propose, confirm = (
        encode_call("ReturnEscrow", name, change) for name in ("propose", "confirm")
    )
    return propose, confirm


def by_two_people(
    client: ChainClient, first: Signer, second: Signer, escrow: str, change: bytes
) -> None:
    """One admin proposes, another confirms."""
    propose, confirm = propose_and_confirm(change)
    account.send(client, first, to=escrow, data=propose)
    account.send(client, second, to=escrow, data=confirm)


def fund_coin(client: ChainClient, payer: Signer, escrow: str, vault: str, amount: int) -> None:
    """Add coin (wei) to the merchant's float."""
    data = encode_call("ReturnEscrow", "fundFloat", vault, NATIVE, amount)
    account.send(client, payer, to=escrow, data=data, value=amount)


def float_of(client: ChainClient, escrow: str, vault: str, asset: str) -> int:
    """The merchant's free float of an asset, in minor units."""
    return int(view(client, escrow, "ReturnEscrow", "floatOf", vault, asset)[0])


def creation_code(name: str, *args: Any) -> bytes:
    """Creation code of one of our contracts, with its constructor's arguments."""
    built = artifact(name)
    constructor = next(item for item in built["abi"] if item["type"] == "constructor")
    types = [abi_type(part) for part in constructor["inputs"]]
    return bytes.fromhex(built["bytecode"]["object"][2:]) + encode(types, args)


def _escrow_code(people: People) -> bytes:
    return creation_code("ReturnEscrow", astuple(people))


def _zone_code(people: People, seaport: str) -> bytes:
    return creation_code("SeaportReturnZone", astuple(people), seaport)


def _collection_code(people: People, own: Collection) -> bytes:
    terms = (own.vault, own.return_window_s, own.royalties_to, own.royalty)
    return creation_code(
        "ReturnableNFT", own.name, own.symbol, people.admin, address_of(people), *terms
    )


def _dollar_code(people: People) -> bytes:
    return creation_code("TestDollar", people.admin)


def _place(code: bytes) -> str:
    return create2.address_of(create2.DEPLOYER, create2.NO_SALT, code)


def _role(name: str) -> bytes:
    return keccak(text=f"{name.upper()}_ROLE")


def _since(client: ChainClient, address: str) -> int:
    """The first block that has the contract, or will: found by halving if it is there already."""
    head = client.block_number()
    if not client.code(address):
        return head + 1
    low, high = 0, head
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if client.code(address, middle) else (middle + 1, high)
    return low
