"""Customers, staff, processor, chain, workers and clock in any order: the laws of money hold.

`test_laws.py` walks the same desk in plain cases; here orders have several tenders, refunds come in
parts, tokens are kept, charges are disputed, statuses come late and backwards, and workers die.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from desk import ADDRESSES, POLICY, tx_hash
from fake_escrow import Reverted
from fakes import webhook
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from money_laws import MoneyLaws
from money_watch import FOLLOWS, MODES, Killed, may_be_undone

from returns import lifecycle, work
from returns.tables import (
    InboxItem,
    OutboxItem,
    RelayTransaction,
    ReturnCase,
    ReturnLine,
)
from returns.words import (
    BY_PROCESSOR,
    DisputeStatus,
    LineState,
    RefundStatus,
)
from settlement import drain, janitor
from settlement.commands import cases, reviews, webhooks
from settlement.commands.review_inputs import ReviewIn
from settlement.drain import drain_inbox, drain_outbox
from settlement.processors.base import ProcessorDispute

L, R = LineState, RefundStatus
PRICE = 1000
#: Nothing but money is looked at here: whoever asks is heard.
BASE = (
    POLICY.replace("window_days: 30", "window_days: 3000")
    .replace("most: 6", "most: 60")
    .replace("most: 3", "most: 60")
)
#: How an order is paid: its number of tokens, and minor units by tender.
BASKETS: list[tuple[int, str | dict[str, int]]] = [
    (1, "card"),
    (1, "wallet"),
    (2, "card"),
    (1, {"card": 700, "gift_card": 300}),
    (2, {"card": 999, "store_credit": 1001}),
    (1, {"gift_card": 1000}),
]
#: What a person mostly does with a line on the desk, and what else.
CHOICES = {
    L.IN_REVIEW: ("approve", "deny"),
    L.AWAITING_EVIDENCE: ("deny", "deny"),
    L.NEEDS_ATTENTION: ("retry", "release"),
}
ANY = st.integers(0, 30)


class LifeOfMoney(MoneyLaws):
    """One desk, a few orders, everything that can happen to their money."""

    @initialize(
        split=st.sampled_from(["proportional", "money_first", "credit_first"]),
        fallback=st.sampled_from(["person", "store_credit"]),
        fate=st.sampled_from(["vault", "burn", "keep"]),
    )
    def policy(self, split: str, fallback: str, fate: str) -> None:
        payouts = f"\npayouts: {{split: {split}, fallback: {fallback}}}\n"
        text = BASE.replace("fiat_refund: vault", f"fiat_refund: {fate}") + payouts
        self.desk.use_policy(text)
        self.buy(0)

    # -- customers -----------------------------------------------------------------------------

    @precondition(lambda self: len(self.orders) < 4)
    @rule(basket=st.integers(0, len(BASKETS) - 1))
    def buy(self, basket: int) -> None:
        tokens, paid = BASKETS[basket]
        parts = None if isinstance(paid, str) else paid
        tender = paid if isinstance(paid, str) else "card"
        order = self.desk.buy(price=PRICE, tender=tender, tokens=tokens, parts=parts)
        self.orders.append(order)
        self.desk.tell(blocks=4)

    @rule(
        index=ANY,
        remedy=st.sampled_from([None, None, "fiat_refund", "store_credit", "crypto_refund"]),
        amount=st.sampled_from([None, None, 0, 1, 300, 999, PRICE, PRICE + 1]),
        looked_at=st.booleans(),
        whole=st.booleans(),
    )
    def ask(
        self, index: int, remedy: str | None, amount: int | None, looked_at: bool, whole: bool
    ) -> None:
        order = self.orders[index % len(self.orders)]
        tokens = order.lines if whole else order.lines[index % len(order.lines) :][:1]
        lines = [{"collection": x.collection, "token_id": str(x.token_id)} for x in tokens]
        if amount is not None:
            lines = [{**line, "amount": str(amount)} for line in lines]
        asked: dict[str, Any] = {"lines": lines}
        if looked_at:
            asked["recipient"] = ADDRESSES[2]
        self._try(lambda: self.desk.ask(order, remedy, **asked))

    @rule(index=ANY)
    def sign(self, index: int) -> None:
        self._case(index, self.desk.sign)

    @rule(index=ANY)
    def cancel(self, index: int) -> None:
        self._case(index, self.desk.cancel)

    @rule(index=ANY)
    def reclaim(self, index: int) -> None:
        held = [key for key, one in self.desk.chain.state.holds.items()
                if one.state in ("held", "committed")]  # fmt: skip
        if held:
            self._try(lambda: self.desk.chain.reclaim(held[index % len(held)], self._now()))

    # -- staff ---------------------------------------------------------------------------------

    @rule(
        index=ANY,
        choice=st.sampled_from([0, 0, 0, 1]),
        remedy=st.sampled_from([None, None, "store_credit", "fiat_refund"]),
        keep=st.booleans(),
        amount=st.sampled_from([None, None, "1", "400"]),
    )
    def review(
        self, index: int, choice: int, remedy: str | None, keep: bool, amount: str | None
    ) -> None:
        self.desk.clock.move(seconds=1)
        open_to = [one for one in self._lines() if one.state in lifecycle.ON_THE_DESK]
        if open_to:
            line = open_to[index % len(open_to)]
            decision = CHOICES[line.state][choice]
            terms = {"remedy": remedy, "keep": keep, "amount": amount}
            self._decide(line, decision, **(terms if decision == "approve" else {}))

    def _decide(self, line: ReturnLine, decision: str, **terms: Any) -> None:
        (case,) = self.desk.rows(ReturnCase, ReturnCase.id == line.case_id)
        said = {"line": str(line.id), "decision": decision, "reason": "looked at it", **terms}
        given = ReviewIn.model_validate(said)
        desk = self.desk
        self._try(lambda: reviews.decide_review(desk.runtime, desk.staff, case.rma, given))

    # -- processor -----------------------------------------------------------------------------

    @rule(mode=st.sampled_from(["down", "lost", "pending_lost"]), days=st.sampled_from([1, 26, 50]))
    def outage(self, mode: str, days: int) -> None:
        """The processor does not answer for days; then the worker finds what was left."""
        self.processor.mode = mode
        self.goes_well(rounds=8)
        self.desk.clock.move(days=days)
        self.processor.mode = "ok"
        self.work(inbox=False, outbox=True)

    @rule(mode=st.sampled_from(MODES))
    def mode(self, mode: str) -> None:
        self.processor.mode = mode

    @rule(index=ANY, step=ANY, reason=st.sampled_from(["", "declined", "expired_or_canceled_card"]))
    def refund_goes_on(self, index: int, step: int, reason: str) -> None:
        """What is true at the processor changes; who is told of it, and when, is another matter."""
        open_ones = [one for one in self.processor.log if FOLLOWS[one.status]]
        if open_ones:
            one = open_ones[index % len(open_ones)]
            to = FOLLOWS[one.status][step % len(FOLLOWS[one.status])]
            why = reason if to in (R.FAILED, R.CANCELED) else ""
            self.facts += [one, self.processor.turn(UUID(one.key), to.value, why)]

    @precondition(lambda self: self.facts)
    @rule(index=ANY)
    def tell_fact(self, index: int) -> None:
        """The newest most often, an old one now and then, any of them again."""
        fact = self.facts[-1 - index % len(self.facts)]
        webhooks.receive(self.desk.runtime, "sandbox", *webhook(fact))

    @rule(index=ANY, amount=st.sampled_from([1, 300, 700, PRICE, None]))
    def dispute(self, index: int, amount: int | None) -> None:
        charges = [paid for order in self.orders for paid in order.payments
                   if paid.tender in BY_PROCESSOR]  # fmt: skip
        paid = charges[index % len(charges)]
        if paid.reference not in self.disputes:
            taken = paid.captured if amount is None else min(amount, paid.captured)
            told = ProcessorDispute(
                f"dp_{paid.reference}", paid.reference, taken, "USD", DisputeStatus.OPEN
            )
            self.disputes[paid.reference] = told
            self.facts.append(told)

    @precondition(lambda self: self.disputes)
    @rule(index=ANY, won=st.booleans())
    def dispute_ends(self, index: int, won: bool) -> None:
        opened = [one for one in self.disputes.values() if one.status is DisputeStatus.OPEN]
        if opened:
            self._end(opened[index % len(opened)], won)

    @rule(index=ANY, amount=st.sampled_from([300, 999, None]), ends=st.sampled_from([0, 1, 2]))
    def charged_back(self, index: int, amount: int | None, ends: int) -> None:
        """As a dispute usually goes: told at once, and taken in."""
        self.dispute(index=index, amount=amount)
        if ends and self.disputes:
            self.dispute_ends(index=index, won=ends == 1)
        for fact in [one for one in self.facts if isinstance(one, ProcessorDispute)]:
            webhooks.receive(self.desk.runtime, "sandbox", *webhook(fact))
        drain_inbox(self.desk.runtime)
        self.desk.clock.move(seconds=1)

    def _end(self, dispute: ProcessorDispute, won: bool) -> None:
        status = DisputeStatus.WON if won else DisputeStatus.LOST
        values = {**dispute.to_payload(), "status": status.value}
        ended = ProcessorDispute.from_payload(values)
        self.disputes[dispute.charge] = ended
        self.facts.append(ended)

    # -- chain ---------------------------------------------------------------------------------

    @rule()
    def relay(self) -> None:
        self.desk.relay()

    @rule(blocks=st.integers(0, 3))
    def tell_blocks(self, blocks: int) -> None:
        self.desk.tell(blocks=blocks)

    @rule(depth=st.integers(1, 3), again=st.booleans())
    def reorg(self, depth: int, again: bool) -> None:
        if may_be_undone(self.desk, depth):
            height = len(self.desk.chain.blocks)
            self.lost += [call for one in self.desk.chain.blocks[-depth:] for call in one.calls]
            self.desk.reorg(depth, again=False)
            if again:
                self.mined_again()
            while len(self.desk.chain.blocks) < height:
                self.desk.chain.mine()

    @precondition(lambda self: self.lost)
    @rule()
    def mined_again(self) -> None:
        """The relayer sends the same bytes again; what the contract refuses by now has failed."""
        for call in self.lost:
            try:
                self.desk.chain.mine([call], self._now())
            except Reverted as refusal:
                (row,) = (one for one in self.desk.rows(RelayTransaction)
                          if tx_hash(one.id) == call[0])  # fmt: skip
                self.desk._relay_failed(row, str(refusal))
        self.lost = []

    # -- workers and clock ---------------------------------------------------------------------

    @rule(inbox=st.booleans(), outbox=st.booleans())
    def work(self, inbox: bool, outbox: bool) -> None:
        with suppress(Killed):
            if inbox or not outbox:
                drain_inbox(self.desk.runtime)
            if outbox or not inbox:
                drain_outbox(self.desk.runtime)

    @rule(outbox=st.booleans(), limit=st.integers(1, 3))
    def fall_asleep(self, outbox: bool, limit: int) -> None:
        """A worker claims rows and then hears nothing for longer than its lease."""
        desk, table = self.desk, OutboxItem if outbox else InboxItem
        with desk.runtime.database.write() as session:
            lease = desk.runtime.settings.lease
            items = work.claim(session, table, desk.clock(), lease, limit)
        handle = drain._send_out if outbox else drain._take_in
        self.asleep += [(handle, item) for item in items]
        desk.clock.move(seconds=lease.total_seconds() + 1)

    @precondition(lambda self: self.asleep)
    @rule()
    def wake_up(self) -> None:
        """It goes on with what it claimed, whoever has it now."""
        asleep, self.asleep = self.asleep, []
        for handle, item in asleep:
            with suppress(Killed):
                drain._guarded(self.desk.runtime, item, handle)

    @rule(rounds=st.integers(1, 8))
    def goes_well(self, rounds: int) -> None:
        """Nothing hinders anybody for a while; whoever is asked to sign does."""
        for case in self.desk.rows(ReturnCase):
            self._try(lambda rma=case.rma: self.desk.sign(rma))
        with suppress(Killed):
            self.desk.run(rounds)

    @rule()
    def sweep(self) -> None:
        cases.expire(self.desk.runtime)
        reviews.recall(self.desk.runtime)
        janitor.ask_again(self.desk.runtime.database, self.desk.runtime.clock)

    @rule(
        wait=st.sampled_from([1, 12, 70, 60 * 5, 60 * 24, 60 * 24 * 3, 60 * 24 * 8, 60 * 24 * 24])
    )
    def later(self, wait: int) -> None:
        self.desk.clock.move(minutes=wait)


def walk(examples: int, steps: int) -> None:
    """So many lives of so many steps."""
    run_state_machine_as_test(
        LifeOfMoney,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_laws_of_money_hold_whatever_happens_in_whatever_order(sqlite_template: Path) -> None:
    LifeOfMoney.template = sqlite_template
    walk(examples=25, steps=45)
