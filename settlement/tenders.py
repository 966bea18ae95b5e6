"""What paid a purchase, what is left of it, and how a refund is split among several tenders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, select

from returns import locks
from returns.errors import RefundAboveRemainder
from returns.money import allocate
from returns.tables import Dispute, Leg, Payment, ReturnCase, ReturnLine
from returns.words import PAYOUTS, DisputeStatus, LegState, Split, Tender

#: Money before credit: the first of these says how the purchase was paid, where it was by several.
_MONEY_FIRST = (Tender.CARD, Tender.BANK, Tender.WALLET, Tender.GIFT_CARD, Tender.STORE_CREDIT)

#: Legs that took nothing from their payment, or gave it back.
_WITHOUT_EFFECT = (LegState.FAILED, LegState.COMPENSATED)


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a refund: `amount` minor units go back the way that `payment` came."""

    payment: Payment
    amount: int


def payments_of(session: Session, order_id: UUID) -> list[Payment]:
    """Everything that was paid for an order, money before credit."""
    found = session.exec(select(Payment).where(Payment.order_id == order_id))
    return sorted(found, key=lambda one: (_MONEY_FIRST.index(one.tender), one.id))


def main_payment(session: Session, order_id: UUID) -> Payment:
    """The payment that says how an order was paid."""
    return payments_of(session, order_id)[0]


def lock_left(session: Session, order_id: UUID, besides_leg: UUID | None = None) -> dict[UUID, int]:
    """Lock an order's payments; minor units left of each, but for what `besides_leg` takes.

    Payouts under way count, and so do lost chargebacks; while one is open, its payouts wait.
    """
    payments = {one.id: one for one in locks.lock_payments(session, order_id)}
    left = {key: payment.captured for key, payment in payments.items()}
    for payment_id, amount in _taken(session, list(payments), besides_leg).items():
        left[payment_id] -= amount
    return left


def given_as_credit(session: Session, order_id: UUID, besides_leg: UUID | None = None) -> int:
    """Minor units of an order given back otherwise than by its payments, under way included."""
    query = (
        select(Leg.amount)
        .join(ReturnLine, col(ReturnLine.id) == Leg.line_id)
        .join(ReturnCase, col(ReturnCase.id) == ReturnLine.case_id)
        .where(ReturnCase.order_id == order_id, col(Leg.payment_id).is_(None))
        .where(col(Leg.kind).in_(PAYOUTS), col(Leg.state).not_in(_WITHOUT_EFFECT))
        .where(Leg.id != besides_leg)
    )
    return sum(session.exec(query))


def _taken(session: Session, payment_ids: list[UUID], besides_leg: UUID | None) -> dict[UUID, int]:
    taken: dict[UUID, int] = defaultdict(int)
    paid = select(Leg.payment_id, Leg.amount).where(
        col(Leg.payment_id).in_(payment_ids),
        col(Leg.state).not_in(_WITHOUT_EFFECT),
        Leg.id != besides_leg,
    )
    disputed = select(Dispute.payment_id, Dispute.amount).where(
        col(Dispute.payment_id).in_(payment_ids), Dispute.status == DisputeStatus.LOST
    )
    for query in (paid, disputed):
        for payment_id, amount in session.exec(query):
            taken[payment_id] += amount  # type: ignore[index]
    return taken


def split(
    amount: int, payments: Sequence[Payment], left: dict[UUID, int], how: Split
) -> list[Share]:
    """Split a refund among what is left of each payment; the shares sum to `amount` exactly.

    Proportional shares are rounded by largest remainder. Raises `RefundAboveRemainder`.
    """
    remaining = [max(0, left[one.id]) for one in payments]
    if amount > sum(remaining):
        raise RefundAboveRemainder(requested=amount, remaining=sum(remaining))
    if how is Split.PROPORTIONAL:
        parts = allocate(amount, remaining) if amount else []
    else:
        parts = _in_turn(amount, remaining, backwards=how is Split.CREDIT_FIRST)
    return [Share(one, part) for one, part in zip(payments, parts, strict=False) if part]


def _in_turn(amount: int, remaining: list[int], *, backwards: bool) -> list[int]:
    """As much as possible of the first, then of the next."""
    parts = [0] * len(remaining)
    order = range(len(remaining))
    for place in reversed(order) if backwards else order:
        parts[place] = min(amount, remaining[place])
        amount -= parts[place]
    return parts
