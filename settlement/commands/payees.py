"""Customers' bank accounts: told by the shop's back end, shown masked, replaced and never lost."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from returns import locks
from returns.errors import NotFound
from returns.tables import AuditRow, PayeeAccount
from settlement.banking.accounts import Account, masked, read_account
from settlement.commands.access import Caller
from settlement.commands.payee_inputs import PayeeIn
from settlement.runtime import Runtime


def put_payee(runtime: Runtime, caller: Caller, customer: str, given: PayeeIn) -> dict[str, Any]:
    """Store the account that the customer is paid to from now on; the same one changes nothing.

    Transfers that are stored already keep the account that they were stored with. Raises
    `FieldInvalid`.
    """
    account, now = read_account(given.holder, given.iban, given.bic), runtime.clock()
    with runtime.database.write() as session:
        locks.lock_customer(session, caller.merchant_id, customer)
        known = current(session, caller.merchant_id, customer)
        if known is not None and _account(known) == account:
            return _view(known)
        if known is not None:
            known.replaced_at = now
            session.flush()
        row = _row(caller, customer, account, now)
        session.add(row)
        session.flush()
        session.add(_audit(row, known))
        return _view(row)


def payee(runtime: Runtime, caller: Caller, customer: str) -> dict[str, Any]:
    """The account that a customer is paid to, masked; raises `NotFound`."""
    with runtime.database.read() as session:
        row = current(session, caller.merchant_id, customer)
    if row is None:
        raise NotFound(what="payee")
    return _view(row)


def current(session: Session, merchant_id: UUID, customer: str) -> PayeeAccount | None:
    """The account that counts; `created_at` says since when."""
    query = select(PayeeAccount).where(
        PayeeAccount.merchant_id == merchant_id,
        PayeeAccount.customer == customer,
        col(PayeeAccount.replaced_at).is_(None),
    )
    return session.exec(query).one_or_none()


def _row(caller: Caller, customer: str, account: Account, now: datetime) -> PayeeAccount:
    return PayeeAccount(
        merchant_id=caller.merchant_id,
        customer=customer,
        holder=account.holder,
        iban=account.iban,
        bic=account.bic,
        created_by=caller.name,
        created_at=now,
    )


def _account(row: PayeeAccount) -> Account:
    return Account(row.holder, row.iban, row.bic)


def _audit(row: PayeeAccount, known: PayeeAccount | None) -> AuditRow:
    return AuditRow(
        merchant_id=row.merchant_id,
        subject_id=row.id,
        actor=row.created_by,
        action="payee.set",
        before="" if known is None else masked(known.iban),
        after=masked(row.iban),
        reason=row.customer,
        at=row.created_at,
    )


def _view(row: PayeeAccount) -> dict[str, Any]:
    return {
        "customer": row.customer,
        "holder": row.holder,
        "iban": masked(row.iban),
        "bic": row.bic,
        "since": row.created_at.isoformat(timespec="seconds"),
    }
