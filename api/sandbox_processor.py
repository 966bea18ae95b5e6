"""A stand-in payment processor: its own process, its own log, signed webhooks, a failure switch.

It knows nothing of Undrop but an address for webhooks. Like real processors it honours idempotency
keys, refuses refunds above the charge, and answers `pending` before it has paid.

Failure modes (POST /sandbox/failure {"mode": …}): none; down (503 to everything); lost_answer (does
the work, then answers 504); decline (refuses refunds); fail_later (accepts, then the refund fails).
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import httpx
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel
from standardwebhooks import Webhook

log = logging.getLogger(__name__)

_PAGE = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS charge (
    id TEXT PRIMARY KEY, amount INTEGER NOT NULL, currency TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refund (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, charge TEXT NOT NULL, amount INTEGER NOT NULL,
    currency TEXT NOT NULL, status TEXT NOT NULL, told TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS refund_key ON refund (key);
CREATE TABLE IF NOT EXISTS failure (mode TEXT NOT NULL);
"""


class Charge(BaseModel):
    """Money that was taken from a card, in minor units."""

    id: str
    amount: str
    currency: str


class Charges(BaseModel):
    """Several charges at once."""

    charges: list[Charge]


class RefundIn(BaseModel):
    """A refund of (a part of) a charge, under the caller's key."""

    charge: str
    amount: str
    currency: str
    key: str


class Failure(BaseModel):
    """The failure switch."""

    mode: Literal["none", "down", "lost_answer", "decline", "fail_later"]


class Store:
    """The processor's own log."""

    def __init__(self, path: str) -> None:
        self._path = path
        with self.open() as db:
            db.executescript(_SCHEMA)

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        db = sqlite3.connect(self._path, timeout=10, isolation_level="IMMEDIATE")
        db.row_factory = sqlite3.Row
        try:
            with db:
                yield db
        finally:
            db.close()

    def mode(self) -> str:
        """The failure that is switched on."""
        with self.open() as db:
            row = db.execute("SELECT mode FROM failure").fetchone()
        return row["mode"] if row else "none"


def create_app() -> FastAPI:
    """Build the processor from the environment: UNDROP_PROCESSOR_DB, _KEY, _WEBHOOK_URL, secret."""
    store = Store(os.environ["UNDROP_PROCESSOR_DB"])
    key = os.environ["UNDROP_PROCESSOR_KEY"]
    teller = _Teller(store, os.environ["UNDROP_WEBHOOK_URL"], os.environ["UNDROP_WEBHOOK_SECRET"])

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> Any:
        teller.start()
        yield
        teller.stop()

    def check(request: Request, authorization: Annotated[str, Header()] = "") -> None:
        if authorization != f"Bearer {key}":
            raise HTTPException(401, "wrong key")
        if store.mode() == "down" and request.url.path.startswith("/v1/"):
            raise HTTPException(503, "switched to fail")

    app = FastAPI(title="Sandbox processor", lifespan=lifespan, dependencies=[Depends(check)])
    _add_routes(app, store, teller)
    return app


def _add_routes(app: FastAPI, store: Store, teller: _Teller) -> None:
    @app.post("/v1/charges", status_code=201)
    def post_charges(body: Charges) -> dict[str, int]:
        rows = [(c.id, int(c.amount), c.currency) for c in body.charges]
        with store.open() as db:
            db.executemany("INSERT OR IGNORE INTO charge VALUES (?, ?, ?)", rows)
        return {"charges": len(rows)}

    @app.post("/v1/refunds", status_code=201)
    def post_refund(body: RefundIn) -> dict[str, Any]:
        mode = store.mode()
        with store.open() as db:
            refund = _refund(db, body, declines=mode == "decline")
        teller.look()
        if mode == "lost_answer":
            raise HTTPException(504, "the answer was lost")
        return refund

    @app.get("/v1/refunds")
    def get_refunds(key: str | None = None, offset: int = 0) -> dict[str, Any]:
        query, args = "SELECT * FROM refund ORDER BY rowid LIMIT ? OFFSET ?", (_PAGE, offset)
        if key is not None:
            query, args = "SELECT * FROM refund WHERE key = ?", (key,)  # type: ignore[assignment]
        with store.open() as db:
            return {"refunds": [_view(row) for row in db.execute(query, args)]}

    @app.post("/sandbox/failure")
    def post_failure(body: Failure) -> dict[str, str]:
        with store.open() as db:
            db.execute("DELETE FROM failure")
            db.execute("INSERT INTO failure VALUES (?)", (body.mode,))
        return {"mode": body.mode}


def _refund(db: sqlite3.Connection, body: RefundIn, *, declines: bool) -> dict[str, Any]:
    known = db.execute("SELECT * FROM refund WHERE key = ?", (body.key,)).fetchone()
    if known is not None:
        return _view(known)
    charge = db.execute("SELECT * FROM charge WHERE id = ?", (body.charge,)).fetchone()
    paid = db.execute(
        "SELECT coalesce(sum(amount), 0) FROM refund WHERE charge = ? AND status != 'failed'",
        (body.charge,),
    ).fetchone()[0]
    if declines or charge is None or charge["currency"] != body.currency:
        raise HTTPException(422, "the charge cannot be refunded")
    if int(body.amount) <= 0 or paid + int(body.amount) > charge["amount"]:
        raise HTTPException(422, "the amount is above what is left of the charge")
    refund_id = f"re_{uuid.uuid4().hex}"
    values = (refund_id, body.key, body.charge, int(body.amount), body.currency, "pending", "")
    db.execute("INSERT INTO refund VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    return _view(db.execute("SELECT * FROM refund WHERE id = ?", (refund_id,)).fetchone())


def _view(row: sqlite3.Row) -> dict[str, Any]:
    names = ("id", "key", "charge", "amount", "currency", "status")
    return {name: str(row[name]) for name in names}


class _Teller:
    """Pays pending refunds after a moment and tells every change by webhook until it is heard."""

    def __init__(self, store: Store, url: str, secret: str) -> None:
        self._store = store
        self._url = url
        self._webhook = Webhook(secret)
        self._wanted = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="teller", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._wanted.set()
        self._thread.join(timeout=5)

    def look(self) -> None:
        """Something is new."""
        self._wanted.set()

    def _run(self) -> None:
        with httpx.Client(timeout=5) as http:
            while not self._stopped:
                self._wanted.wait(timeout=1)
                self._wanted.clear()
                time.sleep(0.1)
                self._pay()
                self._tell_all(http)

    def _pay(self) -> None:
        status = "failed" if self._store.mode() == "fail_later" else "succeeded"
        with self._store.open() as db:
            db.execute("UPDATE refund SET status = ? WHERE status = 'pending'", (status,))

    def _tell_all(self, http: httpx.Client) -> None:
        with self._store.open() as db:
            news = db.execute("SELECT * FROM refund WHERE told != status LIMIT 100").fetchall()
        for row in news:
            if self._tell(http, _view(row)):
                with self._store.open() as db:
                    db.execute("UPDATE refund SET told = status WHERE id = ?", (row["id"],))

    def _tell(self, http: httpx.Client, refund: dict[str, Any]) -> bool:
        now = datetime.now(UTC)
        body = json.dumps({"type": "refund.updated", "timestamp": now.isoformat(), "data": refund})
        message_id = f"msg_{refund['id']}_{refund['status']}"
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(message_id, now, body),
        }
        try:
            return http.post(self._url, content=body, headers=headers).is_success
        except httpx.HTTPError as fault:
            log.warning("webhook.unheard refund=%s problem=%s", refund["id"], type(fault).__name__)
            return False
