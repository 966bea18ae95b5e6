"""One run: an installation, its customers and its storm; the way back to quiet; the audit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.chain.evidence import Unreadable
from tests.chaos.chain.plan import Plan, dealt
from tests.chaos.chain.processes import wait
from tests.chaos.ordeal import Fired, Logs, Ordeal, Order
from tests.chaos.settlement import deck, evidence
from tests.chaos.settlement.agenda import Agenda
from tests.chaos.settlement.auditor import Findings, judge
from tests.chaos.settlement.bank import Bank
from tests.chaos.settlement.deeds import Doer
from tests.chaos.settlement.house import BLOCK_TIME, FINAL, SIGN_S, House, house
from tests.chaos.settlement.people import Customers, Desk
from tests.chaos.settlement.purchases import Purchase, drawn

#: Seconds that a deed of the plan takes with its pause, about; customers come until shortly before.
_DEED_S = 2.1
_ASKED_WITHIN = 0.75
#: How many customers are at it at the same time.
_HANDS = 6


@dataclass
class Course:
    """The moving parts of one run, on the way."""

    order: Order
    house: House
    bought: list[Purchase]
    planned: Plan
    customers: Customers
    desk: Desk
    bank: Bank
    agendas: list[Agenda]
    doer: Doer
    since: int
    fired: Fired = field(default_factory=list)

    def suffer(self) -> None:
        """Everything that was planned, while customers come and go."""
        self.house.begin()
        self.customers.prepare()
        for agenda in self.agendas:
            agenda.start()
        self.customers.begin()
        self.desk.begin()
        ordeal = Ordeal(self.house.wires, self.doer, self.house.members)
        self.fired = ordeal.suffer(self.planned, self._check)
        Logs("chaos-settlement", self.order.database).keep_times(self.fired)

    def _check(self) -> None:
        for agenda in self.agendas:
            if not agenda.is_alive():
                raise SystemExit(f"{agenda.name} broke")
        if self.customers.problems:
            raise SystemExit(f"a customer was refused: {self.customers.problems[0]}")

    def come_to_an_end(self) -> Findings:
        """No more faults; wait until nothing moves and the auditor agrees, or time is up."""
        self.doer.make_up()
        end = time.monotonic() + self.order.end_s
        findings = self.audit()
        while time.monotonic() < end:
            wait(3 * BLOCK_TIME, self.house.members)
            self._check()
            findings = self._try_audit() or findings
            if self._is_quiet(findings):
                wait(FINAL * BLOCK_TIME, self.house.members)
                again = self._try_audit()
                if again is not None and self._is_quiet(again):
                    return again
        return findings

    def _is_quiet(self, findings: Findings) -> bool:
        everybody = findings.cases == len(self.bought)
        return everybody and not (findings.leftovers or self.bank.open or self._held_back())

    def _held_back(self) -> int:
        return self.house.wires.webhooks.kept

    def audit(self) -> Findings:
        """Database, processor and chain as they are now."""
        its = self.house.deployment
        tokens = [one.token_id for one in self.bought]
        vault = str(self.house.merchant.vault)
        chain = evidence.read_chain(
            self.house.node(), its.escrow, vault, its.collection, tokens, self.since
        )
        log = evidence.read_log(self.house.log_file)
        return judge(evidence.read_books(self.house.url), log, chain)

    def _try_audit(self) -> Findings | None:
        try:
            return self.audit()
        except Unreadable:
            return None

    def reconcile(self) -> list[dict[str, Any]]:
        """The breaks that the product itself finds."""
        command = [sys.executable, "-m", "api.cli", "reconcile", "--format", "json"]
        done = subprocess.run(
            command, env=self.house.env, capture_output=True, text=True, check=False, timeout=300
        )
        if not done.stdout.strip():
            raise SystemExit(f"reconciliation failed: {done.stderr[-2000:]}")
        breaks: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])["breaks"]
        return breaks


@contextmanager
def course(order: Order, cases: int) -> Iterator[Course]:
    """Everything set up; everything of it gone in the end, whatever happens."""
    with ExitStack() as stack:
        built = stack.enter_context(house(order))
        planned = dealt(order.seed, order.faults, deck.DECKS[order.sabotage])
        over_s = len(planned.steps) * _DEED_S * _ASKED_WITHIN
        bought = drawn(order.seed, cases, over_s, SIGN_S)
        since = built.node().head()
        built.mint(bought)
        crowd = [Agenda(f"customers {n}") for n in range(_HANDS)]
        at_desk, at_bank = Agenda("desk"), Agenda("bank")
        agendas = [*crowd, at_desk, at_bank]
        for agenda in agendas:
            stack.callback(agenda.stop)
        customers = Customers(built, crowd, bought)
        bank = Bank(built, at_bank, bought, order.seed)
        desk = Desk(built, at_desk, customers, order.seed, bank.disputed)
        doer = Doer(built, bank, at_bank)
        yield Course(order, built, bought, planned, customers, desk, bank, agendas, doer, since)
