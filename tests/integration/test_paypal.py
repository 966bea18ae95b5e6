"""What is particular to PayPal: tokens, request ids, messages that are read again, its report."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import paypal_stand_in as stand_in
import processor_peers as peers
import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from processor_peers import Peer
from stand_ins import served

from returns.errors import (
    ProcessorMisconfigured,
    ProcessorUnavailable,
    WebhookNotOurs,
    WebhookRefused,
)
from returns.words import DisputeStatus, MovementKind, RefundStatus
from settlement.processors.base import (
    ProcessorDispute,
    ProcessorRefund,
    RefundDeclined,
    RefundRequest,
)
from settlement.processors.paypal import PayPalProcessor
from settlement.processors.stripe import StripeProcessor


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with peers.paypal(tmp_path) as one:
        yield one


def asked(charge: str, amount: int = 100, note: str = "") -> RefundRequest:
    return RefundRequest(uuid4(), charge, amount, "EUR", note=note)


def message(kind: str, **resource: str) -> bytes:
    return json.dumps({"event_type": kind, "resource": resource}, indent=3).encode()


def read(peer: Peer, body: bytes) -> Any:
    return peer.processor.read_webhook(body, stand_in.signed(body))


def test_a_pending_refund_is_told_as_that_and_counts_against_the_remainder(peer: Peer) -> None:
    peer.tell("/_settings", status="PENDING")
    request = asked(peer.charge(100, "EUR"), 60)
    refund = peer.processor.refund(request)
    assert refund.status is RefundStatus.PENDING
    with pytest.raises(RefundDeclined, match="more than the 40 EUR"):
        peer.processor.refund(asked(request.charge, 41))
    peer.tell(f"/_refunds/{refund.id}", status="FAILED")
    found = peer.processor.find(request)
    assert found is not None
    assert (found.status, found.reason) == (RefundStatus.FAILED, "ECHECK")
    peer.tell("/_settings", status="COMPLETED")
    assert peer.processor.refund(asked(request.charge, 100)).status is RefundStatus.SUCCEEDED


def test_looking_never_pays(peer: Peer) -> None:
    request = asked(peer.charge(100, "EUR"))
    for _ in range(3):
        assert peer.processor.find(request) is None
    assert peer.log()["refunds"] == []


def test_a_request_id_that_paypal_has_forgotten_still_pays_once(peer: Peer) -> None:
    request = asked(peer.charge(300, "EUR"))
    refund = peer.processor.refund(request)
    peer.tell("/_keys/expire")
    assert peer.processor.refund(request).id == refund.id
    assert peer.paid(request.charge) == 100


def test_one_key_at_once_pays_once(
    peer: Peer, at_once: Callable[[int, Callable[[int], Any]], list[Any]]
) -> None:
    request = asked(peer.charge(900, "EUR"))
    results = at_once(8, lambda _: peer.processor.refund(request))
    assert len({one.id for one in results}) == 1
    assert peer.paid(request.charge) == 100


def test_the_payer_reads_the_note_and_the_merchant_the_leg(peer: Peer) -> None:
    request = asked(peer.charge(100, "EUR"), note="RMA-7F3K-2QXM-D " + "x" * 300)
    peer.processor.refund(request)
    [refund] = peer.log()["refunds"]
    assert refund["custom_id"] == refund["invoice_id"] == str(request.key)


def test_a_token_that_has_ended_is_asked_for_again_and_nothing_is_done_twice(peer: Peer) -> None:
    request = asked(peer.charge(100, "EUR"))
    assert peer.processor.find(request) is None
    peer.tell("/_settings", token="A21AAnext")
    assert peer.processor.refund(request).status is RefundStatus.SUCCEEDED
    assert peer.paid(request.charge) == 100


def test_an_app_without_the_right_is_the_operator_s_matter(peer: Peer) -> None:
    request = asked(peer.charge(100, "EUR"))
    peer.trouble("forbidden")
    with pytest.raises(ProcessorMisconfigured, match="403"):
        peer.processor.refund(request)
    assert peer.paid(request.charge) == 0


def test_wrong_credentials_are_the_operator_s_matter(peer: Peer) -> None:
    wrong = PayPalProcessor("client", "wrong-secret", "hook", lambda: datetime.now(UTC), peer.at)
    with pytest.raises(ProcessorMisconfigured) as caught:
        wrong.refund(asked("X"))
    assert "UNDROP_PAYPAL_CLIENT_ID" in caught.value.next_step
    assert "wrong-secret" not in repr(caught.value)


@pytest.mark.parametrize("status", ["PENDING", "DECLINED", "FAILED"])
def test_refuses_what_was_not_captured(peer: Peer, status: str) -> None:
    capture = {"id": "CAP1", "value": "1.00", "currency_code": "EUR", "status": status}
    peer.tell("/_captures", captures=[capture])
    with pytest.raises(RefundDeclined, match="not captured"):
        peer.processor.refund(asked("CAP1"))
    assert peer.paid("CAP1") == 0


@pytest.mark.parametrize("charge", ["../../v1/oauth2/token", "a?b=c", "ü", "x/refund"])
def test_a_reference_leads_nowhere_else(peer: Peer, charge: str) -> None:
    with pytest.raises(RefundDeclined, match="INVALID_RESOURCE_ID"):
        peer.processor.refund(asked(charge))
    with pytest.raises(ProcessorUnavailable):
        peer.processor.find(asked(charge))


def test_a_message_only_says_that_there_is_news(peer: Peer) -> None:
    request = asked(peer.charge(100, "EUR"))
    refund = peer.processor.refund(request)
    body = message("PAYMENT.REFUND.FAILED", id=refund.id, status="FAILED", custom_id="forged")
    assert read(peer, body) == refund
    peer.tell(f"/_refunds/{refund.id}", status="FAILED")
    fact = read(peer, message("PAYMENT.CAPTURE.REFUNDED", id=refund.id))
    assert isinstance(fact, ProcessorRefund)
    assert (fact.status, fact.key) == (RefundStatus.FAILED, str(request.key))


def test_a_body_with_the_same_check_sum_says_nothing_that_is_believed(peer: Peer) -> None:
    refund = peer.processor.refund(asked(peer.charge(100, "EUR")))
    body = message("PAYMENT.CAPTURE.REFUNDED", id=refund.id)
    headers = stand_in.signed(body)
    forged = same_check_sum(body, zlib.crc32(body))
    assert peer.processor.read_webhook(forged, headers) == refund


def same_check_sum(body: bytes, wanted: int) -> bytes:
    """Another body that says the refund failed, made to fit the signature of the first."""
    event = json.loads(body)
    event["resource"]["status"] = "FAILED"
    start = json.dumps(event)[:-1].encode() + b', "x": "'
    # CRC-32 is affine in the message: solve for 32 bits, spread over letters that stay text.
    spread = [(place, bit) for place in range(16) for bit in (0, 1, 2)]
    base = bytearray(b"@" * 16)
    zero = zlib.crc32(start + base + b'"}')
    rows = []
    for place, bit in spread:
        changed = bytearray(base)
        changed[place] ^= 1 << bit
        rows.append(zlib.crc32(start + changed + b'"}') ^ zero)
    chosen = _solved(rows, zero ^ wanted)
    for index in chosen:
        place, bit = spread[index]
        base[place] ^= 1 << bit
    return start + bytes(base) + b'"}'


def _solved(rows: list[int], wanted: int) -> set[int]:
    """Which rows XOR to `wanted` (Gauss over GF(2))."""
    basis: dict[int, tuple[int, int]] = {}
    for index in range(len(rows)):
        row, mask = rows[index], 1 << index
        while row:
            top = row.bit_length()
            if top not in basis:
                basis[top] = (row, mask)
                break
            row, mask = row ^ basis[top][0], mask ^ basis[top][1]
    found = 0
    while wanted:
        row, mask = basis[wanted.bit_length()]
        wanted, found = wanted ^ row, found ^ mask
    return {index for index in range(len(rows)) if found >> index & 1}


def test_a_dispute_is_read_from_paypal(peer: Peer) -> None:
    charge = peer.charge(9600, "EUR")
    dispute = peer.tell("/_disputes", capture=charge)["dispute_id"]
    opened = read(peer, message("CUSTOMER.DISPUTE.CREATED", dispute_id=dispute))
    assert opened == ProcessorDispute(dispute, charge, 9600, "EUR", DisputeStatus.OPEN)
    peer.tell(f"/_disputes/{dispute}", outcome="RESOLVED_SELLER_FAVOUR")
    closed = read(peer, message("CUSTOMER.DISPUTE.RESOLVED", dispute_id=dispute))
    assert closed.status is DisputeStatus.WON


def test_what_settlement_does_not_follow_is_none(peer: Peer) -> None:
    assert read(peer, message("PAYMENT.CAPTURE.COMPLETED", id="X")) is None


def test_refuses_news_of_what_our_account_does_not_have(peer: Peer) -> None:
    with pytest.raises(WebhookNotOurs):
        read(peer, message("PAYMENT.CAPTURE.REFUNDED", id="SOMEBODYELSES"))


@pytest.mark.parametrize("name", ["../captures/1", "", "a b", "x" * 65])
def test_refuses_a_message_that_names_a_path(peer: Peer, name: str) -> None:
    with pytest.raises(WebhookRefused):
        read(peer, message("PAYMENT.CAPTURE.REFUNDED", id=name))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{} , "webhook_id": "of the sender"',
        b'{"event_type": "PAYMENT.CAPTURE.REFUNDED"}',
        b'{"event_type": "PAYMENT.CAPTURE.REFUNDED", "resource": {}}',
    ],
)
def test_refuses_a_body_that_is_no_message(peer: Peer, body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        read(peer, body)


def test_a_message_that_cannot_be_verified_now_is_asked_for_again(peer: Peer) -> None:
    refund = peer.processor.refund(asked(peer.charge(100, "EUR")))
    peer.trouble("down", on="POST /v1/notifications")
    body = message("PAYMENT.CAPTURE.REFUNDED", id=refund.id)
    with pytest.raises(ProcessorUnavailable):
        read(peer, body)
    assert read(peer, body) == refund


def test_the_report_tells_fees_and_failures(peer: Peer) -> None:
    peer.tell("/_captures", captures=[
        {"id": "CAP1", "value": "1.00", "currency_code": "EUR", "fee": "-0.05"}
    ])  # fmt: skip
    refund = peer.processor.refund(asked("CAP1"))
    peer.tell(f"/_refunds/{refund.id}", status="FAILED")
    told = list(peer.processor.movements())
    assert [one.amount for one in told if one.kind is MovementKind.FEE] == [-5]
    about = [(one.kind, one.amount) for one in told if one.about == refund.id]
    assert sorted(about) == [(MovementKind.REFUND, -100), (MovementKind.REFUND_FAILURE, 100)]


def test_years_of_the_report_come_in_windows_that_are_halved_where_they_are_full(
    peer: Peer,
) -> None:
    start = datetime.now(UTC) - timedelta(days=400)
    captures = [{"id": f"CAP{number:03}", "value": "1.00", "currency_code": "EUR",
                 "at": (start + timedelta(days=number * 3, hours=number)).isoformat()}
                for number in range(100)]  # fmt: skip
    peer.tell("/_captures", captures=captures)
    peer.tell("/_settings", max_lines=4)
    told = list(peer.processor.movements())
    assert [one.about for one in told] == [f"CAP{number:03}" for number in range(100)]
    assert list(peer.processor.movements(told[41].id)) == told[42:]


def test_nothing_is_told_that_could_still_be_overtaken(peer: Peer) -> None:
    names = (stand_in.CLIENT, stand_in.PASSWORD, stand_in.WEBHOOK)
    now = datetime.now(UTC)
    early = PayPalProcessor(*names, lambda: now + timedelta(hours=2), peer.at)
    peer.charge(100, "EUR")
    assert list(early.movements()) == []
    assert len(list(peer.processor.movements())) == 1


def test_a_server_that_tells_no_json_is_unavailable() -> None:
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def page(path: str) -> HTMLResponse:
        return HTMLResponse("<h1>Back soon</h1>")

    with served(app) as at:
        paypal = PayPalProcessor("c", "s", "w", lambda: datetime.now(UTC), at)
        stripe = StripeProcessor("sk_test_x", url=at)
        for processor in (paypal, stripe):
            with pytest.raises(ProcessorUnavailable):
                processor.find(asked("ch_1"))
