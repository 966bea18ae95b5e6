"""Whatever happens on the sides, runs of the news come to what a run of everything comes to."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import desk as desks
import stores
from desk import ADDRESSES, Desk
from fake_chain import DEPLOYMENT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import update

from returns.tables import Break, JournalEntry, Leg, Posting
from returns.words import LegKind, LegState, MovementKind, RefundStatus
from settlement.processors.base import RefundRequest
from settlement.reconciliation.run import run


class World:
    """A desk, and what customers, the processor, the chain and the books do, one step each."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.strays = 0

    def buy_and_return(self) -> None:
        desk = self.desk
        count = len(desk.rows(Leg))
        order = desk.buy(owner=count % 4, tender=("card", "card", "wallet")[count % 3])
        desk.sign(desk.ask(order)["rma"], owner=count % 4)

    def relay(self) -> None:
        self.desk.relay()
        self.desk.tell(blocks=1)

    def work(self) -> None:
        self.desk.work()

    def rest(self) -> None:
        self.desk.run(20)

    def wait(self) -> None:
        self.desk.clock.move(hours=13)

    def strange_refund(self) -> None:
        self.desk.processor._pay(RefundRequest(uuid4(), "ch", 5, "USD"))

    def refund_again(self) -> None:
        processor = self.desk.processor
        for refund in self._paid()[:1]:
            self.strays += 1
            again = replace(refund, id=f"re_again_{self.strays}")
            processor.log.append(again)
            processor.move(MovementKind.REFUND, again.id, -again.amount, again.currency)

    def refund_fails_unheard(self) -> None:
        for refund in self._paid()[:1]:
            self.desk.processor.turn(UUID(refund.key), "failed")

    def refund_fails(self) -> None:
        legs = [x for x in self.desk.rows(Leg, Leg.kind == LegKind.PROCESSOR_REFUND)
                if x.state is LegState.FINAL]  # fmt: skip
        for leg in legs[-1:]:
            self.desk.webhook(leg, "failed")
            self.desk.work()

    def dispute(self) -> None:
        self.desk.processor.move(MovementKind.DISPUTE, "dp_1", -9, "USD")

    def stray_token(self) -> None:
        self.strays += 1
        self._move(10**6 + self.strays, ADDRESSES[1], DEPLOYMENT.escrow)

    def stray_leaves(self) -> None:
        token = 10**6 + self.strays
        if self.desk.chain.state.owners.get((DEPLOYMENT.collection, token)) == DEPLOYMENT.escrow:
            self._move(token, DEPLOYMENT.escrow, ADDRESSES[1])

    def vault_is_robbed(self) -> None:
        held = [
            t for t, owner in self.desk.chain.state.owners.items() if owner.startswith("0xfafa")
        ]
        for _, token in held[:1]:
            self._move(token, "0x" + "fa" * 20, ADDRESSES[2])

    def reorg(self) -> None:
        if len(self.desk.chain.blocks) > 2:
            self.desk.reorg(1)
            self.desk.tell(blocks=1)
            self.desk.work()

    def books_lie(self) -> None:
        """A leg says otherwise than its refund, and says so as a change that is new."""
        for leg in self.desk.rows(Leg, Leg.kind == LegKind.PROCESSOR_REFUND)[:1]:
            changed = update(Leg).where(Leg.id == leg.id)
            changed = changed.values(amount=leg.amount - 1, updated_at=self.desk.clock())
            self._change(changed)

    def entry_is_bent(self) -> None:
        """The newest booking, so that it is within what is looked at again."""
        for entry in self.desk.rows(JournalEntry)[-1:]:
            mine = (Posting.entry_id == entry.id, Posting.side == "debit")
            self._change(update(Posting).where(*mine).values(amount=12_345))

    def look(self) -> None:
        compare(self.desk, full=False)

    def _paid(self) -> list[Any]:
        known = [x for x in self.desk.processor.log if x.charge != "ch"]
        return [x for x in known if x.status is RefundStatus.SUCCEEDED and "again" not in x.id]

    def _move(self, token: int, sender: str, recipient: str) -> None:
        block = self.desk.chain.mine()
        block.state.owners[DEPLOYMENT.collection, token] = recipient
        block.transfers.append((DEPLOYMENT.collection, token, sender, recipient))

    def _change(self, statement: Any) -> None:
        with self.desk.runtime.database.write() as session:
            session.connection().execute(statement)


STEPS = [name for name in vars(World) if not name.startswith("_")]


def compare(desk: Desk, *, full: bool) -> set[tuple[str, str, str]]:
    breaks = run(desk.runtime, desk.merchant.id, full=full)[1]
    return {(row.code, row.subject, row.found) for row in breaks}


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(st.sampled_from(STEPS), min_size=4, max_size=14))
def test_news_alone_come_to_what_everything_comes_to(
    sqlite_template: Path, steps: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = desks.build(stores.sqlite_copy(sqlite_template, Path(folder)), Path(folder))
        world = World(desk)
        compare(desk, full=False)
        for name in ["buy_and_return", *steps]:
            getattr(world, name)()
        by_news = compare(desk, full=False)
        ages = {(row.code, row.subject): row.first_seen for row in desk.rows(Break)}
        assert compare(desk, full=True) == by_news, steps
        assert {(row.code, row.subject): row.first_seen for row in desk.rows(Break)} == ages
        desk.runtime.close()
