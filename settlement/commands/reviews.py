"""A person decides about a line: approves, denies, asks for more; above a limit two persons do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from custody.eligibility import holders_of
from returns import cases, lifecycle, locks, reads
from returns.errors import (
    AppealOwnDecision,
    ApprovalAboveLimit,
    FieldInvalid,
    HolderUnknown,
    MoveNotAllowed,
    NotFound,
    RemedyNotPayable,
    ReviewOwnProposal,
)
from returns.evidence_reads import evidence_of
from returns.ids import new_id
from returns.money import Money
from returns.review_views import proposal_view
from returns.tables import (
    AuditRow,
    DecisionRow,
    OrderLine,
    Proposal,
    ReturnCase,
    ReturnLine,
)
from returns.words import (
    ALLOWED_PAIRS,
    ORIGINAL,
    Disposition,
    EvidenceKind,
    LineState,
    ProposalState,
    Remedy,
    Verdict,
)
from settlement import legs, tenders
from settlement.approvals import limit_for
from settlement.commands import decisions, evidence, policies
from settlement.commands.access import Caller
from settlement.commands.appeals import appeal_of
from settlement.commands.review_inputs import ConfirmationIn, ReviewIn
from settlement.people import is_same_person
from settlement.person_decisions import Said, store
from settlement.plans import Terms
from settlement.runtime import Runtime

#: What a person may do with a line that needs attention.
_EXITS = {"retry": legs.resume, "release": legs.give_back}


@dataclass(frozen=True, slots=True)
class _Sitting:
    """A locked line, and who decides about it when."""

    session: Session
    terms: Terms
    chain_id: int
    case: ReturnCase
    line: ReturnLine
    actor: str
    now: datetime


def decide_review(runtime: Runtime, caller: Caller, rma: str, review: ReviewIn) -> dict[str, Any]:
    """A person decides about a line, with a reason; the holder is read again (R28).

    An approval above the limit of one person is kept as a proposal, which the answer shows.
    Raises `MoveNotAllowed`, `RemedyNotPayable`, `RefundAboveRemainder`, `ReviewOwnProposal`,
    `AppealOwnDecision`, `ApprovalAboveLimit`, `HolderUnknown`, `TokenNotReturnable`; nothing is
    changed then.
    """
    line, holder = _look_up(runtime, caller, rma, review.line, review.decision == "approve")
    with runtime.database.write() as session:
        sitting = _sit(runtime, session, caller, line)
        if review.decision == "ask":
            _ask(sitting, review)
        elif review.decision in _EXITS:
            _attend(sitting, review)
        elif review.decision == "deny":
            _deny(sitting, review)
        else:
            _approve_or_propose(sitting, review, holder)
        return _view(sitting)


def confirm(runtime: Runtime, caller: Caller, rma: str, given: ConfirmationIn) -> dict[str, Any]:
    """A second person confirms or rejects a proposal; confirmed, it is the approval.

    Raises `NotFound` where nothing is proposed, `ReviewOwnProposal`, and what an approval raises.
    """
    line, holder = _look_up(runtime, caller, rma, given.line, given.decision == "confirm")
    with runtime.database.write() as session:
        sitting = _sit(runtime, session, caller, line)
        proposal = _open_proposal(sitting)
        if proposal is None or sitting.line.state is not LineState.IN_REVIEW:
            raise NotFound(what="proposal for this line")
        if is_same_person(proposal.by, caller.name):
            raise ReviewOwnProposal
        if given.decision == "reject":
            _close(sitting, proposal, ProposalState.REJECTED, given.reason)
        else:
            _close(sitting, proposal, ProposalState.CONFIRMED, given.reason)
            _approve(sitting, _proposed(proposal), holder)
        return _view(sitting)


def recall(runtime: Runtime, limit: int = 100) -> int:
    """Take back to review what nobody answered in time; returns how many. No timer denies."""
    now = runtime.clock()
    overdue = (
        select(ReturnLine.id)
        .where(ReturnLine.state == LineState.AWAITING_EVIDENCE, col(ReturnLine.due_at) < now)
        .limit(limit)
    )
    with runtime.database.read() as session:
        line_ids = list(session.exec(overdue))
    return sum(_recall_line(runtime, line_id, now) for line_id in line_ids)


def _recall_line(runtime: Runtime, line_id: UUID, now: datetime) -> bool:
    with runtime.database.write() as session:
        _, line = locks.lock_line(session, line_id)
        # Answered, or asked anew, since it was looked for.
        if line.state is not LineState.AWAITING_EVIDENCE or not line.due_at or line.due_at >= now:
            return False
        reason = f"no answer by {line.due_at:%Y-%m-%d %H:%M} UTC"
        cases.advance(session, line_id, LineState.IN_REVIEW, actor="undrop", reason=reason, now=now)
        return True


# -- who, and about what ---------------------------------------------------------------------------


def _look_up(
    runtime: Runtime, caller: Caller, rma: str, line_text: str, asks_chain: bool
) -> tuple[UUID, str | None]:
    """The line, and who holds its token now, where that matters."""
    with runtime.database.read() as session:
        case = reads.find_case(session, caller.merchant_id, rma)
        line = reads.find_line(session, case, line_text)
        bought = session.get_one(OrderLine, line.order_line_id)
    if is_same_person(case.opened_by, caller.name):
        raise ReviewOwnProposal
    token = (bought.collection, bought.token_id)
    holder = holders_of(runtime.client, [token])[token] if asks_chain else None
    return line.id, holder


def _sit(runtime: Runtime, session: Session, caller: Caller, line_id: UUID) -> _Sitting:
    case, line = locks.lock_line(session, line_id)
    chain_id, now = runtime.settings.chain_id, runtime.clock()
    return _Sitting(session, runtime.terms, chain_id, case, line, caller.name, now)


def _refuse_own_matter(sitting: _Sitting) -> None:
    """Nobody decides an appeal against their own decision, or one that they handed in."""
    appeal = appeal_of(sitting.session, sitting.line)
    if appeal is None:
        return
    if is_same_person(appeal.by, sitting.actor):
        raise ReviewOwnProposal
    decided_by = sitting.session.get_one(DecisionRow, appeal.decision_id).decided_by
    if is_same_person(decided_by, sitting.actor):
        raise AppealOwnDecision


def _view(sitting: _Sitting) -> dict[str, Any]:
    proposal = _open_proposal(sitting)
    view = reads.case_view(sitting.session, sitting.case)
    return {**view, "proposal": None if proposal is None else proposal_view(proposal)}


# -- approving -------------------------------------------------------------------------------------


def _approve_or_propose(sitting: _Sitting, review: ReviewIn, holder: str | None) -> None:
    line = sitting.line
    lifecycle.check_move(line.state, LineState.APPROVED)
    _refuse_own_matter(sitting)
    amount = line.amount if review.amount is None else review.amount
    if amount > line.amount:
        raise FieldInvalid(field="amount", problem=f"more than the {line.amount} asked for")
    remedy = review.remedy or line.remedy
    wanted = Said(Verdict.APPROVE, remedy, amount, review.reason, review.abuse, keep=review.keep)
    _check_payable(sitting, wanted)
    _, policy = policies.in_force(sitting.session, line.merchant_id, sitting.now)
    limit = limit_for(policy, line.currency)
    if limit is not None and amount + _bonus(line, wanted) > limit:
        _propose(sitting, wanted, limit)
        return
    _supersede(sitting)
    _approve(sitting, wanted, holder)


def _approve(sitting: _Sitting, wanted: Said, holder: str | None) -> None:
    session, line, now = sitting.session, sitting.line, sitting.now
    lifecycle.check_move(line.state, LineState.APPROVED)
    _refuse_own_matter(sitting)
    _check_payable(sitting, wanted)
    if holder is None and not wanted.keep:
        raise HolderUnknown
    row = store(session, line, wanted, sitting.actor, now)
    _set_terms(line, wanted)
    _advance(sitting, LineState.APPROVED, wanted.reason)
    decisions.grant(
        session, sitting.terms, line, row.id, holder or "", actor=sitting.actor, now=now
    )


def _bonus(line: ReturnLine, wanted: Said) -> int:
    """A bonus was worked out for the line's own remedy and amount, and for no other."""
    same = (wanted.remedy, wanted.amount) == (line.remedy, line.amount)
    return line.bonus if same else 0


