"""Holds: what the escrow holds for which line, as confirmed events tell it."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlmodel import Session, col, select

from custody.authorizations import message_of
from returns.tables import Authorization, Hold, ReturnLine
from returns.words import HoldState

#: What each event of the escrow makes of a hold.
STATE_AFTER = {
    "Committed": HoldState.COMMITTED,
    "Settled": HoldState.SETTLED,
    "Burned": HoldState.BURNED,
    "Released": HoldState.RELEASED,
    "Reclaimed": HoldState.RECLAIMED,
}


#: A later fact is not taken back by an earlier one that comes late.
_RANK = {HoldState.HELD: 0, HoldState.COMMITTED: 1}
_ENDED = 2


def record(
    session: Session,
    line: ReturnLine,
    name: str,
    args: dict[str, Any],
    chain_id: int,
    now: datetime,
) -> None:
    """Bring the line's hold to what an event says; told twice, or late, it changes nothing."""
    hold = session.get(Hold, line.id)
    if name == "Deposited" and hold is None:
        session.add(_opened(line, args, chain_id, now))
        return
    state = STATE_AFTER.get(name)
    if hold is None or state is None or _rank(state) < _rank(hold.state):
        return
    hold.state, hold.updated_at = state, now
    if name == "Committed":
        hold.reclaim_after = _moment(args["reclaimAfter"])


def undo(session: Session, line: ReturnLine, name: str, now: datetime) -> None:
    """A reorg took an event back: the hold is again what it was before."""
    hold = session.get(Hold, line.id)
    if hold is None or name not in {"Deposited", *STATE_AFTER}:
        return
    if name == "Deposited":
        session.delete(hold)
        return
    dates = _signed_dates(session, line)
    committed = name != "Committed" and hold.reclaim_after == dates.committed
    hold.state = HoldState.COMMITTED if committed else HoldState.HELD
    hold.reclaim_after = dates.committed if committed else dates.first
    hold.updated_at = now


class _Dates(NamedTuple):
    first: datetime
    committed: datetime


def _signed_dates(session: Session, line: ReturnLine) -> _Dates:
    """The two reclaim dates that the holder signed."""
    query = (
        select(Authorization)
        .where(Authorization.line_id == line.id, col(Authorization.signature).is_not(None))
        .order_by(col(Authorization.id).desc())
    )
    message = message_of(session.exec(query.limit(1)).one())
    return _Dates(_moment(message.reclaimAfter), _moment(message.commitUntil))


def _rank(state: HoldState) -> int:
    return _RANK.get(state, _ENDED)


def _opened(line: ReturnLine, args: dict[str, Any], chain_id: int, now: datetime) -> Hold:
    signed = args["authorization"]
    return Hold(
        line_id=line.id,
        merchant_id=line.merchant_id,
        chain_id=chain_id,
        collection=signed["token"],
        token_id=int(signed["tokenId"]),
        depositor=args["depositor"],
        state=HoldState.HELD,
        reclaim_after=_moment(signed["reclaimAfter"]),
        updated_at=now,
    )


def _moment(seconds: object) -> datetime:
    return datetime.fromtimestamp(int(str(seconds)), UTC)
