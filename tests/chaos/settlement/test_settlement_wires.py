"""Each fault between desk and processor does what its name says; what was taken is not lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tests.chaos.chain.proxy import Armed, Plan
from tests.chaos.settlement import to_processor
from tests.chaos.settlement.amnesia import Amnesia
from tests.chaos.settlement.to_processor import ToProcessor
from tests.chaos.settlement.webhooks import Webhooks
from tests.chaos.settlement.wires import serving

SECRET = "whsec_bG9jYWwtb25seS1sb2NhbC1vbmx5LWxvY2FsLW9ubHk="
REFUND = {"key": "K", "amount": "5"}


@dataclass
class Far:
    """Whoever is at the other end: remembers, and answers `status`."""

    port: int = 0
    status: int = 201
    heard: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bodies(self) -> list[Any]:
        return [body for _, _, body in self.heard]


@pytest.fixture
def far() -> Iterator[Far]:
    known = Far()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            known.heard.append((self.path, headers, json.loads(body or b"{}")))
            answer = body or b"{}"
            self.send_response(known.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        known.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield known
        server.shutdown()


def ask(far: Far, *kinds: str, amnesia: Amnesia | None = None) -> httpx.Response:
    """One refund, with what is armed."""
    plan = Plan()
    for kind in kinds:
        plan.arm(Armed(kind, sends=True))
    with serving(ToProcessor(plan, far.url, amnesia)) as url:
        return httpx.post(f"{url}/v1/refunds", json=REFUND, headers={"Authorization": "Bearer x"})


def test_without_a_fault_everything_is_passed_on(far: Far) -> None:
    answer = ask(far)
    assert (answer.status_code, answer.json()) == (201, REFUND)
    [(path, headers, body)] = far.heard
    assert (path, body) == ("/v1/refunds", REFUND)
    assert headers["authorization"] == "Bearer x"


@pytest.mark.parametrize(
    ("kind", "heard", "status"),
    [
        ("drop_request", 0, None),
        ("drop_answer", 1, None),
        ("late_request", 0, None),
        ("duplicate", 2, 201),
        ("http_429", 0, 429),
        ("http_500", 0, 500),
        ("answer_500", 1, 500),
        ("delay", 1, 201),
    ],
)
def test_a_fault_does_what_its_name_says(
    far: Far, kind: str, heard: int, status: int | None
) -> None:
    if status is None:
        with pytest.raises(httpx.HTTPError):
            ask(far, kind)
    else:
        assert ask(far, kind).status_code == status
    assert far.bodies() == [REFUND] * heard


def test_a_late_request_arrives_after_its_answer_was_given_up(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(to_processor, "_LATE_S", 1.5)
    with pytest.raises(httpx.HTTPError):
        ask(far, "late_request")
    assert far.bodies() == []
    time.sleep(1.7)
    assert far.bodies() == [REFUND]


def test_nothing_passes_a_partition(far: Far) -> None:
    plan = Plan()
    plan.darken(60)
    with serving(ToProcessor(plan, far.url, None)) as url, pytest.raises(httpx.HTTPError):
        httpx.post(f"{url}/v1/refunds", json=REFUND)
    assert far.bodies() == []


def test_a_processor_that_forgets_pays_under_keys_that_nobody_sees(far: Far) -> None:
    amnesia = Amnesia(SECRET)
    assert ask(far, amnesia=amnesia).json() == REFUND
    assert ask(far, "duplicate", amnesia=amnesia).json() == REFUND
    assert [body["key"] for body in far.bodies()] == ["K#1", "K#2", "K#3"]
    with serving(ToProcessor(Plan(), far.url, amnesia)) as url:
        assert httpx.get(f"{url}/v1/refunds?key=K").json() == {"refunds": []}
    assert len(far.heard) == 3


# -- webhooks --------------------------------------------------------------------------------------


def tell(far: Far, kind: str, amnesia: Amnesia | None = None, key: str = "K") -> tuple[int, int]:
    """One webhook; its acknowledgement, and how many deliveries there were after a while."""
    plan = Plan()
    if kind:
        plan.arm(Armed(kind, amount=2, sends=True))
    hooks = Webhooks(plan, far.url, amnesia)
    told = {"type": "refund.updated", "data": {"id": "re", "status": "failed", "key": key}}
    with serving(hooks) as url:
        status = httpx.post(f"{url}/hook", json=told).status_code
        hooks.hurry()
        time.sleep(0.6)
    hooks.stop()
    assert hooks.kept == 0
    return status, len(far.heard)


@pytest.mark.parametrize(
    ("kind", "status", "heard"),
    [
        ("", 201, 1),
        ("hook_repeated", 201, 3),
        ("hook_delayed", 202, 1),
        ("hook_unheard", 500, 1),
        ("hook_refused", 500, 0),
    ],
)
def test_a_webhook_suffers_what_its_name_says(far: Far, kind: str, status: int, heard: int) -> None:
    assert tell(far, kind) == (status, heard)


def test_what_was_acknowledged_is_delivered_once_somebody_listens(far: Far) -> None:
    far.status = 503
    plan = Plan()
    plan.arm(Armed("hook_delayed", amount=0, sends=True))
    hooks = Webhooks(plan, far.url, None)
    with serving(hooks) as url:
        assert httpx.post(f"{url}/hook", json={}).status_code == 202
        time.sleep(0.4)
        assert hooks.kept == 1
        far.status = 202
        time.sleep(0.6)
    hooks.stop()
    assert hooks.kept == 0


def test_a_webhook_of_a_forgetful_processor_has_our_key_and_a_signature_that_fits(
    far: Far,
) -> None:
    tell(far, "", Amnesia(SECRET), key="K#9")
    [(_, headers, body)] = far.heard
    assert body["data"]["key"] == "K"
    Webhook(SECRET).verify(json.dumps(body), headers)
