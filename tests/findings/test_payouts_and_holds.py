"""Promises about payouts, holds and facts that come late."""

from __future__ import annotations

import pytest
from desk import ADDRESSES, Desk
from sqlmodel import col, update

from returns import work
from returns.errors import LeaseLost, ProcessorUnavailable
from returns.tables import Hold, InboxItem, Leg, ReturnLine
from returns.words import HoldState, LegKind, LegState, LineState
from settlement import drain
from settlement.commands import setup
from settlement.reconciliation import run as reconcile


def payout_due(desk: Desk) -> str:
    """A line whose commit is final; the processor has not been asked."""
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    for _ in range(3):
        desk.relay()
        desk.tell()
        drain.drain_inbox(desk.runtime)
    return rma


def test_lost_answer_does_not_undo_a_payout_that_its_webhook_has_completed(desk: Desk) -> None:
    rma = payout_due(desk)
    leg = desk.leg(rma, LegKind.PROCESSOR_REFUND)
    ask = desk.processor.refund

    def slow(*args: object) -> object:
        ask(*args)
        desk.webhook(leg, "succeeded")
        drain.drain_inbox(desk.runtime)
        raise ProcessorUnavailable(processor="sandbox")

    desk.processor.refund = slow
    drain.drain_outbox(desk.runtime)
    assert desk.leg(rma, LegKind.PROCESSOR_REFUND).state is LegState.FINAL
    desk.processor.refund = ask
    desk.clock.move(minutes=2)
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert {leg.state for leg in desk.rows(Leg)} == {LegState.FINAL}


def test_payout_that_never_reached_the_processor_is_not_started_after_its_time(desk: Desk) -> None:
    rma = payout_due(desk)
    desk.processor.mode = "down"
    desk.work()
    desk.clock.move(days=40)
    desk.processor.mode = "ok"
    desk.run()
    assert desk.processor.log == []
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION


def test_payout_that_never_reached_the_processor_is_not_started_after_a_reclaim(desk: Desk) -> None:
    rma = payout_due(desk)
    desk.processor.mode = "down"
    desk.work()
    desk.clock.move(days=40)
    desk.chain.reclaim(
        "0x" + desk.line(rma).id.bytes.rjust(32, b"\0").hex(), int(desk.clock().timestamp())
    )
    desk.tell()
    desk.work()
    desk.processor.mode = "ok"
    desk.clock.move(hours=2)
    desk.run()
    assert desk.line(rma).state is LineState.RECLAIMED
    assert desk.processor.log == []
    assert desk.owner_of(100) == ADDRESSES[0]


def test_payout_whose_answer_was_lost_is_recorded_however_late_it_is_found(desk: Desk) -> None:
    rma = payout_due(desk)
    desk.processor.mode = "lost"
    desk.work()
    desk.clock.move(days=28)
    desk.processor.mode = "ok"
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert len(desk.processor.log) == 1


def test_late_deposit_fact_does_not_take_a_commit_back(desk: Desk) -> None:
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    desk.relay()
    desk.tell(blocks=0)
    with desk.runtime.database.write() as session:
        late = update(InboxItem).values(due_at=desk.clock().replace(year=2030))
        session.connection().execute(late)
    desk.tell()
    desk.work()
    desk.relay()
    desk.tell(blocks=0)
    desk.work()
    with desk.runtime.database.write() as session:
        session.connection().execute(update(InboxItem).values(due_at=desk.clock()))
    desk.work()
    assert desk.rows(Hold)[0].state is HoldState.COMMITTED
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert len(desk.processor.log) == 1


def test_hold_of_a_deposit_that_a_reorg_took_back_is_not_shown_as_held(desk: Desk) -> None:
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    desk.relay()
    desk.tell(blocks=0)
    desk.work()
    desk.reorg(1, again=False)
    desk.work()
    assert desk.line(rma).state is LineState.DEPOSITING
    assert desk.rows(Hold) == []


