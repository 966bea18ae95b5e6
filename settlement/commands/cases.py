"""What ends a case without a decision: canceled by who asked, or not signed in time."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns import cases, lifecycle, locks, reads
from returns.errors import MoveNotAllowed
from returns.tables import Authorization, ReturnLine
from returns.words import LineState
from settlement import bookings, legs
from settlement.commands.access import Caller
from settlement.plans import Terms
from settlement.runtime import Runtime


def cancel(runtime: Runtime, caller: Caller, rma: str) -> dict[str, Any]:
    """Withdraw a case: every line that still can be; a token in custody goes back.

    Raises `MoveNotAllowed` where no line can be canceled any more; nothing is changed then.
    """
    now = runtime.clock()
    with runtime.database.write() as session:
        case = reads.find_case(session, caller.merchant_id, rma, caller.order_id)
        lines = locks.lock_case_lines(session, case.id)
        open_lines = [line for line in lines if line.state in lifecycle.CANCELABLE]
        if not open_lines:
            state = lifecycle.case_state([line.state for line in lines])
            raise MoveNotAllowed(state=state.value, to=LineState.CANCELED.value)
        for line in open_lines:
            _cancel_line(session, runtime.terms, line, caller.name, now)
        return reads.case_view(session, case)


def expire(runtime: Runtime, limit: int = 100) -> int:
    """Close the lines whose authorization was not signed in time; returns how many."""
    now = runtime.clock()
    overdue = (
        select(ReturnLine.id)
        .join(Authorization, col(Authorization.line_id) == ReturnLine.id)
        .where(ReturnLine.state == LineState.AWAITING_SIGNATURE)
        .group_by(col(ReturnLine.id))
        .having(sa.func.max(Authorization.deadline) < now)
        .limit(limit)
    )
    with runtime.database.read() as session:
        line_ids = list(session.exec(overdue))
    return sum(_expire_line(runtime, line_id, now) for line_id in line_ids)


def _expire_line(runtime: Runtime, line_id: UUID, now: datetime) -> bool:
    with runtime.database.write() as session:
        _, line = locks.lock_line(session, line_id)
        # Signed, canceled or closed by somebody else since it was looked for.
        if line.state is not LineState.AWAITING_SIGNATURE:
            return False
        reason = "the authorization was not signed in time"
        cases.advance(session, line_id, LineState.EXPIRED, actor="undrop", reason=reason, now=now)
        bookings.withdraw_grant(session, line, now)
        return True


def _cancel_line(
    session: Session, terms: Terms, line: ReturnLine, actor: str, now: datetime
) -> None:
    reason = "canceled on request"
    if line.state in (LineState.IN_CUSTODY, LineState.COMMITTING):
        legs.give_back(session, terms, line, actor, reason, now)
        return
    cases.advance(session, line.id, LineState.CANCELED, actor=actor, reason=reason, now=now)
    bookings.withdraw_grant(session, line, now)
