"""moto's KMS, taught what AWS does with a digest.

moto signs the SHA-256 of the message whatever the message type is; AWS signs a digest as it is.
"""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.kms.responses import KmsResponse


def digest_signing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have moto sign digests as AWS does; with credentials that open nothing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setattr(KmsResponse, "sign", _sign)


def _sign(self: KmsResponse) -> str:
    """The Sign action for a message that is a digest, and for nothing else."""
    assert self._get_param("MessageType") == "DIGEST"
    assert self._get_param("SigningAlgorithm") == "ECDSA_SHA_256"
    digest = self._get_param("Message")
    assert len(digest) == 32
    key = self.kms_backend.describe_key(self._get_param("KeyId"))
    signature = key.private_key.private_key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    return json.dumps({"Signature": base64.b64encode(signature).decode()})
