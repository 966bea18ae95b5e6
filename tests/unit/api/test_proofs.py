"""Signatures and webhooks that prove nothing: a problem document, nothing stored, nothing moved."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from desk import ADDRESSES, signature
from doors import Door, is_problem, webhook_headers


class TestSignature:
    """POST /v1/returns/{rma}/authorization."""

    def offered(self, door: Door, **bought: Any) -> tuple[str, dict[str, Any]]:
        rma = door.desk.ask(door.desk.buy(**bought))["rma"]
        path = f"/v1/returns/{rma}/authorization"
        (offer,) = door.send("GET", path).json()["authorizations"]
        return path, offer

    def refused(self, door: Door, path: str, body: Any, status: int, code: str) -> None:
        before = door.desk.count_all()
        is_problem(door.send("POST", path, json=body), status, code)
        assert door.desk.count_all() == before
        assert door.desk.woken == []

    def test_good_one_is_accepted_once_and_again(self, door: Door) -> None:
        path, offer = self.offered(door)
        body = {"line": offer["line"], "signature": signature(offer)}
        assert door.send("POST", path, json=body).json()["state"] == "depositing"
        before = door.desk.count_all()
        assert door.send("POST", path, json=body).status_code == 202
        assert door.desk.count_all() == before

    def test_by_another_wallet(self, door: Door) -> None:
        path, offer = self.offered(door)
        body = {"line": offer["line"], "signature": signature(offer, owner=1)}
        self.refused(door, path, body, 422, "signature_invalid")

    def test_high_s(self, door: Door) -> None:
        path, offer = self.offered(door)
        raw = bytes.fromhex(signature(offer)[2:])
        order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
        s = order - int.from_bytes(raw[32:64], "big")
        twin = raw[:32] + s.to_bytes(32, "big") + bytes([55 - raw[64]])
        body = {"line": offer["line"], "signature": "0x" + twin.hex()}
        self.refused(door, path, body, 422, "signature_invalid")

    @pytest.mark.parametrize("field", ["refund", "recipient", "deadline", "tokenId", "line"])
    def test_over_a_tampered_message(self, door: Door, field: str) -> None:
        path, offer = self.offered(door, tender="wallet")
        message = offer["typed_data"]["message"]
        message[field] = {"recipient": ADDRESSES[1], "line": "0x" + "11" * 32}.get(field, "99")
        body = {"line": offer["line"], "signature": signature(offer)}
        self.refused(door, path, body, 422, "signature_invalid")

    def test_of_another_line(self, door: Door) -> None:
        _, offer = self.offered(door)
        path, other = self.offered(door)
        body = {"line": other["line"], "signature": signature(offer)}
        self.refused(door, path, body, 422, "signature_invalid")
        self.refused(door, path, {**body, "line": offer["line"]}, 404, "not_found")

    def test_after_its_deadline(self, door: Door) -> None:
        path, offer = self.offered(door)
        door.desk.clock.move(days=1, seconds=1)
        body = {"line": offer["line"], "signature": signature(offer)}
        self.refused(door, path, body, 409, "authorization_expired")

    def test_in_its_last_second(self, door: Door) -> None:
        path, offer = self.offered(door)
        door.desk.clock.move(days=1)
        body = {"line": offer["line"], "signature": signature(offer)}
        assert door.send("POST", path, json=body).status_code == 202

    def test_after_cancel(self, door: Door) -> None:
        path, offer = self.offered(door)
        door.send("POST", path.replace("authorization", "cancel"))
        body = {"line": offer["line"], "signature": signature(offer)}
        self.refused(door, path, body, 409, "nothing_to_sign")

    BAD: ClassVar[list[object]] = [
        "", "0x", "0x0", "0xzz", "00" * 65, "0x" + "00" * 65, "0x" + "ff" * 65,
                "0x" + "11" * 64, "0x" + "11" * 4097, "\u0000", 5, None, "0x\ud800",
    ]  # fmt: skip

    def test_that_is_none(self, door: Door) -> None:
        path, offer = self.offered(door)
        before = door.desk.count_all()
        for bad in self.BAD:
            body = json.dumps({"line": offer["line"], "signature": bad})
            headers = {"Content-Type": "application/json"}
            is_problem(door.send("POST", path, content=body, headers=headers), 422)
        assert door.desk.count_all() == before

    def test_while_the_node_is_away(self, door: Door) -> None:
        path, offer = self.offered(door)
        door.desk.chain.down = True
        body = {"line": offer["line"], "signature": signature(offer, owner=1)}
        self.refused(door, path, body, 503, "chain_unavailable")


class TestWebhook:
    """POST /v1/processors/{name}/webhook."""

    path = "/v1/processors/sandbox/webhook"
    refund: ClassVar[dict[str, str]] = {
        "id": "re_1",
        "key": "k",
        "charge": "ch",
        "amount": "5",
        "currency": "USD",
        "status": "succeeded",
    }
    body = json.dumps({"type": "refund.updated", "data": refund}).encode()

    def test_good_one_is_stored_once(self, door: Door) -> None:
        headers = webhook_headers(door.desk, self.body)
        before = door.desk.count_all()
        for _ in range(3):
            answer = door.send("POST", self.path, None, content=self.body, headers=headers)
            assert answer.status_code == 202
        assert door.desk.count_all() == before | {"inbox": 1}

    @pytest.mark.parametrize("bad", ["signature", "body", "old", "future", "none", "time", "empty"])
    def test_that_proves_nothing(self, door: Door, bad: str) -> None:
        now = datetime.now(UTC)
        at = {"old": now - timedelta(minutes=6), "future": now + timedelta(minutes=6)}.get(bad, now)
        headers, body = webhook_headers(door.desk, self.body, at), self.body
        if bad == "signature":
            headers["webhook-signature"] = "v1," + "A" * 43 + "="
        elif bad == "body":
            body = body.replace(b'"5"', b'"6"')
        elif bad == "none":
            headers = {}
        elif bad == "time":
            headers["webhook-timestamp"] = "soon"
        elif bad == "empty":
            body = b""
        before = door.desk.count_all()
        answer = door.send("POST", self.path, None, content=body, headers=headers)
        is_problem(answer, 401, "webhook_refused")
        assert door.desk.count_all() == before
        assert door.desk.woken == []

    @pytest.mark.parametrize(
        "body", [b"[]", b"{}", b'{"data": 5}', b'{"data": {"id": 1}}', b"\xff"]
    )
    def test_that_is_signed_but_says_nothing(self, door: Door, body: bytes) -> None:
        headers = webhook_headers(door.desk, body) if body != b"\xff" else {}
        before = door.desk.count_all()
        answer = door.send("POST", self.path, None, content=body, headers=headers)
        is_problem(answer, 401, "webhook_refused")
        assert door.desk.count_all() == before

    def test_of_an_unknown_processor(self, door: Door) -> None:
        answer = door.send("POST", "/v1/processors/bank/webhook", None, content=b"{}")
        is_problem(answer, 404, "not_found")
