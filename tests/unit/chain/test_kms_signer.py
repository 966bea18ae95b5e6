"""Keys in AWS KMS: against moto's KMS, without a socket, and against refusals of every kind."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from botocore.stub import Stubber
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kms import digest_signing
from moto import mock_aws
from showing import told_by

from chain.signatures import ORDER, recover
from chain.signers import Secrets, open_signer
from chain.signers.kms import KmsSigner
from chain.transactions import Transaction, payload, sign
from returns.errors import SettingsInvalid, SignerRefused, SignerUnavailable

PLAIN = Transaction(1, 0, 1, 2, 21_000, "0x" + "11" * 20, 0, b"\x01\x02")
REGION = "eu-central-1"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that open nothing, found as boto3 finds them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


@pytest.fixture
def untaught() -> Iterator[Any]:
    """moto's KMS as it is."""
    with mock_aws():
        yield boto3.client("kms")


@pytest.fixture
def kms(untaught: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """moto's KMS, which signs digests as AWS does."""
    digest_signing(monkeypatch)
    return untaught


def new_key(kms: Any, spec: str = "ECC_SECG_P256K1", usage: str = "SIGN_VERIFY") -> str:
    return str(kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"])


def test_signs_transactions_that_the_reference_library_recovers(kms: Any) -> None:
    """Half of what KMS answers has a high s: among 40 both kinds occur."""
    signer = KmsSigner(new_key(kms))
    for nonce in range(40):
        _, raw = sign(signer, Transaction(1, nonce, 1, 2, 21_000, None, 5, b"\x60"))
        assert Account.recover_transaction(raw).lower() == signer.address


def test_every_signature_is_in_the_chains_form(kms: Any) -> None:
    signer = KmsSigner(new_key(kms))
    for number in range(40):
        preimage = bytes([number])
        signature = signer.sign(preimage)
        assert len(signature) == 65
        assert signature[64] in (27, 28)
        assert int.from_bytes(signature[32:64], "big") <= ORDER // 2
        assert recover(keccak(preimage), signature) == signer.address


def test_settings_name_a_key_by_id_arn_or_alias(kms: Any) -> None:
    key = new_key(kms)
    kms.create_alias(AliasName="alias/lane", TargetKeyId=key)
    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    opened = [open_signer(f"kms:{name}", Secrets()) for name in (key, arn, "alias/lane")]
    assert len({signer.address for signer in opened}) == 1
    assert sign(opened[2], PLAIN)[1][:1] == b"\x02"


def test_two_keys_are_two_accounts(kms: Any) -> None:
    assert KmsSigner(new_key(kms)).address != KmsSigner(new_key(kms)).address


def test_a_signature_of_something_else_is_refused(untaught: Any) -> None:
    """moto hashes the digest once more: such a signature must become no transaction."""
    signer = KmsSigner(new_key(untaught), untaught)
    with pytest.raises(SignerRefused, match="is no signature of 0x"):
        sign(signer, PLAIN)


@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("ECC_NIST_P384", "SIGN_VERIFY"),
        ("RSA_2048", "SIGN_VERIFY"),
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
    ],
)
def test_a_key_of_another_kind_is_refused_at_once(kms: Any, spec: str, usage: str) -> None:
    key = new_key(kms, spec, usage)
    with pytest.raises(SignerRefused):
        KmsSigner(key)


def test_a_key_that_is_not_there_is_refused(kms: Any) -> None:
    with pytest.raises(SignerRefused, match="KMS, NotFoundException") as caught:
        KmsSigner("alias/nobody")
    assert "KmsSigner(no account)" in told_by(caught.value)


# -- refusals, by the names of the API -------------------------------------------------------------


