"""How fast what is decided is settled: store credit, and refunds through a processor.

Tokens are kept, so that money alone is measured: with a token the chain's blocks set the pace.
Store credit settles in the transaction that grants it; refunds go from the outbox to the processor,
whose webhook comes back through the API. PostgreSQL and Redis, with 1, 2 and 4 workers. `CASES=n`
makes it shorter.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
import stores
from desk import ADDRESSES, KEPT, Desk, build
from fake_chain import DEPLOYMENT
from ports import free_port
from redis import Redis
from sqlmodel import col, update

from returns import migrate
from returns.db import Database
from returns.tables import OutboxItem, ReturnLine
from returns.words import LineState
from settlement.drain import drain_inbox, drain_outbox
from tests.bench.settlement_crew import approve_all, running

_CASES = int(os.environ.get("CASES", "400"))
_WORKERS = (1, 2, 4)
_REDIS = "redis://127.0.0.1:6379/9"
#: Seconds in which workers start and wait before the work is due.
_AHEAD = 8


def main() -> None:
    """Measure, print, keep."""
    figures: dict[str, Any] = {"cases": _CASES, "cores": os.cpu_count()}
    with stores.postgres_database() as url, tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        migrate.upgrade(Database(url))
        DEPLOYMENT.save(home / f"deployment-{DEPLOYMENT.chain_id}.json")
        desk = build(url, home)
        desk.use_policy(KEPT)
        figures |= _statements(desk)
        figures |= {f"store_credit_{n}_s": _credit(desk, url, home, n) for n in _WORKERS}
        figures |= {f"fiat_refund_{n}_s": _refunds(desk, url, home, n) for n in _WORKERS}
    for kind in ("store_credit", "fiat_refund"):
        figures[f"{kind}_s"] = max(figures[f"{kind}_{n}_s"] for n in _WORKERS)
    line = json.dumps(figures)
    Path("var").mkdir(exist_ok=True)
    Path("var/bench-settlement.json").write_text(line + "\n")
    sys.stdout.write(line + "\n")


# -- statements ------------------------------------------------------------------------------------


def _statements(desk: Desk) -> dict[str, int]:
    """What one refund costs from its decision on, in statements; the webhook's row included."""
    desk.ask(desk.buy())
    seen: list[str] = []
    engine = desk.runtime.database.engine
    listen: Callable[..., None] = lambda *args: seen.append(args[2])  # noqa: E731
    sa.event.listen(engine, "before_cursor_execute", listen)
    drain_outbox(desk.runtime)
    drain_inbox(desk.runtime)
    sa.event.remove(engine, "before_cursor_execute", listen)
    return {"statements_per_case": len(seen)}


# -- store credit ----------------------------------------------------------------------------------


def _credit(desk: Desk, url: str, home: Path, workers: int) -> float:
    lines = []
    for _ in range(_CASES):
        asked = desk.ask(desk.buy(), recipient=ADDRESSES[2])
        lines.append((asked["rma"], asked["lines"][0]["line"]))
    before = _settled(desk)
    taken = approve_all(url, home, desk.merchant.id, lines, workers)
    assert _settled(desk) - before == _CASES
    return round(_CASES / taken, 1)


# -- refunds ---------------------------------------------------------------------------------------


def _refunds(desk: Desk, url: str, home: Path, workers: int) -> float:
    before = _settled(desk)
    orders = [desk.buy() for _ in range(_CASES)]
    for order in orders:
        desk.ask(order)
    ports = {name: free_port() for name in ("api", "processor")}
    environment = _environment(url, home, ports)
    due = datetime.now(UTC) + timedelta(seconds=_AHEAD)
    with desk.runtime.database.write() as session:
        later = update(OutboxItem).where(col(OutboxItem.done_at).is_(None)).values(due_at=due)
        session.connection().execute(later)
    Redis.from_url(_REDIS).flushdb()
    with ExitStack() as stack:
        stack.enter_context(running(_services(ports, workers), environment))
        _charge(ports["processor"], orders)
        _until(lambda: _settled(desk) - before >= _CASES)
        taken = (datetime.now(UTC) - due).total_seconds()
    return round(_CASES / taken, 1)


def _services(ports: dict[str, int], workers: int) -> list[list[str]]:
    celery = ["celery", "-A", "settlement.worker"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--pool", "solo"]
    web = ["uvicorn", "--factory", "--host", "127.0.0.1", "--log-level", "warning", "--port"]
    names = [["--hostname", f"worker{number}@%h"] for number in range(workers)]
    return [
        [*web, str(ports["processor"]), "api.sandbox_processor:create_app"],
        [*web, str(ports["api"]), "api.app:create_app"],
        [*celery, "beat", "--schedule", f"/tmp/undrop-bench-{os.getpid()}"],  # noqa: S108
        *([*celery, "worker", *quiet, *name] for name in names),
    ]


def _environment(url: str, home: Path, ports: dict[str, int]) -> dict[str, str]:
    return {
        "UNDROP_HOME": str(home),
        "UNDROP_DATABASE_URL": url,
        "UNDROP_BROKER_URL": _REDIS,
        "UNDROP_PORT": str(ports["api"]),
        "UNDROP_PROCESSOR_URL": f"http://127.0.0.1:{ports['processor']}",
        "UNDROP_PROCESSOR_DB": str(home / f"processor-{ports['processor']}.db"),
        "UNDROP_PROCESSOR_KEY": "local-only",
        "UNDROP_WEBHOOK_URL": f"http://127.0.0.1:{ports['api']}/v1/processors/sandbox/webhook",
        "UNDROP_WEBHOOK_SECRET": "whsec_bG9jYWwtb25seS1sb2NhbC1vbmx5LWxvY2FsLW9ubHk=",
    }


def _charge(port: int, orders: list[Any]) -> None:
    """The processor has taken the money that it is to give back."""
    charges = [
        {"id": one.payments[0].reference, "amount": "1000", "currency": "USD"} for one in orders
    ]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        http.headers["Authorization"] = "Bearer local-only"
        _until(lambda: _answers(http))
        http.post("/v1/charges", json={"charges": charges}).raise_for_status()


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/v1/refunds").is_success
    except httpx.HTTPError:
        return False


def _settled(desk: Desk) -> int:
    with desk.runtime.database.read() as session:
        query = sa.select(sa.func.count()).select_from(ReturnLine)
        found = session.connection().execute(
            query.where(col(ReturnLine.state) == LineState.SETTLED)
        )
        return int(found.scalar_one())


def _until(check: Callable[[], bool], patience_s: float = 300) -> None:
    end = time.monotonic() + patience_s
    while not check():
        if time.monotonic() > end:
            raise SystemExit("it does not come to an end: nothing to measure")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