def _set_terms(line: ReturnLine, wanted: Said) -> None:
    line.bonus = _bonus(line, wanted)
    line.remedy, line.amount = wanted.remedy, wanted.amount
    if wanted.keep:
        line.disposition = Disposition.KEEP
    elif line.disposition is not Disposition.BURN or wanted.remedy is Remedy.CRYPTO_REFUND:
        line.disposition = Disposition.VAULT


def _check_payable(sitting: _Sitting, wanted: Said) -> None:
    """Refuse a remedy that this purchase's payment cannot be given back in, or not so."""
    remedy = wanted.remedy
    payment = tenders.main_payment(sitting.session, sitting.case.order_id)
    kept = not wanted.keep or (remedy, Disposition.KEEP) in ALLOWED_PAIRS
    if not kept or remedy not in (ORIGINAL[payment.tender], Remedy.STORE_CREDIT):
        raise RemedyNotPayable(
            tender=payment.tender.value, currency=payment.currency, remedy=remedy.value
        )


# -- the second person -----------------------------------------------------------------------------


def _propose(sitting: _Sitting, wanted: Said, limit: int) -> None:
    """Keep an approval for a second person; the same once more is recognised."""
    line = sitting.line
    row = Proposal(
        id=new_id(),
        merchant_id=line.merchant_id,
        line_id=line.id,
        remedy=wanted.remedy,
        amount=wanted.amount,
        keep=wanted.keep,
        currency=line.currency,
        approval_limit=limit,
        reason=wanted.reason,
        abuse=wanted.abuse,
        by=sitting.actor,
        at=sitting.now,
    )
    known = _open_proposal(sitting)
    if known is None:
        sitting.session.add(row)
        _audit(sitting, "review.propose", wanted.reason)
    elif (known.by, _proposed(known)) != (row.by, _proposed(row)):
        amount, most = Money(wanted.amount, line.currency), Money(limit, line.currency)
        raise ApprovalAboveLimit(limit=most, amount=amount)


