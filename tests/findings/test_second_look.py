"""Promises about requests and facts that come at the same moment, or after the end."""

from __future__ import annotations

import pytest
from desk import ADDRESSES, Desk
from pydantic import ValidationError
from sqlmodel import col

from chain.local import anvil_keys
from returns.errors import AlreadyReturning, LeaseLost, ProcessorUnknown
from returns.tables import InboxItem, OutboxItem
from returns.words import LegKind, LegState, LineState
from settlement import drain, payouts
from settlement.commands import orders
from settlement.commands.inputs import OrderIn
from settlement.settings import Settings


def committed(desk: Desk, order: OrderIn | None = None) -> str:
    """A line whose commit is final and whose payout is due."""
    rma = desk.ask(order or desk.buy())["rma"]
    desk.sign(rma)
    for _ in range(3):
        desk.relay()
        desk.tell()
        drain.drain_inbox(desk.runtime)
    return str(rma)


def test_purchase_that_was_paid_back_and_reclaimed_is_not_paid_back_again(desk: Desk) -> None:
    order = desk.buy()
    rma = committed(desk, order)
    drain.drain_outbox(desk.runtime)
    drain.drain_inbox(desk.runtime)
    assert desk.leg(rma, LegKind.PROCESSOR_REFUND).state is LegState.FINAL
    desk.clock.move(days=40)
    line = "0x" + desk.line(rma).id.bytes.rjust(32, b"\0").hex()
    desk.chain.reclaim(line, int(desk.clock().timestamp()))
    desk.tell()
    desk.work()
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    assert desk.owner_of(100) == ADDRESSES[0]
    with pytest.raises(AlreadyReturning):
        desk.ask(order)
    assert len(desk.processor.log) == 1


def test_held_token_that_is_not_paid_for_comes_back_when_the_customer_cancels(desk: Desk) -> None:
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    desk.relay()
    desk.tell()
    drain.drain_inbox(desk.runtime)
    assert desk.line(rma).state is LineState.COMMITTING
    desk.cancel(rma)
    desk.run()
    assert desk.line(rma).state is LineState.RETURNED
    assert desk.owner_of(100) == ADDRESSES[0]
    assert (desk.processor.asked, desk.balances()) == ([], {})
    assert not desk.rows(InboxItem, col(InboxItem.done_at).is_(None))


def test_worker_without_its_lease_does_not_ask_the_processor(desk: Desk) -> None:
    committed(desk)
    (row,) = desk.rows(OutboxItem, col(OutboxItem.done_at).is_(None))
    row.fence -= 1
    parts = (desk.runtime.database, desk.clock, desk.runtime.terms, desk.processor)
    with pytest.raises(LeaseLost):
        payouts.pay(*parts, row)
    assert desk.processor.asked == []


def test_deposit_and_commit_that_a_reorg_took_back_together_are_told_again(desk: Desk) -> None:
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    for _ in range(2):
        desk.relay()
        desk.tell(blocks=0)
        desk.work()
    assert desk.leg(rma, LegKind.COMMIT).state is LegState.CONFIRMED
    desk.reorg(2)
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert len(desk.processor.log) == 1
    assert not desk.rows(InboxItem, col(InboxItem.done_at).is_(None))


def test_order_paid_through_a_processor_that_is_not_set_up_is_refused(desk: Desk) -> None:
    order = desk.buy()
    payment = order.payments[0].model_copy(update={"processor": "elsewhere", "reference": "ch_new"})
    other = order.model_copy(update={"number": "B-1", "payments": [payment]})
    before = desk.count_all()
    (result,) = orders.put_orders(desk.runtime, desk.merchant.id, [other])
    assert isinstance(result.error, ProcessorUnknown)
    assert desk.count_all() == before


@pytest.mark.parametrize("spelling", ["{}", "0x{}", "0X{}"])
def test_public_key_of_anvil_is_refused_in_production_however_it_is_spelled(spelling: str) -> None:
    digits = anvil_keys()[2].removeprefix("0x")
    with pytest.raises(ValidationError, match="public keys"):
        Settings(
            environment="production",
            operator_key=spelling.format(digits),
            secret_key="s" * 32,
            processor_key="p" * 32,
            webhook_secret="whsec_" + "c2VjcmV0" * 4,
        )
