"""A stand-in payment processor: its own process, its own log, signed webhooks, a failure switch.

It knows nothing of Undrop but an address for webhooks. Like real processors it honours idempotency
keys, refuses refunds above what is left of a charge, and answers `pending` before it has paid.

Failure modes (POST /sandbox/failure {"mode": …}): none; down (503 to everything); lost_answer (does
the work, then answers 504); decline (refuses refunds); fail_later (accepts, then the refund fails).

POST /sandbox/refunds/{id}/fail lets a refund that was paid fail all the same, as days later;
POST /sandbox/disputes opens a chargeback, …/{id}/won and …/{id}/lost close it.
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
    currency TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
    told TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS refund_key ON refund (key);
CREATE TABLE IF NOT EXISTS dispute (
    id TEXT PRIMARY KEY, charge TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
    status TEXT NOT NULL, told TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS movement (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, about TEXT NOT NULL, amount INTEGER NOT NULL,
    currency TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS failure (mode TEXT NOT NULL);
"""
#: Refunds, and what a bank has taken: a disputed charge is not refunded besides.
_PAID_BACK = """SELECT coalesce(sum(amount), 0) FROM (
    SELECT amount FROM refund WHERE charge = :charge AND status != 'failed'
    UNION ALL SELECT amount FROM dispute WHERE charge = :charge AND status != 'won')"""


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


class LateFailure(BaseModel):
    """Why a refund that was paid has come back."""

    reason: str = "expired_or_canceled_card"


class DisputeIn(BaseModel):
    """A chargeback of (a part of) a charge."""

    charge: str
    amount: str | None = None


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

    @app.get("/v1/movements")
    def get_movements(after: int = 0) -> dict[str, Any]:
        query = "SELECT * FROM movement WHERE number > ? ORDER BY number LIMIT ?"
        with store.open() as db:
            return {"movements": [_movement(row) for row in db.execute(query, (after, _PAGE))]}

    _add_switches(app, store, teller)


def _add_switches(app: FastAPI, store: Store, teller: _Teller) -> None:
    @app.post("/sandbox/failure")
    def post_failure(body: Failure) -> dict[str, str]:
        with store.open() as db:
            db.execute("DELETE FROM failure")
            db.execute("INSERT INTO failure VALUES (?)", (body.mode,))
        return {"mode": body.mode}

    @app.post("/sandbox/refunds/{refund_id}/fail")
    def post_late_failure(refund_id: str, body: LateFailure) -> dict[str, Any]:
        with store.open() as db:
            refund = _fail(db, refund_id, body.reason)
        teller.look()
        return refund

    @app.post("/sandbox/disputes", status_code=201)
    def post_dispute(body: DisputeIn) -> dict[str, Any]:
        with store.open() as db:
            dispute = _dispute(db, body)
        teller.look()
        return dispute

    @app.post("/sandbox/disputes/{dispute_id}/{outcome}")
    def post_outcome(dispute_id: str, outcome: Literal["won", "lost"]) -> dict[str, Any]:
        with store.open() as db:
            dispute = _close(db, dispute_id, outcome)
        teller.look()
        return dispute


def _fail(db: sqlite3.Connection, refund_id: str, reason: str) -> dict[str, Any]:
    row = db.execute("SELECT * FROM refund WHERE id = ?", (refund_id,)).fetchone()
    if row is None or row["status"] == "failed":
        raise HTTPException(404, "no such refund, or it has failed already")
    if row["status"] == "succeeded":
        _move(db, "refund_failure", row["id"], row["amount"], row["currency"])
    db.execute("UPDATE refund SET status = 'failed', reason = ? WHERE id = ?", (reason, row["id"]))
    return _view(db.execute("SELECT * FROM refund WHERE id = ?", (refund_id,)).fetchone())


def _dispute(db: sqlite3.Connection, body: DisputeIn) -> dict[str, Any]:
    charge = db.execute("SELECT * FROM charge WHERE id = ?", (body.charge,)).fetchone()
    if charge is None:
        raise HTTPException(404, "no such charge")
    amount = charge["amount"] if body.amount is None else int(body.amount)
    dispute_id = f"dp_{uuid.uuid4().hex}"
    values = (dispute_id, body.charge, amount, charge["currency"], "open", "")
    db.execute("INSERT INTO dispute VALUES (?, ?, ?, ?, ?, ?)", values)
    _move(db, "dispute", dispute_id, -amount, charge["currency"])
    return _dispute_view(_dispute_row(db, dispute_id))


