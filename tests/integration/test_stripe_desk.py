"""A whole desk whose cards are Stripe's: a fault ends in one refund, or in none and a person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import processor_peers as peers
import pytest
import stripe_stand_in
from desk import Desk, order_body
from processor_peers import Peer

from returns.tables import Leg
from returns.words import LegKind, LegState, LineState
from settlement.commands import orders, webhooks
from settlement.commands.inputs import OrderIn


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with peers.stripe(tmp_path, "pi") as one:
        one.tell("/_settings", seconds=3600)
        yield one


@pytest.fixture
def order(desk: Desk, peer: Peer) -> OrderIn:
    """A token that was paid with a card at Stripe."""
    desk.runtime.processors["stripe"] = peer.processor
    desk.chain.give(7, desk.buy().buyer_wallet)
    body = order_body("S-1", [7]) | {"placed_at": desk.clock().isoformat()}
    body["payment"] |= {"processor": "stripe", "reference": peer.charge(1000, "USD")}
    order = OrderIn.model_validate(body)
    [result] = orders.put_orders(desk.runtime, desk.merchant.id, [order])
    assert result.result == orders.STORED
    return order


@pytest.fixture
def rma(desk: Desk, order: OrderIn) -> str:
    rma = str(desk.ask(order)["rma"])
    desk.sign(rma)
    return rma


def leg(desk: Desk, rma: str) -> Leg:
    return desk.leg(rma, LegKind.PROCESSOR_REFUND)


def hear(desk: Desk, peer: Peer, times: int = 1, *, is_reversed: bool = False) -> None:
    """All webhooks so far, as often and in which order."""
    events: list[Any] = httpx.get(f"{peer.at}/_events").json() * times
    for event in reversed(events) if is_reversed else events:
        body = json.dumps(event).encode()
        webhooks.receive(desk.runtime, "stripe", body, stripe_stand_in.signed(body))


def paid(peer: Peer, order: OrderIn) -> int:
    return peer.paid(order.payments[0].reference)


def live(desk: Desk, rounds: int = 6) -> None:
    for _ in range(rounds):
        desk.run()
        desk.clock.move(minutes=5)


@pytest.mark.parametrize("fault", ["error_after", "drop_after"])
def test_a_lost_answer_is_paid_once(
    desk: Desk, peer: Peer, order: OrderIn, rma: str, fault: str
) -> None:
    peer.trouble(fault, on="POST /v1/refunds")
    live(desk)
    assert desk.line(rma).state is LineState.SETTLED
    assert paid(peer, order) == 1000
    assert peer.log()["posts"] == 1


@pytest.mark.parametrize("fault", ["error_before", "down", "drop_before", "rate_limit"])
def test_a_processor_that_was_away_pays_once_it_is_back(
    desk: Desk, peer: Peer, order: OrderIn, rma: str, fault: str
) -> None:
    peer.trouble(fault, on="", times=-1)
    live(desk, 3)
    assert desk.line(rma).state is LineState.SETTLING
    assert leg(desk, rma).state is LegState.UNKNOWN
    peer.calm()
    assert paid(peer, order) == 0
    live(desk)
    assert desk.line(rma).state is LineState.SETTLED
    assert paid(peer, order) == 1000


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("status", ["pending", "requires_action"])
def test_what_waits_at_stripe_settles_by_its_webhooks_in_any_order(
    desk: Desk, peer: Peer, order: OrderIn, rma: str, status: str, is_reversed: bool
) -> None:
    peer.tell("/_settings", outcomes={status: 1})
    live(desk, 2)
    assert leg(desk, rma).state is LegState.SENT
    peer.tell(f"/_refunds/{leg(desk, rma).reference}", status="succeeded")
    hear(desk, peer, 2, is_reversed=is_reversed)
    desk.run()
    assert desk.line(rma).state is LineState.SETTLED
    assert paid(peer, order) == 1000


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_refund_that_fails_days_later_is_a_person_s_and_its_money_is_back(
    desk: Desk, peer: Peer, order: OrderIn, rma: str, is_reversed: bool
) -> None:
    live(desk)
    assert desk.line(rma).state is LineState.SETTLED
    peer.tell(f"/_refunds/{leg(desk, rma).reference}", status="failed")
    hear(desk, peer, 2, is_reversed=is_reversed)
    live(desk, 2)
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    assert leg(desk, rma).state is LegState.FAILED
    assert "expired_or_canceled_card" in (leg(desk, rma).error or "")
    assert paid(peer, order) == 0


def test_what_somebody_refunded_by_hand_is_not_refunded_again(
    desk: Desk, peer: Peer, order: OrderIn, rma: str
) -> None:
    [charge] = peer.log()["charges"]
    headers = {"Authorization": f"Bearer {stripe_stand_in.KEY}"}
    by_hand = {"charge": charge["id"], "amount": "1000"}
    httpx.post(f"{peer.at}/v1/refunds", data=by_hand, headers=headers).raise_for_status()
    hear(desk, peer)
    live(desk)
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    assert "more than the 0 USD" in (leg(desk, rma).error or "")
    assert paid(peer, order) == 1000


def test_a_chargeback_that_nobody_told_us_of_is_met_at_stripe(
    desk: Desk, peer: Peer, order: OrderIn, rma: str
) -> None:
    [charge] = peer.log()["charges"]
    peer.tell("/_disputes", charge=charge["id"])
    live(desk)
    assert desk.line(rma).state is LineState.NEEDS_ATTENTION
    assert "disputed" in (leg(desk, rma).error or "")
    assert paid(peer, order) == 0
