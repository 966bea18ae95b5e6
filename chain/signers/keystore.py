"""Encrypted keystores: Web3 Secret Storage, version 3, as Geth and others write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eth_account import Account
from pydantic import SecretStr

from chain.signers.local import LocalSigner
from returns.errors import KeystoreLocked, SettingsInvalid

#: A keystore has about 500 bytes.
_MAX_BYTES = 65_536

_NO_KEYSTORE = "it is no keystore of version 3 (Web3 Secret Storage)"


def open_keystore(path: Path, password: SecretStr) -> LocalSigner:
    """The signer whose key a file holds. Takes as long as its author wanted guessing to take.

    Raises `KeystoreLocked` where the file cannot be read, is no keystore, has another password, or
    names another account than its key's.
    """
    opened = _unlock(_content(path), password)
    if isinstance(opened, str):
        raise KeystoreLocked(file=path, problem=opened)
    return opened


def _content(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_MAX_BYTES + 1))
    except OSError as fault:
        raise KeystoreLocked(file=path, problem=f"it cannot be read ({fault.strerror})") from None
    except (ValueError, RecursionError):
        # The parser's exceptions carry the text that they were given.
        problem = _NO_KEYSTORE
    raise KeystoreLocked(file=path, problem=problem)


def _unlock(content: Any, password: SecretStr) -> LocalSigner | str:
    """The signer, or why there is none. Nothing is raised: frames below hold password and key."""
    if not isinstance(content, dict) or content.get("version") != 3:
        return _NO_KEYSTORE
    try:
        signer = LocalSigner(Account.decrypt(content, password.get_secret_value()).hex())
    except SettingsInvalid:
        return "what it holds is not a private key"
    except Exception as fault:  # noqa: BLE001  (the library's errors share no tree)
        return "the password is another" if "MAC" in str(fault) else _NO_KEYSTORE
    named = str(content.get("address") or signer.address).lower().removeprefix("0x")
    return signer if "0x" + named == signer.address else "it names another account than its key's"