def _close(db: sqlite3.Connection, dispute_id: str, outcome: str) -> dict[str, Any]:
    row = _dispute_row(db, dispute_id)
    if row is None or row["status"] != "open":
        raise HTTPException(404, "no such dispute, or it is closed already")
    db.execute("UPDATE dispute SET status = ? WHERE id = ?", (outcome, dispute_id))
    if outcome == "won":
        _move(db, "dispute_reversal", dispute_id, row["amount"], row["currency"])
    return _dispute_view(_dispute_row(db, dispute_id))


def _dispute_row(db: sqlite3.Connection, dispute_id: str) -> Any:
    return db.execute("SELECT * FROM dispute WHERE id = ?", (dispute_id,)).fetchone()


def _move(db: sqlite3.Connection, kind: str, about: str, amount: int, currency: str) -> None:
    """A line of the report: the balance has changed."""
    values = (kind, about, amount, currency, datetime.now(UTC).isoformat())
    columns = "kind, about, amount, currency, at"
    db.execute(f"INSERT INTO movement ({columns}) VALUES (?, ?, ?, ?, ?)", values)  # noqa: S608


def _refund(db: sqlite3.Connection, body: RefundIn, *, declines: bool) -> dict[str, Any]:
    known = db.execute("SELECT * FROM refund WHERE key = ?", (body.key,)).fetchone()
    if known is not None:
        return _view(known)
    charge = db.execute("SELECT * FROM charge WHERE id = ?", (body.charge,)).fetchone()
    paid = db.execute(_PAID_BACK, {"charge": body.charge}).fetchone()[0]
    if declines or charge is None or charge["currency"] != body.currency:
        raise HTTPException(422, "the charge cannot be refunded")
    if int(body.amount) <= 0 or paid + int(body.amount) > charge["amount"]:
        raise HTTPException(422, "the amount is above what is left of the charge")
    refund_id = f"re_{uuid.uuid4().hex}"
    values = (refund_id, body.key, body.charge, int(body.amount), body.currency, "pending", "", "")
    db.execute("INSERT INTO refund VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    return _view(db.execute("SELECT * FROM refund WHERE id = ?", (refund_id,)).fetchone())


def _view(row: sqlite3.Row) -> dict[str, Any]:
    names = ("id", "key", "charge", "amount", "currency", "status", "reason")
    return {name: str(row[name]) for name in names}


def _dispute_view(row: sqlite3.Row) -> dict[str, Any]:
    return {name: str(row[name]) for name in ("id", "charge", "amount", "currency", "status")}


def _movement(row: sqlite3.Row) -> dict[str, Any]:
    names = ("kind", "about", "amount", "currency", "at")
    return {"id": str(row["number"]), **{name: str(row[name]) for name in names}}


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
        fails = self._store.mode() == "fail_later"
        status = "failed" if fails else "succeeded"
        with self._store.open() as db:
            due = db.execute("SELECT * FROM refund WHERE status = 'pending'").fetchall()
            for row in due:
                db.execute("UPDATE refund SET status = ? WHERE id = ?", (status, row["id"]))
                if not fails:
                    _move(db, "refund", row["id"], -row["amount"], row["currency"])

    def _tell_all(self, http: httpx.Client) -> None:
        for kind, view in (("refund", _view), ("dispute", _dispute_view)):
            with self._store.open() as db:
                news = db.execute(f"SELECT * FROM {kind} WHERE told != status LIMIT 100").fetchall()  # noqa: S608
            for row in news:
                if self._tell(http, kind, view(row)):
                    told = (row["status"], row["id"])
                    with self._store.open() as db:
                        db.execute(f"UPDATE {kind} SET told = ? WHERE id = ?", told)  # noqa: S608

    def _tell(self, http: httpx.Client, kind: str, data: dict[str, Any]) -> bool:
        now = datetime.now(UTC)
        told = {"type": f"{kind}.updated", "timestamp": now.isoformat(), "data": data}
        body = json.dumps(told)
        message_id = f"msg_{data['id']}_{data['status']}"
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(message_id, now, body),
        }
        try:
            return http.post(self._url, content=body, headers=headers).is_success
        except httpx.HTTPError as fault:
            log.warning("webhook.unheard about=%s problem=%s", data["id"], type(fault).__name__)
            return False
