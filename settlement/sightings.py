"""What the chain shows of legs: confirmed, final, undone by a reorg, taken back by the depositor.

Each may be told twice, or late, and acts once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from returns import cases, locks
from returns.ids import new_id
from returns.words import DONE, PAYOUTS, ChainLevel, LegKind, LegState, LineState
from settlement import bookings, legs, plans
from settlement.legs import ACTOR
from settlement.plans import Step, Terms

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
    attempts = legs.attempts(session, line_id, kind)
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
        legs.complete(session, terms, line, leg, state, now)
    else:
        leg.state, leg.updated_at = state, now


def undone(session: Session, line_id: UUID, kind: LegKind, seen: Sighting, now: datetime) -> None:
    """A reorg took a confirmed effect back; the relayer sends its bytes again.

    Told late, when the effect was seen in another block already, it changes nothing.
    """
    _, line = locks.lock_line(session, line_id)
    attempts = legs.attempts(session, line_id, kind)
    if not attempts or attempts[-1].state not in DONE:
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
    attempts = legs.attempts(session, line_id, kind)
    return bool(attempts) and attempts[-1].block_hash not in (None, block_hash)


def reclaimed(session: Session, line_id: UUID, now: datetime) -> None:
    """The depositor took the token back after its date.

    The remedy is no longer owed. If it was paid already, a person has to clear it.
    """
    _, line = locks.lock_line(session, line_id)
    if bookings.is_reclaimed(session, line):
        return
    bookings.book_reclaim(session, line, now)
    # By us, or by the bank through a chargeback.
    paid = any(
        leg.state in (*DONE, LegState.COMPENSATED)
        for kind in PAYOUTS
        for leg in legs.attempts(session, line_id, kind)
    )
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
        return before not in DONE
    return level is ChainLevel.FINAL
