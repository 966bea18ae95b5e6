"""What we hash and verify off chain is what the escrow hashes and verifies on chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import pytest
from chain_node import CHAIN_ID, VAULT, Stage, create, person
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.client import ChainClient
from chain.contracts import encode_call, view
from chain.local import CUSTOMERS, anvil_keys
from chain.signatures import verify, wrap_undeployed
from chain.typed_data import (
    Domain,
    ReturnAuthorization,
    digest,
    line_key,
    read_domain,
    wallet_request,
)
from returns.errors import ChainUnavailable

pytestmark = pytest.mark.chain

OWNER = CUSTOMERS[0]
DIGEST = bytes(range(32))
MAGIC = bytes.fromhex("1626ba7e")

words = st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex())
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
amounts = st.integers(0, 2**256 - 1)
seconds = st.integers(0, 2**48 - 1)

authorizations = st.builds(
    ReturnAuthorization,
    line=words,
    vault=addresses,
    holder=addresses,
    token=addresses,
    tokenId=amounts,
    amount=amounts,
    remedy=st.integers(0, 255),
    asset=addresses,
    refund=amounts,
    recipient=addresses,
    deadline=seconds,
    reclaimAfter=seconds,
    commitUntil=seconds,
)


def sign(message: bytes, key: str) -> bytes:
    return bytes(Account.unsafe_sign_hash(message, key).signature)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(message=authorizations)
def test_our_digest_is_the_contracts(stage: Stage, message: ReturnAuthorization) -> None:
    escrow = stage.deployment.escrow
    theirs = view(stage.client, escrow, "ReturnEscrow", "digestOf", message.as_tuple())
    assert digest(message, Domain(CHAIN_ID, escrow)) == theirs
    assert read_domain(stage.client, escrow) == Domain(CHAIN_ID, escrow)


def test_a_wallets_signature_over_the_request_is_accepted_by_the_escrow(chain: Stage) -> None:
    """Through a real deposit: minted, signed as a wallet would, taken into custody."""
    holder, token = person(OWNER), 77
    mint = encode_call("ReturnableNFT", "mintBatch", [holder.address], [token], [1])
    admin = person(0).address
    chain.send(mint, to=chain.deployment.collection, sender=admin)
    chain.anvil.mine()
    chain.anvil.automine(True)
    chain.open_merchant()
    chain.anvil.automine(False)
    now = chain.client.header(chain.client.block_number()).timestamp
    message = ReturnAuthorization(
        line="0x" + line_key(UUID(int=7), holder.address).hex(),
        vault=VAULT,
        holder=holder.address,
        token=chain.deployment.collection,
        tokenId=token,
        amount=1,
        remedy=0,
        asset="0x" + "00" * 18 + "0348",
        refund=4_200,
        recipient=holder.address,
        deadline=now + 600,
        reclaimAfter=now + 1_200,
        commitUntil=now + 2_400,
    )
    request = wallet_request(message, read_domain(chain.client, chain.deployment.escrow))
    signed = Account.sign_typed_data(anvil_keys()[OWNER], full_message=request)
    signature = bytes(signed.signature)
    hashed = digest(message, Domain(CHAIN_ID, chain.deployment.escrow))
    assert verify(chain.client, holder.address, hashed, signature)
    deposit = encode_call("ReturnEscrow", "deposit", message.as_tuple(), signature)
    chain.send(deposit, to=chain.deployment.escrow)
    chain.anvil.mine()
    owner = view(chain.client, chain.deployment.collection, "ReturnableNFT", "ownerOf", token)
    assert owner.lower() == chain.deployment.escrow
    assert asdict(message)["line"].endswith("07")


@pytest.fixture
def wallet(chain: Stage) -> Iterator[str]:
    """A contract that accepts the signatures of one key (EIP-1271)."""
    chain.anvil.automine(True)
    built = create(chain.client, "ContractWallet", person(OWNER).address, file="Accounts")
    chain.anvil.automine(False)
    return built


def test_a_contract_wallet_says_who_may_sign_for_it(chain: Stage, wallet: str) -> None:
    right, wrong = (sign(DIGEST, anvil_keys()[who]) for who in (OWNER, CUSTOMERS[1]))
    assert verify(chain.client, wallet, DIGEST, right)
    assert not verify(chain.client, wallet, DIGEST, wrong)
    assert not verify(chain.client, wallet, bytes(32), right)
    assert not verify(chain.client, wallet, DIGEST, b"")


def test_a_wallet_that_answers_a_megabyte_of_zeros_is_refused(chain: Stage, wallet: str) -> None:
    right = sign(DIGEST, anvil_keys()[OWNER])
    chain.send(keccak(text="setBroken()")[:4], to=wallet)
    chain.anvil.mine()
    assert len(chain.client.eth_call(wallet, MAGIC + bytes(96))) == 1_000_000
    assert not verify(chain.client, wallet, DIGEST, right)


#: Hand-written code of accounts that answer isValidSignature in their own way.
LIARS = {
    "another magic": "631626ba7f60e01b60005260206000f3",
    "four bytes instead of a word": "631626ba7e60e01b60005260046000f3",
    "magic with something behind it": "631626ba7e60e01b60010160005260206000f3",
    "the old magic": "6320c13b0b60e01b60005260206000f3",
    "true": "600160005260206000f3",
    "the magic, but it writes": "6001600055631626ba7e60e01b60005260206000f3",
    "the magic, but it sends coin": (
        "600060006000600060013261fffff1631626ba7e60e01b60005260206000f3"
    ),
    "nothing": "00",
    "a revert": "60006000fd",
    "an invalid opcode": "fe",
}


@pytest.mark.parametrize("liar", LIARS)
def test_a_lying_contract_is_refused(chain: Stage, liar: str) -> None:
    holder = "0x" + "c0" * 20
    chain.anvil.rpc("anvil_setCode", holder, "0x" + LIARS[liar])
    assert not verify(chain.client, holder, DIGEST, b"\x01" * 65)


def test_the_same_code_with_the_right_answer_is_accepted(chain: Stage) -> None:
    """So that the refusals above are refusals of the answer and not of the bytecode."""
    holder = "0x" + "c0" * 20
    chain.anvil.rpc("anvil_setCode", holder, "0x631626ba7e60e01b60005260206000f3")
    assert verify(chain.client, holder, DIGEST, b"any")


@pytest.mark.parametrize("number", range(1, 18))
def test_a_precompiled_contract_signs_nothing(chain: Stage, number: int) -> None:
    """One of them answers whatever it is asked, another whatever recovers."""
    holder = f"0x{number:040x}"
    for digest_ in (DIGEST, bytes(32), MAGIC + bytes(28)):
        assert not verify(chain.client, holder, digest_, sign(digest_, anvil_keys()[OWNER]))
        assert not verify(chain.client, holder, digest_, MAGIC + bytes(28))


def test_a_key_is_recognised_without_asking_the_node(chain: Stage) -> None:
    asked = Asked(chain.url)
    assert verify(asked, person(OWNER).address, DIGEST, sign(DIGEST, anvil_keys()[OWNER]))
    assert asked.methods == []


def test_everything_else_is_one_question_about_the_newest_block(chain: Stage, wallet: str) -> None:
    asked, right = Asked(chain.url), sign(DIGEST, anvil_keys()[OWNER])
    for holder, signature, agrees in (
        (wallet, right, True),
        (wallet, wrap_undeployed(wallet, b"", right), True),
        (wallet, b"", False),
        (person(CUSTOMERS[1]).address, right, False),
        ("0x" + "c0" * 20, wrap_undeployed(wallet, b"", right), False),
    ):
        assert verify(asked, holder, DIGEST, signature) is agrees
    assert asked.methods == [["eth_getBlockByNumber"], ["eth_call"]] * 5


class Asked(ChainClient):
    """Notes what the node is asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.methods: list[list[str]] = []

    def _post(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        self.methods.append([method for method, _ in calls])
        return super()._post(calls)


def test_an_account_without_code_has_only_its_key(chain: Stage) -> None:
    holder = person(OWNER).address
    assert verify(chain.client, holder, DIGEST, sign(DIGEST, anvil_keys()[OWNER]))
    assert not verify(chain.client, holder, DIGEST, sign(DIGEST, anvil_keys()[CUSTOMERS[1]]))
    assert not verify(chain.client, holder, DIGEST, b"\x00" * 65)


def test_a_node_that_is_away_is_no_refusal() -> None:
    away: Any = ChainClient("http://127.0.0.1:1", timeout=0.5)
    with pytest.raises(ChainUnavailable):
        verify(away, "0x" + "c0" * 20, DIGEST, b"\x01" * 65)
