"""What a verdict does to a line: granted and offered for signature, denied, or left to a person."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from custody import authorizations
from returns import cases, reads
from returns.remainder import check_remainder
from returns.tables import DecisionRow, OrderLine, ReturnLine
from returns.words import LineState, Verdict
from settlement import bookings, legs, plans
from settlement.plans import Terms
from triage.decide import Decision
from triage.facts import Facts

_STATE = {
    Verdict.APPROVE: LineState.APPROVED,
    Verdict.DENY: LineState.DENIED,
    Verdict.REVIEW: LineState.IN_REVIEW,
}


def apply(
    session: Session,
    terms: Terms,
    line: ReturnLine,
    facts: Facts,
    decision: Decision,
    policy_id: UUID,
    now: datetime,
) -> None:
    """Store an automatic decision and move the line by it."""
    row = DecisionRow(
        merchant_id=line.merchant_id,
        line_id=line.id,
        policy_id=policy_id,
        verdict=decision.verdict.value,
        decided_by="undrop",
        facts=facts.to_json(),
        body=decision.to_json(),
        decided_at=now,
    )
    session.add(row)
    if decision.verdict is not Verdict.DENY:
        line.remedy, line.disposition = decision.remedy, decision.disposition
        line.amount, line.bonus = decision.amount, decision.bonus
    reason = decision.explanation
    cases.advance(
        session,
        line.id,
        _STATE[decision.verdict],
        actor="undrop",
        reason=reason,
        now=now,
        details={"codes": " ".join(reads.told(decision.reasons))},
    )
    if decision.verdict is Verdict.APPROVE:
        holder = facts.holder or ""
        grant(session, terms, line, row.id, holder, actor="undrop", now=now)


def grant(
    session: Session,
    terms: Terms,
    line: ReturnLine,
    decision_id: UUID,
    holder: str,
    *,
    actor: str,
    now: datetime,
) -> None:
    """Make an approved remedy owed and offer its message to the holder.

    Raises `RefundAboveRemainder` where less than the line's amount is left.
    """
    check_remainder(session, line)
    bookings.grant(session, line, decision_id, now)
    if not plans.moves_token(line.remedy, line.disposition):
        reason = "the customer keeps the token"
        legs.begin(session, terms, line, actor, reason, now)
        return
    bought = session.get_one(OrderLine, line.order_line_id)
    session.add(
        authorizations.offer(
            line,
            bought,
            holder,
            reads.vault_of(session, line.merchant_id),
            terms.deployment,
            now,
            sign_within=terms.sign_within,
            reclaim_after=terms.reclaim_after,
            commit_until=terms.commit_until,
        )
    )
    reason = "the holder has to sign"
    cases.advance(
        session, line.id, LineState.AWAITING_SIGNATURE, actor=actor, reason=reason, now=now
    )
