"""Puts the contracts on any chain: who has which role, what is sent, and what two admins still do.

The deployer's key pays and gets no right. Nothing that stands already is sent again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from chain import deploy
from chain.addresses import NATIVE, ZERO, fiat_asset, parse_address
from chain.client import ChainClient
from chain.contracts import Deployment, spell_call
from chain.local import anvil_addresses
from chain.seaport import place_of
from chain.signers import LocalSigner
from returns.errors import (
    AddressInvalid,
    DeploymentDiffers,
    FieldInvalid,
    SettingsInvalid,
)
from returns.money import iso_number
from settlement.settings import DeployerSettings

#: Names of the roles, as options and as keys of the people's file.
ROLES = tuple(field.name for field in fields(deploy.People))
_MOST_ROYALTY = 10_000


@dataclass(frozen=True)
class Change:
    """What two admins do to open a merchant: calldata for the escrow, as 0x-hex."""

    what: str
    propose: str
    confirm: str


@dataclass(frozen=True)
class Wanted:
    """What shall stand on the chain."""

    people: deploy.People
    collection: deploy.Collection
    dollar: str | None
    limits: tuple[deploy.Limit, ...]


def read_people(file: Path | None, named: Mapping[str, str | None]) -> deploy.People:
    """The people of a JSON file {role: address}, where an option does not name somebody else.

    Raises `FieldInvalid` for a role that nobody has, that does not exist or that has no address,
    and for one person where two are needed.
    """
    given = {**_content(file), **{role: one for role, one in named.items() if one}}
    for role in given.keys() - set(ROLES):
        raise FieldInvalid(field=role, problem=f"there is no such role, only {', '.join(ROLES)}")
    people = deploy.People(**{role: address(role, given.get(role)) for role in ROLES})
    _two(people, "admin", "second_admin")
    _two(people, "operator", "approver")
    return people


def collection(
    name: str, symbol: str, return_days: int, vault: str, royalties_to: str | None, royalty: int
) -> deploy.Collection:
    """The marketplace's own collection; raises `FieldInvalid` for what no collection can have."""
    if not name.strip() or not symbol.strip():
        raise FieldInvalid(field="collection", problem="it needs a name and a symbol")
    if not 0 <= royalty <= _MOST_ROYALTY:
        raise FieldInvalid(field="royalty", problem=f"{royalty} hundredths of a percent")
    receiver = address("royalties_to", royalties_to) if royalties_to else ZERO
    return deploy.Collection(name, symbol, return_days * 86_400, vault, receiver, royalty)


def read_limit(text: str) -> deploy.Limit:
    """`asset:unit:single:daily`; the asset is `native`, a currency of ISO 4217 or an address.

    What an operator may pay alone, in units of 2**unit minor units. Raises `FieldInvalid`.
    """
    asset, *numbers = text.split(":")
    if len(numbers) != 3 or not all(one.isascii() and one.isdigit() for one in numbers):
        raise FieldInvalid(field="limit", problem=f"{text!r} is not asset:unit:single:daily")
    unit, single, daily = map(int, numbers)
    if unit > 56 or not single <= daily < 2**40:
        problem = f"{text!r} has a unit above 56, a single limit above the daily one, or 2**40"
        raise FieldInvalid(field="limit", problem=problem)
    return deploy.Limit(_asset(asset), unit, single, daily)


def deploy_to_chain(settings: DeployerSettings, wanted: Wanted) -> tuple[Deployment, list[Change]]:
    """Deploy what is missing, check every role, write the deployment's file.

    Returns the deployment and what two admins have to do for the merchant with this vault. Raises
    before anything is sent: `SettingsInvalid` for public keys outside local use or another chain,
    `DeploymentDiffers` where the home folder belongs to another deployment; and as `deploy.deploy`
    does, which also names whoever has a role on the chain and should not.
    """
    payer = LocalSigner(settings.deployer_key.get_secret_value())
    _refuse_public_keys(settings, payer, wanted)
    client = ChainClient(settings.rpc_url)
    _check_chain(settings, client, wanted)
    found = deploy.deploy(
        client,
        payer,
        wanted.people,
        wanted.collection,
        dollar=wanted.dollar,
        since=_known_since(settings, client, wanted),
    )
    found.save(settings.deployment_file)
    return found, list(_changes(client, found.escrow, wanted))


