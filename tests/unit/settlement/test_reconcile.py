"""Each break is found when it is planted, none is invented, and what is gone is resolved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from desk import ADDRESSES, Desk
from fake_chain import DEPLOYMENT
from sqlmodel import delete, update

from returns.errors import ChainUnavailable, ProcessorUnavailable
from returns.tables import Break, JournalEntry, Leg, OrderLine, Posting, ReconciliationRun
from returns.words import LegKind, LegState
from settlement.reconciliation import run as reconcile
from settlement.reports import COLUMNS, breaks_csv


@pytest.fixture
def settled(desk: Desk) -> Desk:
    """A clean book: one return of each remedy at rest, one on its way."""
    for tender, remedy in (("card", None), ("wallet", None), ("card", "store_credit")):
        desk.sign(desk.ask(desk.buy(tender=tender), remedy)["rma"])
    desk.run(20)
    # Another wallet: the fourth return of one within a week would wait for a person.
    desk.sign(desk.ask(desk.buy(owner=1))["rma"], owner=1)
    desk.relay()
    desk.tell(blocks=0)
    desk.work()
    return desk


def found(desk: Desk) -> list[str]:
    return sorted(row.code for row in reconcile.run(desk.runtime, desk.merchant.id)[1])


def leg(desk: Desk, kind: LegKind) -> Leg:
    return desk.rows(Leg, Leg.kind == kind)[0]


def change(desk: Desk, statement: object) -> None:
    with desk.runtime.database.write() as session:
        session.connection().execute(statement)


def planted(desk: Desk) -> dict[str, Callable[[], None]]:
    """One way to plant each break behind the product's back."""
    refund, log = leg(desk, LegKind.PROCESSOR_REFUND), desk.processor.log
    facts = [f for block in desk.chain.blocks for f in block.facts]
    args = next(args for _, name, args in facts if name == "Swapped")
    entry = next(e for e in desk.rows(JournalEntry) if e.cause == refund.id)
    swapped = desk.rows(OrderLine)[1].token_id

    def other_postings(amount: int, **where: str) -> None:
        statement = update(Posting).where(Posting.entry_id == entry.id).values(amount=amount)
        for name, value in where.items():
            statement = statement.where(getattr(Posting, name) == value)
        change(desk, statement)

    def no_booking() -> None:
        change(desk, delete(Posting).where(Posting.entry_id == entry.id))
        change(desk, delete(JournalEntry).where(JournalEntry.id == entry.id))

    def no_event() -> None:
        for block in desk.chain.blocks:
            block.facts = [fact for fact in block.facts if fact[1] != "Settled"]

    def over_refunded() -> None:
        bought = next(x for x in desk.rows(OrderLine) if x.token_id == 100)
        change(desk, update(OrderLine).where(OrderLine.id == bought.id).values(price=999))

    def inbound() -> None:
        desk.chain.give(77, ADDRESSES[1])
        block = desk.chain.mine()
        block.state.owners[DEPLOYMENT.collection, 77] = DEPLOYMENT.escrow
        block.transfers.append((DEPLOYMENT.collection, 77, ADDRESSES[1], DEPLOYMENT.escrow))

    return {
        "processor.missing": log.clear,
        "processor.unknown": lambda: log.append(replace(log[0], id="re_x", key=str(uuid4()))),
        "processor.duplicate": lambda: log.append(replace(log[0], id="re_x")),
        "processor.amount": lambda: log.__setitem__(0, replace(log[0], amount=1)),
        "chain.amount": lambda: args.__setitem__("refund", 1),
        "chain.wrong_recipient": lambda: args.__setitem__("recipient", ADDRESSES[3]),
        "chain.wrong_holder": lambda: desk.chain.give(swapped, ADDRESSES[3]),
        "chain.unknown_inbound": inbound,
        "ledger.missing": no_booking,
        "ledger.amount": lambda: other_postings(1),
        "ledger.unbalanced": lambda: other_postings(1, side="debit"),
        "order.over_refunded": over_refunded,
        "timing": lambda: desk.clock.move(hours=1, seconds=1),
        "chain.missing": no_event,
        "processor.fx": lambda: log.__setitem__(0, replace(log[0], currency="EUR")),
        "chain.reorged": lambda: change(
            desk, update(Leg).where(Leg.id == leg(desk, LegKind.SETTLE).id).values(block_hash="0x")
        ),
    }  # fmt: skip


