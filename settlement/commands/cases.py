"""What happens to a case after it was opened: canceled, decided by a person, expired."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from custody.eligibility import holders_of
from returns import cases, lifecycle, locks, reads
from returns.errors import HolderUnknown, MoveNotAllowed, RemedyNotPayable, ReviewOwnProposal
from returns.ids import new_id
from returns.tables import (
    Authorization,
    DecisionRow,
    OrderLine,
    Payment,
    ReturnCase,
    ReturnLine,
)
from returns.words import Disposition, LineState, Remedy, Tender, Verdict
from settlement import bookings, legs
from settlement.commands import decisions
from settlement.commands.access import Caller
from settlement.commands.inputs import ReviewIn
from settlement.plans import Terms
from settlement.runtime import Runtime

#: What a person may do with a line that needs attention.
_EXITS = {"retry": legs.resume, "release": legs.give_back}


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


def decide_review(runtime: Runtime, caller: Caller, rma: str, review: ReviewIn) -> dict[str, Any]:
    """A person decides about a line, with a reason; the holder is read again (R28).

    Raises `MoveNotAllowed`, `RemedyNotPayable`, `RefundAboveRemainder`, `ReviewOwnProposal`,
    `HolderUnknown`, `TokenNotReturnable`; nothing is changed then.
    """
    with runtime.database.read() as session:
        case = reads.find_case(session, caller.merchant_id, rma)
        line = reads.find_line(session, case, review.line)
        bought = session.get_one(OrderLine, line.order_line_id)
    if case.opened_by == caller.name:
        raise ReviewOwnProposal
    token = (bought.collection, bought.token_id)
    holder = holders_of(runtime.client, [token])[token]
    with runtime.database.write() as session:
        case = reads.find_case(session, caller.merchant_id, rma)
        _, line = locks.lock_line(session, line.id)
        if review.decision in _EXITS:
            _attend(session, runtime.terms, line, review, caller.name, runtime.clock())
        else:
            approved = review.decision == "approve"
            lifecycle.check_move(line.state, LineState.APPROVED if approved else LineState.DENIED)
            _decide(
                session, runtime.terms, case, line, review, caller.name, holder, runtime.clock()
            )
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
    for line_id in line_ids:
        _expire_line(runtime, line_id, now)
    return len(line_ids)


def _expire_line(runtime: Runtime, line_id: UUID, now: datetime) -> None:
    with runtime.database.write() as session:
        _, line = locks.lock_line(session, line_id)
        if line.state is LineState.AWAITING_SIGNATURE:
            reason = "the authorization was not signed in time"
            cases.advance(
                session, line_id, LineState.EXPIRED, actor="undrop", reason=reason, now=now
            )
            bookings.withdraw_grant(session, line, now)


def _cancel_line(
    session: Session, terms: Terms, line: ReturnLine, actor: str, now: datetime
) -> None:
    reason = "canceled on request"
    if line.state in (LineState.IN_CUSTODY, LineState.COMMITTING):
        legs.give_back(session, terms, line, actor, reason, now)
        return
    cases.advance(session, line.id, LineState.CANCELED, actor=actor, reason=reason, now=now)
    bookings.withdraw_grant(session, line, now)


def _decide(
    session: Session,
    terms: Terms,
    case: ReturnCase,
    line: ReturnLine,
    review: ReviewIn,
    actor: str,
    holder: str | None,
    now: datetime,
) -> None:
    approved = review.decision == "approve"
    if approved:
        _choose_remedy(session, case, line, review.remedy or line.remedy)
    row = _decision_row(session, line, review, actor, now)
    to = LineState.APPROVED if approved else LineState.DENIED
    cases.advance(session, line.id, to, actor=actor, reason=review.reason, now=now)
    if not approved:
        return
    if holder is None:
        raise HolderUnknown
    decisions.grant(session, terms, line, row.id, holder, actor=actor, now=now)


def _attend(
    session: Session, terms: Terms, line: ReturnLine, review: ReviewIn, actor: str, now: datetime
) -> None:
    if line.state is not LineState.NEEDS_ATTENTION:
        raise MoveNotAllowed(state=line.state.value, to=review.decision)
    _EXITS[review.decision](session, terms, line, actor, review.reason, now)


def _choose_remedy(session: Session, case: ReturnCase, line: ReturnLine, remedy: Remedy) -> None:
    """Set a remedy that this purchase's payment can be given back in, or refuse."""
    payment = session.exec(select(Payment).where(Payment.order_id == case.order_id)).one()
    fits = {
        Remedy.CRYPTO_REFUND: payment.tender is Tender.WALLET,
        Remedy.FIAT_REFUND: payment.tender is Tender.CARD,
        Remedy.STORE_CREDIT: True,
    }
    if not fits.get(remedy, False):
        raise RemedyNotPayable(
            tender=payment.tender.value, currency=payment.currency, remedy=remedy.value
        )
    line.remedy = remedy
    if line.disposition is not Disposition.BURN or remedy is Remedy.CRYPTO_REFUND:
        line.disposition = Disposition.VAULT


def _decision_row(
    session: Session, line: ReturnLine, review: ReviewIn, actor: str, now: datetime
) -> DecisionRow:
    """A person's decision keeps the facts and policy of the automatic one that it follows."""
    before = reads.newest_decision(session, line.id)
    if before is None:
        raise MoveNotAllowed(state=line.state.value, to=review.decision)
    verdict = Verdict.APPROVE if review.decision == "approve" else Verdict.DENY
    body = {
        "explanation": review.reason,
        "reasons": ["decided_by_person"],
        "follows": str(before.id),
    }
    row = DecisionRow(
        id=new_id(),
        merchant_id=line.merchant_id,
        line_id=line.id,
        policy_id=before.policy_id,
        verdict=verdict.value,
        decided_by=actor,
        facts=before.facts,
        body=json.dumps(body),
        decided_at=now,
    )
    session.add(row)
    session.flush()
    return row
