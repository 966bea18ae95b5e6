"""What tests of the relay API put into a desk's books: rules, lanes, nonces, signed bytes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from desk import Desk
from sqlmodel import SQLModel

from returns.ids import new_id
from returns.tables import Lane, RelayAttempt, RelaySlot, RelayTransaction
from returns.words import RelayState, SlotState
from settlement.commands import relay_rules

CHAIN_ID = 31337
LANE = "0x" + "1a" * 20
DOLLAR, SHOPPER, STRANGER = ("0x" + two * 20 for two in ("d0", "5a", "66"))
TRANSFER = "transfer(address,uint256)"
MAX_COIN = 1_000


def open_rules(desk: Desk) -> None:
    """The desk's merchant may pay dollars to its shopper, and give it a little coin."""
    desk.chain.codes[DOLLAR] = b"\1"
    allow(desk, DOLLAR, TRANSFER, [f"0={SHOPPER}"])
    allow(desk, SHOPPER, max_value=str(MAX_COIN))


def allow(
    desk: Desk, contract: str, function: str = "", where: Any = (), max_value: str = "0"
) -> dict[str, Any]:
    """One rule of the desk's merchant."""
    return relay_rules.allow(
        desk.runtime, desk.merchant, CHAIN_ID, contract, function, list(where), max_value
    )


def transfer(to: str = SHOPPER, amount: int = 25) -> str:
    """Calldata of an ERC-20's transfer."""
    return f"0xa9059cbb{to[2:]:0>64}{amount:064x}"


def payout(**changes: Any) -> dict[str, Any]:
    """A body that the rules allow, with changes."""
    return {"chain_id": CHAIN_ID, "to": DOLLAR, "data": transfer()} | changes


def put(desk: Desk, row: SQLModel) -> Any:
    """Store one row as it is."""
    with desk.runtime.database.write() as session:
        session.add(row)
    return row


def put_lane(desk: Desk, address: str = LANE, **changes: Any) -> Lane:
    """A lane that a relayer has opened."""
    given = {"chain_id": CHAIN_ID, "address": address, "next_nonce": 8, "balance": 10**18}
    row: Lane = put(desk, Lane(**given | {"checked_at": desk.clock()} | changes))
    return row


def put_relay(desk: Desk, state: RelayState, slot: RelaySlot | None = None) -> RelayTransaction:
    """A transaction of the desk's merchant in some state."""
    row: RelayTransaction = put(
        desk,
        RelayTransaction(
            id=new_id(),
            merchant_id=desk.merchant.id,
            chain_id=CHAIN_ID,
            to=DOLLAR,
            data=bytes.fromhex(transfer()[2:]),
            state=state,
            slot_id=slot and slot.id,
            due_at=desk.clock(),
            created_at=desk.clock(),
            updated_at=desk.clock(),
        ),
    )
    return row


def put_slot(desk: Desk, lane: Lane, nonce: int, state: SlotState, **changes: Any) -> RelaySlot:
    """A nonce of a lane."""
    now: datetime = desk.clock()
    given = {"lane_id": lane.id, "nonce": nonce, "state": state, "created_at": now}
    row: RelaySlot = put(desk, RelaySlot(**given | {"updated_at": now, "intents": 1} | changes))
    return row


def put_attempt(desk: Desk, slot_id: UUID, number: int, **changes: Any) -> RelayAttempt:
    """Signed bytes of a nonce; a higher number pays more."""
    given = {
        "hash": f"0x{slot_id.hex}{number:032x}",
        "slot_id": slot_id,
        "raw": b"\2",
        "max_fee": 2**128 + number,
        "priority_fee": number,
        "gas_limit": 60_000,
        "created_at": desk.clock(),
    }
    row: RelayAttempt = put(desk, RelayAttempt(**given | changes))
    return row
