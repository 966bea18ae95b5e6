"""Starts legs and chains one to the next; the only module that does.

An effect is an intent row first. Chain legs go to the relayer, payouts to the outbox, store credit
is the ledger itself. What happened comes back through the inbox, by way of `settlement.sightings`
(chain) and `settlement.refunds` (processors), and ends in `complete`, `failed` or `doubted`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from chain.relay import queue
from chain.relay.queue import Intent
from custody.authorizations import message_of
from custody.calls import calldata, facts, moves
from returns import cases, lifecycle, locks, work
from returns.errors import PayoutInDoubt, RefundAboveRemainder, TokenNotReturnable
from returns.ids import new_id
from returns.tables import (
    Authorization,
    Hold,
    Leg,
    Merchant,
    Order,
    OrderLine,
    ReturnCase,
    ReturnLine,
)
from returns.words import (
    BY_PROCESSOR,
    DONE,
    ChainLevel,
    HoldState,
    LegKind,
    LegState,
    LineState,
)
from settlement import bookings, payout_terms, plans, tenders
from settlement.guards import payout_obstacle
from settlement.plans import Step, Terms
from settlement.tenders import Share

log = logging.getLogger(__name__)

ACTOR = "undrop"

_CHAIN_LEGS = frozenset(LegKind) - {LegKind.PROCESSOR_REFUND, LegKind.CREDIT}
#: The customer has the remedy, and nobody waits for these: they go in a cheap block.
_PATIENT = (LegKind.SETTLE, LegKind.BURN)
#: Legs that the escrow takes until the authorization's deadline only.
_BEFORE_DEADLINE = (LegKind.DEPOSIT, LegKind.SWAP)
#: Lines that a failed leg does not move: a person has them already, or nothing is under way.
_HANDED_OVER = lifecycle.REOPENABLE | lifecycle.UNDECIDED | {LineState.NEEDS_ATTENTION}


def begin(
    session: Session, terms: Terms, line: ReturnLine, actor: str, reason: str, now: datetime
) -> None:
    """Start the first leg of a granted line, once the holder has signed where a token moves."""
    first = plans.steps(line.remedy, line.disposition)[0]
    start(session, terms, line, first, actor, reason, now)


def start(
    session: Session,
    terms: Terms,
    line: ReturnLine,
    step: Step,
    actor: str,
    reason: str,
    now: datetime,
    details: Mapping[str, str] | None = None,
) -> None:
    """Store the intent of a leg and what makes it happen, and move the line with it."""
    if line.state is not step.state:
        line = cases.advance(
            session, line.id, step.state, actor=actor, reason=reason, now=now, details=details
        )
    standing = _standing(session, line.id, step)
    due = _again(standing, now) if standing else _first_parts(session, line, step, now)
    session.add_all(due)
    session.flush()
    for leg in due:
        _set_going(session, terms, line, leg, now)
    if not due and _is_over(session, line.id, step):
        # All was done while a person was looking: then the next one is due.
        go_on(session, terms, line, standing[0], now)


def _first_parts(session: Session, line: ReturnLine, step: Step, now: datetime) -> list[Leg]:
    """The legs of a step that has none yet: one for each tender that pays a refund back."""
    if step.kind is not LegKind.PROCESSOR_REFUND:
        recipient = _recipient(session, line, step.kind)
        return [_new(line, step.kind, now, amount=line.amount, recipient=recipient)]
    return [
        _new(
            line,
            _kind_for(share),
            now,
            part=part,
            payment_id=share.payment.id,
            amount=share.amount,
        )
        for part, share in enumerate(_shares(session, line))
    ]


def _shares(session: Session, line: ReturnLine) -> list[Share]:
    order_id = session.get_one(ReturnCase, line.case_id).order_id
    payments = tenders.payments_of(session, order_id)
    if len(payments) == 1:
        return [Share(payments[0], line.amount)]
    left = tenders.lock_left(session, order_id)
    try:
        return tenders.split(line.amount, payments, left, payout_terms.of(session, line).split)
    except RefundAboveRemainder:
        # Refused where every payout is: under locks, right before it would start.
        return [Share(payments[0], line.amount)]


def _kind_for(share: Share) -> LegKind:
    return LegKind.PROCESSOR_REFUND if share.payment.tender in BY_PROCESSOR else LegKind.CREDIT


def _again(standing: list[Leg], now: datetime) -> list[Leg]:
    """Another attempt, under another key, at each part that failed."""
    failed = (leg for leg in standing if leg.state is LegState.FAILED)
    return [_like(leg, leg.kind, now, attempt=leg.attempt + 1) for leg in failed]


def _like(leg: Leg, kind: LegKind, now: datetime, attempt: int = 1) -> Leg:
    """A leg that owes what another one did not do."""
    same = ("part", "payment_id", "amount", "recipient")
    return _new(leg, kind, now, attempt=attempt, **{name: getattr(leg, name) for name in same})


def _new(owner: ReturnLine | Leg, kind: LegKind, now: datetime, **further: Any) -> Leg:
    return Leg(
        merchant_id=owner.merchant_id,
        line_id=owner.id if isinstance(owner, ReturnLine) else owner.line_id,
        kind=kind,
        state=LegState.PLANNED,
        currency=owner.currency,
        created_at=now,
        updated_at=now,
        **further,
    )


def credit_instead(
    session: Session, terms: Terms, line: ReturnLine, leg: Leg, reason: str, now: datetime
) -> None:
    """What a payment method that is gone cannot take becomes store credit, and the line says so."""
    cases.advance(session, line.id, LineState.SETTLING, actor=ACTOR, reason=reason, now=now)
    credit = _like(leg, LegKind.CREDIT, now)
    session.add(credit)
    session.flush()
    _credit(session, terms, line, credit, now)


def resume(
    session: Session, terms: Terms, line: ReturnLine, actor: str, reason: str, now: datetime
) -> None:
    """A person lets a line that needed attention go on with the first thing that is not done.

    A leg that failed is tried anew, as another attempt under another key. Raises `PayoutInDoubt`
    while it is not known what became of one.
    """
    _refuse_doubt(session, line)
    if attempts(session, line.id, LegKind.RELEASE):
        start(session, terms, line, plans.release(), actor, reason, now)
        return
    for step in plans.steps(line.remedy, line.disposition):
        if not _is_over(session, line.id, step):
            start(session, terms, line, step, actor, reason, now)
            return
    cases.advance(session, line.id, LineState.SETTLING, actor=actor, reason=reason, now=now)
    cases.advance(session, line.id, LineState.SETTLED, actor=actor, reason=reason, now=now)


def give_back(
    session: Session, terms: Terms, line: ReturnLine, actor: str, reason: str, now: datetime
) -> None:
    """A person sends a held token back to its depositor instead of going on.

    Raises `TokenNotReturnable` unless the escrow holds it and nothing was paid or may have been.
    """
    hold = session.get(Hold, line.id)
    if hold is None or hold.state not in (HoldState.HELD, HoldState.COMMITTED):
        raise TokenNotReturnable(problem="the escrow does not hold it")
    for kind in (LegKind.PROCESSOR_REFUND, LegKind.CREDIT, LegKind.SETTLE, LegKind.BURN):
        if any(leg.state is not LegState.FAILED for leg in attempts(session, line.id, kind)):
            raise TokenNotReturnable(problem=f"{kind.value} was done, or may have been")
    start(session, terms, line, plans.release(), actor, reason, now)


def _refuse_doubt(session: Session, line: ReturnLine) -> None:
    for leg in attempts(session, line.id, LegKind.PROCESSOR_REFUND):
        if leg.state is LegState.UNKNOWN:
            raise PayoutInDoubt(problem=leg.error or "its answer was lost")


def _is_over(session: Session, line_id: UUID, step: Step) -> bool:
    """Whether a step, with all its parts, is as certain as what follows needs it."""
    standing = _standing(session, line_id, step)
    return bool(standing) and all(_is_done(step, leg.state) for leg in standing)


def _is_done(step: Step, state: LegState) -> bool:
    if step.proceeds_at is ChainLevel.CONFIRMED:
        return state in DONE
    return state in (LegState.FINAL, LegState.COMPENSATED)


def _recipient(session: Session, line: ReturnLine, kind: LegKind) -> str | None:
    """Whom a payout on chain must reach: the recipient that the holder signed for."""
    if kind is not LegKind.SWAP:
        return None
    return message_of(signed_authorization(session, line.id)).recipient


def _set_going(session: Session, terms: Terms, line: ReturnLine, leg: Leg, now: datetime) -> None:
    if leg.kind in _CHAIN_LEGS:
        queue.enqueue(session, _intent(session, terms, line, leg, now), now)
    elif leg.kind is LegKind.PROCESSOR_REFUND:
        work.put(session, leg.merchant_id, "leg.pay", leg.id, now)
    else:
        _credit(session, terms, line, leg, now)


def _intent(session: Session, terms: Terms, line: ReturnLine, leg: Leg, now: datetime) -> Intent:
    """The call that a leg owes to the chain, and what the relayer holds it to."""
    signed = signed_authorization(session, line.id)
    bought = session.get_one(OrderLine, line.order_line_id)
    vault = session.get_one(Merchant, line.merchant_id).vault or ""
    known = facts(line, bought, signed.holder, vault, terms.deployment)
    return Intent(
        id=leg.id,
        merchant_id=leg.merchant_id,
        chain_id=terms.deployment.chain_id,
        to=terms.deployment.escrow,
        data=calldata(leg.kind, signed),
        facts=known,
        moves=moves(leg.kind, known, line.remedy, terms.deployment.escrow),
        case_id=line.case_id,
        customer=session.get_one(Order, bought.order_id).customer,
        batch_limit=terms.batch_limit,
        due_at=now + terms.batch_window,
        send_by=now + terms.patience if leg.kind in _PATIENT else None,
        expires_at=signed.deadline if leg.kind in _BEFORE_DEADLINE else None,
    )


def _credit(session: Session, terms: Terms, line: ReturnLine, leg: Leg, now: datetime) -> None:
    """Store credit has no effect outside: it is booked at once, if nothing stands against it."""
    obstacle = payout_obstacle(session, terms, line, leg, now)
    if obstacle is not None:
        failed(session, leg.id, obstacle.problem, now)
        return
    complete(session, terms, line, leg, LegState.FINAL, now)


def signed_authorization(session: Session, line_id: UUID) -> Authorization:
    """The authorization that the holder signed for a line: the newest one."""
    query = (
        select(Authorization)
        .where(Authorization.line_id == line_id, col(Authorization.signature).is_not(None))
        .order_by(col(Authorization.id).desc())
    )
    return session.exec(query.limit(1)).one()


def failed(session: Session, leg_id: UUID, problem: str, now: datetime) -> bool:
    """A leg ended without its effect: the line waits for a person, nothing has moved.

    False where the line loses nothing by it: known before, or another attempt is in its place.
    """
    line, leg = lock(session, leg_id)
    if leg.state is LegState.FAILED:
        return False
    was_paid = leg.state in DONE
    leg.state, leg.error, leg.updated_at = LegState.FAILED, problem[:1000], now
    if was_paid:
        bookings.unbook(session, line, leg, now)
    if leg not in _standing(
        session, line.id, plans.step_of(line.remedy, line.disposition, leg.kind)
    ):
        return False
    if line.state is LineState.SETTLED:
        cases.advance(session, line.id, LineState.SETTLING, actor=ACTOR, reason=problem, now=now)
    _hand_over(session, line, leg, problem, now)
    return True


def doubted(session: Session, leg_id: UUID, problem: str, now: datetime) -> None:
    """A leg had another effect than it should: neither done nor failed, a person looks."""
    line, leg = lock(session, leg_id)
    if leg.state in DONE or leg.state is LegState.FAILED:
        return
    leg.state, leg.error, leg.updated_at = LegState.UNKNOWN, problem[:1000], now
    if line.state not in _HANDED_OVER:
        to = LineState.NEEDS_ATTENTION
        cases.advance(session, line.id, to, actor=ACTOR, reason=problem, now=now)


def complete(
    session: Session, terms: Terms, line: ReturnLine, leg: Leg, state: LegState, now: datetime
) -> None:
    """A leg has had its effect: book it, and go on unless a person has the line."""
    leg.state, leg.updated_at = state, now
    session.flush()
    bookings.book(session, line, leg, now)
    if line.state is LineState.RECLAIMED:
        reason = f"{leg.kind.value} was done although the token had been taken back"
        _advance(session, line, LineState.NEEDS_ATTENTION, reason, leg, now)
        bookings.grant(session, line, new_id(), now)
    elif _waits(line, leg):
        log.warning("leg.done_while_waiting leg=%s kind=%s line=%s", leg.id, leg.kind, line.id)
    else:
        go_on(session, terms, line, leg, now)


def _waits(line: ReturnLine, leg: Leg) -> bool:
    """What the chain did is booked, but a person decides, or the token is on its way back."""
    if line.state in (LineState.RETURNING, LineState.RETURNED):
        return leg.kind is not LegKind.RELEASE
    return line.state is LineState.NEEDS_ATTENTION and leg.kind in _CHAIN_LEGS


def go_on(session: Session, terms: Terms, line: ReturnLine, leg: Leg, now: datetime) -> None:
    """A leg is done: start what follows, or say that the line is at its end."""
    if leg.kind is LegKind.DEPOSIT:
        _advance(session, line, LineState.IN_CUSTODY, "the escrow holds the token", leg, now)
    step = plans.step_of(line.remedy, line.disposition, leg.kind)
    if len(step.kinds) > 1 and not _is_over(session, line.id, step):
        return
    following = plans.step_after(line.remedy, line.disposition, leg.kind)
    if following is not None:
        reason = f"{leg.kind.value} is done"
        start(session, terms, line, following, ACTOR, reason, now, _details(leg))
    elif leg.kind is LegKind.RELEASE:
        _advance(session, line, LineState.RETURNED, "the token is back with its holder", leg, now)
        bookings.withdraw_grant(session, line, now)
    else:
        _advance(session, line, LineState.SETTLED, "everything is done", leg, now)


def _advance(
    session: Session, line: ReturnLine, to: LineState, reason: str, leg: Leg, now: datetime
) -> None:
    details = _details(leg)
    cases.advance(session, line.id, to, actor=ACTOR, reason=reason, now=now, details=details)


def _details(leg: Leg) -> dict[str, str]:
    """What the timeline says of where a leg's effect is."""
    if leg.reference is None or leg.block_number is None:
        return {"transaction": leg.reference} if leg.reference else {}
    place = {"block": str(leg.block_number), "depth": str(leg.depth or 0)}
    return {"transaction": leg.reference, **place}


