"""Starts legs and records what became of them; the only module that chains one to the next.

An effect is an intent row first. Chain legs go to the relayer, payouts to the outbox, store credit
is the ledger itself. What happened comes back through the inbox and ends in `observed`,
`refunded`, `failed`, `undone` or `reclaimed`; each may be told twice and acts once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from chain.relay import queue
from chain.relay.queue import Intent
from custody.authorizations import message_of
from custody.calls import calldata, facts, moves
from returns import cases, lifecycle, locks, work
from returns.errors import PayoutInDoubt, TokenNotReturnable
from returns.ids import new_id
from returns.tables import (
    Authorization,
    Hold,
    Leg,
    Merchant,
    Order,
    OrderLine,
    ReturnLine,
)
from returns.words import PAYOUTS, ChainLevel, HoldState, LegKind, LegState, LineState
from settlement import bookings, plans
from settlement.guards import payout_obstacle
from settlement.plans import Step, Terms

log = logging.getLogger(__name__)

ACTOR = "undrop"

_CHAIN_LEGS = frozenset(LegKind) - {LegKind.PROCESSOR_REFUND, LegKind.CREDIT}
#: The customer has the remedy, and nobody waits for these: they go in a cheap block.
_PATIENT = (LegKind.SETTLE, LegKind.BURN)
#: Legs that the escrow takes until the authorization's deadline only.
_BEFORE_DEADLINE = (LegKind.DEPOSIT, LegKind.SWAP)
#: Lines that a failed leg does not move: a person has them already, or nothing is under way.
_HANDED_OVER = lifecycle.REOPENABLE | lifecycle.UNDECIDED | {LineState.NEEDS_ATTENTION}
_DONE = frozenset({LegState.CONFIRMED, LegState.FINAL})
_LEVEL_STATE = {ChainLevel.CONFIRMED: LegState.CONFIRMED, ChainLevel.FINAL: LegState.FINAL}


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where the chain shows an effect. `depth`: blocks on top of it, its own included."""

    tx_hash: str
    block_number: int
    block_hash: str
    depth: int

    def details(self) -> dict[str, str]:
        """For the customer's timeline."""
        place = {"block": str(self.block_number), "depth": str(self.depth)}
        return {"transaction": self.tx_hash, **place}


def begin(session: Session, terms: Terms, line: ReturnLine, actor: str, now: datetime) -> None:
    """Start the first leg of a line whose authorization has been signed."""
    first = plans.steps(line.remedy, line.disposition)[0]
    start(session, terms, line, first, actor, "the holder signed", now)


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
    earlier = _attempts(session, line.id, step.kind)
    if earlier and earlier[-1].state is not LegState.FAILED:
        # Under way already, or done while a person was looking: then the next one is due.
        if _is_done(step, earlier[-1].state):
            _go_on(session, terms, line, earlier[-1], now)
        return
    leg = Leg(
        merchant_id=line.merchant_id,
        line_id=line.id,
        kind=step.kind,
        attempt=len(earlier) + 1,
        state=LegState.PLANNED,
        amount=line.amount,
        currency=line.currency,
        recipient=_recipient(session, line, step.kind),
        created_at=now,
        updated_at=now,
    )
    session.add(leg)
    session.flush()
    _set_going(session, terms, line, leg, now)


def resume(
    session: Session, terms: Terms, line: ReturnLine, actor: str, reason: str, now: datetime
) -> None:
    """A person lets a line that needed attention go on with the first thing that is not done.

    A leg that failed is tried anew, as another attempt under another key. Raises `PayoutInDoubt`
    while it is not known what became of one.
    """
    _refuse_doubt(session, line)
    if _attempts(session, line.id, LegKind.RELEASE):
        start(session, terms, line, plans.release(), actor, reason, now)
        return
    for step in plans.steps(line.remedy, line.disposition):
        attempts = _attempts(session, line.id, step.kind)
        if not attempts or not _is_done(step, attempts[-1].state):
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
        if any(leg.state is not LegState.FAILED for leg in _attempts(session, line.id, kind)):
            raise TokenNotReturnable(problem=f"{kind.value} was done, or may have been")
    start(session, terms, line, plans.release(), actor, reason, now)


