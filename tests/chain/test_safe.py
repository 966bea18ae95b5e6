"""A Safe is created where its owners and its salt say, once, or not at all."""

from __future__ import annotations

from itertools import permutations

import pytest
from chain_node import CHAIN_ID, Stage, person
from vaults import ADDRESSES, PAYER

from chain import safe
from chain.contracts import encode_signature, npm_artifact
from chain.local import ADMIN, anvil_addresses
from chain.safe import Safe
from returns.errors import AddressInvalid, ContractsMissing, FieldInvalid, UndropError

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def vault(stage: Stage) -> Safe:
    """Two of three."""
    stage.anvil.automine(True)
    return safe.deploy_vault(stage.client, person(ADMIN), ADDRESSES, 2)


def test_the_local_owners_are_known_as_public_keys() -> None:
    """So that the settings refuse them outside local use."""
    assert len(set(ADDRESSES)) == 3
    assert set(ADDRESSES) < anvil_addresses()


def test_the_bytecode_is_what_safe_publishes() -> None:
    """safe-deployments 1.5.0, "canonical": another byte of code would be another address."""
    published = safe.contracts_through(safe.DEPLOYERS[0])
    assert published.singleton == "0xff51a5898e281db6dfc7855790607438df2ca44b"
    assert published.factory == "0x14f2982d601c9458f93bd70b218933a6f8165e7b"
    assert published.handler == "0x3efcbb83a4a7afcb4f68d501e2c2203a38be77f4"


def test_the_vault_stands_where_its_owners_and_salt_say(chain: Stage, vault: Safe) -> None:
    contracts = safe.contracts_through(safe.DEPLOYERS[1])
    places = {safe.vault_address(contracts, list(one), 2) for one in permutations(ADDRESSES)}
    assert places == {vault.address}
    others = [(ADDRESSES, 2, 1), (ADDRESSES, 3, 0), (ADDRESSES[:2], 2, 0)]
    assert len({safe.vault_address(contracts, *other) for other in others} | places) == 4
    assert vault == Safe(vault.address, CHAIN_ID, tuple(sorted(ADDRESSES)), 2, 0)


def test_deploying_again_sends_nothing(chain: Stage, vault: Safe) -> None:
    before = chain.client.transaction_count(person(ADMIN).address)
    assert safe.deploy_vault(chain.client, person(ADMIN), ADDRESSES[::-1], 2) == vault
    assert chain.client.transaction_count(person(ADMIN).address) == before


def test_a_second_vault_shares_the_contracts(chain: Stage, vault: Safe) -> None:
    before = chain.client.transaction_count(person(ADMIN).address)
    second = safe.deploy_vault(chain.client, person(ADMIN), ADDRESSES, 3, salt=7)
    assert (second.threshold, second.owners) == (3, vault.owners)
    assert chain.client.transaction_count(person(ADMIN).address) == before + 1


def test_safes_own_deployer_is_taken_where_it_stands(chain: Stage, vault: Safe) -> None:
    code = "0x" + chain.client.code(safe.DEPLOYERS[1]).hex()
    chain.anvil.rpc("anvil_setCode", safe.DEPLOYERS[0], code)
    contracts = safe.deploy_contracts(chain.client, person(ADMIN))
    assert contracts == safe.contracts_through(safe.DEPLOYERS[0])
    version = chain.client.eth_call(contracts.singleton, encode_signature("VERSION()"))
    assert b"1.5.0" in version


def test_a_chain_without_a_deployer_is_refused(chain: Stage) -> None:
    chain.anvil.rpc("anvil_setCode", safe.DEPLOYERS[1], "0x")
    with pytest.raises(ContractsMissing, match="no CREATE2 deployer"):
        safe.deploy_vault(chain.client, person(ADMIN), ADDRESSES, 2)


@pytest.mark.parametrize(
    ("owners", "threshold", "kind"),
    [
        (ADDRESSES, 0, FieldInvalid),
        (ADDRESSES, 4, FieldInvalid),
        ([], 0, FieldInvalid),
        ([*ADDRESSES, ADDRESSES[0]], 2, FieldInvalid),
        ([*ADDRESSES, "0x" + "00" * 19 + "01"], 2, FieldInvalid),
        ([*ADDRESSES, "0x" + "00" * 20], 2, AddressInvalid),
    ],
)
def test_owners_that_no_safe_can_have_are_refused(
    chain: Stage, owners: list[str], threshold: int, kind: type[UndropError]
) -> None:
    shared = safe.contracts_through(safe.DEPLOYERS[1])
    chain.anvil.rpc("anvil_setCode", shared.factory, "0x")
    before = chain.client.transaction_count(person(ADMIN).address)
    with pytest.raises(kind):
        safe.deploy_vault(chain.client, person(ADMIN), owners, threshold, salt=9)
    assert chain.client.transaction_count(person(ADMIN).address) == before


def test_what_is_no_safe_is_not_read_as_one(chain: Stage) -> None:
    for address in (PAYER.address, chain.deployment.escrow):
        with pytest.raises(ContractsMissing, match="is not a Safe"):
            safe.read(chain.client, address)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(ContractsMissing, match="@nobody/nothing"):
        npm_artifact("@nobody/nothing", "Nothing.json")
