"""Keys that never leave AWS KMS (key spec ECC_SECG_P256K1). Needs boto3: the extra `aws`."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from coincurve import PublicKey

from chain.addresses import of_public_key
from chain.keccak import keccak
from chain.signatures import ORDER, recover
from returns.errors import SettingsInvalid, SignerRefused, SignerUnavailable

#: A lane waits for its signer: better told soon that there is no answer.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"total_max_attempts": 2, "mode": "standard"},
)

#: What comes before the point in a SubjectPublicKeyInfo of secp256k1 (RFC 5480), in DER.
_SPKI = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a034200")

#: Refusals that pass by themselves, by the names of the KMS API; so do all of status 500 and above.
_PASSING = frozenset(
    {
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",
        "LimitExceededException",
        "RequestTimeout",
        "ThrottlingException",
    }
)


class KmsSigner:
    """Signs by one key of KMS, named by its id, its ARN or an alias.

    `client` is boto3's of "kms"; region and credentials are found as boto3 finds them. Raises
    `SignerRefused` where the key is none of secp256k1 or may not be used, `SignerUnavailable` where
    KMS does not answer.
    """

    #: What a signer shows whose key was not found.
    _address = "no account"

    def __init__(self, key_id: str, client: Any = None) -> None:
        self._key_id = key_id
        self._client = _client() if client is None else client
        self._address = _address(self._ask("get_public_key", "PublicKey"))

    @property
    def address(self) -> str:
        """The lower-case address of the account."""
        return self._address

    def sign(self, preimage: bytes) -> bytes:
        """Sign keccak256(preimage): r, s and v as 27 or 28, s low."""
        digest = keccak(preimage)
        answer = self._ask(
            "sign",
            "Signature",
            Message=digest,
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        r, s = _numbers(answer)
        # KMS does not care about the malleable twin, the chain does (EIP-2).
        compact = r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")
        for v in (b"\x1b", b"\x1c"):
            if recover(digest, compact + v) == self._address:
                return compact + v
        raise SignerRefused(problem=f"what KMS answers is no signature of {self._address}")

    def _ask(self, method: str, wanted: str, **arguments: Any) -> bytes:
        try:
            answer: bytes = getattr(self._client, method)(KeyId=self._key_id, **arguments)[wanted]
        except ClientError as fault:
            raise _refusal(fault) from fault
        except BotoCoreError as fault:
            raise SignerUnavailable(problem=f"KMS, {type(fault).__name__}") from fault
        except (KeyError, TypeError) as fault:
            raise SignerRefused(problem=f"KMS answers without {wanted}") from fault
        return answer

    def __repr__(self) -> str:
        return f"KmsSigner({self._address})"


def _client() -> Any:
    try:
        return boto3.client("kms", config=_CONFIG)
    except (BotoCoreError, ValueError) as fault:
        raise SettingsInvalid(problem=f"AWS KMS, {type(fault).__name__}") from fault


def _refusal(fault: ClientError) -> SignerRefused | SignerUnavailable:
    """By the code alone: the text names accounts and keys."""
    code = str(fault.response.get("Error", {}).get("Code", "?"))
    status = fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _PASSING or status >= 500:
        return SignerUnavailable(problem=f"KMS, {code}")
    return SignerRefused(problem=f"KMS, {code}")


def _address(spki: bytes) -> str:
    point = spki.removeprefix(_SPKI)
    try:
        if len(point) == 65 and len(spki) == len(_SPKI) + 65:
            return of_public_key(PublicKey(point).format(compressed=False))
    except ValueError:
        pass
    raise SignerRefused(problem="the key in KMS is none of secp256k1 (ECC_SECG_P256K1)")


def _numbers(der: bytes) -> tuple[int, int]:
    """r and s of a SEQUENCE of two INTEGERs (RFC 3279); raises `SignerRefused` for other bytes."""
    r, rest = _integer(der[2:])
    s, end = _integer(rest)
    if der[:1] != b"\x30" or der[1:2] != bytes([len(der) - 2 & 0xFF]) or end or not 0 < s < ORDER:
        raise SignerRefused(problem="what KMS answers is not a signature in DER")
    return r, s


def _integer(der: bytes) -> tuple[int, bytes]:
    """The INTEGER at the beginning, 0 to 2^256 - 1, and what follows it."""
    length = der[1] if der[:1] == b"\x02" and len(der) > 2 else 0
    digits = der[2 : 2 + length]
    value = int.from_bytes(digits, "big")
    if not 0 < length <= 33 or len(digits) != length or value >> 256:
        raise SignerRefused(problem="what KMS answers is not a signature in DER")
    return value, der[2 + length :]
