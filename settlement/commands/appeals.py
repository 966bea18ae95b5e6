"""A customer appeals against a denial: once, in time, and another person decides."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from returns import cases, lifecycle, locks, reads
from returns.errors import AlreadyReturning, AppealedAlready, AppealTooLate, MoveNotAllowed
from returns.ids import new_id
from returns.review_terms import APPEAL_WITHIN
from returns.tables import Appeal, DecisionRow, Evidence, Order, OrderLine, ReturnCase, ReturnLine
from returns.words import LineState
from settlement.commands import evidence
from settlement.commands.access import Caller
from settlement.commands.review_inputs import AppealIn
from settlement.runtime import Runtime


def appeal(runtime: Runtime, caller: Caller, rma: str, given: AppealIn) -> dict[str, Any]:
    """Bring a denied line before a person. The same appeal once more is recognised.

    Raises `NotFound`, `MoveNotAllowed`, `AppealedAlready`, `AppealTooLate`, and `AlreadyReturning`
    where the purchase is being returned in another case by now; nothing is changed then.
    """
    chain_id, now = runtime.settings.chain_id, runtime.clock()
    with runtime.database.write() as session:
        case = reads.find_case(session, caller.merchant_id, rma, caller.order_id)
        _, line = locks.lock_line(session, reads.find_line(session, case, given.line).id)
        if not _is_known(session, line, given):
            denial = _denial(session, line, now)
            _refuse_second_return(session, case, line)
            said = evidence.record(
                session, chain_id, line, caller.name, now, given.statement, given.file
            )
            session.add(_appeal(line, denial, said, caller.name, now))
            _move(session, line, caller.name, now)
        return reads.case_view(session, case)


def appeal_of(session: Session, line: ReturnLine) -> Appeal | None:
    """The line's appeal, if there was one."""
    return session.exec(select(Appeal).where(Appeal.line_id == line.id)).first()


def _is_known(session: Session, line: ReturnLine, given: AppealIn) -> bool:
    earlier = appeal_of(session, line)
    if earlier is None:
        return False
    said = session.get_one(Evidence, earlier.evidence_id)
    if not evidence.is_same(said, given.statement, given.file):
        raise AppealedAlready
    return True


def _denial(session: Session, line: ReturnLine, now: datetime) -> DecisionRow:
    """The decision that is appealed against, while that is possible."""
    lifecycle.check_move(line.state, LineState.APPEALED)
    decision = reads.newest_decision(session, line.id)
    if decision is None:
        raise MoveNotAllowed(state=line.state.value, to=LineState.APPEALED.value)
    deadline = decision.decided_at + APPEAL_WITHIN
    if now > deadline:
        raise AppealTooLate(deadline=deadline.isoformat())
    return decision


def _refuse_second_return(session: Session, case: ReturnCase, line: ReturnLine) -> None:
    """The purchase is locked, as it is by who asks to return it once more."""
    query = (
        select(ReturnCase.rma)
        .join(ReturnLine, col(ReturnLine.case_id) == ReturnCase.id)
        .where(ReturnLine.order_line_id == line.order_line_id, col(ReturnLine.open))
    )
    rma = session.exec(query).first()
    if rma is not None:
        bought = session.get_one(OrderLine, line.order_line_id)
        order = session.get_one(Order, case.order_id)
        raise AlreadyReturning(token=bought.token_id, order=order.number, rma=rma)


def _appeal(
    line: ReturnLine, denial: DecisionRow, said: Evidence, by: str, now: datetime
) -> Appeal:
    return Appeal(
        id=new_id(),
        merchant_id=line.merchant_id,
        line_id=line.id,
        decision_id=denial.id,
        evidence_id=said.id,
        by=by,
        at=now,
    )


def _move(session: Session, line: ReturnLine, actor: str, now: datetime) -> None:
    """Two steps at once: the timeline says that there was an appeal, and a person has it."""
    appealed, review = LineState.APPEALED, LineState.IN_REVIEW
    cases.advance(session, line.id, appealed, actor=actor, reason="the customer appeals", now=now)
    cases.advance(session, line.id, review, actor="undrop", reason="an appeal is decided", now=now)
