"""Files of payments: what is due leaves in one file each, which can be written again."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from returns import locks
from returns.errors import BankAccountMissing, NotFound
from returns.ids import new_id
from returns.tables import AuditRow, BankAccount, BankFile, BankTransfer, Leg, PayeeAccount
from returns.words import LegState, RefundStatus
from settlement.banking import pain001
from settlement.banking.accounts import Account, masked, read_account
from settlement.banking.outcomes import reference
from settlement.runtime import Runtime

#: Transfers of one file: what is due beyond them leaves with the next one.
MAX_TRANSFERS = 1_000
#: Legs that somebody has given up: their transfers must not leave any more.
_OVER = (LegState.FAILED, LegState.COMPENSATED)


def set_account(
    runtime: Runtime, merchant_id: UUID, holder: str, iban: str, bic: str | None, actor: str
) -> str:
    """Say from which account the merchant pays; returns it masked. Raises `FieldInvalid`."""
    account, now = read_account(holder, iban, bic), runtime.clock()
    with runtime.database.write() as session:
        locks.lock_bank(session, merchant_id)
        known = session.get(BankAccount, merchant_id)
        before = "" if known is None else masked(known.iban)
        session.merge(
            BankAccount(
                merchant_id=merchant_id,
                holder=account.holder,
                iban=account.iban,
                bic=account.bic,
                updated_at=now,
            )
        )
        session.add(
            AuditRow(
                merchant_id=merchant_id,
                subject_id=merchant_id,
                actor=actor,
                action="bank.account",
                before=before,
                after=masked(account.iban),
                at=now,
            )
        )
    return masked(account.iban)


def export(runtime: Runtime, merchant_id: UUID, actor: str) -> BankFile | None:
    """Put what is due into a new file, each transfer into one file ever; None if nothing is due.

    Raises `BankAccountMissing`.
    """
    with runtime.database.write() as session:
        locks.lock_bank(session, merchant_id)
        due = _unsent(session, merchant_id)
        if not due:
            return None
        file = _file(session, merchant_id, due, actor, runtime.clock())
        session.add(file)
        session.flush()
        for transfer, _ in due:
            transfer.file_id = file.id
        session.add(
            AuditRow(
                merchant_id=merchant_id,
                subject_id=file.id,
                actor=actor,
                action="bank.export",
                after=file.sha256,
                at=file.created_at,
            )
        )
        return file


def written(runtime: Runtime, merchant_id: UUID, message_id: str) -> BankFile:
    """A file that was written before, with the same bytes; raises `NotFound`."""
    with runtime.database.read() as session:
        file = known_file(session, merchant_id, message_id)
    if file is None:
        raise NotFound(what="bank file")
    return file


def listing(runtime: Runtime, merchant_id: UUID) -> list[dict[str, Any]]:
    """The merchant's files, the newest first, without their content."""
    query = select(BankFile).where(BankFile.merchant_id == merchant_id)
    with runtime.database.read() as session:
        return [
            {
                "message": row.message_id,
                "at": row.created_at.isoformat(timespec="seconds"),
                "transfers": row.transfers,
                "total": str(row.total),
                "currency": row.currency,
                "told": _counts(session, row),
            }
            for row in session.exec(query.order_by(col(BankFile.id).desc()).limit(100))
        ]


def _unsent(session: Session, merchant_id: UUID) -> list[tuple[BankTransfer, PayeeAccount]]:
    query = (
        select(BankTransfer, PayeeAccount)
        .join(PayeeAccount, col(PayeeAccount.id) == BankTransfer.payee_id)
        .join(Leg, col(Leg.id) == BankTransfer.leg_id)
        .where(BankTransfer.merchant_id == merchant_id, col(BankTransfer.file_id).is_(None))
        .where(BankTransfer.status == RefundStatus.PENDING, col(Leg.state).not_in(_OVER))
        .order_by(col(BankTransfer.created_at), col(BankTransfer.id))
    )
    return list(session.exec(query.limit(MAX_TRANSFERS)).all())


def _file(
    session: Session,
    merchant_id: UUID,
    due: list[tuple[BankTransfer, PayeeAccount]],
    actor: str,
    now: datetime,
) -> BankFile:
    own = session.get(BankAccount, merchant_id)
    if own is None:
        raise BankAccountMissing
    file_id = new_id()
    debtor = Account(own.holder, own.iban, own.bic)
    content = pain001.write(file_id.hex, now, debtor, [_payment(*one) for one in due])
    return BankFile(
        id=file_id,
        merchant_id=merchant_id,
        message_id=file_id.hex,
        transfers=len(due),
        total=sum(transfer.amount for transfer, _ in due),
        currency=pain001.CURRENCY,
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        created_by=actor,
        created_at=now,
    )


def _payment(transfer: BankTransfer, payee: PayeeAccount) -> pain001.Transfer:
    account = Account(payee.holder, payee.iban, payee.bic)
    return pain001.Transfer(reference(transfer), account, transfer.amount, transfer.note)


def _counts(session: Session, file: BankFile) -> dict[str, int]:
    transfers = session.exec(select(BankTransfer).where(BankTransfer.file_id == file.id))
    found = Counter(transfer.status for transfer in transfers)
    return {status.value: found[status] for status in RefundStatus if found[status]}


def known_file(session: Session, merchant_id: UUID, message_id: str) -> BankFile | None:
    """A file of the merchant by its MsgId."""
    query = select(BankFile).where(
        BankFile.merchant_id == merchant_id, BankFile.message_id == message_id
    )
    return session.exec(query).one_or_none()
