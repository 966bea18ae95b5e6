"""Gas as a budget: of a case, of a customer's day, of a merchant's day, in wei.

What bytes may cost at most counts from the moment in which they get a nonce; what they did cost
takes its place when they are confirmed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from chain.relay import queue
from chain.relay.batches import Owed, Plan
from chain.relay.parts import RelayPolicy
from returns import locks
from returns.bulk import Among, among, prepared, update_many
from returns.tables import RelaySlot, RelayTransaction
from returns.tables.relay import GAS_DAYS, INTENTS, SLOTS
from returns.words import RelayState

#: What exceeds the day's gas is looked at again after this.
_NEXT_LOOK = timedelta(hours=1)


#: A sum that is kept: of a merchant's day, and, with a name, of a customer's part of it.
Account = tuple[UUID, date, str]


@dataclass(slots=True)
class Sum:
    """An account's row: what it says, in wei, and what it is to say."""

    id: UUID
    before: int
    spent: int


class Accounts(dict[Account, Sum]):
    """Sums of gas, locked; what is added to them is stored by `store`."""

    def __init__(self, session: Session, wanted: Collection[Account]) -> None:
        found = locks.lock_gas_days(session, wanted) if wanted else {}
        super().__init__({one: Sum(row_id, wei, wei) for one, (row_id, wei) in found.items()})
        self._session = session

    def store(self) -> None:
        """Write what has changed."""
        changed = [one for one in self.values() if one.spent != one.before]
        rows = [{"id": one.id, "spent": max(0, one.spent)} for one in changed]
        update_many(self._session, GAS_DAYS, rows)


class Budgets:
    """The budgets behind some plans, locked: one lane after the other counts."""

    def __init__(
        self, session: Session, policy: RelayPolicy, plans: Sequence[Plan], now: datetime
    ) -> None:
        self._session = session
        self._policy = policy
        self._now = now
        rows = [row for plan in plans for row in plan.rows]
        keys = {row.id: accounts(policy, row.merchant_id, row.customer, now.date()) for row in rows}
        self._accounts = Accounts(session, {one for of_row in keys.values() for one in of_row})
        self._sums = {row_id: [self._accounts[one] for one in of_row]
                      for row_id, of_row in keys.items()}  # fmt: skip
        self._cases = self._spent_on(rows)

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

    def store(self) -> None:
        """Write what has been spent."""
        self._accounts.store()

    def _over(self, row: Owed, cost: int) -> str | None:
        policy = self._policy
        limits = (("day", policy.day_budget), ("customer", policy.customer_budget))
        case = policy.case_budget if row.case_id else None
        if case is not None and self._cases[row.case_id] + cost > case:
            return "case"
        # The sum of the day comes first; of both, the customer's is told.
        over = [
            name
            for one, (name, limit) in zip(self._sums[row.id], limits, strict=False)
            if limit is not None and one.spent + cost > limit
        ]
        return over[-1] if over else None

    def _spend(self, row: Owed, cost: int) -> None:
        if row.case_id and self._policy.case_budget is not None:
            self._cases[row.case_id] += cost
        for one in self._sums[row.id]:
            one.spent += cost

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

    def _spent_on(self, rows: Sequence[Owed]) -> dict[UUID | None, int]:
        """What these cases have cost so far. Summed here, since SQLite cannot."""
        total: dict[UUID | None, int] = defaultdict(int)
        cases = {row.case_id for row in rows} - {None}
        if self._policy.case_budget is None or not cases:
            return total
        found = self._session.connection().execute(_of_cases(self._session), {"cases": list(cases)})
        for case_id, cost, intents in found:
            total[case_id] += part_of(cost, intents)
        return total


@prepared
def _of_cases(among: Among) -> Any:
    intents = INTENTS.c
    query = sa.select(intents.case_id, SLOTS.c.cost, SLOTS.c.intents)
    query = query.join_from(INTENTS, SLOTS, SLOTS.c.id == intents.slot_id)
    return query.where(among(intents.case_id, "cases"))


def accounts(
    policy: RelayPolicy, merchant_id: UUID | None, customer: str | None, day: date
) -> list[Account]:
    """The sums to which an intent's gas is added: those that some budget asks for."""
    limits = (policy.case_budget, policy.customer_budget, policy.day_budget)
    if merchant_id is None or limits == (None, None, None):
        return []
    whole, part = (merchant_id, day, ""), (merchant_id, day, customer or "")
    return [whole, part] if customer and policy.customer_budget is not None else [whole]


def part_of(cost: int, intents: int) -> int:
    """What one of several intents bears of a transaction's cost, in wei, rounded up."""
    return -(-cost // max(1, intents))


def correct(session: Session, changes: Mapping[Account, int]) -> None:
    """Put what was paid in the place of what was reserved (a change may be negative)."""
    changes = {account: wei for account, wei in changes.items() if wei}
    kept = Accounts(session, changes)
    for account, wei in changes.items():
        kept[account].spent += wei
    kept.store()


def give_back(session: Session, policy: RelayPolicy, slot_ids: Sequence[UUID]) -> None:
    """Take what nonces had reserved off their days: their intents will get other nonces."""
    change_costs(session, policy, dict.fromkeys(slot_ids, 0))


def change_costs(session: Session, policy: RelayPolicy, costs: Mapping[UUID, int]) -> None:
    """Count other costs (wei) for nonces than those that are reserved for them.

    For as long as the intents have not left them.
    """
    query: Any = (
        sa.select(
            col(RelaySlot.id), col(RelaySlot.cost), col(RelaySlot.intents),
            col(RelaySlot.created_at),
            col(RelayTransaction.merchant_id), col(RelayTransaction.customer),
        )
        .join(RelaySlot, col(RelaySlot.id) == RelayTransaction.slot_id)
        .where(among(session, col(RelaySlot.id), costs))
        .where(col(RelayTransaction.state) == RelayState.SENT)
    )  # fmt: skip
    changes: dict[Account, int] = defaultdict(int)
    for slot_id, before, intents, since, merchant, customer in session.connection().execute(query):
        by = part_of(costs[slot_id], intents) - part_of(before, intents)
        for account in accounts(policy, merchant, customer, since.date()):
            changes[account] += by
    correct(session, changes)
