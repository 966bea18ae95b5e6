"""Store credit on a desk: given, held, captured, and held against the ledger."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from desk import Desk
from sqlmodel import Session

from returns import credit_reads, ledger, store_credit
from returns.tables import CreditHold, CreditLot, CreditUse
from returns.words import CreditHoldState
from settlement.commands import store_credit as commands
from settlement.commands.store_credit import CaptureIn, GoodwillIn, HoldIn, RevokeIn


class CreditDesk:
    """Commands with keys of their own; every answer is the stored JSON."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def give(self, amount: int, customer: str = "ann", currency: str = "USD", **more: Any) -> Any:
        given = GoodwillIn(
            customer=customer, currency=currency, amount=str(amount), reason="sorry", **more
        )
        return self._say(commands.issue, given)

    def hold(self, reference: str, amount: int, customer: str = "ann", **more: Any) -> Any:
        wanted = {"currency": "USD", **more}
        return self._say(
            commands.hold,
            HoldIn(reference=reference, customer=customer, amount=str(amount), **wanted),
        )

    def capture(self, reference: str, amount: int | None = None, **more: Any) -> Any:
        told = None if amount is None else str(amount)
        return self._say(commands.capture, reference, CaptureIn(amount=told, **more))

    def release(self, reference: str) -> Any:
        return self._say(commands.release, reference)

    def revoke(self, lot_id: str) -> Any:
        return self._say(commands.revoke, lot_id, RevokeIn(reason="by mistake"))

    def expire(self) -> int:
        return commands.expire(self.desk.runtime)

    def issue(self, amount: int, bonus: int = 0, customer: str = "ann", **more: Any) -> CreditLot:
        """As a leg does it: the leg's own booking and the lot, in one transaction."""
        rma = self.desk.ask(self.desk.buy(price=max(amount, 1), customer=customer))["rma"]
        line, cause = self.desk.line(rma), uuid4()
        with self.desk.runtime.database.write() as session:
            lot = store_credit.issue(
                session, line.merchant_id, customer, "USD", amount, bonus,
                more.get("expires_at"), line.id, cause, self.desk.clock(),
            )  # fmt: skip
            moves = [
                ledger.Move(
                    ledger.credit_account(customer), ledger.REFUNDS_PAYABLE, "USD", amount + bonus
                )
            ]
            ledger.post(session, ledger.of_line(line), "credit", cause, moves, self.desk.clock())
        return lot

    def undo(self, lot: CreditLot) -> None:
        """As whoever undoes a leg does it: its entry is reversed, and the lot with it."""
        with self.desk.runtime.database.write() as session:
            for entry in ledger.entries_of(session, lot.line_id):
                if entry.cause == lot.cause:
                    ledger.reverse(session, entry, entry.cause, self.desk.clock())
            store_credit.undo_issue(session, lot.cause, self.desk.clock())

    def standing(self, customer: str = "ann", currency: str = "USD") -> tuple[int, int, int]:
        """Owed, held, available."""
        with self.desk.runtime.database.read() as session:
            found = credit_reads.standing(
                session, self.desk.merchant.id, customer, self.desk.clock()
            )
        sums = found.get(currency, credit_reads.Standing())
        return sums.owed, sums.held, sums.available

    def owed(self, customer: str = "ann", currency: str = "USD") -> int:
        """What the ledger says is owed."""
        return -self.balance(ledger.credit_account(customer), currency)

    def balance(self, account: str, currency: str = "USD") -> int:
        with self.desk.runtime.database.read() as session:
            found = ledger.balances(session, self.desk.merchant.id, account=account)
        return found.get((account, currency), 0)

    def check(self) -> None:
        """Lots, holds and ledger agree, whatever happened."""
        with self.desk.runtime.database.read() as session:
            _check_lots(session)
            _check_holds(session)
            for customer, currency in session.connection().execute(
                sa.select(CreditLot.customer, CreditLot.currency).distinct()
            ):
                lots = [
                    lot
                    for lot in self.desk.rows(CreditLot)
                    if (lot.customer, lot.currency) == (customer, currency)
                ]
                assert sum(lot.remaining for lot in lots) == self.owed(customer, currency)

    def _say(self, command: Any, *words: Any) -> Any:
        caller = self.desk.staff
        return json.loads(command(self.desk.runtime, caller, *words, str(uuid4()), "hash").body)


def _check_lots(session: Session) -> None:
    for lot in session.exec(sa.select(CreditLot)).scalars():
        uses = session.exec(
            sa.select(CreditUse, CreditHold.state)
            .join(CreditHold, CreditHold.id == CreditUse.hold_id)
            .where(CreditUse.lot_id == lot.id)
        ).all()
        assert lot.held == sum(u.amount for u, state in uses if state is CreditHoldState.OPEN)
        assert lot.spent == sum(use.captured for use, _ in uses)
        assert lot.held <= lot.remaining <= lot.amount - lot.spent


def _check_holds(session: Session) -> None:
    for hold in session.exec(sa.select(CreditHold)).scalars():
        uses = (
            session.exec(sa.select(CreditUse).where(CreditUse.hold_id == hold.id)).scalars().all()
        )
        assert sum(use.amount for use in uses) == hold.amount
        assert sum(use.captured for use in uses) == hold.captured
        assert hold.captured == 0 or hold.state is CreditHoldState.CAPTURED
