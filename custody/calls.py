"""The call that each movement of a token needs. Everything else is refused: default deny."""

from chain.contracts import encode_call
from custody.authorizations import message_of
from returns.errors import MoveNotAllowed
from returns.tables import Authorization
from returns.words import LegKind

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
