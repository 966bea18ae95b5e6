"""What is new is enough: a run of the news finds what a run of everything finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from desk import ADDRESSES, Desk
from fake_chain import DEPLOYMENT, FakeChain
from sqlmodel import update

from returns.ids import new_id
from returns.ledger import Move, Subject, post
from returns.tables import (
    Break,
    Dispute,
    JournalEntry,
    Leg,
    OrderLine,
    Payment,
    Posting,
    ReconciliationRun,
    ReconItem,
)
from returns.words import DisputeStatus, LegKind, LegState, MatchState, MovementKind
from settlement.processors.base import RefundRequest
from settlement.reconciliation.run import run
from settlement.reconciliation.scope import OVERLAP, earlier_id


def compare(desk: Desk, *, full: bool = False) -> list[str]:
    """Codes of the breaks that are open after a run."""
    return sorted(row.code for row in run(desk.runtime, desk.merchant.id, full=full)[1])


def settled(desk: Desk, owner: int = 0, **bought: Any) -> str:
    rma: str = desk.ask(desk.buy(owner=owner, **bought))["rma"]
    desk.sign(rma, owner=owner)
    desk.run(20)
    return rma


def long_ago(desk: Desk) -> None:
    """The bookings so far were made a day earlier: their ids have the machine's own time."""
    day = 24 * 3_600_000 << 80
    with desk.runtime.database.write() as session:
        session.connection().exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        for entry in desk.rows(JournalEntry):
            older = UUID(int=entry.id.int - day)
            for column, key in ((Posting.entry_id, Posting.entry_id), (JournalEntry.id,) * 2):
                table = column.class_
                moved = update(table).where(column == entry.id).values({key: older})
                session.connection().execute(moved)


def newest_run(desk: Desk) -> ReconciliationRun:
    return desk.rows(ReconciliationRun)[-1]


@contextmanager
def statements(desk: Desk) -> Iterator[list[str]]:
    """What is asked of the database."""
    seen: list[str] = []

    def note(_c: Any, _u: Any, text: str, *_more: Any) -> None:
        seen.append(text)

    engine = desk.runtime.database.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(engine, "before_cursor_execute", note)


class TestWhatIsNew:
    def test_first_run_of_a_merchant_is_full(self, desk: Desk) -> None:
        settled(desk)
        assert compare(desk) == []
        assert newest_run(desk).full

    def test_second_run_looks_at_what_came_since(self, desk: Desk) -> None:
        for _ in range(3):
            settled(desk)
            long_ago(desk)
            desk.clock.move(days=8)
        assert compare(desk) == []
        long_ago(desk)
        settled(desk, owner=1)
        assert compare(desk) == []
        assert compare(desk) == []
        # The newest return is looked at once more: a transaction may commit late.
        assert (newest_run(desk).full, newest_run(desk).lines) == (False, 1)

    def test_a_break_among_the_news_is_found(self, desk: Desk) -> None:
        settled(desk)
        assert compare(desk) == []
        desk.clock.move(hours=2)
        desk.processor._pay(RefundRequest(uuid4(), "ch", 5, "USD"))
        assert compare(desk) == ["processor.unknown"]
        assert not newest_run(desk).full

    def test_second_refund_under_a_key_is_found_from_the_report_alone(self, desk: Desk) -> None:
        rma = settled(desk)
        assert compare(desk) == []
        desk.clock.move(hours=2)
        first = desk.processor.log[0]
        desk.processor.log.append(replace(first, id="re_again"))
        desk.processor.move(MovementKind.REFUND, "re_again", -first.amount, first.currency)
        assert compare(desk) == ["processor.duplicate"] == compare(desk, full=True)
        (row,) = desk.rows(Break)
        assert row.subject == str(desk.leg(rma, LegKind.PROCESSOR_REFUND).id)

    def test_a_refund_that_came_back_is_missing(self, desk: Desk) -> None:
        settled(desk)
        assert compare(desk) == []
        desk.clock.move(hours=2)
        key = UUID(desk.processor.log[0].key)
        desk.processor.turn(key, "failed")
        assert compare(desk) == ["processor.missing"] == compare(desk, full=True)

    def test_token_that_leaves_the_vault_later_is_found(self, desk: Desk) -> None:
        settled(desk)
        assert compare(desk) == []
        desk.clock.move(hours=2)
        block = desk.chain.mine()
        block.state.owners[DEPLOYMENT.collection, 100] = ADDRESSES[3]
        ends = (desk.owner_of(100), ADDRESSES[3])
        block.transfers.append((DEPLOYMENT.collection, 100, *ends))
        assert compare(desk) == ["chain.wrong_holder"] == compare(desk, full=True)

    def test_token_that_strays_in_is_found_and_gone_once_it_left(self, desk: Desk) -> None:
        settled(desk)
        assert compare(desk) == []
        move(desk, 77, ADDRESSES[1], DEPLOYMENT.escrow)
        assert compare(desk) == ["chain.unknown_inbound"] == compare(desk, full=True)
        move(desk, 77, DEPLOYMENT.escrow, ADDRESSES[1])
        assert compare(desk) == [] == compare(desk, full=True)

    def test_lines_say_how_they_stand(self, desk: Desk) -> None:
        settled(desk)
        rma = desk.ask(desk.buy())["rma"]
        desk.sign(rma)
        assert compare(desk) == []
        assert [row.state for row in desk.rows(ReconItem)] == [
            MatchState.MATCHED, MatchState.WAITING,
        ]  # fmt: skip
        desk.run(20)
        desk.clock.move(hours=1)
        assert compare(desk) == []
        assert {row.state for row in desk.rows(ReconItem)} == {MatchState.MATCHED}

    def test_what_was_changed_of_the_past_takes_a_full_run(self, desk: Desk) -> None:
        settled(desk)
        long_ago(desk)
        desk.clock.move(days=8)
        settled(desk)
        assert compare(desk) == []
        with desk.runtime.database.write() as session:
            session.connection().execute(update(OrderLine).values(price=1))
        assert compare(desk) == ["order.over_refunded"]
        assert compare(desk, full=True) == ["order.over_refunded"] * 2

    def test_cost_follows_what_is_new(self, desk: Desk) -> None:
        settled(desk)
        desk.clock.move(days=8)
        compare(desk)
        with statements(desk) as few:
            compare(desk)
        for _ in range(3):
            settled(desk)
            desk.clock.move(days=8)
        compare(desk)
        with statements(desk) as more:
            compare(desk)
        assert len(more) == len(few)


