"""Signature checks, never throwing: keys off chain, contract wallets by EIP-1271 and EIP-6492.

An ordinary account that has delegated to code (EIP-7702) is both: its key signs for it, and so does
whatever its code accepts.
"""

from coincurve import PublicKey
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from chain.client import ChainClient, RpcError
from chain.contracts import artifact

#: Half the order of secp256k1: an s above it is the malleable twin of a signature (EIP-2).
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0

#: isValidSignature(bytes32,bytes), and what it answers (EIP-1271).
_MAGIC = bytes.fromhex("1626ba7e")

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
    if v not in (0, 1) or not 0 < s <= _HALF_ORDER or not any(r):
        return None
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes([v]), digest, hasher=None)
    except Exception:  # noqa: BLE001  (the library raises bare Exceptions for bad points)
        return None
    return "0x" + keccak(key.format(compressed=False)[1:])[-20:].hex()


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

    First ecrecover, then the holder's contract, deployed in simulation if the signature says how.
    """
    if recover(digest, signature) == holder:
        return True
    if is_wrapped(signature):
        return _would_agree(client, holder, digest, signature)
    if not client.code(holder):
        return False
    return _contract_agrees(client, holder, digest, signature)


def _would_agree(client: ChainClient, holder: str, digest: bytes, signature: bytes) -> bool:
    """Run by a contract that exists for this one call: see `contracts/src/WalletCheck.sol`."""
    code = bytes.fromhex(artifact("WalletCheck")["bytecode"]["object"][2:])
    asked = encode(["address", "bytes32", "bytes"], [holder, digest, signature])
    try:
        return client.eth_call(None, code + asked) == (1).to_bytes(32, "big")
    except RpcError:
        return False


def _contract_agrees(client: ChainClient, holder: str, digest: bytes, signature: bytes) -> bool:
    length = len(signature).to_bytes(32, "big")
    padding = b"\0" * (-len(signature) % 32)
    data = _MAGIC + digest + (64).to_bytes(32, "big") + length + signature + padding
    try:
        # A whole word, as the escrow's own check wants it.
        return client.eth_call(holder, data)[:32] == _MAGIC.ljust(32, b"\0")
    except RpcError:
        return False
