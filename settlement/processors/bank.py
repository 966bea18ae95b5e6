"""Pays by bank transfer: a request is stored, and leaves with the next file of payments.

It has the database in place of a network: what a bank says comes in with its status files
(`settlement.commands.bank_answers`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from returns.clock import Clock
from returns.columns import insert_into
from returns.db import Database
from returns.errors import WebhookRefused
from returns.ids import new_id
from returns.tables import (
    BankMovement,
    BankTransfer,
    Leg,
    Order,
    PayeeAccount,
    ReturnCase,
    ReturnLine,
)
from returns.words import MovementKind, RefundStatus
from settlement.banking.accounts import sepa_text
from settlement.banking.pain001 import CURRENCY, MAX_AMOUNT
from settlement.processors.base import (
    Fact,
    Movement,
    ProcessorRefund,
    RefundDeclined,
    RefundRequest,
)

_MAX_NOTE = 140
_PAGE = 500


class BankProcessor:
    """Implements `settlement.processors.base.Processor`; a transfer is unique by its leg."""

    name = "bank"

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def refund(self, request: RefundRequest) -> ProcessorRefund:
        """Store the transfer, in a transaction of its own; pending until a bank answers.

        It is paid only to the account that the order's customer has now: `payee` may name its IBAN
        and no other. Raises `RefundDeclined`.
        """
        _check(request)
        with self._database.write() as session:
            if _transfer(session, request.key) is None:
                _store(session, request, self._clock())
            query = select(BankTransfer).where(BankTransfer.leg_id == request.key)
            known = session.exec(query).one()
            _insist_on_the_same(known, request)
            return refund_of(known)

    def find(self, request: RefundRequest) -> ProcessorRefund | None:
        """The transfer of a leg as the bank told of it last."""
        with self._database.read() as session:
            known = _transfer(session, request.key)
        return None if known is None else refund_of(known)

    def refunds(self) -> Iterator[ProcessorRefund]:
        """All transfers, in the order of their ids."""
        last = UUID(int=0)
        while page := self._page(last):
            yield from map(refund_of, page)
            last = page[-1].id

    def movements(self, after: str | None = None) -> Iterator[Movement]:
        """What banks said to have paid, and to have got back."""
        last = UUID(int=0) if after is None else UUID(after)
        while page := self._moved(last):
            for moved, transfer in page:
                yield _movement(moved, transfer)
            last = page[-1][0].id

    def read_webhook(self, body: bytes, headers: dict[str, str]) -> Fact | None:  # noqa: ARG002
        """A bank sends no webhooks: whoever does is not one. Raises `WebhookRefused`."""
        raise WebhookRefused

    def _page(self, last: UUID) -> list[BankTransfer]:
        query = select(BankTransfer).where(col(BankTransfer.id) > last)
        with self._database.read() as session:
            return list(session.exec(query.order_by(col(BankTransfer.id)).limit(_PAGE)))

    def _moved(self, last: UUID) -> list[tuple[BankMovement, BankTransfer]]:
        query = (
            select(BankMovement, BankTransfer)
            .join(BankTransfer, col(BankTransfer.id) == BankMovement.transfer_id)
            .where(col(BankMovement.id) > last)
            .order_by(col(BankMovement.id))
        )
        with self._database.read() as session:
            return list(session.exec(query.limit(_PAGE)).all())


def _check(request: RefundRequest) -> None:
    if request.currency != CURRENCY:
        raise RefundDeclined(problem=f"a SEPA transfer pays {CURRENCY}, not {request.currency}")
    if not 0 < request.amount <= MAX_AMOUNT:
        raise RefundDeclined(problem=f"a SEPA transfer carries at most {MAX_AMOUNT} cents")


def _store(session: Session, request: RefundRequest, now: datetime) -> None:
    """Unless another worker has stored it in the meantime."""
    order = _order(session, request.key)
    payee = _payee(session, order, request.payee)
    row = BankTransfer(
        id=new_id(),
        merchant_id=order.merchant_id,
        leg_id=request.key,
        charge=request.charge,
        amount=request.amount,
        currency=request.currency,
        payee_id=payee.id,
        note=sepa_text(request.note, _MAX_NOTE) or sepa_text(f"Refund {order.number}", _MAX_NOTE),
        status=RefundStatus.PENDING,
        created_at=now,
        updated_at=now,
    )
    insert = insert_into(session, BankTransfer).values(**dict(row)).on_conflict_do_nothing()
    session.connection().execute(insert)


def _order(session: Session, leg_id: UUID) -> Order:
    query = (
        select(Order)
        .join(ReturnCase, col(ReturnCase.order_id) == Order.id)
        .join(ReturnLine, col(ReturnLine.case_id) == ReturnCase.id)
        .join(Leg, col(Leg.line_id) == ReturnLine.id)
        .where(Leg.id == leg_id)
    )
    order = session.exec(query).one_or_none()
    if order is None:
        raise RefundDeclined(problem="it is about no return that is known here")
    return order


def _payee(session: Session, order: Order, iban: str | None) -> PayeeAccount:
    query = select(PayeeAccount).where(
        PayeeAccount.merchant_id == order.merchant_id,
        PayeeAccount.customer == order.customer,
        col(PayeeAccount.replaced_at).is_(None),
    )
    payee = session.exec(query).one_or_none()
    if payee is None:
        raise RefundDeclined(problem="no bank account of the customer is known")
    if iban not in (None, payee.iban):
        raise RefundDeclined(problem="the account named is not the one that the customer has now")
    return payee


def _insist_on_the_same(known: BankTransfer, request: RefundRequest) -> None:
    if (known.amount, known.currency) != (request.amount, request.currency):
        stored = f"{known.amount} {known.currency}"
        raise RefundDeclined(
            problem=f"{stored} were asked for under this key on {known.created_at}"
        )


def _transfer(session: Session, key: UUID) -> BankTransfer | None:
    return session.exec(select(BankTransfer).where(BankTransfer.leg_id == key)).one_or_none()


def refund_of(row: BankTransfer) -> ProcessorRefund:
    about = (str(row.id), str(row.leg_id), row.charge, row.amount, row.currency)
    return ProcessorRefund(*about, row.status, row.reason)


def _movement(moved: BankMovement, transfer: BankTransfer) -> Movement:
    kind = MovementKind.REFUND_FAILURE if moved.is_return else MovementKind.REFUND
    amount = transfer.amount if moved.is_return else -transfer.amount
    return Movement(str(moved.id), kind, str(transfer.id), amount, transfer.currency, moved.at)