class TestLateSides:
    def test_missing_report_is_a_matter_of_time_first(self, desk: Desk) -> None:
        settled(desk)
        settled(desk)
        desk.processor.report.pop()
        assert compare(desk) == ["timing"]
        desk.clock.move(hours=24)
        assert compare(desk) == ["timing"]
        desk.clock.move(seconds=1)
        assert compare(desk) == ["processor.missing"]
        last = desk.processor.log[-1]
        desk.processor.move(MovementKind.REFUND, last.id, -last.amount, last.currency)
        assert compare(desk) == []

    def test_second_node_that_is_behind_is_a_matter_of_time_first(self, desk: Desk) -> None:
        desk.runtime.evidence_client = behind = FakeChain()
        settled(desk, tender="wallet")
        assert compare(desk) == ["chain.wrong_holder", "timing"]
        desk.clock.move(hours=25)
        assert compare(desk) == ["chain.missing", "chain.wrong_holder"]
        behind.blocks = desk.chain.blocks
        assert compare(desk) == []

    def test_second_node_is_asked_and_not_the_first(self, desk: Desk) -> None:
        settled(desk)
        desk.runtime.evidence_client = second = FakeChain()
        second.blocks = desk.chain.blocks
        desk.chain.down = True
        assert compare(desk) == []

    def test_effect_in_a_block_that_is_gone_is_reorged(self, desk: Desk) -> None:
        settled(desk)
        assert compare(desk) == []
        gone = [len(block.facts) for block in desk.chain.blocks]
        depth = len(gone) - next(i for i, facts in enumerate(gone) if facts)
        desk.chain.drop(depth)
        for _ in range(depth):
            desk.chain.mine()
        assert set(compare(desk, full=True)) >= {"chain.reorged"}
        assert "chain.missing" not in compare(desk, full=True)


