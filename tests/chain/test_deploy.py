"""A deployment on any chain: the same addresses, everybody's roles, nothing sent twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from chain_node import PEOPLE, VAULT, Anvil, person
from typer.testing import CliRunner, Result

from api.cli import app
from chain import account, create2, deploy
from chain.addresses import NATIVE, ZERO
from chain.client import ChainClient
from chain.contracts import Deployment, encode_call, view
from chain.deploy import Collection, Limit, People
from chain.local import ADMIN, CUSTOMERS, SECOND_ADMIN, TREASURER, anvil_keys
from chain.signers import LocalSigner
from returns.errors import ContractsMissing

pytestmark = pytest.mark.chain

PAYER = person(CUSTOMERS[0])
COLLECTION = Collection("Acme", "ACM", 14 * 86_400, VAULT, VAULT)
#: Keys that are nobody's elsewhere, for what is refused to public ones.
PRIVATE = [LocalSigner(f"0x{number:064x}") for number in range(0xA0, 0xA7)]
PRIVATE_PEOPLE = People(*(signer.address for signer in PRIVATE[:6]))
PRIVATE_KEY = f"0x{0xA6:064x}"


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Anvil, Anvil]]:
    """Two chains that know nothing of each other."""
    first, second = Anvil("--chain-id", "100"), Anvil("--chain-id", "8453")
    yield first, second
    first.stop()
    second.stop()


@pytest.fixture
def both(nodes: tuple[Anvil, Anvil]) -> Iterator[tuple[ChainClient, ChainClient]]:
    """The same, empty again after each test."""
    before = [node.snapshot() for node in nodes]
    yield nodes[0].client, nodes[1].client
    for node, snapshot in zip(nodes, before, strict=True):
        node.revert(snapshot)


@pytest.fixture
def node(nodes: tuple[Anvil, Anvil], both: tuple[ChainClient, ChainClient]) -> Anvil:
    """One of them."""
    return nodes[0]


# -- by the library --------------------------------------------------------------------------------


def test_addresses_are_the_same_on_every_chain_and_known_before(
    both: tuple[ChainClient, ChainClient],
) -> None:
    first, second = (deploy.deploy(client, PAYER, PEOPLE, COLLECTION) for client in both)
    assert (first.chain_id, second.chain_id) == (100, 8453)
    assert replace(first, chain_id=0) == replace(second, chain_id=0)
    assert first == deploy.planned(PEOPLE, COLLECTION, 100, first.seaport, block=first.block)
    for client, found in zip(both, (first, second), strict=True):
        assert deploy.is_deployed(client, found)
        assert client.code(found.escrow, found.block) != b""
        assert client.code(found.escrow, found.block - 1) == b""
        assert client.code(found.collection) != b""
        assert view(client, found.zone, "SeaportReturnZone", "SEAPORT") == found.seaport


def test_a_second_deployment_sends_nothing_and_finds_the_same(node: Anvil) -> None:
    first = deploy.deploy(node.client, PAYER, PEOPLE, COLLECTION)
    height, sent = node.client.block_number(), node.client.transaction_count(PAYER.address)
    assert sent == 6  # escrow, conduit controller, Seaport, zone, collection, dollar
    node.mine(4)
    assert deploy.deploy(node.client, PAYER, PEOPLE, COLLECTION) == first
    assert deploy.deploy(node.client, person(CUSTOMERS[1]), PEOPLE, COLLECTION) == first
    assert node.client.block_number() == height + 4
    assert node.client.transaction_count(PAYER.address) == sent
    assert node.client.transaction_count(person(CUSTOMERS[1]).address) == 0


@pytest.mark.parametrize("role", [*asdict(PEOPLE)])
def test_every_person_is_part_of_the_address(role: str) -> None:
    other = replace(PEOPLE, **{role: VAULT})
    assert deploy.address_of(other) != deploy.address_of(PEOPLE)


def test_who_pays_has_no_right(node: Anvil) -> None:
    found = deploy.deploy(node.client, PAYER, PEOPLE, COLLECTION)
    for role, _ in PEOPLE.roles().values():
        assert not view(node.client, found.escrow, "ReturnEscrow", "hasRole", role, PAYER.address)
    minter = view(node.client, found.collection, "ReturnableNFT", "MINTER_ROLE")
    for role in (minter, bytes(32)):
        held = ("ReturnableNFT", "hasRole", role, PAYER.address)
        assert not view(node.client, found.collection, *held)
    assert view(node.client, found.dollar, "TestDollar", "owner") == PEOPLE.admin


@pytest.mark.parametrize("role", ["operator", "approver", "guardian", "treasurer", "admin"])
def test_a_stranger_with_a_role_is_found_and_named(node: Anvil, role: str) -> None:
    found = deploy.deploy(node.client, PAYER, PEOPLE, COLLECTION)
    stranger = person(CUSTOMERS[2]).address
    role_id, _ = PEOPLE.roles()[role]
    change(node, found.escrow, "grantRole", role_id, stranger)
    with pytest.raises(ContractsMissing, match=rf"{stranger}.* as {role}, not "):
        deploy.deploy(node.client, PAYER, PEOPLE, COLLECTION)
    change(node, found.escrow, "revokeRole", role_id, stranger)
    assert deploy.deploy(node.client, PAYER, PEOPLE, COLLECTION) == found


def test_a_missing_person_is_found_and_named(node: Anvil) -> None:
    found = deploy.deploy(node.client, PAYER, PEOPLE, COLLECTION)
    change(node, found.escrow, "revokeRole", PEOPLE.roles()["guardian"][0], PEOPLE.guardian)
    with pytest.raises(ContractsMissing, match=rf"\[\] as guardian, not \['{PEOPLE.guardian}'\]"):
        deploy.check(node.client, found.escrow, PEOPLE)


def test_a_chain_without_the_deployer_is_refused_by_its_address(node: Anvil) -> None:
    node.rpc("anvil_setCode", create2.DEPLOYER, "0x")
    with pytest.raises(ContractsMissing, match=f"chain 100 .* deployer at {create2.DEPLOYER}"):
        deploy.deploy(node.client, PAYER, PEOPLE, COLLECTION)
    assert node.client.transaction_count(PAYER.address) == 0


def test_two_admins_open_a_merchant_with_what_is_told_them(node: Anvil) -> None:
    escrow = deploy.deploy(node.client, PAYER, PEOPLE, COLLECTION).escrow
    calls = deploy.changes_for(node.client, escrow, VAULT, [Limit(NATIVE, 40, 3, 9)])
    assert len(calls) == 2
    for call in calls:
        propose, confirm = deploy.propose_and_confirm(call)
        account.send(node.client, person(ADMIN), to=escrow, data=propose)
        account.send(node.client, person(SECOND_ADMIN), to=escrow, data=confirm)
    assert view(node.client, escrow, "ReturnEscrow", "isMerchant", VAULT)
    limits = view(node.client, escrow, "ReturnEscrow", "floatOf", VAULT, NATIVE)
    assert limits[:4] == (0, 40, 3, 9)
    assert len(deploy.changes_for(node.client, escrow, VAULT, [])) == 0


# -- by the command --------------------------------------------------------------------------------


def test_the_command_deploys_writes_the_file_and_says_what_is_left_to_do(
    node: Anvil, tmp_path: Path
) -> None:
    said = undrop(
        node, tmp_path, "--vault", VAULT, "--limit", "native:40:3:9", "--limit", "EUR:0:1:2"
    )
    assert said.exit_code == 0, said.output
    found = Deployment.load(tmp_path / "deployment-100.json")
    assert found == deploy.planned(PEOPLE, undrops(), 100, found.seaport, block=found.block)
    assert deploy.is_deployed(node.client, found)
    lines = said.stdout.splitlines()
    assert lines[0] == f"Chain       100, from block {found.block}"
    assert lines[1:6] == [
        f"Escrow      {found.escrow}",
        f"Seaport     {found.seaport}",
        f"Zone        {found.zone}",
        f"Collection  {found.collection}",
        f"Dollar      {found.dollar}",
    ]
    changes = [line for line in lines if "(" in line]
    euro = "0x" + f"{978:040x}"
    assert changes == [
        f"registerMerchant({VAULT})",
        f"setLimits({VAULT}, {NATIVE}, 40, 3, 9)",
        f"setLimits({VAULT}, {euro}, 0, 1, 2)",
    ]
    for word, who in (("propose", ADMIN), ("confirm", SECOND_ADMIN)):
        data = [line.split("0x")[1] for line in lines if line.startswith(f"  {word} ")]
        for one in data:
            account.send(node.client, person(who), to=found.escrow, data=bytes.fromhex(one))
    assert view(node.client, found.escrow, "ReturnEscrow", "isMerchant", VAULT)


def test_the_command_run_again_sends_nothing(node: Anvil, tmp_path: Path) -> None:
    first = undrop(node, tmp_path)
    content = (tmp_path / "deployment-100.json").read_text()
    height = node.client.block_number()
    assert undrop(node, tmp_path).stdout == first.stdout
    (tmp_path / "deployment-100.json").unlink()
    assert undrop(node, tmp_path).stdout == first.stdout
    assert (tmp_path / "deployment-100.json").read_text() == content
    assert node.client.block_number() == height


def test_options_go_before_the_file_and_name_every_role(node: Anvil, tmp_path: Path) -> None:
    other = person(CUSTOMERS[2]).address
    said = undrop(node, tmp_path, "--guardian", other)
    assert said.exit_code == 0, said.output
    escrow = Deployment.load(tmp_path / "deployment-100.json").escrow
    assert escrow == deploy.address_of(replace(PEOPLE, guardian=other))
    words = [word for role, who in asdict(PEOPLE).items() for word in (option(role), who)]
    home = tmp_path / "other"
    assert undrop(node, home, *words, people=None).exit_code == 0
    assert Deployment.load(home / "deployment-100.json").escrow == deploy.address_of(PEOPLE)


def test_a_dollar_of_somebody_else_is_taken_as_it_is(node: Anvil, tmp_path: Path) -> None:
    theirs = deploy.deploy(node.client, PAYER, PEOPLE, COLLECTION).dollar
    others = asdict(replace(PEOPLE, treasurer=VAULT))
    assert undrop(node, tmp_path, "--dollar", theirs, people=others).exit_code == 0
    assert Deployment.load(tmp_path / "deployment-100.json").dollar == theirs
    nothing = undrop(node, tmp_path / "b", "--dollar", VAULT)
    assert f"{VAULT} is not a contract" in nothing.stderr


def test_a_folder_that_belongs_to_another_deployment_is_left_alone(
    node: Anvil, tmp_path: Path
) -> None:
    undrop(node, tmp_path)
    content = (tmp_path / "deployment-100.json").read_text()
    height = node.client.block_number()
    for words in (("--treasurer", VAULT), ("--name", "Another"), ("--return-days", "31")):
        said = undrop(node, tmp_path, *words)
        assert said.exit_code == 1
        assert "deployment-100.json is about another deployment" in said.stderr
    assert (tmp_path / "deployment-100.json").read_text() == content
    assert node.client.block_number() == height


def test_a_wrong_person_on_chain_is_named_by_the_command(node: Anvil, tmp_path: Path) -> None:
    undrop(node, tmp_path)
    stranger = person(CUSTOMERS[2]).address
    escrow = deploy.address_of(PEOPLE)
    change(node, escrow, "grantRole", PEOPLE.roles()["treasurer"][0], stranger)
    said = undrop(node, tmp_path)
    assert said.exit_code == 1
    assert stranger in said.stderr
    assert "as treasurer" in said.stderr


REFUSED = {
    "one admin": ({"second_admin": PEOPLE.admin}, "field admin cannot be used: the same person"),
    "an operator who approves": (
        {"approver": PEOPLE.operator},
        "field operator cannot be used: the same person as approver",
    ),
    "nobody": ({"guardian": None}, "field guardian cannot be used: nobody is named"),
    "no address": ({"operator": "0x12"}, "field operator cannot be used: '0x12' is not an address"),
    "a wrong checksum": (
        {"treasurer": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"},
        "field treasurer cannot be used",
    ),
    "the zero address": ({"approver": ZERO}, "field approver cannot be used"),
    "an unknown role": ({"owner": PEOPLE.admin}, "there is no such role"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_people_that_cannot_be_are_refused_before_anything_is_sent(
    node: Anvil, tmp_path: Path, case: str
) -> None:
    changes, why = REFUSED[case]
    people = {role: one for role, one in {**asdict(PEOPLE), **changes}.items() if one}
    said = undrop(node, tmp_path, people=people)
    assert said.exit_code == 1
    assert why in said.stderr
    assert nothing_happened(node, tmp_path)


@pytest.mark.parametrize(
    "limit", ["native", "native:1:2", "native:57:1:2", "native:0:3:2", "x:0:1:2", "native:0:-1:2"]
)
def test_limits_that_the_escrow_would_refuse_are_refused_here(
    node: Anvil, tmp_path: Path, limit: str
) -> None:
    assert undrop(node, tmp_path, "--vault", VAULT, "--limit", limit).exit_code == 1
    assert nothing_happened(node, tmp_path)


def test_without_a_key_it_names_the_variable(node: Anvil, tmp_path: Path) -> None:
    said = undrop(node, tmp_path, key="")
    assert said.exit_code == 1
    assert "UNDROP_DEPLOYER_KEY is not set" in said.stderr
    wrong = undrop(node, tmp_path, key="0x1234567890abcdef")
    assert wrong.exit_code == 1
    assert "1234567890abcdef" not in wrong.output
    assert nothing_happened(node, tmp_path)


def test_the_key_is_no_argument(node: Anvil, tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["deploy", "--help"])
    assert "--deployer" not in said.stdout
    assert "--key" not in said.stdout


def test_public_keys_are_for_local_use_only(node: Anvil, tmp_path: Path) -> None:
    node.rpc("anvil_setBalance", PRIVATE[6].address, hex(10**19))
    payer = undrop(node, tmp_path, people=asdict(PRIVATE_PEOPLE), environment="production")
    assert "the deployer has one of Anvil's public keys" in payer.stderr
    for role in asdict(PEOPLE):
        people = {**asdict(PRIVATE_PEOPLE), role: person(TREASURER).address}
        said = undrop(node, tmp_path, people=people, key=PRIVATE_KEY, environment="production")
        assert (said.exit_code, nothing_happened(node, tmp_path)) == (1, True)
        assert f"the {role} has one of Anvil's public keys" in said.stderr
    own = asdict(PRIVATE_PEOPLE)
    said = undrop(node, tmp_path, people=own, key=PRIVATE_KEY, environment="production")
    assert said.exit_code == 0, said.output
    assert Deployment.load(tmp_path / "deployment-100.json").escrow == deploy.address_of(
        PRIVATE_PEOPLE
    )


def test_a_node_of_another_chain_is_refused(node: Anvil, tmp_path: Path) -> None:
    said = undrop(node, tmp_path, chain_id="1")
    assert "the node serves chain 100, UNDROP_CHAIN_ID is 1" in said.stderr
    assert nothing_happened(node, tmp_path)


def test_a_payer_without_coin_is_told(node: Anvil, tmp_path: Path) -> None:
    said = undrop(node, tmp_path, key=PRIVATE_KEY)
    assert said.exit_code == 1
    assert "funds" in said.stderr.lower()
    assert nothing_happened(node, tmp_path)


# -- small things ----------------------------------------------------------------------------------


def undrop(
    node: Anvil,
    home: Path,
    *words: str,
    people: dict[str, str] | None = asdict(PEOPLE),  # noqa: B008  (never changed)
    key: str = anvil_keys()[CUSTOMERS[0]],
    environment: str = "local",
    chain_id: str = "100",
) -> Result:
    """`undrop deploy`, with these people in a file."""
    file = home / "people.json"
    home.mkdir(exist_ok=True)
    file.write_text(json.dumps(people))
    environ = {
        "UNDROP_RPC_URL": node.url,
        "UNDROP_CHAIN_ID": chain_id,
        "UNDROP_HOME": str(home),
        "UNDROP_ENVIRONMENT": environment,
        "UNDROP_DEPLOYER_KEY": key,
    }
    named = [] if people is None else ["--people", str(file)]
    vault = [] if "--vault" in words else ["--vault", VAULT]
    return CliRunner().invoke(app, ["deploy", *named, *vault, *words], env=environ)


def undrops() -> Collection:
    """What the command deploys if nothing is said about the collection."""
    return Collection("Undrop Collection", "UNDROP", 30 * 86_400, VAULT, ZERO)


def nothing_happened(node: Anvil, home: Path) -> bool:
    """Nothing was mined but what a fixture did, and no file was written."""
    return node.client.block_number() == 0 and not list(home.glob("deployment-*"))


def change(node: Anvil, escrow: str, function: str, *args: object) -> None:
    """By two admins."""
    call = encode_call("ReturnEscrow", function, *args)
    deploy.by_two_people(node.client, person(ADMIN), person(SECOND_ADMIN), escrow, call)


def option(role: str) -> str:
    """The command's option for a role."""
    return "--" + role.replace("_", "-")