def test_commit_that_a_reorg_took_back_leaves_the_hold_uncommitted(desk: Desk) -> None:
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    desk.relay()
    desk.tell()
    desk.work()
    first_date = desk.rows(Hold)[0].reclaim_after
    desk.relay()
    desk.tell(blocks=0)
    desk.work()
    assert desk.rows(Hold)[0].state is HoldState.COMMITTED
    desk.reorg(1, again=False)
    desk.work()
    assert desk.rows(Hold)[0].state is HoldState.HELD
    assert desk.rows(Hold)[0].reclaim_after == first_date
    assert desk.processor.asked == []


def test_token_that_moves_while_a_person_looks_is_still_booked(desk: Desk) -> None:
    rma = payout_due(desk)
    drain.drain_outbox(desk.runtime)
    drain.drain_inbox(desk.runtime)
    desk.relay()  # the settle transaction is mined ...
    desk.webhook(desk.leg(rma, LegKind.PROCESSOR_REFUND), "failed")
    desk.work()  # ... when the refund turns out to have failed
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    desk.run()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    assert desk.leg(rma, LegKind.SETTLE).state is LegState.FINAL
    assert not desk.rows(InboxItem, col(InboxItem.done_at).is_(None))
    assert [v for (account, _), v in desk.balances().items() if account == "tokens_in_vault"] == [1]


def test_reclaim_that_a_reorg_took_back_is_reversed_visibly(desk: Desk) -> None:
    rma = payout_due(desk)
    desk.processor.mode = "down"
    desk.work()
    desk.clock.move(days=40)
    line = "0x" + desk.line(rma).id.bytes.rjust(32, b"\0").hex()
    desk.chain.reclaim(line, int(desk.clock().timestamp()))
    desk.tell(blocks=0)
    desk.work()
    assert desk.line(rma).state is LineState.RECLAIMED
    desk.reorg(1)
    desk.work()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    assert [v for (a, _), v in desk.balances().items() if a == "tokens_in_escrow"] == [1]
    desk.chain.reclaim(line, int(desk.clock().timestamp()))
    desk.tell()
    desk.work()
    assert desk.line(rma).state is LineState.RECLAIMED
    assert not desk.rows(InboxItem, col(InboxItem.done_at).is_(None), InboxItem.attempts > 1)
    assert desk.balances() == {}


def test_worker_that_overslept_and_then_failed_goes_on_with_the_other_rows(desk: Desk) -> None:
    rma = desk.ask(desk.buy(tender="wallet"))["rma"]
    desk.sign(rma)
    desk.relay()
    with desk.runtime.database.write() as session:
        early = desk.clock().replace(year=2020)
        work.receive(session, source="x", external_id="1", kind="moon", payload="{}", now=early)
    desk.tell()
    handle = drain.inbox.handle

    def oversleep(session: object, terms: object, item: InboxItem, now: object) -> None:
        if item.kind == "moon":
            session.connection().execute(
                update(InboxItem).where(InboxItem.kind == "moon").values(fence=99)
            )
            session.commit()
        handle(session, terms, item, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drain.inbox, "handle", oversleep)
        try:
            drain.drain_inbox(desk.runtime)
        except LeaseLost:
            pytest.fail("one lost lease ended the whole round")
    assert desk.line(rma).state is LineState.SETTLED


def test_burn_that_is_not_final_yet_is_no_break(desk: Desk) -> None:
    policy = setup.STANDARD_POLICY.read_text().replace("fiat_refund: vault", "fiat_refund: burn")
    desk.use_policy(policy)
    rma = payout_due(desk)
    drain.drain_outbox(desk.runtime)
    drain.drain_inbox(desk.runtime)
    desk.relay()
    desk.tell(blocks=0)
    desk.work()
    assert desk.leg(rma, LegKind.BURN).state is LegState.CONFIRMED
    assert reconcile.run(desk.runtime, desk.merchant.id)[1] == []
    assert desk.rows(ReturnLine)[0].state is LineState.SETTLING
