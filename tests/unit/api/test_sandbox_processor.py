"""The stand-in processor gives no more back than is left, whoever has taken it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.sandbox_processor import create_app

SECRET = "whsec_bG9jYWwtb25seS1sb2NhbC1vbmx5LWxvY2FsLW9ubHk="


@pytest.fixture
def processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("UNDROP_PROCESSOR_DB", str(tmp_path / "processor.db"))
    monkeypatch.setenv("UNDROP_PROCESSOR_KEY", "key")
    monkeypatch.setenv("UNDROP_WEBHOOK_URL", "http://127.0.0.1:1/unheard")
    monkeypatch.setenv("UNDROP_WEBHOOK_SECRET", SECRET)
    # Its life does not begin: nothing is paid, and nobody is told.
    client = TestClient(create_app(), headers={"Authorization": "Bearer key"})
    charge = {"id": "ch", "amount": "500", "currency": "USD"}
    assert client.post("/v1/charges", json={"charges": [charge]}).status_code == 201
    return client


def refund(processor: TestClient, amount: int, key: str) -> int:
    body = {"charge": "ch", "amount": str(amount), "currency": "USD", "key": key}
    return processor.post("/v1/refunds", json=body).status_code


def dispute(processor: TestClient, **body: Any) -> str:
    answer = processor.post("/sandbox/disputes", json={"charge": "ch", **body})
    assert answer.status_code == 201
    return str(answer.json()["id"])


def refunds(processor: TestClient) -> list[tuple[str, str]]:
    found = processor.get("/v1/refunds").json()["refunds"]
    return [(one["key"], one["amount"]) for one in found]


def test_the_same_key_pays_once_and_one_unit_above_what_is_left_is_refused(
    processor: TestClient,
) -> None:
    assert [refund(processor, 300, "a"), refund(processor, 300, "a")] == [201, 201]
    assert refund(processor, 201, "b") == 422
    assert refund(processor, 200, "c") == 201
    assert refunds(processor) == [("a", "300"), ("c", "200")]


def test_a_disputed_charge_is_not_refunded_besides(processor: TestClient) -> None:
    open_ = dispute(processor)
    assert refund(processor, 1, "a") == 422
    processor.post(f"/sandbox/disputes/{open_}/lost").raise_for_status()
    assert refund(processor, 1, "b") == 422
    assert refunds(processor) == []


def test_a_dispute_that_was_won_takes_nothing_from_what_is_left(processor: TestClient) -> None:
    won = dispute(processor, amount="400")
    assert refund(processor, 101, "a") == 422
    assert refund(processor, 100, "b") == 201
    processor.post(f"/sandbox/disputes/{won}/won").raise_for_status()
    assert refund(processor, 401, "c") == 422
    assert refund(processor, 400, "d") == 201
    assert refunds(processor) == [("b", "100"), ("d", "400")]
