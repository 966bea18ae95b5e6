"""Holds on store credit while a shop checks out: placed, captured, released, expired.

All of it under the lock of the customer's credit: what one checkout holds no other one can spend.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns import ledger, locks, store_credit
from returns.credit_reads import shortage
from returns.errors import (
    CaptureAboveHold,
    CreditCapturedAlready,
    CreditCurrencyDiffers,
    CreditHoldExpired,
    CreditReferenceUsed,
    CreditReleasedAlready,
    NotFound,
)
from returns.ledger import Move, Subject
from returns.tables import AuditRow, CreditHold, CreditLot, CreditUse
from returns.words import CreditHoldState, CreditState

_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Checkout:
    """What a shop wants to set aside, under its own reference, and for how long."""

    merchant_id: UUID
    reference: str
    customer: str
    currency: str
    amount: int
    lasts: timedelta


def place(session: Session, wanted: Checkout, actor: str, now: datetime) -> CreditHold:
    """Set credit aside, of what expires first. The same checkout again is the same hold.

    Raises `CreditReferenceUsed`, `CreditInsufficient`, `CreditSpentAlready`,
    `CreditCurrencyDiffers`.
    """
    locks.lock_credit(session, wanted.merchant_id, wanted.customer)
    known = _find(session, wanted.merchant_id, wanted.reference)
    if known is not None:
        return _same(known, wanted)
    expire_due(session, wanted.merchant_id, wanted.customer, now)
    lots = _usable(session, wanted)
    if sum(lot.remaining - lot.held for lot in lots) < wanted.amount:
        raise shortage(
            session, wanted.merchant_id, wanted.customer, wanted.currency, wanted.amount, now
        )
    hold = CreditHold(
        merchant_id=wanted.merchant_id,
        reference=wanted.reference,
        customer=wanted.customer,
        currency=wanted.currency,
        amount=wanted.amount,
        state=CreditHoldState.OPEN,
        placed_by=actor,
        expires_at=now + wanted.lasts,
        created_at=now,
    )
    session.add(hold)
    session.flush()
    _set_aside(session, hold, lots)
    _note(session, hold, actor, "", now)
    return hold


def capture(
    session: Session,
    merchant_id: UUID,
    reference: str,
    amount: int | None,
    currency: str | None,
    actor: str,
    now: datetime,
) -> CreditHold:
    """Spend what is held, or `amount` of it; the rest is free again. Happens once.

    Raises `NotFound`, `CreditCapturedAlready`, `CreditReleasedAlready`, `CreditHoldExpired`,
    `CaptureAboveHold`, `CreditCurrencyDiffers`.
    """
    hold = _locked(session, merchant_id, reference)
    _refuse_closed(hold, now)
    if currency not in (None, hold.currency):
        raise CreditCurrencyDiffers(currency=currency, there=hold.currency)
    spent = hold.amount if amount is None else amount
    if spent > hold.amount:
        raise CaptureAboveHold(
            requested=spent, amount=hold.amount, currency=hold.currency, reference=reference
        )
    _close(session, hold, spent, CreditHoldState.CAPTURED, actor, now)
    paid = Move(ledger.CREDIT_REDEEMED, ledger.credit_account(hold.customer), hold.currency, spent)
    ledger.post(session, Subject(merchant_id, hold.id), "credit.capture", hold.id, [paid], now)
    return hold


def release(
    session: Session, merchant_id: UUID, reference: str, actor: str, now: datetime
) -> CreditHold:
    """Give back what is held. A hold that is released or has expired stays as it is.

    Raises `NotFound`, `CreditCapturedAlready`.
    """
    hold = _locked(session, merchant_id, reference)
    if hold.state is CreditHoldState.CAPTURED:
        raise _captured(hold)
    if hold.state is CreditHoldState.OPEN:
        over = hold.expires_at <= now
        state = CreditHoldState.EXPIRED if over else CreditHoldState.RELEASED
        _close(session, hold, 0, state, store_credit.ACTOR if over else actor, now)
    return hold


def expire_due(session: Session, merchant_id: UUID, customer: str, now: datetime) -> int:
    """Release a customer's holds and end the lots whose time is over; returns how many.

    The credit is locked. Holds first: what they give back of a lot that is over lapses with it.
    """
    ours = (col(CreditHold.merchant_id) == merchant_id, col(CreditHold.customer) == customer)
    over = select(CreditHold).where(
        *ours, CreditHold.state == CreditHoldState.OPEN, CreditHold.expires_at <= now
    )
    holds = session.exec(over.execution_options(populate_existing=True)).all()
    for hold in holds:
        _close(session, hold, 0, CreditHoldState.EXPIRED, store_credit.ACTOR, now)
    lots = [
        lot
        for lot in _open_lots(session, merchant_id, customer)
        if lot.expires_at is not None and lot.expires_at <= now
    ]
    for lot in lots:
        store_credit.expire(session, lot, now)
    return len(holds) + len(lots)


def customers_due(session: Session, now: datetime, limit: int) -> list[tuple[UUID, str]]:
    """(merchant, customer) of holds and lots whose time is over."""
    holds = sa.select(col(CreditHold.merchant_id), col(CreditHold.customer)).where(
        sa.text("state = 'open'"), col(CreditHold.expires_at) <= now
    )
    lots = sa.select(col(CreditLot.merchant_id), col(CreditLot.customer)).where(
        sa.text("state = 'open'"), col(CreditLot.expires_at) <= now
    )
    found = session.connection().execute(sa.union(holds, lots).limit(limit))
    return [(merchant_id, customer) for merchant_id, customer in found]


def _usable(session: Session, wanted: Checkout) -> list[CreditLot]:
    lots = _open_lots(session, wanted.merchant_id, wanted.customer)
    usable = [lot for lot in lots if lot.currency == wanted.currency and lot.remaining > lot.held]
    return sorted(usable, key=_expires_first)


def _open_lots(session: Session, merchant_id: UUID, customer: str) -> list[CreditLot]:
    query = select(CreditLot).where(
        CreditLot.merchant_id == merchant_id,
        CreditLot.customer == customer,
        CreditLot.state == CreditState.OPEN,
    )
    # What another checkout committed before we had the lock must be seen.
    return list(session.exec(query.execution_options(populate_existing=True)))


def _expires_first(lot: CreditLot) -> tuple[datetime, int]:
    return lot.expires_at or _LAST, lot.id.int


def _set_aside(session: Session, hold: CreditHold, lots: list[CreditLot]) -> None:
    left = hold.amount
    for lot in lots:
        part = min(left, lot.remaining - lot.held)
        lot.held += part
        left -= part
        if part:
            session.add(
                CreditUse(hold_id=hold.id, lot_id=lot.id, merchant_id=hold.merchant_id, amount=part)
            )


def _close(
    session: Session,
    hold: CreditHold,
    captured: int,
    state: CreditHoldState,
    actor: str,
    now: datetime,
) -> None:
    """End a hold: `captured` of it is spent, of what expires first; the rest is free again."""
    hold.state, hold.captured, hold.closed_at, hold.closed_by = state, captured, now, actor
    left = captured
    for use, lot in _uses(session, hold):
        use.captured = min(left, use.amount)
        left -= use.captured
        _give_back(session, hold, use, lot, now)
    _note(session, hold, actor, CreditHoldState.OPEN.value, now)


def _give_back(
    session: Session, hold: CreditHold, use: CreditUse, lot: CreditLot, now: datetime
) -> None:
    lot.held -= use.amount
    lot.remaining -= use.captured
    lot.spent += use.captured
    lot.updated_at = now
    if lot.state is not CreditState.OPEN:
        store_credit.lapse(session, lot, use.amount - use.captured, hold.id, now)
    elif lot.remaining == 0:
        lot.state = CreditState.SPENT


def _uses(session: Session, hold: CreditHold) -> list[tuple[CreditUse, CreditLot]]:
    query = (
        select(CreditUse, CreditLot)
        .join(CreditLot, col(CreditLot.id) == CreditUse.lot_id)
        .where(CreditUse.hold_id == hold.id)
        .execution_options(populate_existing=True)
    )
    return sorted(session.exec(query), key=lambda pair: _expires_first(pair[1]))


def _find(session: Session, merchant_id: UUID, reference: str) -> CreditHold | None:
    query = select(CreditHold).where(
        CreditHold.merchant_id == merchant_id, CreditHold.reference == reference
    )
    return session.exec(query.execution_options(populate_existing=True)).first()


def _locked(session: Session, merchant_id: UUID, reference: str) -> CreditHold:
    hold = _find(session, merchant_id, reference)
    if hold is None:
        raise NotFound(what="hold on credit")
    locks.lock_credit(session, merchant_id, hold.customer)
    session.refresh(hold)
    return hold


def _same(known: CreditHold, wanted: Checkout) -> CreditHold:
    then = (known.customer, known.currency, known.amount, known.expires_at - known.created_at)
    if then != (wanted.customer, wanted.currency, wanted.amount, wanted.lasts):
        raise CreditReferenceUsed(
            reference=known.reference,
            amount=known.amount,
            currency=known.currency,
            at=known.created_at.isoformat(),
            by=known.placed_by,
        )
    return known


def _refuse_closed(hold: CreditHold, now: datetime) -> None:
    if hold.state is CreditHoldState.CAPTURED:
        raise _captured(hold)
    if hold.state is CreditHoldState.RELEASED:
        at = None if hold.closed_at is None else hold.closed_at.isoformat()
        raise CreditReleasedAlready(reference=hold.reference, at=at, by=hold.closed_by)
    if hold.state is CreditHoldState.EXPIRED or hold.expires_at <= now:
        raise CreditHoldExpired(reference=hold.reference, at=hold.expires_at.isoformat())


def _captured(hold: CreditHold) -> CreditCapturedAlready:
    return CreditCapturedAlready(
        reference=hold.reference,
        captured=hold.captured,
        amount=hold.amount,
        currency=hold.currency,
        at=None if hold.closed_at is None else hold.closed_at.isoformat(),
        by=hold.closed_by,
    )


def _note(session: Session, hold: CreditHold, actor: str, before: str, now: datetime) -> None:
    row = AuditRow(
        merchant_id=hold.merchant_id,
        subject_id=hold.id,
        actor=actor,
        action=f"credit.hold.{hold.state.value}",
        before=before,
        after=hold.state.value,
        reason=hold.reference,
        at=now,
    )
    session.add(row)
