"""Customers, worker, chain, webhooks and clock in any order: the laws hold after every step."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import desk as desks
import pytest
import stores
from desk import ADDRESSES, Desk
from fake_chain import VAULT
from fake_escrow import Reverted
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from returns import lifecycle
from returns.errors import Conflict
from returns.tables import InboxItem, Leg, OrderLine, ReturnCase, ReturnLine
from returns.words import ALLOWED_PAIRS, LegKind, LegState, LineState, Remedy
from settlement import plans
from settlement.commands import cases
from settlement.reconciliation import run as reconcile

PRICE = 1000


class Laws(RuleBasedStateMachine):
    """One desk, a few purchases, everything that can happen to them."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        home = Path(self._folder.name)
        self.desk: Desk = desks.build(stores.sqlite_copy(self.template, home), home)
        self.orders = [self.desk.buy(price=PRICE, tender=t) for t in ("card", "wallet", "card")]

    def teardown(self) -> None:
        self.desk.processor.mode, self.desk.chain.escrow.paused = "ok", False
        for _ in range(3):
            self.desk.run()
            for refund in [r for r in self.desk.processor.log if r.status == "pending"]:
                self.desk.webhook(self._leg(refund.key), "succeeded")
            self.desk.clock.move(minutes=2)
        self.desk.run(20)
        self._rest()
        self.desk.runtime.close()
        self._folder.cleanup()

    # -- what can happen -----------------------------------------------------------------------

    @rule(index=st.integers(0, 2), remedy=st.sampled_from([None, "store_credit"]))
    def ask(self, index: int, remedy: str | None) -> None:
        self._try(lambda: self.desk.ask(self.orders[index], remedy))

    @rule(index=st.integers(0, 9))
    def sign(self, index: int) -> None:
        self._case(index, self.desk.sign)

    @rule(index=st.integers(0, 9))
    def cancel(self, index: int) -> None:
        self._case(index, self.desk.cancel)

    @rule(index=st.integers(0, 9), decision=st.sampled_from(["approve", "deny"]))
    def review(self, index: int, decision: str) -> None:
        self.desk.clock.move(seconds=1)
        self._case(index, lambda rma: self.desk.review(rma, decision))

    @rule()
    def relay(self) -> None:
        self.desk.relay()

    @rule(blocks=st.integers(0, 3))
    def tell(self, blocks: int) -> None:
        self.desk.tell(blocks=blocks)

    @rule()
    def work(self) -> None:
        self.desk.work()

    @rule(mode=st.sampled_from(["ok", "pending", "lost", "pending_lost", "down", "decline"]))
    def processor(self, mode: str) -> None:
        self.desk.processor.mode = mode

    @rule(status=st.sampled_from(["succeeded", "succeeded", "failed"]), index=st.integers(0, 9))
    def webhook(self, status: str, index: int) -> None:
        pending = [r for r in self.desk.processor.log if r.status == "pending"]
        if pending:
            self.desk.webhook(self._leg(pending[index % len(pending)].key), status)

    @rule(again=st.booleans())
    def reorg(self, again: bool) -> None:
        """Shallower than what counts as final; the relayer sends the bytes again at some time."""
        gone = self.desk.chain.blocks[-1]
        if gone.calls and len(self.desk.chain.blocks) > 5:
            self.desk.reorg(1, again=again)
            if not again:
                self._lost = [*getattr(self, "_lost", []), *gone.calls]

    @precondition(lambda self: getattr(self, "_lost", []))
    @rule()
    def mined_again(self) -> None:
        for call in self._lost:
            self._try(lambda call=call: self.desk.chain.mine([call], self._now()))
        self._lost = []

    @rule(hours=st.integers(1, 60))
    def later(self, hours: int) -> None:
        """Operations are alive: nothing that was to be sent waits for days."""
        self.desk.relay()
        self.desk.clock.move(hours=hours)

    @rule()
    def sweep(self) -> None:
        cases.expire(self.desk.runtime)

    @rule(index=st.integers(0, 2))
    def reclaim(self, index: int) -> None:
        token = self.orders[index].lines[0].token_id
        for line, held in list(self.desk.chain.state.holds.items()):
            if held.auth.tokenId == token:
                self._try(lambda line=line: self.desk.chain.reclaim(line, self._now()))

    # -- what must hold ------------------------------------------------------------------------

    @invariant()
    def money_out_is_at_most_money_in(self) -> None:
        for order in self.orders:
            assert self._paid_out(order.lines[0].token_id) <= PRICE

    @invariant()
    def nobody_has_both_the_token_and_the_money(self) -> None:
        for order in self.orders:
            token = order.lines[0].token_id
            if self.desk.owner(order) == ADDRESSES[0] and not getattr(self, "_lost", []):
                assert self._paid_out(token) == 0

    @invariant()
    def processor_was_asked_only_for_stored_intents(self) -> None:
        legs = {leg.id: leg for leg in self.desk.rows(Leg)}
        assert all(legs[key].state is not LegState.PLANNED for key in self.desk.processor.asked)
        assert len({r.key for r in self.desk.processor.paid()}) == len(self.desk.processor.paid())

    @invariant()
    def ledger_sums_to_zero(self) -> None:
        totals: dict[str, int] = {}
        for (_, asset), amount in self.desk.balances().items():
            totals[asset] = totals.get(asset, 0) + amount
        assert set(totals.values()) <= {0}

    def _rest(self) -> None:
        """At rest nobody has neither, what is settled was given, and the three sides agree."""
        for line in self.desk.rows(ReturnLine):
            token = next(r for r in self.desk.rows(OrderLine) if r.id == line.order_line_id)
            paid = self._paid_out(token.token_id)
            if line.state is LineState.SETTLED:
                assert paid == PRICE
                assert self.desk.owner_of(token.token_id) == VAULT
            if line.state in lifecycle.REOPENABLE and paid == 0:
                owner = self.desk.owner_of(token.token_id)
                others = [x for x in self.desk.rows(ReturnLine)
                          if x.order_line_id == line.order_line_id and x.open]  # fmt: skip
                assert owner == ADDRESSES[0] or others
        stuck = [r for r in self.desk.rows(InboxItem) if r.done_at is None]
        assert stuck == []
        breaks = reconcile.run(self.desk.runtime, self.desk.merchant.id)[1]
        assert [(b.code, b.found) for b in breaks if b.code != "timing"] == []

    # -- helpers -------------------------------------------------------------------------------

    def _paid_out(self, token_id: int) -> int:
        bought = {x.id for x in self.desk.rows(OrderLine) if x.token_id == token_id}
        lines = {x.id for x in self.desk.rows(ReturnLine) if x.order_line_id in bought}
        legs = {str(x.id): x for x in self.desk.rows(Leg) if x.line_id in lines}
        fiat = sum(r.amount for r in self.desk.processor.paid() if r.key in legs)
        swaps = {line.hex for line in lines}
        crypto = sum(v for k, (_, v) in self.desk.chain.state.paid.items() if k[-32:] in swaps)
        credit = sum(x.amount for x in legs.values()
                     if x.kind is LegKind.CREDIT and x.state is LegState.FINAL)  # fmt: skip
        return fiat + crypto + credit

    def _case(self, index: int, action: object) -> None:
        found = self.desk.rows(ReturnCase)
        if found:
            self._try(lambda: action(found[index % len(found)].rma))

    def _try(self, action: object) -> None:
        with suppress(Conflict, Reverted):
            action()

    def _now(self) -> int:
        return int(self.desk.clock().timestamp())

    def _leg(self, key: str) -> Leg:
        return next(leg for leg in self.desk.rows(Leg) if str(leg.id) == key)


def test_laws_hold_whatever_happens_in_whatever_order(sqlite_template: Path) -> None:
    Laws.template = sqlite_template
    run_state_machine_as_test(
        Laws,
        settings=settings(
            max_examples=12,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("remedy", Remedy)
def test_every_remedy_that_moves_a_token_takes_the_token_first(remedy: Remedy) -> None:
    for pair in ALLOWED_PAIRS:
        kinds = [step.kind for step in plans.steps(*pair)]
        money = {LegKind.PROCESSOR_REFUND, LegKind.CREDIT}
        if pair[0] is remedy and plans.moves_token(*pair) and money & set(kinds):
            assert kinds[:2] == [LegKind.DEPOSIT, LegKind.COMMIT]
            assert kinds[2] in money
            assert kinds[3] in {LegKind.SETTLE, LegKind.BURN}
