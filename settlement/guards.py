"""What must hold before money leaves: law 1 and law 3, checked under the line's locks."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from returns.errors import RefundAboveRemainder
from returns.remainder import check_remainder
from returns.tables import Hold, ReturnLine
from returns.words import HoldState, LineState
from settlement.plans import Terms

#: The token is the merchant's or gone: a refund that failed later is paid without a race.
_TAKEN = (HoldState.SETTLED, HoldState.BURNED)


def payout_obstacle(session: Session, terms: Terms, line: ReturnLine, now: datetime) -> str | None:
    """Why the payout must not start: not due, too little time, or more than what is left."""
    hold = session.get(Hold, line.id)
    if line.state is not LineState.SETTLING:
        return f"the line is {line.state.value}"
    if hold is None or hold.state not in (HoldState.COMMITTED, *_TAKEN):
        return "the hold is not committed"
    late = hold.reclaim_after - now <= terms.processor_worst_case
    if hold.state is HoldState.COMMITTED and late:
        return "the holder could reclaim the token before the refund is certain"
    try:
        check_remainder(session, line)
    except RefundAboveRemainder as above:
        return str(above)
    return None
