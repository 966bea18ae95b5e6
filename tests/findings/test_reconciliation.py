"""Promises about what reconciliation finds and what it never invents."""

from __future__ import annotations

from uuid import uuid4

from desk import Desk
from sqlmodel import select, update

from returns.tables import Break, Leg, OrderLine
from returns.words import LegKind, LegState
from settlement.processors.base import RefundRequest
from settlement.reconciliation import run as reconcile


def settled(desk: Desk, **bought: object) -> str:
    rma = desk.ask(desk.buy(**bought))["rma"]
    desk.sign(rma)
    desk.run(20)
    return rma


def codes(desk: Desk) -> list[str]:
    return sorted(row.code for row in reconcile.run(desk.runtime, desk.merchant.id)[1])


def test_two_breaks_of_one_subject_are_one_row_and_no_crash(desk: Desk) -> None:
    settled(desk, tokens=2)
    with desk.runtime.database.write() as session:
        session.connection().execute(update(OrderLine).values(price=1))
    assert codes(desk) == ["order.over_refunded"]
    assert codes(desk) == ["order.over_refunded"]
    assert len(desk.rows(Break)) == 1


def test_refunds_and_tokens_of_another_merchant_are_no_breaks_of_this_one(desk: Desk) -> None:
    other = Desk(desk.runtime, "other")
    other._count = 50
    settled(other)
    held = other.ask(other.buy())["rma"]
    other.sign(held)
    other.relay()
    other.tell(blocks=0)
    other.work()
    settled(desk)
    assert codes(desk) == []
    assert codes(other) == []


def test_refund_of_a_leg_that_failed_in_the_books_is_found(desk: Desk) -> None:
    desk.processor.mode = "decline"
    rma = settled(desk)
    leg = desk.leg(rma, LegKind.PROCESSOR_REFUND)
    assert leg.state is LegState.FAILED
    desk.processor.mode = "ok"
    desk.processor._pay(RefundRequest(leg.id, "ch", leg.amount, leg.currency))
    assert codes(desk) == ["processor.unknown"]


def test_unknown_refund_is_told_to_every_merchant_that_it_could_belong_to(desk: Desk) -> None:
    settled(desk)
    desk.processor._pay(RefundRequest(uuid4(), "ch", 5, "USD"))
    assert codes(desk) == ["processor.unknown"]
    with desk.runtime.database.read() as session:
        assert session.exec(select(Leg)).first() is not None
