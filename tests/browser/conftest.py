"""The running stack with a few purchases, and a browser to look at it with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from chain import account
from chain.client import ChainClient
from chain.contracts import encode_call
from chain.local import ADMIN, CUSTOMERS, anvil_keys
from chain.signers import LocalSigner

_ROOT = Path(__file__).parents[2]
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: Order number -> (tender, price in minor units, currency, days ago); the customers in turn.
_PURCHASES = {
    "COIN": ("wallet", "500000000000000000", "ETH", 2),
    "CARD": ("card", "125000", "USD", 2),
    "UNSIGNED": ("card", "8999", "USD", 2),
    "CREDIT": ("wallet", "1250000000000000000", "ETH", 2),
    "ABOVE-CAP": ("wallet", "121000000000000000000", "ETH", 2),
    "LOST-ANSWER": ("card", "45000", "USD", 2),
    "UNTOUCHED": ("card", "9900", "USD", 2),
    "TOO-LATE": ("card", "7700", "USD", 40),
}
_START_S, _STOP_S = 120.0, 30.0


@dataclass(frozen=True)
class Stack:
    """Addresses of the running stack (as in its run.json) and the purchases in its shop."""

    api: str
    rpc: str
    api_key: str
    purchases: list[dict[str, str]]
    process: subprocess.Popen[bytes]
    home: Path

    def check_alive(self) -> None:
        """Fail with the supervisor's own words where it has ended: no page can be tested then."""
        if self.process.poll() is not None:
            pytest.fail("the stack ended:\n" + (self.home / "run.out").read_text())

    def get(self, path: str) -> Any:
        """What the API answers to its owner's key."""
        return httpx.get(self.api + path, headers=_bearer(self.api_key)).raise_for_status().json()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`undrop run --headless` in a folder and on ports of its own."""
    home = tmp_path_factory.mktemp("stack")
    ports = [_free_port() for _ in range(3)]
    env = {
        **os.environ,
        "UNDROP_PORT": str(ports[0]),
        "UNDROP_RPC_URL": f"http://127.0.0.1:{ports[1]}",
        "UNDROP_PROCESSOR_URL": f"http://127.0.0.1:{ports[2]}",
    }
    command = [sys.executable, "-m", "api.cli", "run", "--headless", "--home", str(home)]
    with (home / "run.out").open("wb") as out:
        process = subprocess.Popen(command, cwd=_ROOT, env=env, stdout=out, stderr=out)
    try:
        run = _wait_for_run(process, home)
        purchases = load_purchases(run, home)
        yield Stack(run["api"], run["rpc"], run["api_key"], purchases, process, home)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=_STOP_S)


@pytest.fixture(scope="session")
def unsigned(stack: Stack) -> str:
    """The number of an approved return that waits for its signature, opened on another device."""
    purchase = next(row for row in stack.purchases if row["number"] == "UNSIGNED")
    body = {
        "order": purchase["number"],
        "lines": [{key: purchase[key] for key in ("collection", "token_id")}],
        "reason": "not_as_described",
        "remedy": "fiat_refund",
    }
    headers = {**_bearer(stack.api_key), "Idempotency-Key": "unsigned"}
    answer = httpx.post(f"{stack.api}/v1/returns", headers=headers, json=body)
    rma: str = answer.raise_for_status().json()["rma"]
    return rma


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium of the system, driven by Playwright."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="skipped: playwright is not installed"
    )
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("skipped: there is no chromium on the PATH")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, stack: Stack) -> Iterator[Any]:
    """A fresh page that fails the test if it complains, or asks any host but the stack's own."""
    stack.check_alive()
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.set_default_timeout(15_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("request", lambda request: _check_host(request.url, stack, complaints))
    page.complaints = complaints
    yield page
    context.close()
    stack.check_alive()
    assert complaints == [], "the page complained, or asked another host"


def load_purchases(run: dict[str, Any], home: Path) -> list[dict[str, str]]:
    """Orders in the books, tokens on the chain, charges at the processor, the shop's list."""
    purchases = [_purchase(index, number, run) for index, number in enumerate(_PURCHASES)]
    _mint(run, purchases)
    charges = [
        {"id": _reference(order), "amount": order["price"], "currency": order["currency"]}
        for order in purchases
        if order["tender"] == "card"
    ]
    processor, headers = run["processor"], _bearer(run["processor_key"])
    told = httpx.post(f"{processor}/v1/charges", headers=headers, json={"charges": charges})
    told.raise_for_status()
    orders = {"orders": [_order(order) for order in purchases]}
    answer = httpx.put(f"{run['api']}/v1/orders", headers=_bearer(run["api_key"]), json=orders)
    results = [row["result"] for row in answer.raise_for_status().json()["results"]]
    assert results == ["stored"] * len(purchases), answer.text
    (home / "demo_orders.json").write_text(json.dumps(purchases))
    return purchases


def _purchase(index: int, number: str, run: dict[str, Any]) -> dict[str, str]:
    tender, price, currency, _ = _PURCHASES[number]
    key = anvil_keys()[CUSTOMERS[index % len(CUSTOMERS)]]
    return {
        "number": number,
        "token_id": str(4242 + 97 * index),
        "collection": run["deployment"]["collection"],
        "tender": tender,
        "price": price,
        "currency": currency,
        "wallet": LocalSigner(key).address,
    }


def _order(purchase: dict[str, str]) -> dict[str, Any]:
    age = timedelta(days=_PURCHASES[purchase["number"]][3])
    return {
        "number": purchase["number"],
        "placed_at": (datetime.now(UTC) - age).isoformat(),
        "customer": purchase["wallet"],
        "buyer_wallet": purchase["wallet"],
        "lines": [{key: purchase[key] for key in ("collection", "token_id", "price")}],
        "payment": {
            "tender": purchase["tender"],
            "processor": "sandbox" if purchase["tender"] == "card" else "chain",
            "reference": _reference(purchase),
            "currency": purchase["currency"],
            "captured": purchase["price"],
        },
    }


def _reference(purchase: dict[str, str]) -> str:
    return f"ch_{purchase['number']}"


def _mint(run: dict[str, Any], purchases: list[dict[str, str]]) -> None:
    data = encode_call(
        "ReturnableNFT",
        "mintBatch",
        [order["wallet"] for order in purchases],
        [int(order["token_id"]) for order in purchases],
        [0] * len(purchases),
    )
    admin = LocalSigner(anvil_keys()[ADMIN])
    account.send(ChainClient(run["rpc"]), admin, to=run["deployment"]["collection"], data=data)


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _wait_for_run(process: subprocess.Popen[bytes], home: Path) -> dict[str, Any]:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        if (home / "run.json").exists():
            run: dict[str, Any] = json.loads((home / "run.json").read_text())
            return run
        time.sleep(0.1)
    pytest.fail("the stack did not start:\n" + (home / "run.out").read_text())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _check_host(url: str, stack: Stack, complaints: list[str]) -> None:
    if not url.startswith((stack.api, stack.rpc, "data:", "blob:")):
        complaints.append(f"a request to another host: {url}")