def _proposed(row: Proposal) -> Said:
    same = (row.remedy, row.amount, row.reason, row.abuse, row.by, row.keep)
    return Said(Verdict.APPROVE, *same)


def _open_proposal(sitting: _Sitting) -> Proposal | None:
    query = select(Proposal).where(
        Proposal.line_id == sitting.line.id, Proposal.state == ProposalState.OPEN
    )
    return sitting.session.exec(query).first()


def _supersede(sitting: _Sitting) -> None:
    """Whatever is decided instead closes what was proposed."""
    proposal = _open_proposal(sitting)
    if proposal is not None:
        _close(sitting, proposal, ProposalState.SUPERSEDED, "decided otherwise")


def _close(sitting: _Sitting, proposal: Proposal, state: ProposalState, reason: str) -> None:
    proposal.state = state
    proposal.closed_by, proposal.closed_at = sitting.actor, sitting.now
    _audit(sitting, f"review.{state.value}", reason)


# -- denying, asking, attending --------------------------------------------------------------------


def _deny(sitting: _Sitting, review: ReviewIn) -> None:
    line = sitting.line
    lifecycle.check_move(line.state, LineState.DENIED)
    _refuse_own_matter(sitting)
    _supersede(sitting)
    said = Said(Verdict.DENY, line.remedy, line.amount, review.reason, review.abuse)
    store(sitting.session, line, said, sitting.actor, sitting.now)
    _advance(sitting, LineState.DENIED, review.reason)


def _ask(sitting: _Sitting, review: ReviewIn) -> None:
    """Ask the customer for more; the same question once more is recognised."""
    line, question = sitting.line, review.question or ""
    known = evidence_of(sitting.session, [line.id])[line.id]
    waits = line.state is LineState.AWAITING_EVIDENCE
    if waits and evidence.is_asked_already(known, question, review.days):
        return
    to, due = LineState.AWAITING_EVIDENCE, sitting.now + timedelta(days=review.days)
    lifecycle.check_move(line.state, to)
    _supersede(sitting)
    evidence.record(
        sitting.session, sitting.chain_id, line, sitting.actor, sitting.now, question,
        kind=EvidenceKind.ASKED, due_at=due,
    )  # fmt: skip
    cases.advance(
        sitting.session, line.id, to, actor=sitting.actor, reason=question, now=sitting.now,
        details={"answer_until": due.isoformat()}, due_at=due,
    )  # fmt: skip
    _audit(sitting, "review.ask", review.reason)


def _attend(sitting: _Sitting, review: ReviewIn) -> None:
    if sitting.line.state is not LineState.NEEDS_ATTENTION:
        raise MoveNotAllowed(state=sitting.line.state.value, to=review.decision)
    _EXITS[review.decision](
        sitting.session, sitting.terms, sitting.line, sitting.actor, review.reason, sitting.now
    )


def _advance(sitting: _Sitting, to: LineState, reason: str) -> None:
    session, line_id = sitting.session, sitting.line.id
    cases.advance(session, line_id, to, actor=sitting.actor, reason=reason, now=sitting.now)


def _audit(sitting: _Sitting, action: str, reason: str) -> None:
    state = sitting.line.state.value
    sitting.session.add(
        AuditRow(
            merchant_id=sitting.line.merchant_id,
            subject_id=sitting.line.id,
            actor=sitting.actor,
            action=action,
            before=state,
            after=state,
            reason=reason,
            at=sitting.now,
        )
    )
