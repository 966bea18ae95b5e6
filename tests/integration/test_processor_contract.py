"""What every payment processor must hold to, against real servers that fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import processor_peers as peers
import pytest
from processor_peers import Peer

from returns.errors import ProcessorUnavailable, WebhookRefused
from returns.words import MovementKind
from settlement.processors.base import ProcessorRefund, RefundDeclined, RefundRequest

_PEERS: dict[str, Callable[[Path], Any]] = {
    "sandbox": peers.sandbox,
    "stripe": peers.stripe,
    "stripe-intents": lambda folder: peers.stripe(folder, "pi"),
    "stripe-without-keys": lambda folder: peers.stripe(
        folder, ignore_keys=True, allow_over_refund=True
    ),
    "localstripe": peers.localstripe,
    "paypal": peers.paypal,
}


@pytest.fixture(scope="module", params=list(_PEERS))
def at_peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with _PEERS[request.param](tmp_path_factory.mktemp("peer")) as peer:
        yield peer


@pytest.fixture
def peer(at_peer: Peer) -> Iterator[Peer]:
    at_peer.calm()
    yield at_peer
    at_peer.calm()


def asked(charge: str, amount: int, currency: str = "EUR") -> RefundRequest:
    return RefundRequest(uuid4(), charge, amount, currency)


def assert_is(refund: ProcessorRefund | None, request: RefundRequest) -> None:
    assert refund is not None
    told = (refund.key, refund.charge, refund.amount, refund.currency)
    assert told == (str(request.key), request.charge, request.amount, request.currency)


def test_a_refund_tells_what_was_asked_and_is_paid(peer: Peer) -> None:
    request = asked(peer.charge(1000, "EUR"), 400)
    refund = peer.processor.refund(request)
    assert_is(refund, request)
    assert refund.status in ("succeeded", "pending")
    assert peer.paid(request.charge) == 400


def test_the_same_key_never_pays_twice(peer: Peer) -> None:
    request = asked(peer.charge(1000, "EUR"), 300)
    ids = {peer.processor.refund(request).id for _ in range(3)}
    assert len(ids) == 1
    assert peer.paid(request.charge) == 300


@pytest.mark.parametrize("loss", ["drop_after", "error_after"])
def test_a_lost_answer_is_found_and_never_paid_again(peer: Peer, loss: str) -> None:
    request = asked(peer.charge(1000, "EUR"), 700)
    peer.processor.refund(asked(request.charge, 1))
    peer.trouble(loss)
    with pytest.raises(ProcessorUnavailable):
        peer.processor.refund(request)
    assert peer.paid(request.charge) == 701
    found = peer.processor.find(request)
    assert_is(found, request)
    again = peer.processor.refund(request)
    assert found is not None
    assert again.id == found.id
    assert peer.paid(request.charge) == 701


@pytest.mark.parametrize("fault", ["down", "error_before", "drop_before", "rate_limit"])
def test_a_processor_that_is_down_has_paid_nothing_and_pays_once_later(
    peer: Peer, fault: str
) -> None:
    request = asked(peer.charge(1000, "EUR"), 1000)
    peer.trouble(fault, on="", times=-1)
    with pytest.raises(ProcessorUnavailable):
        peer.processor.refund(request)
    with pytest.raises(ProcessorUnavailable):
        peer.processor.find(request)
    assert peer.paid(request.charge) == 0
    peer.calm()
    assert peer.processor.find(request) is None
    assert_is(peer.processor.refund(request), request)
    assert peer.paid(request.charge) == 1000


def test_a_request_that_fails_on_the_way_pays_nothing(peer: Peer) -> None:
    request = asked(peer.charge(500, "EUR"), 500)
    peer.trouble("drop_before")
    with pytest.raises(ProcessorUnavailable):
        peer.processor.refund(request)
    assert peer.processor.find(request) is None
    assert peer.paid(request.charge) == 0


def test_the_exact_remainder_is_allowed(peer: Peer) -> None:
    charge = peer.charge(1000, "EUR")
    for amount in (333, 333, 334):
        assert_is(peer.processor.refund(request := asked(charge, amount)), request)
    assert peer.paid(charge) == 1000


def test_one_minor_unit_above_the_remainder_is_refused_and_moves_nothing(peer: Peer) -> None:
    charge = peer.charge(1000, "EUR")
    peer.processor.refund(asked(charge, 400))
    request = asked(charge, 601)
    with pytest.raises(RefundDeclined) as caught:
        peer.processor.refund(request)
    assert "left" in str(caught.value)
    assert caught.value.moved == "nothing"
    assert peer.paid(charge) == 400
    assert peer.processor.find(request) is None


def test_two_equal_partial_refunds_both_succeed(peer: Peer) -> None:
    charge = peer.charge(1000, "EUR")
    first, second = asked(charge, 250), asked(charge, 250)
    assert peer.processor.refund(first).id != peer.processor.refund(second).id
    assert peer.paid(charge) == 500
    for request in (first, second):
        assert_is(peer.processor.find(request), request)


@pytest.mark.parametrize("amount", [0, -5])
def test_refuses_an_amount_that_is_none(peer: Peer, amount: int) -> None:
    charge = peer.charge(1000, "EUR")
    with pytest.raises(RefundDeclined):
        peer.processor.refund(asked(charge, amount))
    assert peer.paid(charge) == 0


def test_refuses_another_currency(peer: Peer) -> None:
    charge = peer.charge(1000, "EUR")
    with pytest.raises(RefundDeclined):
        peer.processor.refund(asked(charge, 100, "USD"))
    assert peer.paid(charge) == 0


def test_refuses_a_charge_that_is_not_there(peer: Peer) -> None:
    charge = peer.charge(100, "EUR")
    with pytest.raises(RefundDeclined):
        peer.processor.refund(asked(charge[:3] + "0" * 14, 100))


def test_a_currency_without_decimals_is_paid_in_its_own_unit(peer: Peer) -> None:
    request = asked(peer.charge(1200, "JPY"), 1200, "JPY")
    assert_is(peer.processor.refund(request), request)
    assert peer.paid(request.charge) == 1200


def test_many_refunds_of_one_charge_are_all_looked_through(peer: Peer) -> None:
    charge = peer.charge(1000, "EUR")
    requests = [asked(charge, 10) for _ in range(13)]
    for request in requests:
        peer.processor.refund(request)
    assert_is(peer.processor.find(requests[0]), requests[0])
    peer.processor.refund(requests[0])
    assert peer.paid(charge) == 130


def test_the_log_tells_every_refund(peer: Peer) -> None:
    requests = [asked(peer.charge(100, "EUR"), amount) for amount in (10, 20)]
    refunds = [peer.processor.refund(request) for request in requests]
    told = {one.id: one for one in eventually(lambda: list(peer.processor.refunds()), refunds)}
    for refund, request in zip(refunds, requests, strict=True):
        assert (told[refund.id].key, told[refund.id].amount) == (str(request.key), request.amount)


def eventually(ask: Callable[[], list[Any]], refunds: list[ProcessorRefund]) -> list[Any]:
    """The sandbox pays a moment after it has answered."""
    wanted, end = {refund.id for refund in refunds}, time.monotonic() + 10
    while True:
        told = ask()
        if wanted <= {getattr(one, "about", one.id) for one in told}:
            return told
        assert time.monotonic() < end, "the processor does not tell of a refund"
        time.sleep(0.1)


def test_the_report_tells_every_movement_once(peer: Peer) -> None:
    refunds = [peer.processor.refund(asked(peer.charge(100, "EUR"), amount)) for amount in (11, 22)]
    told = eventually(lambda: list(peer.processor.movements()), refunds)
    assert len({movement.id for movement in told}) == len(told)
    for refund in refunds:
        [movement] = [one for one in told if one.about == refund.id]
        assert movement.kind is MovementKind.REFUND
        assert (movement.amount, movement.currency) == (-refund.amount, "EUR")
    if peer.has_cursor:
        assert [one.at for one in told] == sorted(one.at for one in told)


def test_the_report_goes_on_from_any_place(peer: Peer) -> None:
    if not peer.has_cursor:
        pytest.skip("this peer has no cursor")
    refund = peer.processor.refund(asked(peer.charge(100, "EUR"), 5))
    told = eventually(lambda: list(peer.processor.movements()), [refund])
    for number, movement in enumerate(told):
        if number % 7 == 0 or number > len(told) - 3:
            assert list(peer.processor.movements(movement.id)) == told[number + 1 :]


def test_a_webhook_is_read_if_its_signature_is_good(peer: Peer) -> None:
    refund = peer.processor.refund(asked(peer.charge(100, "EUR"), 42))
    fact = peer.processor.read_webhook(*peer.webhook(refund.id))
    assert isinstance(fact, ProcessorRefund)
    assert replace(fact, status=refund.status) == replace(refund, charge=fact.charge)


def test_refuses_a_webhook_whose_signature_is_bad(peer: Peer) -> None:
    refund = peer.processor.refund(asked(peer.charge(100, "EUR"), 42))
    body, headers = peer.webhook(refund.id)
    signature = next(name for name in headers if "sig" in name)
    forged = [
        (body + b" ", headers),
        (body.replace(b"42", b"43") + b"\n", headers),
        (body, {}),
        (body, {**headers, signature: ""}),
        (body, {**headers, signature: headers[signature][:-2] + "xx"}),
        (b"\xff\xfe", headers),
    ]
    for message, with_headers in forged:
        with pytest.raises(WebhookRefused):
            peer.processor.read_webhook(message, with_headers)