class TestRules:
    def test_rounding_within_the_tolerance_is_no_break(self, desk: Desk) -> None:
        settled(desk)
        log = desk.processor.log
        log[0] = replace(log[0], amount=log[0].amount - 1)
        assert compare(desk, full=True) == ["processor.amount"]
        desk.runtime.settings.reconcile_tolerance["USD"] = 1
        assert compare(desk, full=True) == []
        log[0] = replace(log[0], amount=log[0].amount - 1)
        assert compare(desk, full=True) == ["processor.amount"]

    def test_report_in_another_currency_is_an_fx_break(self, desk: Desk) -> None:
        settled(desk)
        report = desk.processor.report
        report[0] = replace(report[0], currency="EUR")
        assert compare(desk) == ["processor.fx"]

    def test_dispute_that_the_books_have_is_explained_and_others_are_not(self, desk: Desk) -> None:
        settled(desk)
        payment = desk.rows(Payment)[0]
        desk.processor.move(MovementKind.DISPUTE, "dp_1", -1000, "USD")
        desk.processor.move(MovementKind.DISPUTE, "dp_2", -1000, "USD")
        with desk.runtime.database.write() as session:
            session.add(
                Dispute(merchant_id=payment.merchant_id, payment_id=payment.id,
                        processor="sandbox", reference="dp_1", status=DisputeStatus.OPEN,
                        amount=1000, currency="USD", opened_at=desk.clock(),
                        updated_at=desk.clock())
            )  # fmt: skip
        assert compare(desk) == ["processor.unknown"] == compare(desk, full=True)
        assert [row.subject for row in desk.rows(Break)] == ["dp_2"]

    def test_charges_fees_and_payouts_of_the_report_are_no_breaks(self, desk: Desk) -> None:
        settled(desk)
        for kind in (MovementKind.CHARGE, MovementKind.FEE, MovementKind.PAYOUT):
            desk.processor.move(kind, "x", -5, "USD")
        assert compare(desk) == []

    def test_entry_of_no_line_must_balance_too(self, desk: Desk) -> None:
        settled(desk)
        subject = Subject(desk.merchant.id, new_id())
        with desk.runtime.database.write() as session:
            moves = [Move("float", "bank", "USD", 5)]
            entry = post(session, subject, "top_up", new_id(), moves, desk.clock())
        assert compare(desk) == []
        with desk.runtime.database.write() as session:
            mine = Posting.entry_id == entry.id
            session.connection().execute(
                update(Posting).where(mine, Posting.side == "debit").values(amount=4)
            )
        assert compare(desk) == ["ledger.unbalanced"] == compare(desk, full=True)

    def test_several_refunds_of_one_line_are_each_compared(self, desk: Desk) -> None:
        rma = settled(desk)
        whole = desk.leg(rma, LegKind.PROCESSOR_REFUND)
        second = new_id()
        with desk.runtime.database.write() as session:
            session.connection().execute(update(Leg).where(Leg.id == whole.id).values(amount=600))
            entry = next(x for x in desk.rows(JournalEntry) if x.cause == whole.id)
            for posting in desk.rows(Posting, Posting.entry_id == entry.id):
                session.connection().execute(
                    update(Posting).where(Posting.id == posting.id).values(amount=600)
                )
            session.add(Leg(id=second, merchant_id=whole.merchant_id, line_id=whole.line_id,
                            kind=whole.kind, part=1, state=LegState.FINAL, amount=400,
                            currency="USD", reference="re_2", created_at=desk.clock(),
                            updated_at=desk.clock()))  # fmt: skip
            subject = Subject(whole.merchant_id, whole.line_id, whole.line_id)
            moves = [Move("processor:sandbox", "refunds_payable", "USD", 400)]
            post(session, subject, "processor_refund.part", second, moves, desk.clock())
        log, report = desk.processor.log, desk.processor.report
        log[0], report[0] = replace(log[0], amount=600), replace(report[0], amount=-600)
        assert compare(desk) == ["processor.missing"]
        assert desk.rows(Break)[0].subject == str(second)
        desk.processor._pay(RefundRequest(second, "ch", 400, "USD"))
        assert compare(desk) == [] == compare(desk, full=True)

    def test_refund_of_a_compensated_leg_is_unknown(self, desk: Desk) -> None:
        rma = settled(desk)
        whole = desk.leg(rma, LegKind.PROCESSOR_REFUND)
        with desk.runtime.database.write() as session:
            session.get_one(Leg, whole.id).state = LegState.COMPENSATED
        assert "processor.unknown" in compare(desk)


def move(desk: Desk, token: int, sender: str, recipient: str) -> None:
    """A token moves on chain, by nobody's order."""
    block = desk.chain.mine()
    block.state.owners[DEPLOYMENT.collection, token] = recipient
    block.transfers.append((DEPLOYMENT.collection, token, sender, recipient))


@pytest.mark.parametrize("minutes", [0, 1, 10_000])
def test_earlier_id_is_below_every_id_of_that_time(minutes: int) -> None:
    newest = new_id()
    least = earlier_id(newest, timedelta(minutes=minutes))
    assert newest.int >> 80 == (least.int >> 80) + minutes * 60_000
    assert least <= newest
    assert timedelta(minutes=1) < OVERLAP