def opened(kms: Any) -> tuple[KmsSigner, Stubber]:
    """A signer, and what its next answer is to be."""
    return KmsSigner(new_key(kms), kms), Stubber(kms)


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",
        "DisabledException",
        "KMSInvalidStateException",
        "InvalidKeyUsageException",
        "ExpiredTokenException",
        "UnrecognizedClientException",
    ],
)
def test_what_stays_refused_is_a_refusal(kms: Any, code: str) -> None:
    signer, stub = opened(kms)
    stub.add_client_error("sign", code, "arn:aws:kms:eu-central-1:123456789012:key/secret", 400)
    with stub, pytest.raises(SignerRefused, match=code) as caught:
        signer.sign(payload(PLAIN))
    assert "123456789012" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("KMSInternalException", 500),
        ("DependencyTimeoutException", 503),
        ("KeyUnavailableException", 400),
        ("ServiceUnavailable", 503),
    ],
)
def test_what_passes_by_itself_is_no_refusal(kms: Any, code: str, status: int) -> None:
    signer, stub = opened(kms)
    stub.add_client_error("sign", code, "", status)
    with stub, pytest.raises(SignerUnavailable, match=code):
        signer.sign(payload(PLAIN))
    assert sign(signer, PLAIN)[1][:1] == b"\x02"


class Away:
    """boto3's client where nothing answers."""

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    def get_public_key(self, **_: Any) -> Any:
        raise self._fault


@pytest.mark.parametrize(
    "fault",
    [
        EndpointConnectionError(endpoint_url="https://kms"),
        ReadTimeoutError(endpoint_url="https://kms"),
        NoCredentialsError(),
    ],
)
def test_nobody_answering_is_no_refusal(fault: Exception) -> None:
    with pytest.raises(SignerUnavailable, match=type(fault).__name__):
        KmsSigner("key", Away(fault))


def test_no_region_is_a_matter_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(SettingsInvalid, match="NoRegionError"):
        KmsSigner("key")


class Answering:
    """boto3's client with a key and an answer that a test chooses."""

    def __init__(self, answer: Any) -> None:
        self._key = ec.generate_private_key(ec.SECP256K1())
        self._answer = answer

    def get_public_key(self, **_: Any) -> Any:
        public = self._key.public_key()
        return {"PublicKey": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)}

    def sign(self, **_: Any) -> Any:
        return self._answer


DER = encode_dss_signature(7, 9)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        None,
        {"Signature": b""},
        {"Signature": b"\x30"},
        {"Signature": DER},
        {"Signature": DER + b"\x00"},
        {"Signature": DER[:-1]},
        {"Signature": b"\x31" + DER[1:]},
        {"Signature": b"\x30\x00"},
        {"Signature": b"\x30\x04\x02\x00\x02\x00"},
        {"Signature": encode_dss_signature(0, 0)},
        {"Signature": encode_dss_signature(1, ORDER)},
        {"Signature": encode_dss_signature(2**256, 1)},
        {"Signature": encode_dss_signature(1, 2**300)},
    ],
)
def test_an_answer_that_is_no_signature_is_refused(answer: Any) -> None:
    signer = KmsSigner("key", Answering(answer))
    with pytest.raises(SignerRefused):
        signer.sign(payload(PLAIN))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80))
def test_any_bytes_for_a_signature_are_refused(signature: bytes) -> None:
    with pytest.raises(SignerRefused):
        KmsSigner("key", Answering({"Signature": signature})).sign(b"\x02")


@pytest.mark.parametrize("spki", [b"", b"\x30", b"\x04" * 65, b"\x00" * 88])
def test_bytes_that_are_no_key_are_refused(spki: bytes) -> None:
    class Odd(Answering):
        def get_public_key(self, **_: Any) -> Any:
            return {"PublicKey": spki}

    with pytest.raises(SignerRefused):
        KmsSigner("key", Odd(None))


def test_it_shows_its_account_only(kms: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    signer = KmsSigner(new_key(kms))
    signer.sign(payload(PLAIN))
    assert repr(signer) == f"KmsSigner({signer.address})"
    assert [record for record in caplog.records if record.name.startswith("chain")] == []


def test_the_client_gives_up_soon(kms: Any) -> None:
    config: Config = KmsSigner(new_key(kms))._client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (2, 5)
    assert config.retries["total_max_attempts"] == 2
