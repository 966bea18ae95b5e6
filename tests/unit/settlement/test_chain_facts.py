"""Facts of the chain come twice, late, out of order, and are taken back by reorgs."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from desk import ADDRESSES, FINAL, Desk
from fake_chain import DEPLOYMENT
from sqlmodel import col, update

from returns import reads, work
from returns.tables import Event, Hold, InboxItem, JournalEntry, Leg
from returns.words import HoldState, LegKind, LegState, LineState


def signed(desk: Desk, **bought: str) -> str:
    """A case whose authorization was signed just now."""
    rma = desk.ask(desk.buy(**bought))["rma"]
    desk.sign(rma)
    return rma


def inbox_is_done(desk: Desk) -> bool:
    return not desk.rows(InboxItem, col(InboxItem.done_at).is_(None))


def test_confirmed_deposit_commits_but_pays_nothing(desk: Desk) -> None:
    rma = signed(desk)
    desk.relay()
    desk.tell(blocks=0)
    desk.work()
    assert desk.line(rma).state is LineState.COMMITTING
    assert desk.rows(Hold)[0].state is HoldState.HELD
    assert desk.processor.asked == []


def test_payout_waits_until_the_commit_is_final(desk: Desk) -> None:
    rma = signed(desk)
    desk.relay()
    desk.tell(blocks=0)
    desk.work()
    desk.relay()
    for _ in range(FINAL - 1):
        desk.tell(blocks=0)
        desk.work()
        assert desk.line(rma).state is LineState.COMMITTING
        assert desk.processor.asked == []
        desk.chain.mine()
    desk.tell(blocks=0)
    desk.work()
    assert desk.processor.asked == [desk.leg(rma, LegKind.PROCESSOR_REFUND).id]


def test_every_fact_told_twice_acts_once(desk: Desk) -> None:
    rma = signed(desk)
    desk.run()
    books = len(desk.rows(JournalEntry)), len(desk.rows(Event)), len(desk.rows(Leg))
    with desk.runtime.database.write() as session:
        session.connection().execute(update(InboxItem).values(done_at=None))
    desk.run()
    assert inbox_is_done(desk)
    assert (len(desk.rows(JournalEntry)), len(desk.rows(Event)), len(desk.rows(Leg))) == books
    assert desk.line(rma).state is LineState.SETTLED
    assert desk.rows(Hold)[0].state is HoldState.SETTLED
    assert len(desk.processor.log) == 1


@pytest.mark.parametrize("tender", ["card", "wallet"])
def test_final_before_confirmed_ends_the_same(desk: Desk, tender: str) -> None:
    rma = signed(desk, tender=tender)
    for _ in range(6):
        desk.relay()
        desk.tell()
        with desk.runtime.database.write() as session:
            late = update(InboxItem).where(InboxItem.kind == "chain.confirmed")
            session.connection().execute(late.values(due_at=desk.clock()))
            early = update(InboxItem).where(InboxItem.kind == "chain.final")
            session.connection().execute(early.values(due_at=desk.clock().replace(year=2020)))
        desk.work()
    assert desk.line(rma).state is LineState.SETTLED
    assert inbox_is_done(desk)
    assert {leg.state for leg in desk.rows(Leg)} == {LegState.FINAL}


def test_known_twice_is_stored_once(desk: Desk) -> None:
    signed(desk)
    desk.relay()
    block = desk.chain.blocks[-1]
    answers = [desk.deliver(block, 0, "chain.confirmed") for _ in range(3)]
    assert answers == [True, False, False]
    assert len(desk.rows(InboxItem)) == 1


@pytest.mark.parametrize("line", ["0x" + "ff" * 32, "0x" + "00" * 31 + "07", None])
def test_event_of_a_line_that_is_not_ours_is_ignored(desk: Desk, line: str | None) -> None:
    signed(desk)
    block = desk.chain.mine()
    args = {"merchant": "0x" + "00" * 32} if line is None else {"line": line}
    token = {"token": DEPLOYMENT.collection, "tokenId": 1, "depositor": ADDRESSES[0]}
    block.facts.append(("0xaa", "Deposited", {**args, **token, "reclaimAfter": 1}))
    before = desk.count_all()
    desk.tell()
    desk.work()
    assert inbox_is_done(desk)
    assert desk.count_all() == before | {"inbox": before["inbox"] + 2}


def test_fact_of_a_kind_nobody_knows_stays_visible_and_stops_nothing(desk: Desk) -> None:
    rma = signed(desk)
    with desk.runtime.database.write() as session:
        now = desk.clock()
        work.receive(session, source="x", external_id="1", kind="moon", payload="{}", now=now)
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    (stuck,) = desk.rows(InboxItem, col(InboxItem.done_at).is_(None))
    assert stuck.kind == "moon"
    assert stuck.last_error == "KeyError: 'moon'"


class TestRelayFailed:
    """The chain refused: nothing was moved, so nothing is booked."""

    @pytest.mark.parametrize("tender", ["card", "wallet"])
    def test_refused_first_leg_goes_to_review_with_nothing_owed(
        self, desk: Desk, tender: str
    ) -> None:
        rma = signed(desk, tender=tender)
        token = desk.rows(Leg)[0]
        desk.chain.give(100, ADDRESSES[2])  # sold between signature and transaction
        desk.run()
        assert desk.line(rma).state is LineState.IN_REVIEW
        assert desk.rows(Leg) == [desk.rows(Leg)[0]]
        assert desk.rows(Leg)[0].state is LegState.FAILED
        assert "TokenNotHeld" in desk.rows(Leg)[0].error
        assert token.id == desk.rows(Leg)[0].id
        assert desk.balances() == {}
        assert desk.processor.asked == []
        assert desk.chain.state.paid == {}

    def test_told_twice_it_acts_once(self, desk: Desk) -> None:
        rma = signed(desk)
        desk.chain.give(100, ADDRESSES[2])
        desk.run()
        with desk.runtime.database.write() as session:
            session.connection().execute(update(InboxItem).values(done_at=None))
        before = desk.count_all()
        desk.run()
        assert desk.count_all() == before
        assert desk.line(rma).state is LineState.IN_REVIEW

    def test_after_review_a_new_signature_settles_it(self, desk: Desk) -> None:
        rma = signed(desk)
        desk.chain.give(100, ADDRESSES[2])
        desk.run()
        desk.chain.give(100, ADDRESSES[0])
        desk.clock.move(hours=1)
        desk.review(rma, "approve")
        desk.sign(rma)
        desk.run()
        assert desk.line(rma).state is LineState.SETTLED
        deposits = desk.rows(Leg, Leg.kind == LegKind.DEPOSIT)
        assert [leg.attempt for leg in deposits] == [1, 2]
        assert len(desk.processor.log) == 1

    def test_refused_commit_needs_a_person_and_pays_nothing(self, desk: Desk) -> None:
        rma = signed(desk)
        desk.relay()
        desk.tell(blocks=0)
        desk.work()
        desk.chain.escrow.paused = True
        desk.run()
        assert desk.line(rma).state is LineState.NEEDS_ATTENTION
        assert desk.processor.asked == []


class TestReorg:
    """A reorg reverses what it undid, visibly, and what happens again counts once."""

    def test_swap_that_is_mined_again_is_booked_once(self, desk: Desk) -> None:
        rma = signed(desk, tender="wallet")
        desk.relay()
        desk.tell(blocks=0)
        desk.work()
        assert desk.line(rma).state is LineState.SETTLED
        settled = desk.balances()
        desk.reorg(1)
        desk.work()
        assert desk.line(rma).state is LineState.SETTLING
        assert desk.leg(rma, LegKind.SWAP).state is LegState.SENT
        desk.run()
        assert desk.line(rma).state is LineState.SETTLED
        assert desk.balances() == settled
        assert [entry.kind for entry in desk.rows(JournalEntry)] == [
            "grant", "swap", "swap.reversed", "swap.2",
        ]  # fmt: skip

    def test_what_was_undone_while_it_waited_is_not_applied(self, desk: Desk) -> None:
        rma = signed(desk, tender="wallet")
        desk.relay()
        desk.tell(blocks=0)
        desk.reorg(1, again=False)
        before, moves = desk.balances(), desk.states(rma)
        desk.work()
        assert inbox_is_done(desk)
        assert (desk.balances(), desk.states(rma)) == (before, moves)
        assert desk.leg(rma, LegKind.SWAP).state is LegState.PLANNED

    def test_the_timeline_shows_block_and_depth_of_what_was_seen_and_undone(
        self, desk: Desk
    ) -> None:
        rma = signed(desk, tender="wallet")
        desk.relay()
        desk.tell(blocks=0)
        desk.work()
        seen = desk.leg(rma, LegKind.SWAP)
        desk.reorg(1, again=False)
        desk.work()
        with desk.runtime.database.read() as session:
            case = reads.find_case(session, desk.merchant.id, rma, None)
            *_, settled, undone = reads.timeline(session, case)
        place = {"block": str(seen.block_number), "transaction": seen.reference}
        assert settled.items() >= {"event": "return.line.settled", "depth": "1", **place}.items()
        assert undone.items() >= {"event": "return.line.settling", **place}.items()
        assert undone["reason"] == "a reorg took the transaction back; it is sent again"

    def test_undoing_told_after_it_was_mined_again_takes_nothing_back(self, desk: Desk) -> None:
        rma = signed(desk)
        desk.relay()
        desk.tell(blocks=0)
        desk.work()
        desk.reorg(1)
        [late] = desk.rows(InboxItem, col(InboxItem.done_at).is_(None))
        self._put_off(desk, late, minutes=5)
        desk.tell()
        desk.work()
        before = (desk.states(rma), desk.rows(Hold)[0].state)
        desk.clock.move(minutes=10)
        desk.work()
        assert inbox_is_done(desk)
        assert (desk.states(rma), desk.rows(Hold)[0].state) == before

    def _put_off(self, desk: Desk, item: InboxItem, minutes: int) -> None:
        with desk.runtime.database.write() as session:
            later = desk.clock() + timedelta(minutes=minutes)
            session.get_one(InboxItem, item.id).due_at = later

    def test_reorgs_in_a_row_leave_one_booking(self, desk: Desk) -> None:
        rma = signed(desk, tender="wallet")
        desk.relay()
        desk.tell(blocks=0)
        desk.work()
        settled = desk.balances()
        for _ in range(4):
            desk.reorg(1)
            desk.tell(blocks=0)
            desk.work()
        assert desk.line(rma).state is LineState.SETTLED
        assert desk.balances() == settled
        assert desk.states(rma).count("settled") == 5

    def test_swap_that_is_gone_leaves_only_what_is_owed(self, desk: Desk) -> None:
        rma = signed(desk, tender="wallet")
        desk.relay()
        desk.tell(blocks=0)
        desk.work()
        desk.reorg(1, again=False)
        desk.work()
        assert desk.line(rma).state is LineState.SETTLING
        assert sorted(desk.balances().values()) == [-1000, 1000]

    def test_deposit_that_is_mined_again_goes_on_with_the_same_commit(self, desk: Desk) -> None:
        rma = signed(desk)
        desk.relay()
        desk.tell(blocks=0)
        desk.work()
        desk.reorg(1)
        desk.work()
        assert desk.line(rma).state is LineState.DEPOSITING
        desk.run()
        assert desk.line(rma).state is LineState.SETTLED
        assert len(desk.rows(Leg, Leg.kind == LegKind.COMMIT)) == 1
        assert len(desk.processor.log) == 1

    def test_undoing_told_twice_reverses_once(self, desk: Desk) -> None:
        signed(desk, tender="wallet")
        desk.relay()
        desk.tell(blocks=0)
        desk.work()
        desk.reorg(1, again=False)
        desk.work()
        before = desk.count_all()
        with desk.runtime.database.write() as session:
            undo = update(InboxItem).where(InboxItem.kind == "chain.reorged")
            session.connection().execute(undo.values(done_at=None))
        desk.work()
        assert desk.count_all() == before


def test_any_order_of_the_facts_of_a_swap_ends_the_same(desk: Desk) -> None:
    for order in itertools.permutations(("chain.confirmed", "chain.final", "chain.confirmed")):
        rma = signed(desk, tender="wallet")
        desk.relay()
        block = desk.chain.blocks[-1]
        for number, kind in enumerate(order):
            desk.clock.move(seconds=number)
            desk.deliver(block, 0, kind)
            desk.work()
        assert desk.line(rma).state is LineState.SETTLED
        assert desk.leg(rma, LegKind.SWAP).state is LegState.FINAL
    assert len(desk.chain.state.paid) == 6
