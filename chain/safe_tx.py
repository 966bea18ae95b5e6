"""Transactions and messages of a Safe: what its owners sign, and what anybody may then send.

Owners sign typed data in their own wallets (EIP-712); every signature is checked before gas is
spent. Two things that a Safe can do are never built here: a delegatecall, which could rewrite the
Safe itself, and a repayment of gas out of the Safe. Owners are ordinary keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chain import account
from chain.addresses import ZERO
from chain.client import ChainClient
from chain.contracts import encode_signature
from chain.safe import Safe, read
from chain.signatures import normalise, recover
from chain.signers import Signer, TypedDataSigner
from chain.typed_data import typed_data_digest
from returns.errors import (
    FieldInvalid,
    OwnerSignatureInvalid,
    OwnerSignaturesMissing,
    SafeNonceDiffers,
)

_CALL = 0
_EXECUTE = (
    "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)"
)
_DOMAIN = (("chainId", "uint256"), ("verifyingContract", "address"))
_TRANSACTION = (
    ("to", "address"),
    ("value", "uint256"),
    ("data", "bytes"),
    ("operation", "uint8"),
    ("safeTxGas", "uint256"),
    ("baseGas", "uint256"),
    ("gasPrice", "uint256"),
    ("gasToken", "address"),
    ("refundReceiver", "address"),
    ("nonce", "uint256"),
)


@dataclass(frozen=True)
class SafeTx:
    """One call that the Safe shall make; `value` is in wei."""

    to: str
    data: bytes
    nonce: int
    value: int = 0


def move_erc721(safe: Safe, token: str, to: str, token_id: int) -> SafeTx:
    """Send a token out of the Safe; a contract that cannot receive it refuses it."""
    call = "safeTransferFrom(address,address,uint256)"
    return SafeTx(token, encode_signature(call, safe.address, to, token_id), safe.nonce)


def move_erc1155(safe: Safe, token: str, to: str, token_id: int, amount: int) -> SafeTx:
    """Send an amount of an ERC-1155 token out of the Safe."""
    call = "safeTransferFrom(address,address,uint256,uint256,bytes)"
    return SafeTx(
        token, encode_signature(call, safe.address, to, token_id, amount, b""), safe.nonce
    )


def approve_operator(safe: Safe, token: str, operator: str, approved: bool) -> SafeTx:
    """Let an operator (Seaport's conduit) move the Safe's tokens of a collection, or no longer."""
    call = "setApprovalForAll(address,bool)"
    return SafeTx(token, encode_signature(call, operator, approved), safe.nonce)


def transaction_request(safe: Safe, tx: SafeTx) -> dict[str, Any]:
    """What an owner's wallet signs for a transaction: the argument of eth_signTypedData_v4."""
    nothing = dict.fromkeys(("safeTxGas", "baseGas", "gasPrice"), "0")
    nobody = dict.fromkeys(("gasToken", "refundReceiver"), ZERO)
    numbers = {"value": str(tx.value), "operation": str(_CALL), "nonce": str(tx.nonce)}
    message = {"to": tx.to, "data": "0x" + tx.data.hex(), **numbers, **nothing, **nobody}
    return _request(safe, "SafeTx", _TRANSACTION, message)


def message_request(safe: Safe, digest: bytes) -> dict[str, Any]:
    """What an owner's wallet signs so that the Safe signs a digest of 32 bytes (EIP-1271).

    The wallet shows the digest only: show its owner what it stands for.
    """
    return _request(safe, "SafeMessage", (("message", "bytes"),), {"message": "0x" + digest.hex()})


def join_signatures(safe: Safe, request: dict[str, Any], signatures: Sequence[bytes]) -> bytes:
    """The owners' signatures as the Safe reads them: as many as it wants, sorted by owner.

    Raises `OwnerSignatureInvalid` for one that is malformed, malleable, a stranger's or a second
    one of the same owner, and `OwnerSignaturesMissing` below the threshold.
    """
    digest = typed_data_digest(request)
    found: dict[str, bytes] = {}
    for signature in signatures:
        owner = recover(digest, signature)
        if owner is None or owner not in safe.owners:
            problem = f"{owner or 'nobody'} signed, who is not an owner"
            raise OwnerSignatureInvalid(safe=safe.address, problem=problem)
        if owner in found:
            raise OwnerSignatureInvalid(safe=safe.address, problem=f"{owner} signed twice")
        # A Safe reads v = 0 and v = 1 as other kinds of signature.
        found[owner] = normalise(owner, digest, signature)
    if len(found) < safe.threshold:
        given, threshold = len(found), safe.threshold
        raise OwnerSignaturesMissing(safe=safe.address, given=given, threshold=threshold)
    return b"".join(found[owner] for owner in sorted(found)[: safe.threshold])


def sign(request: dict[str, Any], owners: Sequence[TypedDataSigner]) -> list[bytes]:
    """Signatures of owners whose keys answer here."""
    return [owner.sign_typed_data(request) for owner in owners]


def sign_message(safe: Safe, digest: bytes, owners: Sequence[TypedDataSigner]) -> bytes:
    """The Safe's own signature of a digest: what `chain.signatures.verify` and contracts accept.

    Good as long as the owners are. Raises as `join_signatures` does.
    """
    request = message_request(safe, digest)
    return join_signatures(safe, request, sign(request, owners))


def execution(client: ChainClient, address: str, tx: SafeTx, signatures: Sequence[bytes]) -> bytes:
    """Calldata for the Safe that makes it act; whoever sends it pays the gas.

    Raises `SafeNonceDiffers`, `FieldInvalid` for a call to an account without code (the Safe would
    use its nonce up and report success), and as `read` and `join_signatures` do.
    """
    safe = read(client, address)
    if tx.nonce != safe.nonce:
        raise SafeNonceDiffers(safe=safe.address, current=safe.nonce, signed=tx.nonce)
    if tx.data and not client.code(tx.to):
        raise FieldInvalid(field="to", problem=f"{tx.to} is not a contract")
    return calldata(tx, join_signatures(safe, transaction_request(safe, tx), signatures))


def calldata(tx: SafeTx, joined: bytes) -> bytes:
    """The call with signatures that were joined already; nothing is checked."""
    unused = (0, 0, 0, ZERO, ZERO)
    return encode_signature(_EXECUTE, tx.to, tx.value, tx.data, _CALL, *unused, joined)


def execute(
    client: ChainClient, payer: Signer, address: str, tx: SafeTx, signatures: Sequence[bytes]
) -> dict[str, Any]:
    """Send what `execution` checks and wait for its receipt: all of it happened, or an error.

    Raises as `execution` does, and `ChainUnavailable` with the reason where the call reverts.
    """
    data = execution(client, address, tx, signatures)
    return account.send(client, payer, to=address, data=data)


def _request(
    safe: Safe, name: str, fields: Sequence[tuple[str, str]], message: dict[str, Any]
) -> dict[str, Any]:
    return {
        "types": {
            "EIP712Domain": [{"name": n, "type": t} for n, t in _DOMAIN],
            name: [{"name": n, "type": t} for n, t in fields],
        },
        "primaryType": name,
        "domain": {"chainId": safe.chain_id, "verifyingContract": safe.address},
        "message": message,
    }
