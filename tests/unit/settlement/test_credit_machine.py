"""Store credit against a plain model: whatever is done in whatever order, the two agree."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import desk as desks
import pytest
import stores
from credit_desk import CreditDesk
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from returns import ledger
from returns.errors import Conflict
from returns.tables import CreditLot

CUSTOMERS = st.sampled_from(["ann", "ann", "bob"])
AMOUNTS = st.integers(1, 50)
HOURS = st.one_of(st.none(), st.integers(1, 5))
MINUTES = st.sampled_from([1, 20, 60, 150])


@dataclass
class Lot:
    """What the model knows of a lot."""

    row: Any
    customer: str
    left: int
    over: datetime | None
    from_line: bool
    ended: str = ""
    spent: int = 0
    lapsed: int = 0

    def is_open(self, now: datetime) -> bool:
        return not self.ended and (self.over is None or self.over > now)


@dataclass
class Hold:
    """What the model knows of a hold: what it took of which lot."""

    customer: str
    amount: int
    over: datetime
    parts: list[tuple[Lot, int]]
    state: str = "open"


@dataclass
class Model:
    """Unit by unit, with sums only; nothing is stored that can be asked."""

    lots: list[Lot] = field(default_factory=list)
    holds: dict[str, Hold] = field(default_factory=dict)
    spent: int = 0
    receivable: int = 0

    def held(self, lot: Lot) -> int:
        live = [hold for hold in self.holds.values() if hold.state == "open"]
        return sum(part for hold in live for one, part in hold.parts if one is lot)

    def sweep(self, now: datetime, customer: str | None = None) -> None:
        for hold in self.holds.values():
            if customer in (None, hold.customer) and hold.state == "open" and hold.over <= now:
                self.close(hold, 0, "expired")
        for lot in self.lots:
            if customer in (None, lot.customer) and not lot.ended and not lot.is_open(now):
                self.end(lot, "expired")

    def end(self, lot: Lot, how: str) -> None:
        lot.ended = how
        self.lapse(lot, lot.left - self.held(lot))

    def lapse(self, lot: Lot, amount: int) -> None:
        lot.left -= amount
        if lot.ended == "expired":
            lot.lapsed += amount
        if lot.ended == "undone":
            self.receivable -= amount

    def close(self, hold: Hold, spent: int, state: str) -> None:
        hold.state = state
        for lot, part in hold.parts:
            taken = min(part, spent)
            spent -= taken
            self.spent += taken
            lot.left -= taken
            lot.spent += taken
            if lot.ended:
                self.lapse(lot, part - taken)

    def usable(self, customer: str, now: datetime) -> list[tuple[Lot, int]]:
        lots = [lot for lot in self.lots if lot.customer == customer and lot.is_open(now)]
        far = now + timedelta(days=1000)
        order = sorted(enumerate(lots), key=lambda pair: (pair[1].over or far, pair[0]))
        return [(lot, lot.left - self.held(lot)) for _, lot in order if lot.left > self.held(lot)]


class StoreCredit(RuleBasedStateMachine):
    """Commands of the shop and of staff, legs that are undone, a clock that goes on."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=self.template.parent))
        self.desk = desks.build(stores.sqlite_copy(self.template, self.folder), self.folder)
        self.credit, self.model, self.count = CreditDesk(self.desk), Model(), 0

    def teardown(self) -> None:
        self.desk.runtime.close()
        shutil.rmtree(self.folder)

    @property
    def now(self) -> datetime:
        return self.desk.clock()

    @rule(customer=CUSTOMERS, amount=AMOUNTS, hours=HOURS)
    def give(self, customer: str, amount: int, hours: int | None) -> None:
        over = None if hours is None else self.now + timedelta(hours=hours)
        told = None if over is None else over.isoformat()
        row = self.credit.give(amount, customer, expires_at=told)["id"]
        self.model.lots.append(Lot(row, customer, amount, over, from_line=False))

    @rule(customer=CUSTOMERS, amount=AMOUNTS, bonus=st.integers(0, 5), hours=HOURS)
    def issue(self, customer: str, amount: int, bonus: int, hours: int | None) -> None:
        over = None if hours is None else self.now + timedelta(hours=hours)
        row = self.credit.issue(amount, bonus, customer, expires_at=over)
        self.model.lots.append(Lot(row, customer, amount + bonus, over, from_line=True))

    @rule(customer=CUSTOMERS, amount=st.integers(1, 20), hours=st.integers(1, 4))
    def hold(self, customer: str, amount: int, hours: int) -> None:
        self.count += 1
        reference, over = f"c-{self.count}", self.now + timedelta(hours=hours)
        self.model.sweep(self.now, customer)
        usable = self.model.usable(customer, self.now)
        if sum(free for _, free in usable) < amount:
            with pytest.raises(Conflict):
                self.credit.hold(reference, amount, customer, seconds=hours * 3600)
            # Refused, the hold has swept nothing.
            self.sweep()
            return
        self.credit.hold(reference, amount, customer, seconds=hours * 3600)
        parts, left = [], amount
        for lot, free in usable:
            parts.append((lot, min(free, left)))
            left -= min(free, left)
        self.model.holds[reference] = Hold(customer, amount, over, parts)

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data(), amount=st.one_of(st.none(), AMOUNTS))
    def capture(self, data: st.DataObject, amount: int | None) -> None:
        reference = data.draw(st.sampled_from(sorted(self.model.holds)))
        hold = self.model.holds[reference]
        wanted = hold.amount if amount is None else amount
        if hold.state != "open" or hold.over <= self.now or wanted > hold.amount:
            with pytest.raises(Conflict):
                self.credit.capture(reference, amount)
        else:
            assert self.credit.capture(reference, amount)["captured"] == str(wanted)
            self.model.close(hold, wanted, "captured")

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        reference = data.draw(st.sampled_from(sorted(self.model.holds)))
        hold = self.model.holds[reference]
        if hold.state == "captured":
            with pytest.raises(Conflict):
                self.credit.release(reference)
            return
        if hold.state == "open":
            self.model.close(hold, 0, "expired" if hold.over <= self.now else "released")
        assert self.credit.release(reference)["state"] == hold.state

    @precondition(lambda self: self.model.lots)
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        lot = data.draw(st.sampled_from(self.model.lots))
        lot_id = str(lot.row.id) if lot.from_line else lot.row
        if lot.ended or not lot.left:
            with pytest.raises(Conflict):
                self.credit.revoke(lot_id)
        else:
            self.credit.revoke(lot_id)
            self.model.end(lot, "revoked")

    @precondition(lambda self: any(lot.from_line for lot in self.model.lots))
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        lots = [lot for lot in self.model.lots if lot.from_line]
        # What a checkout holds just then is the case that is easily got wrong.
        lots = [lot for lot in lots if self.model.held(lot)] or lots
        lot = data.draw(st.sampled_from(lots))
        if lot.ended == "undone":
            return
        self.credit.undo(lot.row)
        lot.ended, lot.left, lot.lapsed = "undone", self.model.held(lot), 0
        self.model.receivable += lot.left + lot.spent

    @rule(minutes=MINUTES)
    def wait(self, minutes: int) -> None:
        self.desk.clock.move(minutes=minutes)

    @rule()
    def sweep(self) -> None:
        self.credit.expire()
        self.model.sweep(self.now)
        assert self.credit.expire() == 0

    @invariant()
    def lots_holds_and_ledger_agree(self) -> None:
        self.credit.check()

    @invariant()
    def everything_is_as_the_model_has_it(self) -> None:
        rows = {str(row.id): row for row in self.desk.rows(CreditLot)}
        for lot in self.model.lots:
            row = rows[str(lot.row.id) if lot.from_line else lot.row]
            assert (row.remaining, row.held, row.spent) == (
                lot.left, self.model.held(lot), lot.spent,
            )  # fmt: skip
        assert self.credit.balance(ledger.CREDIT_REDEEMED) == -self.model.spent
        assert self.credit.balance(ledger.CREDIT_BREAKAGE) == -sum(
            lot.lapsed for lot in self.model.lots
        )
        owed = sum(self.credit.balance(ledger.receivable_account(c)) for c in ("ann", "bob"))
        assert owed == self.model.receivable


def test_store_credit_agrees_with_a_plain_model(sqlite_template: Path) -> None:
    StoreCredit.template = sqlite_template
    StoreCredit.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
    StoreCredit.TestCase(methodName="runTest").runTest()
