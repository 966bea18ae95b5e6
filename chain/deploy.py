"""Puts our contracts on a chain and gives a merchant its vault and float there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode

from chain import account
from chain.addresses import NATIVE
from chain.client import ChainClient
from chain.contracts import Deployment, abi_type, artifact, encode_call, view
from chain.signers import Signer


@dataclass(frozen=True)
class Roles:
    """Who may do what in the escrow; two admins, since role changes need two people."""

    admin: Signer
    second_admin: str
    operator: str
    guardian: str
    treasurer: str
    vault: str


def deploy(client: ChainClient, roles: Roles, return_window_s: int) -> Deployment:
    """Deploy escrow, collection and test dollar; the collection approves the escrow beforehand."""
    admin = roles.admin.address
    escrow, block = _create(
        client,
        roles.admin,
        "ReturnEscrow",
        admin,
        roles.second_admin,
        roles.operator,
        roles.guardian,
        roles.treasurer,
    )
    collection, _ = _create(
        client,
        roles.admin,
        "ReturnableNFT",
        "Undrop Demo Collection",
        "UNDROP",
        admin,
        escrow,
        return_window_s,
        roles.vault,
        500,
    )
    dollar, _ = _create(client, roles.admin, "TestDollar", admin)
    return Deployment(
        chain_id=client.chain_id(),
        block=block,
        escrow=escrow,
        collection=collection,
        dollar=dollar,
        vault=roles.vault,
    )


def is_deployed(client: ChainClient, deployment: Deployment) -> bool:
    """Whether the chain really has the contracts of a deployment's file."""
    return client.chain_id() == deployment.chain_id and bool(client.code(deployment.escrow))


def register_merchant(
    client: ChainClient, admin: Signer, deployment: Deployment, merchant: bytes
) -> None:
    """Tell the escrow where the merchant's returned tokens go."""
    data = encode_call("ReturnEscrow", "registerMerchant", merchant, deployment.vault)
    account.send(client, admin, to=deployment.escrow, data=data)


def fund_coin(
    client: ChainClient, payer: Signer, deployment: Deployment, merchant: bytes, amount: int
) -> None:
    """Add coin (wei) to the merchant's float."""
    data = encode_call("ReturnEscrow", "fundFloat", merchant, NATIVE, amount)
    account.send(client, payer, to=deployment.escrow, data=data, value=amount)


def float_of(client: ChainClient, deployment: Deployment, merchant: bytes, asset: str) -> int:
    """The merchant's free float of an asset, in minor units."""
    return int(view(client, deployment.escrow, "ReturnEscrow", "floatOf", merchant, asset))


def _create(client: ChainClient, signer: Signer, name: str, *args: Any) -> tuple[str, int]:
    """Address and block of a new contract."""
    built = artifact(name)
    constructor = next(item for item in built["abi"] if item["type"] == "constructor")
    types = [abi_type(part) for part in constructor["inputs"]]
    code = bytes.fromhex(built["bytecode"]["object"][2:]) + encode(types, args)
    receipt = account.send(client, signer, to=None, data=code)
    return str(receipt["contractAddress"]).lower(), int(receipt["blockNumber"], 16)
