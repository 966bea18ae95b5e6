"""The laws of money as a state machine has to hold them: at any moment, and at rest.

What can happen, and what heals it (`mined_again`, `sweep`, `_end`), is in
`tests/unit/settlement/test_life_of_money.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import desk as desks
import stores
from desk import Desk
from fake_chain import VAULT
from fake_escrow import BURNED, Reverted
from fakes import webhook
from hypothesis.stateful import RuleBasedStateMachine, invariant
from money_watch import Audit, MortalProcessor

from returns import lifecycle
from returns.errors import UndropError
from returns.tables import Event, InboxItem, Leg, OutboxItem, ReturnCase, ReturnLine
from returns.words import (
    Disposition,
    DisputeStatus,
    LegKind,
    LegState,
    LineState,
    RefundStatus,
)
from settlement.commands import webhooks
from settlement.commands.inputs import OrderIn
from settlement.processors.base import Fact, ProcessorDispute

L, R = LineState, RefundStatus
#: A line may rest in these: the customer's turn, a person's turn, or the end.
QUIET = lifecycle.RESTING | lifecycle.ON_THE_DESK | {L.AWAITING_SIGNATURE, L.APPEALED}


class MoneyLaws(RuleBasedStateMachine):
    """One desk whose processor's callers can die, and what must be true of it."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        home = Path(self._folder.name)
        self.desk: Desk = desks.build(stores.sqlite_copy(self.template, home), home)
        self.processor = MortalProcessor(self.desk)
        self.desk.processor = self.processor
        self.desk.runtime.processors = {"sandbox": self.processor}
        self.orders: list[OrderIn] = []
        self.facts: list[Fact] = []
        self.disputes: dict[str, ProcessorDispute] = {}
        self.lost: list[tuple[str, bytes]] = []
        self.asleep: list[tuple[Callable[..., None], Any]] = []

    # -- what must hold at any moment ----------------------------------------------------------

    @invariant()
    def laws(self) -> None:
        audit = Audit(self.desk)
        assert self.processor.wrong == []
        assert audit.imbalance() == {}
        for payment in audit.payments.values():
            assert audit.paid_of(payment) <= payment.captured, "law 1, of a payment"
        for bought in audit.bought.values():
            lines = [line for line in audit.lines if line.order_line_id == bought.id]
            assert sum(map(audit.paid, lines)) <= bought.price, "law 1, of a purchase"
            assert audit.under_way(bought.id) <= bought.price, "law 1, counting what may be paid"
        for leg in audit.legs.values():
            if leg.kind is LegKind.CREDIT and leg.state is LegState.FINAL:
                assert audit.after(leg) >= 0, "law 1, beside chargebacks"
        for line in audit.lines:
            self._token_is_where_it_may_be(audit, line)
            assert audit.paid_on(line) <= line.amount, "law 1, of a line"
            assert audit.payable(line) == audit.owed(line), f"law 8: {line.state}"

    @invariant()
    def every_refund_has_an_intent_and_none_is_paid_twice(self) -> None:
        keys = [UUID(one.key) for one in self.processor.log]
        assert len(keys) == len(set(keys))
        assert {*keys, *self.processor.asked} <= {leg.id for leg in self.desk.rows(Leg)}

    def _token_is_where_it_may_be(self, audit: Audit, line: ReturnLine) -> None:
        hold, paid = audit.hold(line), audit.paid(line)
        if hold is None:
            return
        approved = self.desk.rows(Event, Event.line_id == line.id,
                                  Event.kind == "return.line.approved")  # fmt: skip
        assert approved, "law 3: a token was taken for a line that nobody approved"
        if hold == "released":
            assert paid == 0, "law 4: both"
        if hold in ("settled", "burned"):
            assert line.state in (L.SETTLING, L.SETTLED, L.NEEDS_ATTENTION), "law 3"

    # -- at rest -------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if self.orders:
                self._heal()
                self._rests()
        finally:
            self.desk.runtime.close()
            self._folder.cleanup()

    def _heal(self) -> None:
        """Everything works again, everything is told (backwards), nobody decides anything."""
        self.processor.mode, self.asleep = "ok", []
        for one in list(self.disputes.values()):
            if one.status is DisputeStatus.OPEN:
                self._end(one, won=False)
        for _ in range(4):
            self.mined_again()
            self.desk.run(20)
            for refund in list(self.processor.log):
                if refund.status in (R.PENDING, R.REQUIRES_ACTION):
                    self.facts.append(self.processor.turn(UUID(refund.key), "succeeded"))
            for fact in reversed(self.facts):
                webhooks.receive(self.desk.runtime, "sandbox", *webhook(fact))
            self.desk.run(20)
            self.desk.clock.move(minutes=70)
            self.sweep()
        self.desk.run(20)
        self.laws()

    def _rests(self) -> None:
        """Neither never, both never; or a person has it, with a reason."""
        audit = Audit(self.desk)
        for line in audit.lines:
            assert line.state in QUIET, f"stuck: {line.state}"
            if line.state in lifecycle.ON_THE_DESK:
                self._a_person_knows_why(line)
            elif line.state is L.SETTLED:
                self._was_settled(audit, line)
            elif line.state in lifecycle.REOPENABLE:
                assert audit.paid(line) == 0, f"law 4, both: {line.state}"
                assert audit.hold(line) in (None, "released", "reclaimed"), "law 4, neither"
        for table in (InboxItem, OutboxItem):
            assert [one.last_error for one in self.desk.rows(table) if one.done_at is None] == []

    def _was_settled(self, audit: Audit, line: ReturnLine) -> None:
        assert audit.paid(line) + audit.charged_back(line) == line.amount, "law 4, neither"
        if line.disposition is not Disposition.KEEP:
            assert audit.holder(line) in (VAULT, BURNED), "law 4, both"

    def _a_person_knows_why(self, line: ReturnLine) -> None:
        newest = self.desk.rows(Event, Event.line_id == line.id)[-1]
        assert newest.kind == f"return.line.{line.state.value}"
        assert len(newest.payload) > len('{"reason": ""}')
        assert line.due_at is not None

    # -- helpers -------------------------------------------------------------------------------

    def _case(self, index: int, action: Callable[[str], Any]) -> None:
        found = self.desk.rows(ReturnCase)
        if found:
            self._try(lambda: action(found[index % len(found)].rma))

    def _lines(self) -> list[ReturnLine]:
        return self.desk.rows(ReturnLine)

    def _try(self, action: Callable[[], Any]) -> None:
        with suppress(UndropError, Reverted):
            action()

    def _now(self) -> int:
        return int(self.desk.clock().timestamp())
