"""Payment processors at the other end of a line that fails on demand, each with its own log."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import paypal_stand_in
import stripe_stand_in
from ports import free_port
from stand_ins import create_line, served
from standardwebhooks import Webhook

from api import sandbox_processor
from returns.money import Money, from_decimal, to_decimal
from settlement.processors.base import Processor
from settlement.processors.paypal import PayPalProcessor
from settlement.processors.sandbox import SandboxProcessor
from settlement.processors.stripe import StripeProcessor

_SANDBOX_SECRET = "whsec_bG9jYWwtb25seS1sb2NhbC1vbmx5LWxvY2FsLW9ubHk="


@dataclass
class Peer:
    """A processor, our connector to it, and what only a test may do there.

    `paid` is from the peer's own log: what it gave back of a charge, in minor units.
    """

    processor: Processor
    at: str
    faulty: str
    charge: Callable[[int, str], str]
    paid: Callable[[str], int]
    webhook: Callable[[str], tuple[bytes, dict[str, str]]]
    is_key_honoured: bool = True
    has_cursor: bool = True

    def trouble(self, kind: str, on: str = "POST /", times: int = 1, seconds: float = 0) -> None:
        """What the next requests meet."""
        fault = {"kind": kind, "on": on, "times": times, "seconds": seconds}
        httpx.post(f"{self.faulty}/_faults", json=fault).raise_for_status()

    def calm(self) -> None:
        httpx.delete(f"{self.faulty}/_faults").raise_for_status()

    def tell(self, path: str, **body: Any) -> Any:
        """A switch of the stand-in."""
        return httpx.post(f"{self.at}{path}", json=body).raise_for_status().json()

    def log(self) -> Any:
        return httpx.get(f"{self.at}/_log").raise_for_status().json()


def reference(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex}"


@contextlib.contextmanager
def stripe(folder: Path, prefix: str = "ch", **settings: Any) -> Iterator[Peer]:
    """Our stand-in for Stripe; orders know its payments by charge, or by payment intent."""
    app = stripe_stand_in.create_app(folder / "stripe.db")
    with served(app) as at:
        secrets = ("whsec_next", stripe_stand_in.SECRET)
        processor = StripeProcessor(stripe_stand_in.KEY, secrets, url=at)

        def charge(amount: int, currency: str) -> str:
            one = {"id": reference("ch"), "amount": amount, "currency": currency}
            intent = {"payment_intent": reference("pi")} if prefix == "pi" else {}
            peer.tell("/_charges", charges=[{**one, **intent}])
            return intent.get("payment_intent", one["id"])

        def paid(charge_id: str) -> int:
            return sum(one["amount"] for one in peer.log()["refunds"]
                       if charge_id in (one["charge"], one["payment_intent"])
                       and one["status"] not in ("failed", "canceled"))  # fmt: skip

        def webhook(refund_id: str) -> tuple[bytes, dict[str, str]]:
            events = httpx.get(f"{at}/_events").json()
            event = next(one for one in events if one["data"]["object"]["id"] == refund_id)
            body = json.dumps(event, indent=2).encode()
            return body, stripe_stand_in.signed(body)

        peer = Peer(processor, at, at, charge, paid, webhook)
        peer.tell("/_settings", **settings)
        yield peer


@contextlib.contextmanager
def localstripe(folder: Path) -> Iterator[Peer]:
    """A stateful server of Stripe's interface that others wrote.

    It ignores idempotency keys and accepts refunds above the charge.
    """
    port = free_port()
    with (folder / "localstripe.log").open("wb") as log:
        command = [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    at, key = f"http://127.0.0.1:{port}", {"Authorization": "Bearer sk_test_local"}
    try:
        _wait_for(f"{at}/v1/refunds", key)
        card = {"type": "card", "card[number]": "4242424242424242", "card[cvc]": "123",
                "card[exp_month]": "12", "card[exp_year]": "2040"}  # fmt: skip
        method = httpx.post(f"{at}/v1/payment_methods", data=card, headers=key).json()["id"]

        def charge(amount: int, currency: str) -> str:
            asked = {"amount": str(amount), "currency": currency.lower(), "source": method}
            answer = httpx.post(f"{at}/v1/charges", data=asked, headers=key).raise_for_status()
            return str(answer.json()["id"])

        def paid(charge_id: str) -> int:
            asked = {"charge": charge_id, "limit": "100"}
            answer = httpx.get(f"{at}/v1/refunds", params=asked, headers=key).json()
            return sum(one["amount"] for one in answer["data"])

        def webhook(refund_id: str) -> tuple[bytes, dict[str, str]]:
            refund = httpx.get(f"{at}/v1/refunds/{refund_id}", headers=key).json()
            event = {"type": "refund.created", "livemode": False, "data": {"object": refund}}
            body = json.dumps(event).encode()
            return body, stripe_stand_in.signed(body)

        with served(create_line(at)) as line:
            processor = StripeProcessor("sk_test_local", (stripe_stand_in.SECRET,), url=line)
            yield Peer(processor, at, line, charge, paid, webhook, False, False)
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextlib.contextmanager
def paypal(folder: Path) -> Iterator[Peer]:
    """Our stand-in for PayPal. The clock is ahead of it: its report is three hours late."""
    with served(paypal_stand_in.create_app(folder / "paypal.db")) as at:
        names = (paypal_stand_in.CLIENT, paypal_stand_in.PASSWORD, paypal_stand_in.WEBHOOK)
        processor = PayPalProcessor(*names, lambda: datetime.now(UTC) + timedelta(hours=4), at)

        def charge(amount: int, currency: str) -> str:
            id_ = uuid.uuid4().hex[:17].upper()
            value = to_decimal(Money(amount, currency))
            capture = {"id": id_, "value": value, "currency_code": currency}
            peer.tell("/_captures", captures=[capture])
            return id_

        def paid(capture: str) -> int:
            return sum(
                from_decimal(one["amount"]["value"], one["amount"]["currency_code"]).amount
                for one in peer.log()["refunds"]
                if one["links"][0]["href"].endswith(capture)
                and one["status"] in ("COMPLETED", "PENDING")
            )

        def webhook(refund_id: str) -> tuple[bytes, dict[str, str]]:
            event = {"event_type": "PAYMENT.CAPTURE.REFUNDED", "resource": {"id": refund_id}}
            body = json.dumps(event, indent=1).encode()
            return body, paypal_stand_in.signed(body)

        peer = Peer(processor, at, at, charge, paid, webhook)
        yield peer


@contextlib.contextmanager
def sandbox(folder: Path) -> Iterator[Peer]:
    """The processor of local use."""
    nobody = f"http://127.0.0.1:{free_port()}"
    os.environ["UNDROP_PROCESSOR_DB"] = str(folder / "sandbox.db")
    os.environ["UNDROP_PROCESSOR_KEY"] = "sandbox-key"
    os.environ["UNDROP_WEBHOOK_URL"] = nobody
    os.environ["UNDROP_WEBHOOK_SECRET"] = _SANDBOX_SECRET
    key = {"Authorization": "Bearer sandbox-key"}
    try:
        app = sandbox_processor.create_app()
    finally:
        for name in ("PROCESSOR_DB", "PROCESSOR_KEY", "WEBHOOK_URL", "WEBHOOK_SECRET"):
            del os.environ[f"UNDROP_{name}"]

    with served(app) as at, served(create_line(at)) as line:

        def refunds() -> list[dict[str, str]]:
            found: list[dict[str, str]] = httpx.get(f"{at}/v1/refunds", headers=key).json()[
                "refunds"
            ]
            return found

        def charge(amount: int, currency: str) -> str:
            one = {"id": reference("ch"), "amount": str(amount), "currency": currency}
            httpx.post(f"{at}/v1/charges", json={"charges": [one]}, headers=key).raise_for_status()
            return one["id"]

        def paid(charge_id: str) -> int:
            return sum(int(one["amount"]) for one in refunds()
                       if one["charge"] == charge_id and one["status"] != "failed")  # fmt: skip

        def webhook(refund_id: str) -> tuple[bytes, dict[str, str]]:
            refund = next(one for one in refunds() if one["id"] == refund_id)
            body = json.dumps({"type": "refund.updated", "data": refund})
            now = datetime.now(UTC)
            signature = Webhook(_SANDBOX_SECRET).sign("msg_1", now, body)
            stamp = str(int(now.timestamp()))
            return body.encode(), {"webhook-id": "msg_1", "webhook-timestamp": stamp,
                                   "webhook-signature": signature}  # fmt: skip

        processor = SandboxProcessor(line, "sandbox-key", _SANDBOX_SECRET)
        yield Peer(processor, at, line, charge, paid, webhook)


def _wait_for(url: str, headers: dict[str, str]) -> None:
    end = time.monotonic() + 30
    while True:
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(url, headers=headers).raise_for_status()
            return
        assert time.monotonic() < end, f"nothing answers at {url}"
        time.sleep(0.1)
