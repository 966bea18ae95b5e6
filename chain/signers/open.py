"""From settings to a signer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from pydantic import SecretStr

from chain.addresses import parse_address
from chain.signers.base import Signer
from chain.signers.keystore import open_keystore
from chain.signers.local import LocalSigner
from chain.signers.remote import RemoteSigner
from returns.errors import AddressInvalid, SettingsInvalid

_FORM = re.compile(
    r"keystore:(?P<path>.+)|kms:(?P<key>.+)|remote:(?P<url>[^#]+)#(?P<address>0x[0-9a-fA-F]{40})"
)
_LIKE_A_KEY = re.compile(r"[0-9a-fA-F]{64}")

_NONE = SecretStr("")


@dataclass(frozen=True)
class Secrets:
    """What no settings string holds; each is empty where it is not needed.

    They come from the environment or from a file, never from an argument, and show themselves as
    stars only.
    """

    private_key: SecretStr = _NONE
    keystore_password: SecretStr = _NONE
    keystore_password_file: Path | None = None

    def password(self) -> SecretStr:
        """The keystores' password; line breaks at a file's end are not part of it."""
        if self.keystore_password_file is None:
            return self.keystore_password
        try:
            return SecretStr(self.keystore_password_file.read_text().rstrip("\r\n"))
        except (OSError, UnicodeDecodeError) as fault:
            problem = f"the keystore's password file cannot be read ({type(fault).__name__})"
        raise SettingsInvalid(problem=problem)


def open_signer(spec: str, secrets: Secrets) -> Signer:
    """The signer that a settings string names; an empty one stands for the raw private key.

    Raises `SettingsInvalid` for another string, which is not repeated: it could be a key. Otherwise
    as `open_keystore`, `KmsSigner` and `RemoteSigner` do.
    """
    if not spec:
        return LocalSigner(secrets.private_key.get_secret_value())
    found = None if _LIKE_A_KEY.search(spec) else _FORM.fullmatch(spec)
    if found is None:
        # A traceback may show the locals of its frames.
        del spec
        raise SettingsInvalid(problem="a signer is keystore:PATH, kms:KEY_ID or remote:URL#ADDRESS")
    if found["path"]:
        return open_keystore(Path(found["path"]), secrets.password())
    if found["key"]:
        return _kms(found["key"])
    return RemoteSigner(found["url"], _account(found["address"]))


def _kms(key_id: str) -> Signer:
    """boto3 is an extra, and slow to import: nobody pays for it who does not use it."""
    try:
        module = import_module("chain.signers.kms")
    except ModuleNotFoundError as fault:
        raise SettingsInvalid(problem=f"kms: needs the extra 'aws' ({fault.name})") from fault
    signer: Signer = module.KmsSigner(key_id)
    return signer


def _account(text: str) -> str:
    try:
        return parse_address(text)
    except AddressInvalid as fault:
        raise SettingsInvalid(problem="the remote signer's address is none") from fault