def test_clean_book_has_no_break_at_any_moment(desk: Desk) -> None:
    rmas = [desk.ask(desk.buy(tender=t), r)["rma"] for t, r in
            (("card", None), ("wallet", None), ("card", "store_credit"))]  # fmt: skip
    assert found(desk) == []
    for rma in rmas:
        desk.sign(rma)
    for _ in range(8):
        for step in (desk.relay, lambda: desk.tell(blocks=1), desk.work):
            step()
            assert found(desk) == []


@pytest.mark.parametrize(
    "code",
    ["processor.missing", "processor.unknown", "processor.duplicate", "processor.amount",
     "chain.amount", "chain.wrong_recipient", "chain.wrong_holder", "chain.unknown_inbound",
     "ledger.missing", "ledger.amount", "ledger.unbalanced", "order.over_refunded", "timing",
     "processor.fx", "chain.reorged"],
)  # fmt: skip
def test_planted_break_is_found_and_nothing_else(settled: Desk, code: str) -> None:
    assert found(settled) == []
    planted(settled)[code]()
    assert found(settled) == [code]


def test_missing_event_is_found_for_every_leg_that_claims_it(settled: Desk) -> None:
    planted(settled)["chain.missing"]()
    assert found(settled) == ["chain.missing"] * 2


def test_missing_grant_is_found(settled: Desk) -> None:
    entry = next(e for e in settled.rows(JournalEntry) if e.kind == "grant")
    change(settled, delete(Posting).where(Posting.entry_id == entry.id))
    change(settled, delete(JournalEntry).where(JournalEntry.id == entry.id))
    assert found(settled) == ["ledger.missing"]


def test_break_keeps_its_age_until_it_is_gone(settled: Desk) -> None:
    refunds = list(settled.processor.log)
    settled.processor.log.clear()
    first = settled.clock()
    assert found(settled) == ["processor.missing"]
    settled.clock.move(minutes=30)
    assert found(settled) == ["processor.missing"]
    (row,) = settled.rows(Break)
    assert (row.first_seen, row.last_seen) == (first, first + timedelta(minutes=30))
    settled.processor.log = refunds
    assert found(settled) == []
    assert settled.rows(Break)[0].resolved_at == settled.clock()


#: What another side said is kept when it was read; nothing was compared with it.
SAID = {"recon_side", "recon_effect", "recon_refund", "recon_movement"}


def compared(desk: Desk) -> dict[str, int]:
    return {name: count for name, count in desk.count_all().items() if name not in SAID}


def test_half_a_comparison_is_none(settled: Desk) -> None:
    before = compared(settled)
    settled.chain.down = True
    with pytest.raises(ChainUnavailable):
        found(settled)
    settled.chain.down, settled.processor.mode = False, "down"
    with pytest.raises(ProcessorUnavailable):
        found(settled)
    assert compared(settled) == before


def test_run_says_what_it_compared(settled: Desk) -> None:
    assert found(settled) == []
    (row,) = settled.rows(ReconciliationRun)
    assert row.block_number == settled.chain.blocks[-1].number
    assert (row.legs, row.processor_refunds) == (len(settled.rows(Leg)), 1)
    assert {leg.state for leg in settled.rows(Leg)} >= {LegState.FINAL}


def test_report_runs_no_formula_in_a_spreadsheet() -> None:
    row = dict.fromkeys(COLUMNS, "=1+1")
    assert breaks_csv([row]).splitlines() == [
        ",".join(COLUMNS), ",".join(["'=1+1"] * len(COLUMNS)),
    ]  # fmt: skip
