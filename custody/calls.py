"""The call that each movement of a token needs. Everything else is refused: default deny."""

from uuid import UUID

from chain.contracts import encode_call
from custody.authorizations import message_of
from returns.errors import MoveNotAllowed
from returns.ids import bytes32
from returns.tables import Authorization
from returns.words import LegKind

_BY_LINE = {
    LegKind.COMMIT: "commit",
    LegKind.SETTLE: "settle",
    LegKind.BURN: "burn",
    LegKind.RELEASE: "release",
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


def calldata(kind: LegKind, leg_id: UUID, line_id: UUID, signed: Authorization) -> bytes:
    """Calldata of the escrow for a leg. The payout id of a swap is the leg's id."""
    if kind in _BY_LINE:
        return encode_call("ReturnEscrow", _BY_LINE[kind], bytes32(line_id))
    if signed.signature is None:
        raise MoveNotAllowed(state="unsigned", to=kind.value)
    message = message_of(signed).as_tuple()
    signature = bytes.fromhex(signed.signature[2:])
    if kind is LegKind.DEPOSIT:
        return encode_call("ReturnEscrow", "deposit", message, signature)
    if kind is LegKind.SWAP:
        return encode_call("ReturnEscrow", "swapRefund", message, signature, bytes32(leg_id))
    raise MoveNotAllowed(state=kind.value, to="a call to the escrow")
