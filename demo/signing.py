"""A customer's wallet: reads what it is asked to sign, refuses what was not asked for, signs."""

from __future__ import annotations

from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data

from demo.keys import key_of, wallet_of
from demo.kinds import CREDIT, CRYPTO, FIAT
from demo.requests import Request
from demo.wallets import NATIVE

#: Numbers of the contract's enumeration.
_REMEDY = {FIAT: 0, CRYPTO: 1, CREDIT: 2}
#: ISO 4217 numbers stand for fiat currencies where an asset's address is wanted.
_ASSET = {"USD": f"0x{840:040x}", "ETH": NATIVE}


def wanted(request: Request, remedy: str, deployment: dict[str, Any], vault: str) -> dict[str, str]:
    """What the message must say, field by field, for this request and the remedy granted."""
    holder = wallet_of(request.signer)
    return {
        "vault": vault,
        "holder": holder,
        "token": deployment["collection"],
        "tokenId": str(request.purchase.token_id),
        "amount": "1",
        "remedy": str(_REMEDY[remedy]),
        "asset": _ASSET[request.purchase.currency],
        "refund": str(request.asked),
        "recipient": request.recipient or holder,
    }


def lies(
    typed_data: dict[str, Any], wanted_fields: dict[str, str], deployment: dict[str, Any], now: int
) -> list[str]:
    """How a message differs from what was asked; empty for one that may be signed.

    `now` is in Unix seconds.
    """
    message, domain = typed_data["message"], typed_data["domain"]
    found = {name: str(message[name]).lower() for name in wanted_fields}
    expected = dict(wanted_fields)
    found |= {"chainId": str(domain["chainId"]), "escrow": domain["verifyingContract"].lower()}
    expected |= {"chainId": str(deployment["chain_id"]), "escrow": deployment["escrow"]}
    differing = [
        f"{name} is {found[name]} instead of {value}"
        for name, value in expected.items()
        if found[name] != value.lower()
    ]
    times = [int(message[name]) for name in ("deadline", "reclaimAfter", "commitUntil")]
    swapped = expected["remedy"] == str(_REMEDY[CRYPTO])
    in_order = times[1:] == [0, 0] if swapped else times[0] <= times[1] <= times[2]
    if not (now < times[0] and in_order):
        differing.append(f"its dates are not in order: {times}")
    return differing


def sign(name: str, typed_data: dict[str, Any]) -> str:
    """The EIP-712 signature by the simulated wallet of a name, 0x-hex."""
    signable = encode_typed_data(full_message=typed_data)
    return "0x" + str(Account.from_key(key_of(name)).sign_message(signable).signature.hex())
