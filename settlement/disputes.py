"""Chargebacks: the customer has asked their bank for the money.

An open dispute holds up the payouts of its payment, so that nobody pays twice; a won one lets them
go on; a lost one has paid what was owed, as far as it reaches.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from returns import ledger, locks, work
from returns.errors import CurrencyUnknown
from returns.ids import new_id
from returns.ledger import Move, Subject
from returns.tables import Dispute, Leg, Order, Payment
from returns.words import DisputeStatus, LegState
from settlement.processors.base import ProcessorDispute

log = logging.getLogger(__name__)

_YEAR = timedelta(days=365)


def record(session: Session, processor: str, told: ProcessorDispute, now: datetime) -> None:
    """Bring our row to what the processor tells; told twice, or late, it changes nothing.

    Raises `CurrencyUnknown` for one in another currency than the payment's: nobody can say how much
    of it is left then, so the fact waits for a person.
    """
    payment = _payment(session, processor, {told.charge, told.payment})
    if payment is None:
        log.warning("processor.dispute_unknown dispute=%s", told.id)
        return
    if told.currency != payment.currency:
        raise CurrencyUnknown(currency=told.currency)
    locks.lock_payments(session, payment.order_id)
    known = _known(session, processor, told.id)
    if known is None:
        known = _opened(session, payment, told, now)
    # Closed is closed: what opened it may be told after what ended it.
    if known.status is DisputeStatus.OPEN and told.status is not DisputeStatus.OPEN:
        known.status, known.updated_at = told.status, now
        _let_go(session, known, now)
        if told.status is DisputeStatus.WON:
            _reverse(session, known, now)


def is_open(session: Session, order_id: UUID, leg: Leg) -> bool:
    """Whether what a payout gives back is disputed just now: its payment, or any of the order's."""
    query = (
        select(Dispute.payment_id)
        .join(Payment, col(Payment.id) == Dispute.payment_id)
        .where(Payment.order_id == order_id, Dispute.status == DisputeStatus.OPEN)
    )
    disputed = set(session.exec(query))
    return bool(disputed) if leg.payment_id is None else leg.payment_id in disputed


def facts_of(session: Session, order: Order, now: datetime) -> dict[str, Any]:
    """What a decision about an order may know of chargebacks; nothing where there is none."""
    query = (
        select(Dispute, Payment.order_id)
        .join(Payment, col(Payment.id) == Dispute.payment_id)
        .join(Order, col(Order.id) == Payment.order_id)
        .where(Order.merchant_id == order.merchant_id, Order.customer == order.customer)
        .where(Dispute.opened_at > now - _YEAR, Dispute.opened_at <= now)
    )
    found = session.exec(query).all()
    if not found:
        return {}
    under_way = any(of == order.id and _was_open(dispute, now) for dispute, of in found)
    return {"chargebacks_365d": len(found), "dispute_open": under_way or None}


def _was_open(dispute: Dispute, now: datetime) -> bool:
    return dispute.status is DisputeStatus.OPEN or dispute.updated_at > now


def paid_by(session: Session, leg: Leg) -> Dispute | None:
    """The lost dispute that has paid the customer what this payout owes, if one has.

    What it paid instead of other payouts is not counted again.
    """
    query = select(Dispute).where(
        Dispute.payment_id == leg.payment_id, Dispute.status == DisputeStatus.LOST
    )
    for dispute in session.exec(query.order_by(col(Dispute.id))):
        if dispute.amount - _settled_by(session, dispute) >= leg.amount:
            return dispute
    return None


def book_payment(session: Session, leg: Leg, now: datetime) -> None:
    """The chargeback has paid what a payout owed."""
    paid = Move(ledger.CHARGEBACKS, ledger.REFUNDS_PAYABLE, leg.currency, leg.amount)
    subject = Subject(leg.merchant_id, leg.line_id, leg.line_id)
    ledger.post(session, subject, "charged_back", leg.id, [paid], now)


def _payment(session: Session, processor: str, names: set[str]) -> Payment | None:
    query = select(Payment).where(
        Payment.processor == processor, col(Payment.reference).in_(names - {""})
    )
    found = session.exec(query.limit(2)).all()
    # Two merchants with one reference: nobody can say whose it is.
    return found[0] if len(found) == 1 else None


def _known(session: Session, processor: str, reference: str) -> Dispute | None:
    query = select(Dispute).where(Dispute.processor == processor, Dispute.reference == reference)
    return session.exec(query).first()


def _opened(session: Session, payment: Payment, told: ProcessorDispute, now: datetime) -> Dispute:
    row = Dispute(
        id=new_id(),
        merchant_id=payment.merchant_id,
        payment_id=payment.id,
        processor=payment.processor,
        reference=told.id,
        status=DisputeStatus.OPEN,
        amount=told.amount,
        currency=told.currency,
        opened_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    taken = Move(
        ledger.processor_account(row.processor), ledger.CHARGEBACKS, row.currency, row.amount
    )
    ledger.post(session, Subject(row.merchant_id, row.id), "dispute", row.id, [taken], now)
    return row


def _let_go(session: Session, dispute: Dispute, now: datetime) -> None:
    """Payouts that waited for the bank, perhaps for weeks, do not wait for their next turn."""
    waiting = select(Leg.id).where(
        Leg.payment_id == dispute.payment_id, Leg.state == LegState.PLANNED
    )
    work.hasten(session, session.exec(waiting).all(), now)


def _reverse(session: Session, dispute: Dispute, now: datetime) -> None:
    (entry,) = ledger.entries_of(session, dispute.id)
    ledger.reverse(session, entry, dispute.id, now)


def _settled_by(session: Session, dispute: Dispute) -> int:
    query = select(Leg.amount).where(
        Leg.payment_id == dispute.payment_id,
        Leg.state == LegState.COMPENSATED,
        Leg.reference == dispute.reference,
    )
    return sum(session.exec(query))
