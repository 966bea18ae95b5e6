"""The call that each movement of a token needs. Everything else is refused: default deny."""

from __future__ import annotations

from chain.addresses import ZERO
from chain.contracts import Deployment, encode_call
from chain.relay.simulation import Move
from chain.typed_data import line_key
from custody.authorizations import asset_address, message_of
from returns.errors import MoveNotAllowed
from returns.tables import Authorization, OrderLine, ReturnLine
from returns.words import LegKind, Remedy

#: Which function of the escrow does a leg.
_FUNCTION = {
    LegKind.DEPOSIT: "deposit",
    LegKind.COMMIT: "commit",
    LegKind.SETTLE: "settle",
    LegKind.BURN: "burn",
    LegKind.RELEASE: "release",
    LegKind.SWAP: "swap",
}

#: Which leg an event of the escrow proves.
LEG_OF_EVENT = {
    "Deposited": LegKind.DEPOSIT,
    "Committed": LegKind.COMMIT,
    "Settled": LegKind.SETTLE,
    "Burned": LegKind.BURN,
    "Released": LegKind.RELEASE,
    "Swapped": LegKind.SWAP,
}


def calldata(kind: LegKind, signed: Authorization, approval: bytes = b"") -> bytes:
    """Calldata of the escrow for a leg. The line is the id that pays once, ever.

    `approval` is what a second person signed, for a refund above the operator's limits.
    """
    if signed.signature is None:
        raise MoveNotAllowed(state="unsigned", to=kind.value)
    if kind not in _FUNCTION:
        raise MoveNotAllowed(state=kind.value, to="a call to the escrow")
    message = message_of(signed).as_tuple()
    signature = bytes.fromhex(signed.signature[2:])
    further = {
        LegKind.DEPOSIT: (signature,),
        LegKind.SWAP: (signature, approval),
        LegKind.RELEASE: (),
    }.get(kind, (approval,))
    return encode_call("ReturnEscrow", _FUNCTION[kind], message, *further)


def facts(
    line: ReturnLine, bought: OrderLine, holder: str, vault: str, deployment: Deployment
) -> dict[str, str]:
    """What the books know of a line: a call that says otherwise is not signed.

    Read from order and case, never from the message that the call is made of.
    """
    return {
        "line": "0x" + line_key(line.id, holder).hex(),
        "vault": vault,
        "holder": holder,
        "token": bought.collection,
        "tokenId": str(bought.token_id),
        "amount": "1",
        "asset": asset_address(line.currency, deployment),
        "refund": str(line.amount),
        "recipient": line.recipient or holder,
    }


def moves(kind: LegKind, known: dict[str, str], remedy: Remedy, escrow: str) -> list[Move]:
    """The asset changes that a leg makes, and no others. `known`: the line's `facts`."""
    holder, vault = known["holder"], known["vault"]
    ends = {
        LegKind.DEPOSIT: (holder, escrow),
        LegKind.SETTLE: (escrow, vault),
        LegKind.BURN: (escrow, ZERO),
        LegKind.RELEASE: (escrow, holder),
        LegKind.SWAP: (holder, vault),
    }.get(kind)
    if ends is None:
        return []
    token = Move(known["token"], *ends, 1, int(known["tokenId"]))
    if kind is not LegKind.SWAP or remedy is not Remedy.CRYPTO_REFUND:
        return [token]
    return [token, Move(known["asset"], escrow, known["recipient"], int(known["refund"]))]
