"""How a customer's store credit stands: for the shop, and for the refusal that there is too little.

What is over by now counts as over, whether or not a sweep has closed it yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from returns.errors import (
    Conflict,
    CreditCurrencyDiffers,
    CreditInsufficient,
    CreditSpentAlready,
)
from returns.tables import CreditHold, CreditLot, CreditUse
from returns.words import CreditHoldState, CreditState

#: Lots and holds that a page shows, the newest first.
MAX_SHOWN = 100
#: Holds that a refusal names.
_NAMED = 5


@dataclass(slots=True)
class Standing:
    """Minor units of one currency. `owed` is what the ledger says; `held` and `available` of it."""

    owed: int = 0
    held: int = 0
    available: int = 0


def standing(
    session: Session, merchant_id: UUID, customer: str, now: datetime
) -> dict[str, Standing]:
    """What is owed, held and can be spent just now, by currency."""
    found: dict[str, Standing] = {}
    freed = _freed(session, merchant_id, customer, now)
    for lot in _lots(session, merchant_id, customer, col(CreditLot.remaining) > 0):
        sums, held = found.setdefault(lot.currency, Standing()), lot.held - freed.get(lot.id, 0)
        sums.owed += lot.remaining
        sums.held += held
        if lot.state is CreditState.OPEN and (lot.expires_at is None or lot.expires_at > now):
            sums.available += lot.remaining - held
    return found


def customer_view(
    session: Session, merchant_id: UUID, customer: str, now: datetime
) -> dict[str, Any]:
    """A customer's credit as JSON: sums by currency, the newest lots, the holds that are open."""
    lots = _lots(session, merchant_id, customer, newest=MAX_SHOWN)
    holds = _open_holds(session, merchant_id, customer, now)
    return {
        "customer": customer,
        "balances": [
            {
                "currency": currency,
                "owed": str(sums.owed),
                "held": str(sums.held),
                "available": str(sums.available),
            }
            for currency, sums in sorted(standing(session, merchant_id, customer, now).items())
        ],
        "credits": [lot_view(lot) for lot in lots],
        "holds": [hold_view(hold) for hold in holds[:MAX_SHOWN]],
    }


def lot_view(lot: CreditLot) -> dict[str, Any]:
    """A lot as JSON."""
    return {
        "id": str(lot.id),
        "customer": lot.customer,
        "currency": lot.currency,
        "amount": str(lot.amount),
        "bonus": str(lot.bonus),
        "remaining": str(lot.remaining),
        "held": str(lot.held),
        "spent": str(lot.spent),
        "state": lot.state.value,
        "line": None if lot.line_id is None else str(lot.line_id),
        "reason": lot.reason,
        "issued_by": lot.issued_by,
        "expires_at": _iso(lot.expires_at),
        "created_at": _iso(lot.created_at),
    }


def hold_view(hold: CreditHold) -> dict[str, Any]:
    """A hold as JSON."""
    return {
        "reference": hold.reference,
        "customer": hold.customer,
        "currency": hold.currency,
        "amount": str(hold.amount),
        "captured": str(hold.captured),
        "state": hold.state.value,
        "expires_at": _iso(hold.expires_at),
        "created_at": _iso(hold.created_at),
        "closed_at": _iso(hold.closed_at),
    }


def shortage(
    session: Session, merchant_id: UUID, customer: str, currency: str, requested: int, now: datetime
) -> Conflict:
    """Why so much cannot be held: another currency, held by others, spent, or never there."""
    found = standing(session, merchant_id, customer, now)
    sums = found.get(currency, Standing())
    if not sums.owed and (others := [name for name, one in found.items() if one.available]):
        return CreditCurrencyDiffers(currency=currency, there=", ".join(sorted(others)))
    last = _newest_capture(session, merchant_id, customer, currency)
    if sums.available + sums.held < requested and last is not None:
        return CreditSpentAlready(
            requested=requested,
            currency=currency,
            available=sums.available,
            spent=last.captured,
            reference=last.reference,
            at=_iso(last.closed_at),
            by=last.closed_by,
        )
    holds = [
        hold
        for hold in _open_holds(session, merchant_id, customer, now)
        if hold.currency == currency
    ]
    return CreditInsufficient(
        requested=requested,
        currency=currency,
        available=sums.available,
        held=sums.held,
        holds=_named(holds),
    )


def _named(holds: list[CreditHold]) -> str:
    if not holds:
        return "no checkout"
    names = [f"{hold.reference} ({hold.amount})" for hold in holds[:_NAMED]]
    more = len(holds) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _lots(
    session: Session,
    merchant_id: UUID,
    customer: str,
    *conditions: Any,
    newest: int | None = None,
) -> Iterable[CreditLot]:
    query = select(CreditLot).where(
        CreditLot.merchant_id == merchant_id, CreditLot.customer == customer, *conditions
    )
    return session.exec(query.order_by(col(CreditLot.id).desc()).limit(newest)).all()


def _open_holds(
    session: Session, merchant_id: UUID, customer: str, now: datetime
) -> list[CreditHold]:
    query = select(CreditHold).where(
        CreditHold.merchant_id == merchant_id,
        CreditHold.customer == customer,
        CreditHold.state == CreditHoldState.OPEN,
        CreditHold.expires_at > now,
    )
    return list(session.exec(query.order_by(col(CreditHold.id).desc())))


def _freed(session: Session, merchant_id: UUID, customer: str, now: datetime) -> dict[UUID, int]:
    """By lot, what holds set aside whose time is over."""
    query = (
        select(CreditUse.lot_id, CreditUse.amount)
        .join(CreditHold, col(CreditHold.id) == CreditUse.hold_id)
        .where(
            CreditHold.merchant_id == merchant_id,
            CreditHold.customer == customer,
            CreditHold.state == CreditHoldState.OPEN,
            CreditHold.expires_at <= now,
        )
    )
    freed: dict[UUID, int] = {}
    for lot_id, amount in session.exec(query):
        freed[lot_id] = freed.get(lot_id, 0) + amount
    return freed


def _newest_capture(
    session: Session, merchant_id: UUID, customer: str, currency: str
) -> CreditHold | None:
    query = select(CreditHold).where(
        CreditHold.merchant_id == merchant_id,
        CreditHold.customer == customer,
        CreditHold.currency == currency,
        CreditHold.state == CreditHoldState.CAPTURED,
    )
    return session.exec(query.order_by(col(CreditHold.closed_at).desc()).limit(1)).first()


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