def _hand_over(session: Session, line: ReturnLine, leg: Leg, problem: str, now: datetime) -> None:
    """A token that has not moved goes back to review; anything later needs a closer look."""
    untouched = leg.kind in (LegKind.DEPOSIT, LegKind.SWAP)
    to = LineState.IN_REVIEW if untouched else LineState.NEEDS_ATTENTION
    if line.state in _HANDED_OVER:
        return
    reason = f"{leg.kind.value} failed: {problem}. Nothing was moved by it"
    cases.advance(session, line.id, to, actor=ACTOR, reason=reason, now=now)
    if untouched:
        bookings.withdraw_grant(session, line, now)


def lock(session: Session, leg_id: UUID) -> tuple[ReturnLine, Leg]:
    found = session.get_one(Leg, leg_id)
    _, line = locks.lock_line(session, found.line_id)
    return line, locks.lock_leg(session, leg_id)


def attempts(session: Session, line_id: UUID, kind: LegKind) -> list[Leg]:
    """The legs of a kind, in the order in which they were tried."""
    query = select(Leg).where(Leg.line_id == line_id, Leg.kind == kind)
    return list(session.exec(query.order_by(col(Leg.part), col(Leg.attempt))))


def _standing(session: Session, line_id: UUID, step: Step) -> list[Leg]:
    """The attempt that counts at each part of a step: the one that is done, or the newest."""
    query = select(Leg).where(Leg.line_id == line_id, col(Leg.kind).in_(step.kinds))
    tried = sorted(session.exec(query), key=lambda leg: (_is_done(step, leg.state), leg.id))
    return list({leg.part: leg for leg in tried}.values())
