"""Holds: what the escrow holds for which line, as confirmed events tell it."""

from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session

from returns.tables import Hold, ReturnLine
from returns.words import HoldState

#: What each event of the escrow makes of a hold.
STATE_AFTER = {
    "Committed": HoldState.COMMITTED,
    "Settled": HoldState.SETTLED,
    "Burned": HoldState.BURNED,
    "Released": HoldState.RELEASED,
    "Reclaimed": HoldState.RECLAIMED,
}


def record(
    session: Session,
    line: ReturnLine,
    name: str,
    args: dict[str, Any],
    chain_id: int,
    now: datetime,
) -> None:
    """Bring the line's hold to what an event says."""
    if name == "Deposited":
        session.merge(_opened(line, args, chain_id, now))
        return
    hold = session.get(Hold, line.id)
    if hold is None or name not in STATE_AFTER:
        return
    hold.state, hold.updated_at = STATE_AFTER[name], now
    if name == "Committed":
        hold.reclaim_after = _moment(args)


def _opened(line: ReturnLine, args: dict[str, Any], chain_id: int, now: datetime) -> Hold:
    return Hold(
        line_id=line.id,
        merchant_id=line.merchant_id,
        chain_id=chain_id,
        collection=args["token"],
        token_id=int(args["tokenId"]),
        depositor=args["depositor"],
        state=HoldState.HELD,
        reclaim_after=_moment(args),
        updated_at=now,
    )


def _moment(args: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(args["reclaimAfter"]), UTC)
