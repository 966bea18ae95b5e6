"""Cancel and expiry: what can still be withdrawn, and what nobody signed in time."""

from __future__ import annotations

import pytest
from desk import Desk
from sqlmodel import update

from returns import lifecycle
from returns.errors import MoveNotAllowed
from returns.tables import Hold, Leg, RelayTransaction, ReturnLine
from returns.words import HoldState, LegKind, LineState
from settlement.commands import cases
from settlement.reconciliation.run import run as reconcile


def test_cancel_before_the_signature_owes_nothing_and_frees_the_purchase(desk: Desk) -> None:
    order = desk.buy()
    rma = desk.ask(order)["rma"]
    assert desk.cancel(rma)["state"] == "canceled"
    assert desk.balances() == {}
    assert desk.rows(Leg) == []
    assert desk.ask(order)["state"] == "awaiting_signature"


@pytest.mark.parametrize("state", [s for s in LineState if s not in lifecycle.CANCELABLE])
def test_cancel_is_refused_in_every_other_state_and_changes_nothing(
    desk: Desk, state: LineState
) -> None:
    rma = desk.ask(desk.buy())["rma"]
    with desk.runtime.database.write() as session:
        open_ = state not in lifecycle.REOPENABLE
        session.connection().execute(update(ReturnLine).values(state=state, open=open_))
    before = desk.count_all(), desk.balances()
    with pytest.raises(MoveNotAllowed):
        desk.cancel(rma)
    assert (desk.count_all(), desk.balances()) == before
    assert desk.line(rma).state is state


def test_cancel_in_custody_gives_the_token_back(desk: Desk) -> None:
    order = desk.buy()
    rma = desk.ask(order)["rma"]
    desk.sign(rma)
    desk.relay()
    desk.tell(blocks=0)
    desk.work()
    with desk.runtime.database.write() as session:
        # Held for inspection, as a later version does: nothing is committed yet.
        session.delete(session.get_one(Leg, desk.leg(rma, LegKind.COMMIT).id))
        session.connection().execute(
            RelayTransaction.__table__.delete().where(RelayTransaction.state == "pending")
        )
        session.connection().execute(update(ReturnLine).values(state=LineState.IN_CUSTODY))
    assert desk.cancel(rma)["state"] == "returning"
    desk.run()
    assert desk.line(rma).state is LineState.RETURNED
    assert desk.owner(order) == order.buyer_wallet
    assert desk.balances() == {}
    assert desk.rows(Hold)[0].state is HoldState.RELEASED
    assert reconcile(desk.runtime, desk.merchant.id)[1] == []


def test_unsigned_authorization_expires_after_its_deadline_not_before(desk: Desk) -> None:
    order = desk.buy()
    rma = desk.ask(order)["rma"]
    desk.clock.move(days=1)
    assert cases.expire(desk.runtime) == 0
    desk.clock.move(seconds=1)
    assert cases.expire(desk.runtime) == 1
    assert cases.expire(desk.runtime) == 0
    assert desk.line(rma).state is LineState.EXPIRED
    assert desk.balances() == {}
    assert desk.ask(order)["state"] == "awaiting_signature"


def test_signed_line_does_not_expire(desk: Desk) -> None:
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    desk.clock.move(days=2)
    assert cases.expire(desk.runtime) == 0
    assert desk.line(rma).state is LineState.DEPOSITING


def test_deposit_that_comes_after_its_deadline_goes_to_a_person(desk: Desk) -> None:
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    desk.clock.move(days=2)
    desk.run()
    assert desk.line(rma).state is LineState.IN_REVIEW
    assert desk.balances() == {}


def test_depositor_takes_a_token_back_that_was_never_committed(desk: Desk) -> None:
    order = desk.buy()
    rma = desk.ask(order)["rma"]
    desk.sign(rma)
    desk.relay()
    desk.clock.move(days=9)
    line = "0x" + desk.line(rma).id.bytes.rjust(32, b"\0").hex()
    desk.chain.reclaim(line, int(desk.clock().timestamp()))
    desk.run()
    assert desk.line(rma).state in (LineState.RECLAIMED, LineState.NEEDS_ATTENTION)
    assert desk.owner(order) == order.buyer_wallet
    assert desk.processor.asked == []
