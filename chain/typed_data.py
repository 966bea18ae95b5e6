"""The message that a customer signs (EIP-712), as struct, as wallet request and as digest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from returns.words import Remedy

DOMAIN_NAME = "Undrop ReturnEscrow"
DOMAIN_VERSION = "1"

#: Order of the contract's enumeration.
REMEDY_NUMBER = {Remedy.FIAT_REFUND: 0, Remedy.CRYPTO_REFUND: 1, Remedy.STORE_CREDIT: 2}

_FIELDS = (
    ("line", "bytes32"),
    ("merchant", "bytes32"),
    ("holder", "address"),
    ("token", "address"),
    ("tokenId", "uint256"),
    ("amount", "uint256"),
    ("remedy", "uint8"),
    ("asset", "address"),
    ("refund", "uint256"),
    ("recipient", "address"),
    ("deadline", "uint48"),
    ("reclaimAfter", "uint48"),
    ("commitUntil", "uint48"),
)
_DOMAIN_FIELDS = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)


@dataclass(frozen=True)
class ReturnAuthorization:
    """The holder lets exactly this token move, for exactly this remedy, until `deadline`.

    Times are Unix seconds; `refund` is in minor units of `asset` (ERC-20, EIP-7528 coin, or the
    ISO 4217 number of a fiat currency); bytes32 are 0x-hex. Fields and order as in the contract.
    """

    line: str
    merchant: str
    holder: str
    token: str
    tokenId: int  # noqa: N815  (the contract's names)
    amount: int
    remedy: int
    asset: str
    refund: int
    recipient: str
    deadline: int
    reclaimAfter: int  # noqa: N815
    commitUntil: int  # noqa: N815

    def as_tuple(self) -> tuple[Any, ...]:
        """The struct as the ABI encoder takes it."""
        return tuple(
            bytes.fromhex(value[2:]) if kind == "bytes32" else value
            for (_, kind), value in zip(_FIELDS, asdict(self).values(), strict=True)
        )


def wallet_request(
    authorization: ReturnAuthorization, chain_id: int, escrow: str
) -> dict[str, Any]:
    """The argument of eth_signTypedData_v4. Integers are strings: JavaScript loses large ones."""
    message = {
        key: str(value) if isinstance(value, int) else value
        for key, value in asdict(authorization).items()
    }
    return {
        "types": {
            "EIP712Domain": [{"name": n, "type": t} for n, t in _DOMAIN_FIELDS],
            "ReturnAuthorization": [{"name": n, "type": t} for n, t in _FIELDS],
        },
        "primaryType": "ReturnAuthorization",
        "domain": {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": chain_id,
            "verifyingContract": escrow,
        },
        "message": message,
    }


def digest(authorization: ReturnAuthorization, chain_id: int, escrow: str) -> bytes:
    """The 32 bytes that are signed: keccak256(0x1901 ‖ domain ‖ struct), EIP-712."""
    return typed_data_digest(wallet_request(authorization, chain_id, escrow))


def typed_data_digest(request: dict[str, Any]) -> bytes:
    """The digest of any typed-data request, by the field's reference implementation."""
    signable = encode_typed_data(full_message=request)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)