def summary(settings: DeployerSettings, found: Deployment, changes: list[Change]) -> Iterator[str]:
    """What came of it, line by line."""
    yield f"Chain       {found.chain_id}, from block {found.block}"
    for name in ("escrow", "seaport", "zone", "collection", "dollar"):
        yield f"{name.capitalize():<11} {getattr(found, name)}"
    yield f"Written to {settings.deployment_file}."
    if changes:
        yield f"Two admins send these to {found.escrow}, one the first, another the second:"
    for change in changes:
        yield from (change.what, f"  propose {change.propose}", f"  confirm {change.confirm}")


def address(field: str, text: object) -> str:
    """The lower-case address; raises `FieldInvalid` that names the field."""
    if text is None:
        raise FieldInvalid(field=field, problem="nobody is named")
    try:
        return parse_address(text)
    except AddressInvalid as fault:
        raise FieldInvalid(field=field, problem=str(fault).removesuffix(".")) from fault


def _content(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        content = json.loads(file.read_text())
    except ValueError as fault:
        raise FieldInvalid(field="people", problem=f"{file.name} is not JSON") from fault
    if not isinstance(content, dict):
        raise FieldInvalid(field="people", problem=f"{file.name} is not an object of roles")
    return content


def _two(people: deploy.People, first: str, second: str) -> None:
    if getattr(people, first) == getattr(people, second):
        problem = f"the same person as {second}; two are needed"
        raise FieldInvalid(field=first, problem=problem)


def _asset(name: str) -> str:
    if name == "native":
        return NATIVE
    return address("limit", name) if name.startswith("0x") else fiat_asset(iso_number(name))


def _refuse_public_keys(settings: DeployerSettings, payer: LocalSigner, wanted: Wanted) -> None:
    if settings.environment == "local":
        return
    named = {"deployer": payer.address, **asdict(wanted.people), "vault": wanted.collection.vault}
    for who, one in named.items():
        if one in anvil_addresses():
            problem = f"the {who} has one of Anvil's public keys, {one}"
            raise SettingsInvalid(problem=problem)


def _check_chain(settings: DeployerSettings, client: ChainClient, wanted: Wanted) -> None:
    actual = client.chain_id()
    if actual != settings.chain_id:
        problem = f"the node serves chain {actual}, UNDROP_CHAIN_ID is {settings.chain_id}"
        raise SettingsInvalid(problem=problem)
    if wanted.dollar and not client.code(wanted.dollar):
        raise FieldInvalid(field="dollar", problem=f"{wanted.dollar} is not a contract")


def _known_since(settings: DeployerSettings, client: ChainClient, wanted: Wanted) -> int | None:
    """The escrow's block, if this folder was used with it; books belong to one deployment."""
    file = settings.deployment_file
    if not file.exists():
        return None
    known = Deployment.load(file)
    asked = deploy.planned(
        wanted.people,
        wanted.collection,
        settings.chain_id,
        place_of(client),
        dollar=wanted.dollar,
        block=known.block,
    )
    for name, had in asdict(known).items():
        if had != getattr(asked, name):
            problem = f"its {name} is {had}, asked for is {getattr(asked, name)}"
            raise DeploymentDiffers(file=file.name, problem=problem)
    return known.block


def _changes(client: ChainClient, escrow: str, wanted: Wanted) -> Iterator[Change]:
    for call in deploy.changes_for(client, escrow, wanted.collection.vault, wanted.limits):
        propose, confirm = deploy.propose_and_confirm(call)
        yield Change(spell_call("ReturnEscrow", call), "0x" + propose.hex(), "0x" + confirm.hex())
