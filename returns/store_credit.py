"""Lots of store credit: issued, expired, taken back. What is owed on lots is what the ledger owes.

Who books what, on account `store_credit:CUSTOMER`:

    a line's credit        its leg: `refunds_payable` to the account; `issue` books nothing
    goodwill               `goodwill`: `credit_goodwill` to the account
    a capture              `returns.credit_holds`: the account to `credit_redeemed`
    an expired lot         `expire`: the account to `credit_breakage`
    a lot taken back       `revoke`: the account to where it came from (`sales_returns`, and the
                           bonus first to `credit_bonuses`; `credit_goodwill`)
    a leg that was undone  whoever undoes it reverses the leg's entry, in full; `undo_issue` books
                           the rest: what was spent or is held, to `receivable:CUSTOMER`

A lot that expires or is taken back keeps what a checkout holds of it: captured, that is spent;
released, it lapses like the rest.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Session, select

from returns import ledger, locks
from returns.errors import AmountInvalid, CreditLotClosed
from returns.ids import new_id
from returns.ledger import Move, Subject
from returns.money import MAX_AMOUNT
from returns.tables import AuditRow, CreditLot
from returns.words import CreditState

ACTOR = "undrop"
_LAPSED = ("credit.expired", "credit.revoked")


def issue(
    session: Session,
    merchant_id: UUID,
    customer: str,
    currency: str,
    amount: int,
    bonus: int,
    expires_at: datetime | None,
    line_id: UUID | None,
    cause: UUID,
    now: datetime,
    *,
    actor: str = ACTOR,
    reason: str = "",
) -> CreditLot:
    """A lot of `amount` and `bonus` in minor units, in the transaction that books its leg.

    Books nothing itself: the leg that is its `cause` does. A cause issues once. Takes no lock.
    """
    whole = amount + bonus
    if whole > MAX_AMOUNT:
        raise AmountInvalid(amount=whole)
    lot = CreditLot(
        merchant_id=merchant_id,
        customer=customer,
        currency=currency,
        amount=whole,
        bonus=bonus,
        remaining=whole,
        held=0,
        state=CreditState.OPEN if whole else CreditState.SPENT,
        line_id=line_id,
        cause=cause,
        reason=reason,
        issued_by=actor,
        expires_at=expires_at,
        created_at=now,
        updated_at=now,
    )
    session.add(lot)
    _note(session, lot, actor, "credit.issued", "", reason, now)
    session.flush()
    return lot


def goodwill(
    session: Session,
    merchant_id: UUID,
    customer: str,
    currency: str,
    amount: int,
    expires_at: datetime | None,
    reason: str,
    actor: str,
    now: datetime,
) -> CreditLot:
    """Credit that nothing was returned for, given by a person with a reason: issued and booked."""
    lot = issue(
        session, merchant_id, customer, currency, amount, 0, expires_at, None, new_id(), now,
        actor=actor, reason=reason,
    )  # fmt: skip
    account = ledger.credit_account(customer)
    given = [Move(account, ledger.CREDIT_GOODWILL, currency, amount)]
    ledger.post(session, Subject(merchant_id, lot.id), "credit.goodwill", lot.cause, given, now)
    return lot


def revoke(session: Session, lot: CreditLot, reason: str, actor: str, now: datetime) -> None:
    """A person takes back what is not spent. Raises `CreditLotClosed`; the credit is locked."""
    if lot.state is not CreditState.OPEN:
        raise CreditLotClosed(state=lot.state.value, at=lot.updated_at.isoformat())
    _close(session, lot, CreditState.REVOKED, reason, actor, now)


def expire(session: Session, lot: CreditLot, now: datetime) -> None:
    """A lot's time is over; the credit is locked."""
    _close(session, lot, CreditState.EXPIRED, "its time is over", ACTOR, now)


def undo_issue(session: Session, cause: UUID, now: datetime) -> CreditLot | None:
    """The leg that issued a lot was undone: none of it is owed, and what was spent is owed to us.

    Told again, it changes nothing. None where the cause issued no credit. Takes the credit's lock,
    which comes after those of line and leg.
    """
    lot = session.exec(select(CreditLot).where(CreditLot.cause == cause)).first()
    if lot is None:
        return None
    lot = locked(session, lot)
    if lot.reversed_at is None:
        _undo(session, lot, now)
    return lot


def _undo(session: Session, lot: CreditLot, now: datetime) -> None:
    for entry in ledger.entries_of(session, lot.id):
        if entry.kind in _LAPSED:
            ledger.reverse(session, entry, entry.cause, now)
    before, lot.state = lot.state.value, CreditState.REVOKED
    lot.remaining, lot.reversed_at, lot.updated_at = lot.held, now, now
    if gone := lot.spent + lot.held:
        owed = ledger.receivable_account(lot.customer)
        moves = [Move(ledger.credit_account(lot.customer), owed, lot.currency, gone)]
        ledger.post(session, _about(lot), "credit.overspent", lot.cause, moves, now)
    _note(session, lot, ACTOR, "credit.revoked", before, "its leg was undone", now)


def locked(session: Session, lot: CreditLot) -> CreditLot:
    """Lock the credit of a lot's customer and read the lot as it is then."""
    locks.lock_credit(session, lot.merchant_id, lot.customer)
    session.refresh(lot)
    return lot


def lapse(session: Session, lot: CreditLot, amount: int, cause: UUID, now: datetime) -> None:
    """Book that `amount` of a closed lot is not owed any more."""
    if amount:
        moves = _lapse_moves(lot, amount)
        lot.remaining -= amount
        ledger.post(session, _about(lot), f"credit.{lot.state.value}", cause, moves, now)


def _close(
    session: Session, lot: CreditLot, state: CreditState, reason: str, actor: str, now: datetime
) -> None:
    before, lot.state, lot.updated_at = lot.state.value, state, now
    lapse(session, lot, lot.remaining - lot.held, lot.id, now)
    _note(session, lot, actor, f"credit.{state.value}", before, reason, now)


def _lapse_moves(lot: CreditLot, amount: int) -> list[Move]:
    parts = [(_came_from(lot), amount)]
    if lot.state is CreditState.EXPIRED:
        parts = [(ledger.CREDIT_BREAKAGE, amount)]
    elif lot.bonus and lot.reversed_at is None:
        # Of what is taken back the bonus is the first, however often something is.
        before = lot.amount - lot.remaining - lot.spent
        bonus = min(lot.bonus, before + amount) - min(lot.bonus, before)
        parts = [(ledger.CREDIT_BONUSES, bonus), (_came_from(lot), amount - bonus)]
    owed = ledger.credit_account(lot.customer)
    return [Move(source, owed, lot.currency, part) for source, part in parts if part]


def _came_from(lot: CreditLot) -> str:
    if lot.reversed_at is not None:
        return ledger.receivable_account(lot.customer)
    return ledger.CREDIT_GOODWILL if lot.line_id is None else ledger.SALES_RETURNS


def _about(lot: CreditLot) -> Subject:
    return Subject(lot.merchant_id, lot.id, lot.line_id)


def _note(
    session: Session,
    lot: CreditLot,
    actor: str,
    action: str,
    before: str,
    reason: str,
    now: datetime,
) -> None:
    row = AuditRow(
        merchant_id=lot.merchant_id,
        subject_id=lot.id,
        actor=actor,
        action=action,
        before=before,
        after=lot.state.value,
        reason=reason,
        at=now,
    )
    session.add(row)