def _refuse_doubt(session: Session, line: ReturnLine) -> None:
    for leg in _attempts(session, line.id, LegKind.PROCESSOR_REFUND):
        if leg.state is LegState.UNKNOWN:
            raise PayoutInDoubt(problem=leg.error or "its answer was lost")


def _is_done(step: Step, state: LegState) -> bool:
    if step.proceeds_at is ChainLevel.CONFIRMED:
        return state in _DONE
    return state is LegState.FINAL


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
    obstacle = payout_obstacle(session, terms, line, now)
    if obstacle is not None:
        failed(session, leg.id, obstacle, now)
        return
    _complete(session, terms, line, leg, LegState.FINAL, now)


def signed_authorization(session: Session, line_id: UUID) -> Authorization:
    """The authorization that the holder signed for a line: the newest one."""
    query = (
        select(Authorization)
        .where(Authorization.line_id == line_id, col(Authorization.signature).is_not(None))
        .order_by(col(Authorization.id).desc())
    )
    return session.exec(query.limit(1)).one()


def observed(
    session: Session,
    terms: Terms,
    line_id: UUID,
    kind: LegKind,
    level: ChainLevel,
    seen: Sighting,
    now: datetime,
) -> None:
    """The chain shows a leg's effect, confirmed or final."""
    _, line = locks.lock_line(session, line_id)
    attempts = _attempts(session, line_id, kind)
    if not attempts:
        return
    leg = locks.lock_leg(session, attempts[-1].id)
    before, state = leg.state, _LEVEL_STATE[level]
    # Where it was mined again, it is there now, although its state is the same.
    leg.reference, leg.block_number = seen.tx_hash, seen.block_number
    leg.block_hash, leg.depth = seen.block_hash, seen.depth
    if before is LegState.FINAL or before is state:
        return
    if _reaches(plans.step_of(line.remedy, line.disposition, kind), before, level):
        _complete(session, terms, line, leg, state, now)
    else:
        leg.state, leg.updated_at = state, now


def refunded(session: Session, terms: Terms, leg_id: UUID, reference: str, now: datetime) -> None:
    """The processor says that a refund was paid."""
    line, leg = _lock(session, leg_id)
    if leg.state in _DONE:
        return
    leg.reference = reference
    _complete(session, terms, line, leg, LegState.FINAL, now)


def failed(session: Session, leg_id: UUID, problem: str, now: datetime) -> None:
    """A leg ended without its effect: the line waits for a person, nothing has moved."""
    line, leg = _lock(session, leg_id)
    if leg.state is LegState.FAILED:
        return
    was_paid = leg.state in _DONE
    leg.state, leg.error, leg.updated_at = LegState.FAILED, problem[:1000], now
    if was_paid:
        bookings.unbook(session, line, leg, now)
    if line.state is LineState.SETTLED:
        cases.advance(session, line.id, LineState.SETTLING, actor=ACTOR, reason=problem, now=now)
    _hand_over(session, line, leg, problem, now)


def doubted(session: Session, leg_id: UUID, problem: str, now: datetime) -> None:
    """A leg had another effect than it should: neither done nor failed, a person looks."""
    line, leg = _lock(session, leg_id)
    if leg.state in _DONE or leg.state is LegState.FAILED:
        return
    leg.state, leg.error, leg.updated_at = LegState.UNKNOWN, problem[:1000], now
    if line.state not in _HANDED_OVER:
        to = LineState.NEEDS_ATTENTION
        cases.advance(session, line.id, to, actor=ACTOR, reason=problem, now=now)


