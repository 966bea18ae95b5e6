"""What is particular to Stripe: its statuses, disputes, keys, pages and errors, over HTTP."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import processor_peers as peers
import pytest
import stripe_stand_in
from fastapi import FastAPI, Request
from processor_peers import Peer
from stand_ins import served

from returns.errors import ProcessorMisconfigured, ProcessorUnavailable
from returns.words import DisputeStatus, MovementKind, RefundStatus
from settlement.processors.base import (
    Movement,
    ProcessorDispute,
    ProcessorRefund,
    RefundDeclined,
    RefundRequest,
)
from settlement.processors.stripe import StripeProcessor


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with peers.stripe(tmp_path) as one:
        yield one


def asked(charge: str, amount: int = 100) -> RefundRequest:
    return RefundRequest(uuid4(), charge, amount, "EUR")


def moves(peer: Peer, about: str) -> list[tuple[MovementKind, int]]:
    found = [one for one in peer.processor.movements() if one.about == about]
    return [(one.kind, one.amount) for one in found]


def facts(peer: Peer) -> list[Any]:
    """What the webhooks of everything so far would tell."""
    told = []
    for event in httpx.get(f"{peer.at}/_events").json():
        body = json.dumps(event).encode()
        told.append(peer.processor.read_webhook(body, stripe_stand_in.signed(body)))
    return told


@pytest.mark.parametrize("status", ["pending", "requires_action"])
def test_what_is_not_paid_yet_is_told_as_that_and_counts_against_the_remainder(
    peer: Peer, status: str
) -> None:
    peer.tell("/_settings", outcomes={status: 1}, seconds=3600)
    request = asked(peer.charge(100, "EUR"), 60)
    refund = peer.processor.refund(request)
    assert refund.status is RefundStatus(status)
    assert moves(peer, refund.id) == []
    with pytest.raises(RefundDeclined, match="more than the 40 EUR"):
        peer.processor.refund(asked(request.charge, 41))
    peer.tell(f"/_refunds/{refund.id}", status="succeeded")
    found = peer.processor.find(request)
    assert found is not None
    assert found.status is RefundStatus.SUCCEEDED
    assert moves(peer, refund.id) == [(MovementKind.REFUND, -60)]


def test_a_refund_that_fails_days_later_gives_its_money_back_and_the_remainder(
    peer: Peer,
) -> None:
    request = asked(peer.charge(100, "EUR"), 100)
    refund = peer.processor.refund(request)
    peer.tell(f"/_refunds/{refund.id}", status="failed", failure_reason="lost_or_stolen_card")
    found = peer.processor.find(request)
    assert found is not None
    assert (found.status, found.reason) == (RefundStatus.FAILED, "lost_or_stolen_card")
    kinds = [(MovementKind.REFUND, -100), (MovementKind.REFUND_FAILURE, 100)]
    assert moves(peer, refund.id) == kinds
    assert peer.processor.refund(asked(request.charge, 100)).status is RefundStatus.SUCCEEDED
    assert peer.paid(request.charge) == 100


def test_a_canceled_refund_is_told_and_gives_the_remainder_back(peer: Peer) -> None:
    peer.tell("/_settings", outcomes={"pending": 1}, seconds=3600)
    request = asked(peer.charge(100, "EUR"), 100)
    refund = peer.processor.refund(request)
    peer.tell(f"/_refunds/{refund.id}", status="canceled")
    assert [one.status for one in facts(peer)] == ["pending", "canceled"]
    assert peer.processor.refund(asked(request.charge, 100)).id != refund.id


def test_a_dispute_takes_the_remainder_until_it_is_won(peer: Peer) -> None:
    charge = peer.charge(100, "EUR")
    dispute = peer.tell("/_disputes", charge=charge)
    with pytest.raises(RefundDeclined, match=r"the 0 EUR .* disputed"):
        peer.processor.refund(asked(charge))
    assert peer.paid(charge) == 0
    peer.tell(f"/_disputes/{dispute['id']}", status="won")
    assert peer.processor.refund(asked(charge)).status is RefundStatus.SUCCEEDED


def test_a_lost_dispute_keeps_what_it_took(peer: Peer) -> None:
    charge = peer.charge(100, "EUR")
    dispute = peer.tell("/_disputes", charge=charge, amount=100)
    peer.tell(f"/_disputes/{dispute['id']}", status="lost")
    with pytest.raises(RefundDeclined, match=r"the 0 EUR .* disputed"):
        peer.processor.refund(asked(charge, 1))
    assert peer.paid(charge) == 0


def test_an_inquiry_stops_no_refund_and_tells_nothing(peer: Peer) -> None:
    charge = peer.charge(100, "EUR")
    peer.tell("/_disputes", charge=charge, status="warning_needs_response")
    assert facts(peer) == [None]
    assert peer.processor.refund(asked(charge)).status is RefundStatus.SUCCEEDED


def test_a_dispute_is_told_with_its_money_and_its_fee(peer: Peer) -> None:
    charge = peer.charge(100, "EUR")
    dispute = peer.tell("/_disputes", charge=charge)
    peer.tell(f"/_disputes/{dispute['id']}", status="won")
    told = facts(peer)
    assert all(isinstance(one, ProcessorDispute) and one.charge == charge for one in told)
    # Each event has the dispute as it was then.
    opened, won = DisputeStatus.OPEN, DisputeStatus.WON
    assert [one.status for one in told] == [opened, opened, won, won]
    assert moves(peer, dispute["id"]) == [
        (MovementKind.FEE, -1500),
        (MovementKind.DISPUTE, -100),
        (MovementKind.DISPUTE_REVERSAL, 100),
    ]


def test_a_key_that_stripe_has_forgotten_still_pays_once(peer: Peer) -> None:
    request = asked(peer.charge(300, "EUR"), 100)
    refund = peer.processor.refund(request)
    peer.tell("/_keys/expire")
    assert peer.processor.refund(request).id == refund.id
    assert peer.paid(request.charge) == 100


def test_an_error_that_the_key_replays_pays_nothing_and_passes_with_the_key(peer: Peer) -> None:
    request = asked(peer.charge(100, "EUR"))
    peer.trouble("error_stored", on="POST /v1/refunds")
    for _ in range(3):
        with pytest.raises(ProcessorUnavailable):
            peer.processor.refund(request)
        assert peer.processor.find(request) is None
    peer.tell("/_keys/expire")
    assert peer.processor.refund(request).status is RefundStatus.SUCCEEDED
    assert peer.paid(request.charge) == 100


def test_while_the_first_request_is_under_way_the_second_is_unknown(
    peer: Peer, at_once: Callable[[int, Callable[[int], Any]], list[Any]]
) -> None:
    request = asked(peer.charge(300, "EUR"))
    peer.trouble("under_way", on="POST /v1/refunds", seconds=0.5)
    results = at_once(2, lambda _: peer.processor.refund(request))
    assert {type(one) for one in results} == {ProcessorRefund, ProcessorUnavailable}
    assert peer.paid(request.charge) == 100


def test_one_key_at_once_pays_once(
    peer: Peer, at_once: Callable[[int, Callable[[int], Any]], list[Any]]
) -> None:
    request = asked(peer.charge(900, "EUR"))
    results = at_once(8, lambda _: peer.processor.refund(request))
    assert len({one.id for one in results}) == 1
    assert peer.paid(request.charge) == 100


def test_different_keys_at_once_never_pay_above_the_charge(
    peer: Peer, at_once: Callable[[int, Callable[[int], Any]], list[Any]]
) -> None:
    charge = peer.charge(300, "EUR")
    results = at_once(8, lambda _: peer.processor.refund(asked(charge)))
    assert sum(isinstance(one, ProcessorRefund) for one in results) == 3
    assert sum(isinstance(one, RefundDeclined) for one in results) == 5
    assert peer.paid(charge) == 300


def test_an_answer_that_never_comes_is_given_up_in_time(peer: Peer) -> None:
    hasty = StripeProcessor(stripe_stand_in.KEY, url=peer.at, timeout=(1, 1))
    request = asked(peer.charge(100, "EUR"))
    peer.trouble("timeout_after", on="POST /v1/refunds", seconds=3)
    before = time.monotonic()
    with pytest.raises(ProcessorUnavailable, match="no answer"):
        hasty.refund(request)
    assert time.monotonic() - before < 2.5
    assert peer.paid(request.charge) == 100
    found = peer.processor.find(request)
    assert found is not None
    assert found.amount == 100


def test_an_address_where_nobody_listens_is_unavailable() -> None:
    nobody = StripeProcessor("sk_test_x", url="http://127.0.0.1:9", timeout=(1, 1))
    for ask in (nobody.refund, nobody.find):
        with pytest.raises(ProcessorUnavailable):
            ask(asked("ch_1"))


def test_a_wrong_key_is_the_operator_s_matter_and_is_written_nowhere(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = StripeProcessor("sk_test_wrong_key_123", url=peer.at)
    charge = peer.charge(100, "EUR")
    for ask in (wrong.refund, wrong.find):
        with pytest.raises(ProcessorMisconfigured) as caught:
            ask(asked(charge))
        assert caught.value.__cause__ is None
        assert "wrong_key" not in repr(caught.value)
    assert "wrong_key" not in caplog.text
    assert "stripe" not in {record.name for record in caplog.records}
    assert peer.paid(charge) == 0


def test_a_charge_that_cannot_be_read_is_not_one_without_refunds(peer: Peer) -> None:
    with pytest.raises(ProcessorUnavailable, match="no such charge"):
        peer.processor.find(asked("ch_missing"))


def test_refuses_what_was_not_captured(peer: Peer) -> None:
    peer.tell("/_charges", charges=[
        {"id": "ch_held", "amount": 100, "currency": "eur", "captured": False}
    ])  # fmt: skip
    with pytest.raises(RefundDeclined, match="not captured"):
        peer.processor.refund(asked("ch_held"))
    assert peer.paid("ch_held") == 0


def test_a_refund_made_by_hand_is_told_without_a_key_and_counts(peer: Peer) -> None:
    charge = peer.charge(100, "EUR")
    headers = {"Authorization": f"Bearer {stripe_stand_in.KEY}"}
    by_hand = {"charge": charge, "amount": "70"}
    httpx.post(f"{peer.at}/v1/refunds", data=by_hand, headers=headers).raise_for_status()
    [told] = peer.processor.refunds()
    assert (told.key, told.charge, told.amount) == ("", charge, 70)
    with pytest.raises(RefundDeclined, match="more than the 30 EUR"):
        peer.processor.refund(asked(charge, 31))
    assert peer.paid(charge) == 70


@pytest.fixture
def long_report(peer: Peer) -> list[Movement]:
    """230 balance transactions, some with fees: three pages."""
    charges = [{"id": f"ch_{number}", "amount": 100, "currency": "eur", "fee": number % 3}
               for number in range(230)]  # fmt: skip
    peer.tell("/_charges", charges=charges)
    return list(peer.processor.movements())


def test_a_long_report_is_told_whole_and_in_order(long_report: list[Movement]) -> None:
    mains = [one for one in long_report if one.kind is MovementKind.CHARGE]
    assert [one.about for one in mains] == [f"ch_{number}" for number in range(230)]
    assert len(long_report) == 230 + sum(number % 3 > 0 for number in range(230))
    assert sum(one.amount for one in long_report) == 23_000 - sum(n % 3 for n in range(230))
    assert all(one.at <= two.at for one, two in pairwise(long_report))
    assert long_report[0].at.tzinfo is UTC
    assert long_report[-1].at <= datetime.now(UTC)


@pytest.mark.parametrize("place", [0, 1, 2, 99, 150, 151, 152, 300, -2, -1])
def test_a_report_goes_on_from_a_fee_as_well(
    peer: Peer, long_report: list[Movement], place: int
) -> None:
    rest = long_report[place:][1:]
    assert list(peer.processor.movements(long_report[place].id)) == rest


def test_what_is_new_while_a_report_is_read_is_told_next_time(
    peer: Peer, long_report: list[Movement]
) -> None:
    told: list[Movement] = []
    for number, movement in enumerate(peer.processor.movements()):
        if number in (1, 120):
            peer.tell("/_charges", charges=[
                {"id": f"ch_new_{number}", "amount": 5, "currency": "eur"}
            ])  # fmt: skip
        told.append(movement)
    told += peer.processor.movements(told[-1].id)
    assert told[: len(long_report)] == long_report
    assert [one.about for one in told[len(long_report) :]] == ["ch_new_1", "ch_new_120"]


def test_the_stand_in_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    with peers.stripe(tmp_path) as before:
        request = asked(before.charge(100, "EUR"))
        refund = before.processor.refund(request)
        log = before.log()
    with peers.stripe(tmp_path) as after:
        assert after.log() == log
        assert after.processor.refund(request) == refund
        assert after.paid(request.charge) == 100


def test_webhooks_of_the_stand_in_come_repeated_and_out_of_order(peer: Peer) -> None:
    heard: list[Any] = []
    app = FastAPI()

    @app.post("/hook")
    async def hook(request: Request) -> None:
        fact = peer.processor.read_webhook(await request.body(), dict(request.headers))
        heard.append((fact.id, fact.status))

    with served(app) as at:
        peer.tell("/_webhooks/hold")
        peer.tell("/_settings", webhook={"url": f"{at}/hook"})
        refund = peer.processor.refund(asked(peer.charge(100, "EUR")))
        peer.tell(f"/_refunds/{refund.id}", status="failed")
        assert peer.tell("/_webhooks/send", order="reversed", times=2) == {"sent": 2}
        assert peer.tell("/_webhooks/send", order="as_made") == {"sent": 0}
    failed, paid = (refund.id, RefundStatus.FAILED), (refund.id, RefundStatus.SUCCEEDED)
    assert heard == [failed, paid, failed, paid]


def test_what_comes_later_comes_by_itself(peer: Peer) -> None:
    peer.tell("/_settings", outcomes={"fail_later": 1}, seconds=0)
    request = asked(peer.charge(100, "EUR"))
    assert peer.processor.refund(request).status is RefundStatus.SUCCEEDED
    end = time.monotonic() + 10
    while (found := peer.processor.find(request)) and found.status is not RefundStatus.FAILED:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert peer.paid(request.charge) == 0
