"""Encrypted keystores: the published vectors open, everything else is one clear refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from pydantic import SecretStr
from showing import shows, told_by

from chain.signers import LocalSigner, Secrets, open_signer
from chain.signers.keystore import open_keystore
from returns.errors import KeystoreLocked, SettingsInvalid

KEY, PASSWORD = "0x" + "5e" * 31 + "01", "correct horse battery"
ACCOUNT = LocalSigner(KEY).address

#: The two vectors of the Web3 Secret Storage definition: password, key and files.
VECTOR_PASSWORD = "testpassword"
VECTOR_KEY = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
VECTORS: dict[str, dict[str, Any]] = {
    "pbkdf2": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "scrypt": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "r": 1,
            "p": 8,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A keystore that is quick to open."""
    path = tmp_path / "lane.json"
    path.write_text(json.dumps(keystore()))
    return path


def keystore(key: str = KEY) -> dict[str, Any]:
    made: dict[str, Any] = Account.encrypt(key, PASSWORD, kdf="pbkdf2", iterations=1)
    return made


def opened(file: Path, password: str = PASSWORD) -> LocalSigner:
    return open_keystore(file, SecretStr(password))


@pytest.mark.parametrize("kdf", VECTORS)
def test_the_published_vectors_open(tmp_path: Path, kdf: str) -> None:
    path = tmp_path / "vector.json"
    path.write_text(json.dumps({"crypto": VECTORS[kdf], "id": "3198bc9c", "version": 3}))
    assert opened(path, VECTOR_PASSWORD).address == LocalSigner(VECTOR_KEY).address


def test_a_keystore_signs_as_its_key(file: Path) -> None:
    assert opened(file).sign(b"\x02") == LocalSigner(KEY).sign(b"\x02")


def test_settings_name_it_with_the_password_from_the_environment(file: Path) -> None:
    secrets = Secrets(keystore_password=SecretStr(PASSWORD))
    assert open_signer(f"keystore:{file}", secrets).address == ACCOUNT


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_settings_name_it_with_the_password_from_a_file(file: Path, end: str) -> None:
    kept = file.with_name("password")
    kept.write_bytes((PASSWORD + end).encode())
    secrets = Secrets(keystore_password_file=kept)
    assert open_signer(f"keystore:{file}", secrets).address == ACCOUNT


@pytest.mark.parametrize("wrong", ["", "Correct horse battery", PASSWORD + " ", PASSWORD + "\n"])
def test_a_wrong_password_opens_nothing(file: Path, wrong: str) -> None:
    with pytest.raises(KeystoreLocked, match="the password is another") as caught:
        opened(file, wrong)
    told = told_by(caught.value)
    assert str(file) in told
    assert not shows(told, KEY)
    assert not wrong.strip() or wrong.strip() not in told


BROKEN: dict[str, Any] = {
    "nothing": b"",
    "no JSON": b"5e" * 32,
    "no text": b"\xff\xfe\x00\x01",
    "a list": b"[]",
    "null": b"null",
    "an endless nest": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "too long": b'{"version": 3, "pad": "' + b"0" * 70_000 + b'"}',
    "no crypto": {"version": 3},
    "crypto of another type": {"version": 3, "crypto": "0x"},
    "another kdf": {**keystore(), "crypto": {**keystore()["crypto"], "kdf": "argon2"}},
    "a kdf without parameters": {**keystore(), "crypto": {**keystore()["crypto"], "kdfparams": {}}},
    "another version": {**keystore(), "version": 1},
    "a BLS keystore": {**keystore(), "version": 4},
    "a version of another type": {**keystore(), "version": "3"},
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_keystore_is_refused(tmp_path: Path, name: str) -> None:
    path, content = tmp_path / "lane.json", BROKEN[name]
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(KeystoreLocked, match="no keystore of version 3") as caught:
        opened(path)
    told = told_by(caught.value)
    assert not shows(told, KEY)
    assert PASSWORD not in told


def test_a_damaged_keystore_does_not_open(file: Path) -> None:
    content = json.loads(file.read_text())
    content["crypto"]["ciphertext"] = "00" * 32
    file.write_text(json.dumps(content))
    with pytest.raises(KeystoreLocked):
        opened(file)


def test_a_keystore_that_names_another_account_does_not_open(file: Path) -> None:
    content = json.loads(file.read_text())
    content["address"] = "11" * 20
    file.write_text(json.dumps(content))
    with pytest.raises(KeystoreLocked, match="another account") as caught:
        opened(file)
    assert not shows(told_by(caught.value), KEY)


@pytest.mark.parametrize("address", [None, "", "absent"])
def test_a_keystore_need_not_name_its_account(file: Path, address: str | None) -> None:
    content = json.loads(file.read_text())
    content["address"] = address
    if address == "absent":
        del content["address"]
    file.write_text(json.dumps(content))
    assert opened(file).address == ACCOUNT


def test_a_keystore_whose_secret_is_no_key_does_not_open(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zero = bytes(32)
    monkeypatch.setattr(Account, "decrypt", lambda *_: zero)
    with pytest.raises(KeystoreLocked, match="is not a private key"):
        opened(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.json", tmp_path):
        with pytest.raises(KeystoreLocked, match="it cannot be read") as caught:
            opened(path)
        assert str(path) in str(caught.value)


def test_a_password_file_that_cannot_be_read_is_a_matter_of_settings(file: Path) -> None:
    odd = file.with_name("password")
    odd.write_bytes(PASSWORD.encode() + b"\xff")
    for kept in (file.with_name("nowhere"), file.parent, odd):
        with pytest.raises(SettingsInvalid, match="password file cannot be read") as caught:
            open_signer(f"keystore:{file}", Secrets(keystore_password_file=kept))
        assert PASSWORD not in told_by(caught.value)
