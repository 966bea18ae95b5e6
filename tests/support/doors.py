"""The HTTP door on a desk: a client, credentials, and what every refusal must look like."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from desk import Desk, order_body
from fastapi.testclient import TestClient
from httpx import Response
from standardwebhooks import Webhook

from api.app import create_app
from settlement.commands.access import SCOPES, create_key
from settlement.processors.sandbox import SandboxProcessor

PROBLEM = {"type", "title", "status", "code", "detail", "next_step", "moved"}


@dataclass
class Door:
    """A desk as it is seen from outside."""

    desk: Desk
    http: TestClient
    key: str

    def __post_init__(self) -> None:
        self._keys = 0

    def send(self, method: str, path: str, key: str | None = "", **options: Any) -> Response:
        """A request with the shop's key, another one, or (None) without credentials."""
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {key or self.key}"
        return self.http.request(method, path, headers=headers, **options)

    def make_key(self, *scopes: str, days: int | None = None, label: str = "other") -> str:
        runtime, merchant = self.desk.runtime, self.desk.merchant
        return create_key(runtime, merchant.id, label, scopes or SCOPES, days)

    def ask(self, body: Any, key: str = "", idempotency: str | None = None) -> Response:
        self._keys += 1
        headers = {"Idempotency-Key": idempotency or f"request-{self._keys}"}
        return self.send("POST", "/v1/returns", key, json=body, headers=headers)

    def client_token(self, order: str) -> str:
        answer = self.send("POST", "/v1/client-tokens", json={"order": order})
        assert answer.status_code == 201
        return answer.json()["token"]


def open_door(desk: Desk) -> Door:
    """The application on this desk; faults become answers, as in production."""
    settings = desk.runtime.settings
    sandbox = SandboxProcessor(
        settings.processor_url, "key", settings.webhook_secret.get_secret_value()
    )
    desk.processor.read_webhook = sandbox.read_webhook
    http = TestClient(create_app(desk.runtime), raise_server_exceptions=False)
    key = create_key(desk.runtime, desk.merchant.id, "shop", SCOPES, None)
    return Door(desk, http, key)


def is_problem(answer: Response, status: int | tuple[int, ...], code: str | None = None) -> None:
    """A problem document with everything that it must say."""
    wanted = (status,) if isinstance(status, int) else status
    assert answer.status_code in wanted, (answer.status_code, answer.text[:500])
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert set(document) == PROBLEM
    assert document["status"] == answer.status_code
    assert document["moved"] == "nothing"
    assert document["type"] == f"urn:undrop:problem:{document['code']}"
    assert all(document[name] for name in ("title", "detail", "next_step"))
    if code is not None:
        assert document["code"] == code


def order_json(number: str = "B-1", **changes: Any) -> dict[str, Any]:
    """A bulk of one order, with changes."""
    return {"orders": [order_body(number, [7]) | changes]}


def webhook_headers(desk: Desk, body: bytes, at: datetime | None = None) -> dict[str, str]:
    """Headers as a processor signs them (Standard Webhooks)."""
    moment = at or datetime.now(UTC)
    secret = desk.runtime.settings.webhook_secret.get_secret_value()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", moment, body.decode()),
    }
