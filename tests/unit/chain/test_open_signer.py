"""From settings to a signer, without a secret in any text."""

from __future__ import annotations

import ast
import copy
import dataclasses
import json
import logging
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from eth_account import Account
from pydantic import SecretStr
from showing import shows, told_by

import chain.signers.open as opening
from api.cli import app
from chain.signers import LocalSigner, Secrets, open_signer
from chain.signers.remote import RemoteSigner
from chain.transactions import Transaction, sign
from returns.errors import SettingsInvalid, UndropError

KEY, PASSWORD = "0x" + "5e" * 31 + "01", "correct horse battery"
NEARLY = KEY[:-2] + "zz"
ACCOUNT = LocalSigner(KEY).address
SECRETS = Secrets(private_key=SecretStr(KEY), keystore_password=SecretStr(PASSWORD))


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    path = tmp_path / "lane.json"
    path.write_text(json.dumps(Account.encrypt(KEY, PASSWORD, kdf="pbkdf2", iterations=1)))
    return path


def test_an_empty_string_stands_for_the_raw_key() -> None:
    assert open_signer("", SECRETS).address == ACCOUNT


def test_a_remote_signer_is_named_by_url_and_account() -> None:
    named = open_signer("remote:https://signer.example:9000#" + ACCOUNT, Secrets())
    assert isinstance(named, RemoteSigner)
    assert named.address == ACCOUNT


def test_the_account_of_a_remote_signer_is_written_small() -> None:
    written = Account.from_key(KEY).address
    assert open_signer("remote:https://signer.example#" + written, Secrets()).address == ACCOUNT


@pytest.mark.parametrize(
    "spec",
    [
        "local",
        "keystore:",
        "kms:",
        "remote:https://signer.example",
        "remote:#" + ACCOUNT,
        "remote:https://signer.example#0x12",
        "remote:https://signer.example#0x" + "zz" * 20,
        "remote:https://signer.example#0x" + "00" * 20,
        "remote:https://signer.example#" + ACCOUNT[:-1] + "F",
        "remote:https://a#b#" + ACCOUNT,
        "remote:http://signer.example#" + ACCOUNT,
        "vault:/key",
        "KMS:key",
        " keystore:/x",
        KEY,
        KEY[2:],
        "key:" + KEY,
        "keystore:" + KEY,
        "kms:" + KEY,
        "remote:https://signer.example#" + KEY,
        "remote:https://signer.example/" + KEY + "#" + ACCOUNT,
    ],
)
def test_another_string_is_refused_and_not_repeated(spec: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        open_signer(spec, SECRETS)
    told = told_by(caught.value)
    assert not shows(told, KEY)
    assert PASSWORD not in told


def test_without_the_extra_kms_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(opening, "import_module", absent)
    with pytest.raises(SettingsInvalid, match="needs the extra 'aws'"):
        open_signer("kms:alias/lane", Secrets())


def test_nobody_pays_for_boto3_who_does_not_use_it() -> None:
    """Half a second of import: only the module that is loaded for `kms:` may name it."""
    importers = {
        path.name
        for path in Path(opening.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or node.names[0].name]
        if name.startswith(("boto", "chain.signers.kms"))
    }
    assert importers == {"kms.py"}


# -- no secret shows itself ------------------------------------------------------------------------


def refusals(keystore: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Every way in which opening or signing fails while a secret is near."""
    wrong = dataclasses.replace(SECRETS, keystore_password=SecretStr(PASSWORD[:-1]))
    yield "a wrong password", lambda: open_signer(f"keystore:{keystore}", wrong)
    yield "no password", lambda: open_signer(f"keystore:{keystore}", Secrets())
    yield "no keystore", lambda: open_signer("keystore:/nowhere", SECRETS)
    yield "another account", lambda: open_signer(f"keystore:{renamed(keystore)}", SECRETS)
    yield "nearly a key", lambda: open_signer("", Secrets(private_key=SecretStr(NEARLY)))
    yield "no key", lambda: open_signer("", Secrets())
    yield "a key as a name", lambda: open_signer(f"kms:{KEY}", SECRETS)
    yield "no nonce", lambda: sign(local(), Transaction(1, -1, 1, 2, 3, None, 0, b""))
    yield "no address", lambda: sign(local(), Transaction(1, 0, 1, 2, 3, "0x1", 0, b""))
    yield "no request", lambda: local().sign_typed_data({"types": {}})
    yield "a pickle", lambda: pickle.dumps(local())
    yield "a copy", lambda: copy.deepcopy({"signer": local()})


def local() -> LocalSigner:
    return LocalSigner(KEY)


def renamed(keystore: Path) -> Path:
    other = keystore.with_name("other.json")
    other.write_text(json.dumps({**json.loads(keystore.read_text()), "address": "11" * 20}))
    return other


def test_no_refusal_shows_a_secret(keystore: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tried = 0
    for what, act in refusals(keystore):
        with pytest.raises((UndropError, TypeError, ValueError, LookupError)) as caught:
            act()
        told = told_by(caught.value) + caplog.text
        for secret in (KEY, NEARLY, PASSWORD, PASSWORD[:-1]):
            assert not shows(told, secret), what
        tried += 1
    assert tried == 12


def test_nothing_that_works_shows_a_secret(
    keystore: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for spec in ("", f"keystore:{keystore}"):
        opened = open_signer(spec, SECRETS)
        tx_hash, raw = sign(opened, Transaction(1, 0, 1, 2, 3, None, 0, b""))
        texts = [repr(opened), str(opened), f"{opened}", repr(vars(opened)), tx_hash, raw.hex()]
        for secret in (KEY, PASSWORD):
            assert not shows(" ".join(texts), secret)
    told = caplog.text + "".join(capsys.readouterr()) + repr(SECRETS) + str(SECRETS)
    assert not shows(told, KEY)
    assert not shows(told, PASSWORD)


def test_no_command_takes_a_secret_as_an_argument() -> None:
    """Whoever lists processes sees arguments; a key or a password comes from elsewhere."""
    told = {"key", "password", "secret", "private", "mnemonic", "seed", "passphrase"}
    names = {
        option.strip("-")
        for command in commands(typer.main.get_command(app))
        for parameter in command.params
        for option in [*parameter.opts, *parameter.secondary_opts]
    }
    assert len(names) > 20
    assert not {name for name in names if told & set(name.replace("_", "-").split("-"))}


def commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from commands(inner)


@pytest.mark.parametrize("form", [KEY.upper(), str(int(KEY, 16)), repr(bytes.fromhex(KEY[2:]))])
def test_this_test_would_see_a_key(form: str) -> None:
    assert shows(f"…{form}…", KEY)
    assert not shows("nothing", KEY)


@pytest.mark.parametrize("held", [KEY, KEY[2:], bytes.fromhex(KEY[2:]), int(KEY, 16), {"a": [KEY]}])
def test_this_test_would_see_a_key_in_a_frame(held: Any) -> None:
    with pytest.raises(TypeError) as caught:
        exec(compile("len(held, held)", "product.py", "exec"), {}, {"held": held})  # noqa: S102
    assert shows(told_by(caught.value), KEY)
