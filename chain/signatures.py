"""Signature checks, never throwing: keys off chain, contract wallets by EIP-1271 and EIP-6492.

An ordinary account that has delegated to code (EIP-7702) is both: its key signs for it, and so does
whatever its code accepts.
"""

from functools import cache, lru_cache

from coincurve import PublicKey
from eth_abi.abi import encode
from eth_abi.exceptions import EncodingError

from chain.addresses import ZERO, of_public_key
from chain.client import ChainClient, RpcError
from chain.contracts import artifact, is_revert
from returns.errors import ChainUnavailable

#: How many points secp256k1 has. Of a signature's two forms, s and ORDER - s, only the one with the
#: smaller s is taken: the other is its malleable twin (EIP-2).
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

#: What `contracts/src/WalletCheck.sol` answers for a signature that the wallet accepts.
_YES = (1).to_bytes(32, "big")

#: Ends a signature of a wallet that may not be deployed yet (EIP-6492).
_UNDEPLOYED = bytes.fromhex("6492" * 16)


def recover(digest: bytes, signature: bytes) -> str | None:
    """The signer's lower-case address; None for a wrong length, a high s, an odd v, a bad point.

    v may be 27 or 28, or 0 or 1 as some wallets give it.
    """
    if len(signature) != 65:
        return None
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    if v in (27, 28):
        v -= 27
    if v not in (0, 1) or not 0 < s <= ORDER // 2 or not any(r):
        return None
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes([v]), digest, hasher=None)
    except Exception:  # noqa: BLE001  (the library raises bare Exceptions for bad points)
        return None
    return of_public_key(key.format(compressed=False))


def normalise(holder: str, digest: bytes, signature: bytes) -> bytes:
    """The form that the contracts take: v as 27 or 28.

    Only for a key's own signature: a contract wallet may mean something else by its last byte
    (a Safe writes 1 behind a hash that was approved on chain).
    """
    if signature[64:] in (b"\0", b"\1") and recover(digest, signature) == holder:
        return signature[:64] + bytes([signature[64] + 27])
    return signature


def wrap_undeployed(factory: str, call: bytes, inner: bytes) -> bytes:
    """The signature of a wallet that `call` to `factory` deploys (EIP-6492).

    `inner` is what the wallet accepts once it is there. Good before and after the deployment.
    """
    return encode(["address", "bytes", "bytes"], [factory, call, inner]) + _UNDEPLOYED


def is_wrapped(signature: bytes) -> bool:
    """Whether this is an EIP-6492 signature, which few contracts but our escrow understand."""
    return len(signature) > 32 and signature.endswith(_UNDEPLOYED)


def verify(client: ChainClient, holder: str, digest: bytes, signature: bytes) -> bool:
    """Whether `holder` signed, as the escrow would find it; nothing is sent.

    First ecrecover, without asking anybody; then the code of the holder (EIP-1271), deployed in
    simulation if the signature says how (EIP-6492), both by one question about the newest block,
    which is not repeated before the next one. Whatever the signature is, the answer is yes or no;
    raises `ChainUnavailable` only where nobody can tell.
    """
    return recover(digest, signature) == holder or _code_agrees(client, holder, digest, signature)


def _code_agrees(client: ChainClient, holder: str, digest: bytes, signature: bytes) -> bool:
    wrapped = signature if is_wrapped(signature) else wrap_undeployed(ZERO, b"", signature)
    return _answer(client, client.newest().hash, holder, digest, wrapped)


@lru_cache(maxsize=1024)
def _answer(
    client: ChainClient, block_hash: str, holder: str, digest: bytes, wrapped: bytes
) -> bool:
    """Run by a contract that exists for this one call: see `contracts/src/WalletCheck.sol`.

    It asks by STATICCALL, as the escrow does: a wallet that writes while it answers has not agreed.
    Deployment and answer together have the gas that the escrow gives to a wallet that is deployed
    on the way, 2,000,000. Within a block the answer stays the same, so it is asked for once.
    """
    try:
        asked = encode(["address", "bytes32", "bytes"], [holder, digest, wrapped])
        return client.eth_call(None, _wallet_check() + asked, block_hash) == _YES
    except EncodingError:
        return False
    except RpcError as error:
        if is_revert(error):
            return False
        # A node that is overloaded or broken has said nothing about the signature.
        raise ChainUnavailable(problem=f"it refused eth_call: {error}") from error


@cache
def _wallet_check() -> bytes:
    return bytes.fromhex(artifact("WalletCheck")["bytecode"]["object"][2:])
