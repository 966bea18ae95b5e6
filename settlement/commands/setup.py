"""Sets an installation up, step by step; every step recognises what is there already."""

from __future__ import annotations

import re
from pathlib import Path

from sqlmodel import select

from chain import deploy
from chain.addresses import NATIVE, fiat_asset, parse_address
from chain.contracts import Deployment, view
from chain.local import (
    ADMIN,
    APPROVER,
    GUARDIAN,
    OPERATOR,
    SECOND_ADMIN,
    TREASURER,
    VAULT_OWNERS,
    VAULT_THRESHOLD,
    anvil_keys,
)
from chain.safe import deploy_vault
from chain.signers import LocalSigner
from returns import migrate
from returns.errors import ContractsMissing, FieldInvalid, SettingsInvalid
from returns.money import iso_number
from returns.tables import Chain, Merchant, PolicyRow
from settlement.commands import index, policies, training
from settlement.runtime import Runtime

#: Shipped with the product; a merchant's first policy.
STANDARD_POLICY = Path(__file__).parent.parent.parent / "triage" / "policies" / "standard.yaml"

_FLOAT_WEI = 5_000 * 10**18
#: Refunds in other currencies need the second approver from the first cent.
_CURRENCIES = ("USD", "EUR", "GBP", "CHF", "JPY")
_SLUG, _MAX_NAME = re.compile("[a-z0-9][a-z0-9-]{0,63}"), 200


def create_merchant(runtime: Runtime, slug: str, name: str) -> Merchant:
    """The merchant with this slug, made if there is none. Raises `FieldInvalid`."""
    if not _SLUG.fullmatch(slug):
        raise FieldInvalid(field="merchant", problem="write up to 64 of a-z, 0-9 and hyphens")
    if not name.isprintable() or not 0 < len(name) <= _MAX_NAME:
        raise FieldInvalid(field="name", problem=f"write 1 to {_MAX_NAME} printable characters")
    with runtime.database.write() as session:
        merchant = session.exec(select(Merchant).where(Merchant.slug == slug)).first()
        if merchant is None:
            merchant = Merchant(slug=slug, name=name, created_at=runtime.clock())
            session.add(merchant)
        return merchant


def activate_policy(runtime: Runtime, merchant: Merchant, text: str, actor: str) -> PolicyRow:
    """Put a merchant's first policy in force; see `policies.begin` for what it refuses."""
    return policies.begin(runtime, merchant.id, text, actor)


def deploy_locally(runtime: Runtime, vault: str) -> Deployment:
    """Deploy on a local chain, unless it is done; the demo collection is of the vault's merchant.

    Refused anywhere else.
    """
    _refuse_public_keys(runtime)
    existing = _existing(runtime)
    if existing is not None:
        return existing
    keys = _keys()
    people = deploy.People(
        admin=keys[ADMIN].address,
        second_admin=keys[SECOND_ADMIN].address,
        operator=keys[OPERATOR].address,
        approver=keys[APPROVER].address,
        guardian=keys[GUARDIAN].address,
        treasurer=keys[TREASURER].address,
    )
    own = deploy.Collection("Undrop Demo Collection", "UNDROP", 30 * 86_400, vault, vault)
    contracts = deploy.deploy(runtime.client, keys[ADMIN], people, own)
    contracts.save(runtime.settings.deployment_file)
    return contracts


def vault_locally(runtime: Runtime, merchant: Merchant) -> str:
    """The merchant's vault on a local chain: a Safe of its own, made if it is not there."""
    _refuse_public_keys(runtime)
    keys = _keys()
    owners = [keys[index].address for index in VAULT_OWNERS]
    salt = merchant.id.int
    return deploy_vault(runtime.client, keys[ADMIN], owners, VAULT_THRESHOLD, salt).address


def open_locally(runtime: Runtime, merchant: Merchant, vault: str) -> Merchant:
    """Make the merchant known to the escrow, with its vault, limits and a float.

    Every step recognises what is there, so that one that was interrupted goes on.
    """
    if merchant.vault is not None:
        return merchant
    client, escrow, keys = runtime.client, runtime.deployment.escrow, _keys()
    for change in deploy.changes_for(client, escrow, vault, _limits(runtime.deployment)):
        deploy.by_two_people(client, keys[ADMIN], keys[SECOND_ADMIN], escrow, change)
    if deploy.float_of(client, escrow, vault, NATIVE) < _FLOAT_WEI:
        deploy.fund_coin(client, keys[TREASURER], escrow, vault, _FLOAT_WEI)
    index.watch_merchant(runtime, merchant.id, vault)
    with runtime.database.write() as session:
        row = session.get_one(Merchant, merchant.id)
        row.vault = vault
        return row


def set_vault(runtime: Runtime, slug: str, vault: str) -> Merchant:
    """Name the merchant's vault, once two admins have registered it at the escrow.

    Raises `AddressInvalid`, `ContractsMissing` where the escrow does not know it, `FieldInvalid`
    for another vault than the merchant has: tokens are on their way to that one.
    """
    address = parse_address(vault)
    escrow = runtime.deployment.escrow
    if not view(runtime.client, escrow, "ReturnEscrow", "isMerchant", address):
        raise ContractsMissing(problem=f"the escrow knows no merchant with the vault {address}")
    with runtime.database.write() as session:
        row = session.exec(select(Merchant).where(Merchant.slug == slug)).one()
        if row.vault not in (None, address):
            raise FieldInvalid(field="vault", problem=f"{slug} has {row.vault}, for good")
        row.vault = address
        return row


def prepare(runtime: Runtime, slug: str, name: str) -> Merchant:
    """Everything that a local installation needs before its processes start."""
    migrate.upgrade(runtime.database)
    merchant = create_merchant(runtime, slug, name)
    if not policies.have_begun(runtime, merchant.id):
        activate_policy(runtime, merchant, STANDARD_POLICY.read_text(), "setup")
    if not runtime.settings.model_file.exists():
        training.train_model(runtime)
    if not runtime.settings.reader_file.exists():
        training.train_reader(runtime)
    vault = merchant.vault or vault_locally(runtime, merchant)
    deploy_locally(runtime, vault)
    return open_locally(runtime, merchant, vault)


def _refuse_public_keys(runtime: Runtime) -> None:
    if runtime.settings.environment != "local":
        raise SettingsInvalid(problem="this deployment uses public keys: local use only")


def _keys() -> list[LocalSigner]:
    return [LocalSigner(key) for key in anvil_keys()]


def _limits(contracts: Deployment) -> list[deploy.Limit]:
    """Wide ones: what is demonstrated here is not the second person."""
    fiat = [fiat_asset(iso_number(currency)) for currency in _CURRENCIES]
    return [
        deploy.Limit(NATIVE, unit=40, single=10**9, daily=10**11),
        deploy.Limit(contracts.dollar, unit=10, single=10**9, daily=10**11),
        *(deploy.Limit(asset, unit=0, single=10**10, daily=10**11) for asset in fiat),
    ]


def _existing(runtime: Runtime) -> Deployment | None:
    try:
        contracts = Deployment.load(runtime.settings.deployment_file)
    except ContractsMissing:
        with runtime.database.read() as session:
            if session.get(Chain, runtime.settings.chain_id) is None:
                return None
        problem = f"{runtime.settings.deployment_file.name} is gone, and the books belong to it"
        raise ContractsMissing(problem=f"{problem}: restore it, or 'make reset'") from None
    if not deploy.is_deployed(runtime.client, contracts):
        raise ContractsMissing(
            problem="the chain is not the one that this folder was used with; "
            "'make reset' forgets the old one"
        )
    return contracts