def undone(session: Session, line_id: UUID, kind: LegKind, seen: Sighting, now: datetime) -> None:
    """A reorg took a confirmed effect back; the relayer sends its bytes again.

    Told late, when the effect was seen in another block already, it changes nothing.
    """
    _, line = locks.lock_line(session, line_id)
    attempts = _attempts(session, line_id, kind)
    if not attempts or attempts[-1].state not in _DONE:
        return
    leg = locks.lock_leg(session, attempts[-1].id)
    if leg.block_hash != seen.block_hash:
        return
    leg.state, leg.updated_at = LegState.SENT, now
    leg.block_number = leg.block_hash = leg.depth = None
    bookings.unbook(session, line, leg, now)
    back = plans.step_of(line.remedy, line.disposition, kind).state
    if line.state is not back:
        reason, details = "a reorg took the transaction back; it is sent again", seen.details()
        cases.advance(session, line.id, back, actor=ACTOR, reason=reason, now=now, details=details)


def is_elsewhere(session: Session, line_id: UUID, kind: LegKind, block_hash: str) -> bool:
    """Whether a leg's effect was seen in another block than this one, and last there."""
    attempts = _attempts(session, line_id, kind)
    return bool(attempts) and attempts[-1].block_hash not in (None, block_hash)


def reclaimed(session: Session, line_id: UUID, now: datetime) -> None:
    """The depositor took the token back after its date.

    The remedy is no longer owed. If it was paid already, a person has to clear it.
    """
    _, line = locks.lock_line(session, line_id)
    if bookings.is_reclaimed(session, line):
        return
    bookings.book_reclaim(session, line, now)
    paid = any(leg.state in _DONE for kind in PAYOUTS for leg in _attempts(session, line_id, kind))
    to = LineState.NEEDS_ATTENTION if paid else LineState.RECLAIMED
    reason = "the depositor took the token back" + (", though the remedy was paid" if paid else "")
    if line.state is not to:
        cases.advance(session, line_id, to, actor="customer", reason=reason, now=now)
    if not paid:
        bookings.withdraw_grant(session, line, now)


def unreclaimed(session: Session, line_id: UUID, now: datetime) -> None:
    """A reorg took a reclaim back: the escrow holds the token again, and a person looks."""
    _, line = locks.lock_line(session, line_id)
    if not bookings.is_reclaimed(session, line):
        return
    bookings.unbook_reclaim(session, line, now)
    if line.state is LineState.RECLAIMED:
        to, reason = LineState.NEEDS_ATTENTION, "a reorg took the reclaim back"
        cases.advance(session, line_id, to, actor=ACTOR, reason=reason, now=now)
        bookings.grant(session, line, new_id(), now)


def _reaches(step: Step, before: LegState, level: ChainLevel) -> bool:
    if step.proceeds_at is ChainLevel.CONFIRMED:
        return before not in _DONE
    return level is ChainLevel.FINAL


def _complete(
    session: Session, terms: Terms, line: ReturnLine, leg: Leg, state: LegState, now: datetime
) -> None:
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
        _go_on(session, terms, line, leg, now)


def _waits(line: ReturnLine, leg: Leg) -> bool:
    """What the chain did is booked, but a person decides, or the token is on its way back."""
    if line.state in (LineState.RETURNING, LineState.RETURNED):
        return leg.kind is not LegKind.RELEASE
    return line.state is LineState.NEEDS_ATTENTION and leg.kind in _CHAIN_LEGS


def _go_on(session: Session, terms: Terms, line: ReturnLine, leg: Leg, now: datetime) -> None:
    """A leg is done: start what follows, or say that the line is at its end."""
    if leg.kind is LegKind.DEPOSIT:
        _advance(session, line, LineState.IN_CUSTODY, "the escrow holds the token", leg, now)
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
    place = (leg.block_number, leg.block_hash or "", leg.depth or 0)
    return Sighting(leg.reference, *place).details()


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


def _lock(session: Session, leg_id: UUID) -> tuple[ReturnLine, Leg]:
    found = session.get_one(Leg, leg_id)
    _, line = locks.lock_line(session, found.line_id)
    return line, locks.lock_leg(session, leg_id)


def _attempts(session: Session, line_id: UUID, kind: LegKind) -> list[Leg]:
    query = select(Leg).where(Leg.line_id == line_id, Leg.kind == kind)
    return list(session.exec(query.order_by(col(Leg.attempt))))
