"""Gas as a budget: of a case, of a customer, of a merchant's day, in wei.

What bytes may cost at most counts from the moment in which they get a nonce; what they did cost
takes its place when they are confirmed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from chain.relay import queue
from chain.relay.batches import Owed, Plan
from chain.relay.parts import RelayPolicy
from returns import locks
from returns.bulk import among
from returns.tables import GasDay, RelaySlot, RelayTransaction
from returns.words import RelayState

#: What exceeds the day's gas is looked at again after this.
_NEXT_LOOK = timedelta(hours=1)


class Budgets:
    """The budgets of the merchants behind some plans, locked: one lane after the other counts."""

    def __init__(
        self, session: Session, policy: RelayPolicy, plans: Sequence[Plan], now: datetime
    ) -> None:
        self._session = session
        self._policy = policy
        self._now = now
        rows = [row for plan in plans for row in plan.rows if row.merchant_id is not None]
        limits = (policy.case_budget, policy.customer_budget, policy.day_budget)
        merchants = {row.merchant_id for row in rows} if limits != (None, None, None) else set()
        self._days: dict[UUID | None, GasDay] = {
            one: locks.lock_gas_day(session, one, now.date())
            for one in sorted(merchants, key=str)
            if one is not None
        }
        self._cases = self._spent("case_id", rows, policy.case_budget)
        self._customers = self._spent("customer", rows, policy.customer_budget)

    def admit(self, plan: Plan, total: int) -> bool:
        """Whether every intent of a plan may cost its part of so many wei: then it is spent.

        Otherwise what is over the budget of its case or customer ends, what is over the day's
        waits, and the rest of the plan is taken up again.
        """
        spent, cost = [], part_of(total, len(plan.rows))
        for row in plan.rows:
            over = self._over(row, cost)
            if over is None:
                self._spend(row, cost)
                spent.append(row)
            else:
                self._refuse(row, over)
        fits = len(spent) == len(plan.rows)
        for row in spent if not fits else ():
            self._spend(row, -cost)
        return fits

    def _over(self, row: Owed, cost: int) -> str | None:
        day = self._days.get(row.merchant_id)
        if day is None:
            return None
        of_customer = self._customers[_customer(row)]
        for name, key, limit, spent in (
            ("case", row.case_id, self._policy.case_budget, self._cases[row.case_id]),
            ("customer", row.customer, self._policy.customer_budget, of_customer),
            ("day", day, self._policy.day_budget, day.spent),
        ):
            if key is not None and limit is not None and spent + cost > limit:
                return name
        return None

    def _spend(self, row: Owed, cost: int) -> None:
        day = self._days.get(row.merchant_id)
        if day is not None:
            day.spent += cost
            self._cases[row.case_id] += cost if row.case_id else 0
            self._customers[_customer(row)] += cost if row.customer else 0

    def _refuse(self, row: Owed, over: str) -> None:
        reason = f"the gas budget of its {over} is used up"
        if over == "day":
            later = self._now + _NEXT_LOOK
            queue.put_off(
                self._session, [row.id], self._now, due_at=later, lane_id=None, error=reason
            )
            return
        found = self._session.get_one(RelayTransaction, row.id)
        queue.end(self._session, found, RelayState.FAILED, reason, self._now)

    def _spent(self, name: str, rows: Sequence[Owed], limit: int | None) -> dict[object, int]:
        """What these cases or customers have cost so far. Summed here, since SQLite cannot."""
        total: dict[object, int] = defaultdict(int)
        keys = {getattr(row, name) for row in rows} - {None} if limit is not None else set()
        if not keys:
            return total
        column = getattr(RelayTransaction, name)
        query = (
            select(RelayTransaction.merchant_id, column, RelaySlot.cost, RelaySlot.intents)
            .join(RelaySlot, col(RelaySlot.id) == RelayTransaction.slot_id)
            .where(among(self._session, col(column), keys))
            .where(among(self._session, col(RelayTransaction.merchant_id), self._days))
        )
        for merchant_id, key, cost, intents in self._session.exec(query):
            total[(merchant_id, key) if name == "customer" else key] += part_of(cost, intents)
        return total


def part_of(cost: int, intents: int) -> int:
    """What one of several intents bears of a transaction's cost, in wei, rounded up."""
    return -(-cost // max(1, intents))


def correct(session: Session, merchant_id: UUID, day: date, by: int) -> None:
    """Put what was paid in the place of what was reserved on that day (`by` may be negative)."""
    found = locks.lock_gas_day(session, merchant_id, day)
    found.spent = max(0, found.spent + by)


def give_back(session: Session, slot_ids: Sequence[UUID]) -> None:
    """Take what nonces had reserved off their days: their intents will get other nonces.

    For as long as the intents have not left them.
    """
    query = (
        select(
            RelayTransaction.merchant_id, RelaySlot.created_at, RelaySlot.cost, RelaySlot.intents
        )
        .join(RelaySlot, col(RelaySlot.id) == RelayTransaction.slot_id)
        .where(among(session, col(RelaySlot.id), slot_ids))
        .where(RelayTransaction.state == RelayState.SENT)
    )
    days: dict[tuple[UUID, date], int] = defaultdict(int)
    for merchant_id, since, cost, intents in session.exec(query):
        if merchant_id is not None:
            days[merchant_id, since.date()] += part_of(cost, intents)
    for (merchant_id, day), wei in sorted(days.items(), key=str):
        correct(session, merchant_id, day, -wei)


def _customer(row: Owed) -> tuple[UUID | None, str | None]:
    return row.merchant_id, row.customer
