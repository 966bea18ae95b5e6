"""Signing secrets at rest: sealed with AES-256-GCM under a key made of the installation's own.

The key is derived by HKDF (RFC 5869). Each secret is bound to its row, so that no sealed text can
be put in the place of another one.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from uuid import UUID

from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF

#: Bytes of a secret: Standard Webhooks asks for 24 to 64.
_SECRET_BYTES = 32
_PREFIX = "whsec_"
_NONCE, _TAG = 12, 16
_PURPOSE = b"undrop: secrets of webhook endpoints"


class CannotUnseal(Exception):
    """The text was sealed under another key or for another row, or somebody changed it."""


def new_secret() -> str:
    """A signing secret as its receiver is given it (Standard Webhooks, `whsec_` and base64)."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


class Sealer:
    """Seals and unseals with one installation's key."""

    def __init__(self, secret_key: str) -> None:
        key = HKDF(secret_key.encode(), 32, b"", SHA256, context=_PURPOSE)
        assert isinstance(key, bytes)  # noqa: S101  (one key was asked for)
        self._key = key

    def seal(self, secret: str, row_id: UUID) -> str:
        """The secret as it may be stored in that row."""
        nonce = secrets.token_bytes(_NONCE)
        cipher = AES.new(self._key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG)
        cipher.update(row_id.bytes)
        text, tag = cipher.encrypt_and_digest(secret.encode())
        return base64.b64encode(nonce + tag + text).decode()

    def unseal(self, sealed: str, row_id: UUID) -> str:
        """The secret of that row; raises `CannotUnseal`."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            nonce, tag, text = raw[:_NONCE], raw[_NONCE : _NONCE + _TAG], raw[_NONCE + _TAG :]
            cipher = AES.new(self._key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG)
            cipher.update(row_id.bytes)
            return cipher.decrypt_and_verify(text, tag).decode()
        except (ValueError, binascii.Error) as fault:
            raise CannotUnseal from fault
