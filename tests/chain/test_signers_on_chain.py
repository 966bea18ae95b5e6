"""A real node takes what every kind of signer signs, and never what another key signed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import boto3
import pytest
import web3signer
from chain_node import Stage
from eth_account import Account
from kms import digest_signing
from moto import mock_aws
from pydantic import SecretStr

from chain import account
from chain.local import CUSTOMERS, anvil_keys
from chain.signers import LocalSigner, Secrets, Signer, open_signer
from returns.errors import SignerRefused

pytestmark = pytest.mark.chain

KEY = anvil_keys()[CUSTOMERS[2]]
RECEIVER = "0x" + "ab" * 20

Opening = Callable[[ExitStack, Path, pytest.MonkeyPatch], Signer]


def raw(stack: ExitStack, folder: Path, patch: pytest.MonkeyPatch) -> Signer:
    return open_signer("", Secrets(private_key=SecretStr(KEY)))


def keystore(stack: ExitStack, folder: Path, patch: pytest.MonkeyPatch) -> Signer:
    file = folder / "lane.json"
    file.write_text(json.dumps(Account.encrypt(KEY, "password", kdf="pbkdf2", iterations=1)))
    return open_signer(f"keystore:{file}", Secrets(keystore_password=SecretStr("password")))


def remote(stack: ExitStack, folder: Path, patch: pytest.MonkeyPatch) -> Signer:
    service = stack.enter_context(web3signer.running(KEY))
    return open_signer(f"remote:{service.url}#{LocalSigner(KEY).address}", Secrets())


def in_kms(stack: ExitStack, folder: Path, patch: pytest.MonkeyPatch) -> Signer:
    digest_signing(patch)
    stack.enter_context(mock_aws())
    key = boto3.client("kms").create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")
    return open_signer(f"kms:{key['KeyMetadata']['KeyId']}", Secrets())


@pytest.fixture(params=[raw, keystore, remote, in_kms], ids=lambda opening: opening.__name__)
def signer(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Signer]:
    opening: Opening = request.param
    with ExitStack() as stack:
        yield opening(stack, tmp_path, monkeypatch)


def test_what_it_signs_is_mined_in_its_name(chain: Stage, signer: Signer) -> None:
    chain.anvil.rpc("anvil_setBalance", signer.address, hex(10**18))
    before = chain.client.transaction_count(signer.address)
    chain.anvil.automine(True)
    receipts = [
        account.send(chain.client, signer, to=RECEIVER, value=number + 1) for number in range(4)
    ]
    created = account.send(
        chain.client, signer, to=None, data=bytes.fromhex("600160005360016000f3")
    )
    chain.anvil.automine(False)
    assert {one["from"] for one in [*receipts, created]} == {signer.address}
    assert int(chain.client.call("eth_getBalance", RECEIVER, "latest"), 16) == 10
    assert chain.client.code(created["contractAddress"]) == b"\x01"
    assert chain.client.transaction_count(signer.address) == before + 5


def test_what_another_key_signed_is_never_sent(chain: Stage) -> None:
    with web3signer.running(KEY) as service:
        lying = open_signer(f"remote:{service.url}#{LocalSigner(KEY).address}", Secrets())
        other = LocalSigner(anvil_keys()[CUSTOMERS[1]])
        service.answer = lambda data: (200, web3signer.hexed(other.sign(data)))
        with pytest.raises(SignerRefused):
            account.send(chain.client, lying, to=RECEIVER, value=1)
    waiting = chain.client.call("txpool_status")
    assert (int(waiting["pending"], 16), int(waiting["queued"], 16)) == (0, 0)
    assert int(chain.client.call("eth_getBalance", RECEIVER, "latest"), 16) == 0
