"""OpenAPI examples that run: each request of the relay API's document, and what came of it.

Parameters, body and answer of one name are one request. All are sent to the application in the
order of the document, with a real chain and the lanes of the product behind it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from chain_books import Books
from chain_node import CHAIN_ID, Stage
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from fastapi.testclient import TestClient
from sqlmodel import col, select

from api.app import create_app
from chain.relay.queue import Intent, enqueue
from chain.relay.simulation import Move
from returns.tables import Merchant, RelayTransaction
from returns.words import RelayState
from settlement.commands import relay_rules
from settlement.commands.access import OPERATOR_SCOPES, SCOPES, create_key
from settlement.runtime import Runtime
from settlement.settings import Settings

pytestmark = pytest.mark.chain

#: What differs from run to run: only its type is compared.
VOLATILE = {
    "nonce", "hash", "block_number", "gas_used", "cost", "max_fee", "priority_fee", "gas_limit",
    "created_at", "updated_at", "sent_at", "next_nonce", "balance", "checked_at",
}  # fmt: skip
JSON, PROBLEM = "application/json", "application/problem+json"


class Run(NamedTuple):
    """One request of the document and the answer that it promises."""

    name: str
    method: str
    path: str
    query: dict[str, Any]
    headers: dict[str, str]
    body: Any
    status: int
    media: str
    answer: Any


def runs(document: dict[str, Any]) -> list[Run]:
    """Every example of an answer of the relay API with its request."""
    return [
        _run(name, method, path, route, int(status), media, example["value"])
        for path, ways in document["paths"].items()
        if path.startswith("/v1/relay/")
        for method, route in ways.items()
        for status, answer in route["responses"].items()
        for media, content in answer.get("content", {}).items()
        for name, example in content.get("examples", {}).items()
    ]


def _run(
    name: str, method: str, path: str, route: Any, status: int, media: str, answer: Any
) -> Run:
    given: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
    for one in route["parameters"]:
        if name in one.get("examples", {}):
            given[one["in"]][one["name"]] = one["examples"][name]["value"]
    content = route.get("requestBody", {"content": {JSON: {}}})["content"][JSON]
    body = content.get("examples", {}).get(name, {}).get("value")
    where = path.format(**given["path"])
    return Run(name, method, where, given["query"], given["header"], body, status, media, answer)


@pytest.fixture
def runtime(chain: Stage, sqlite: Books, tmp_path: Path) -> Iterator[Runtime]:
    """The product on this chain and these books."""
    settings = Settings(
        home=tmp_path, database_url=sqlite.database.url, rpc_url=chain.url, finality=1
    )
    built = Runtime(settings)
    built.deployment = chain.deployment
    yield built
    built.close()


@contextmanager
def working(runtime: Runtime) -> Iterator[None]:
    """Lanes that bring forward what is owed."""
    stop = Event()
    threads = [Thread(target=fleet.run, args=(stop,)) for fleet in runtime.fleets]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def prepare(chain: Stage, runtime: Runtime, merchant: Merchant, document: dict[str, Any]) -> None:
    """What the examples take for granted: a dollar, rules for it, transactions by their ids."""
    bodies = document["paths"]["/v1/relay/transactions"]["post"]["requestBody"]["content"][JSON]
    payout, coin, empty = (
        bodies["examples"][name]["value"] for name in ("payout", "coin", "no_contract")
    )
    [moved] = payout["expects"]
    for contract in (payout["to"], empty["to"]):
        held = [f"0={moved['to']}"]
        allowed = (contract, "transfer(address,uint256)", held, "0")
        relay_rules.allow(runtime, merchant, CHAIN_ID, *allowed)
    relay_rules.allow(runtime, merchant, CHAIN_ID, coin["to"], "", [], coin["value"])
    put_dollar(chain, payout["to"], moved["from"])
    for path, name in (("", "confirmed"), ("/cancel", "waiting"), ("/speed-up", "patient")):
        route = document["paths"]["/v1/relay/transactions/{relay_id}" + path]
        [way] = route.values()
        relay_id = UUID(way["parameters"][0]["examples"][name]["value"])
        owe(runtime, merchant, relay_id, payout, waits=bool(path))


def put_dollar(chain: Stage, address: str, holder: str) -> None:
    """The test dollar at another address, and some of it (OpenZeppelin has balances in slot 0)."""
    code = chain.anvil.rpc("eth_getCode", chain.dollar, "latest")
    chain.anvil.rpc("anvil_setCode", address, code)
    slot = "0x" + keccak(encode(["address", "uint256"], [holder, 0])).hex()
    chain.anvil.rpc("anvil_setStorageAt", address, slot, f"0x{10**12:064x}")


def owe(
    runtime: Runtime, merchant: Merchant, relay_id: UUID, payout: dict[str, Any], *, waits: bool
) -> None:
    """A payout under a given id, which does not get a nonce by itself if it `waits`."""
    [moved] = payout["expects"]
    now = runtime.clock()
    intent = Intent(
        relay_id,
        merchant.id,
        CHAIN_ID,
        payout["to"],
        bytes.fromhex(payout["data"][2:]),
        facts={"case": payout["case"]},
        moves=[Move(moved["asset"], moved["from"], moved["to"], int(moved["amount"]))],
        customer=payout["customer"],
        send_by=datetime(2100, 1, 1, tzinfo=UTC) if waits else None,
        due_at=now + timedelta(days=1) if waits else now,
    )
    with runtime.database.write() as session:
        enqueue(session, intent, now)


def settle(runtime: Runtime) -> None:
    """Wait until nothing is under way."""
    end = time.monotonic() + 60
    under_way = select(RelayTransaction.id).where(
        (col(RelayTransaction.state) == RelayState.SENT)
        | (
            (col(RelayTransaction.state) == RelayState.PENDING)
            & (col(RelayTransaction.due_at) <= runtime.clock())
        )
    )
    while time.monotonic() < end:
        with runtime.database.read() as session:
            if session.exec(under_way).first() is None:
                return
        time.sleep(0.02)
    raise AssertionError("something is still under way")


def check(promised: Any, found: Any, place: str) -> None:
    """The same names, the same values; of what differs from run to run the same types."""
    if isinstance(promised, dict):
        assert isinstance(found, dict), place
        assert set(promised) == set(found), place
        for name, value in promised.items():
            if name in VOLATILE:
                assert type(value) is type(found[name]), f"{place}.{name}: {found[name]!r}"
            else:
                check(value, found[name], f"{place}.{name}")
    elif isinstance(promised, list):
        assert len(promised) == len(found), place
        for index, (one, other) in enumerate(zip(promised, found, strict=True)):
            check(one, other, f"{place}[{index}]")
    else:
        assert promised == found, place


def new_id_of(answer: Any) -> str | None:
    """The id that this run gave to what the document has under an id of its own."""
    [one, *_] = answer.get("transactions", [answer])
    found: str | None = one.get("id")
    return found


def send(http: TestClient, key: str, run: Run) -> None:
    """One request of the document; its answer is what the document says."""
    answer = http.request(
        run.method,
        run.path,
        params=run.query,
        json=run.body,
        headers={"Authorization": f"Bearer {key}", **run.headers},
    )
    place = f"{run.method} {run.path} {run.name}"
    assert answer.status_code == run.status, (place, answer.text)
    assert answer.headers["content-type"] == run.media
    given, promised = new_id_of(answer.json()), new_id_of(run.answer)
    text = answer.text if None in (given, promised) else answer.text.replace(given, promised)
    check(run.answer, json.loads(text), place)


def test_every_example_of_the_relay_api_runs_and_is_answered_as_the_document_says(
    chain: Stage, sqlite: Books, runtime: Runtime
) -> None:
    chain.anvil.automine(True)
    with runtime.database.read() as session:
        merchant = session.get_one(Merchant, sqlite.merchant_id)
    key = create_key(runtime, merchant.id, "shop", (*SCOPES, *OPERATOR_SCOPES), None)
    with TestClient(create_app(runtime)) as http:
        document = http.get("/openapi.json").json()
        prepare(chain, runtime, merchant, document)
        found = runs(document)
        with working(runtime):
            settle(runtime)
            for run in found:
                send(http, key, run)
                settle(runtime)
    chain.anvil.automine(False)
    assert len(found) == 19


def test_every_route_of_the_relay_api_has_an_example_of_success_and_every_example_a_use() -> None:
    document = create_app(Runtime(Settings())).openapi()
    for path, ways in document["paths"].items():
        if not path.startswith("/v1/relay/"):
            continue
        for method, route in ways.items():
            mine = runs({"paths": {path: {method: route}}})
            assert any(one.status < 300 for one in mine), (method, path)
            body = route.get("requestBody", {"content": {JSON: {}}})["content"][JSON]
            named = [body, *route["parameters"]]
            used = {name for one in named for name in one.get("examples", {})}
            assert used <= {one.name for one in mine}, (method, path)
