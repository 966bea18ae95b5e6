"""A stateful stand-in for Stripe that the official client talks to.

It honours idempotency keys as Stripe does: the stored answer is replayed (also an error that the
work itself met), another body under the key is an idempotency_error, and a key whose request is
under way is a conflict. Lists are newest first and paged. Webhooks carry Stripe's signature.

Run it as a process: `python stripe_stand_in.py --port 8420 --file stripe.db`. The file is the log;
started again on it, the stand-in goes on where it was.

POST /_charges {"charges": [{"id", "amount", "currency", "payment_intent"?, "captured"?, "fee"?}]}
POST /_settings {"outcomes": {…weights}, "seconds", "seed", "ignore_keys", "allow_over_refund",
    "account", "livemode", "webhook": {"url", "secret", "times", "shuffle"}}
POST /_refunds/{id} {"status", "failure_reason"?}; POST /_keys/expire, as after a day
POST /_disputes {"charge", "amount"?, "status"?}; POST /_disputes/{id} {"status"}
POST /_faults, see stand_ins; "error_stored" is an error that the key replays from then on, and
    "under_way" keeps the key in use for so many seconds before the work is done
POST /_webhooks/hold, and /_webhooks/send {"order": "as_made" | "reversed" | "shuffled", "times"}
GET /_log: all that was ever done, for an auditor; GET /_events: signed, to be sent by a test
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from stand_ins import Faults, add_faults, fault_answer, pause
from stripe_books import Refused, StripeBooks

KEY = "sk_test_stand_in"
SECRET = "whsec_stand_in"
_TROUBLE = {"error": {"type": "api_error", "message": "the stand-in was told to fail"}}


def signed(body: bytes, secret: str = SECRET, at: int | None = None) -> dict[str, str]:
    """The header of a webhook: `t=…,v1=HMAC-SHA256 of "t.body"`."""
    moment = int(time.time()) if at is None else at
    text = f"{moment}.".encode() + body
    signature = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={moment},v1={signature}"}


def create_app(path: str | Path, seed: int = 0) -> FastAPI:
    """The stand-in on the file `path`."""
    books, faults = StripeBooks(path), Faults(seed)
    sender = _Sender(books, random.Random(seed))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(sender.run())
        yield
        task.cancel()

    app = FastAPI(lifespan=lifespan)
    app.add_exception_handler(
        Refused, lambda _, refused: JSONResponse(refused.body, refused.status)
    )  # type: ignore[attr-defined,arg-type]
    add_faults(app, faults)
    _add_switches(app, books, sender)

    @app.api_route("/v1/{path:path}", methods=["GET", "POST"])
    async def api(request: Request, path: str) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return JSONResponse({"error": {"type": "invalid_request_error",
                                 "message": "Invalid API Key provided: sk_t***"}}, 401)  # fmt: skip
        fault = faults.next(f"{request.method} /v1/{path}")
        await pause(fault, "slow")
        early = fault_answer(fault, _TROUBLE) if fault and "after" not in fault.kind else None
        if early is not None:
            return early
        if request.method == "GET":
            answer = JSONResponse(_read(books, path, dict(request.query_params)))
        else:
            asked = (await request.body()).decode()
            stored = fault is not None and fault.kind == "error_stored"
            if fault is not None and fault.kind == "under_way":
                await _hold_key(books, request.headers["idempotency-key"], asked, fault.seconds)
            answer = _write(books, request.headers.get("idempotency-key", ""), path, asked, stored)
            books.set("posts", books.setting("posts", 0) + 1)
        await pause(fault, "timeout_after")
        return (fault and fault_answer(fault, _TROUBLE)) or answer

    return app


def _read(books: StripeBooks, path: str, query: dict[str, str]) -> dict[str, Any]:
    match path.split("/"):
        case ["charges", id_]:
            return _with_refunds(books, books.charge(id_))
        case ["payment_intents", id_]:
            intent = books.get("payment_intent", id_)
            if intent is None:
                raise Refused(404, "resource_missing", f"No such payment_intent: '{id_}'")
            charge = books.charge(intent["latest_charge"])
            return {**intent, "latest_charge": _with_refunds(books, charge)}
        case [("refunds" | "disputes" | "balance_transactions") as kind]:
            return _list(books, kind, query)
        case [("refunds" | "balance_transactions") as kind, id_]:
            found = books.get(kind.removesuffix("s"), id_)
            if found is not None:
                return found
    raise Refused(404, "resource_missing", f"Unrecognized request URL or id ({path})")


def _with_refunds(books: StripeBooks, charge: dict[str, Any]) -> dict[str, Any]:
    return {**charge, "refunds": _list(books, "refunds", {"charge": charge["id"]})}


def _list(books: StripeBooks, kind: str, query: dict[str, str]) -> dict[str, Any]:
    """Newest first. `ending_before` gives the page right before, in the same order."""
    where, values = ["kind = ?"], [kind.removesuffix("s")]
    if "charge" in query:
        books.charge(query["charge"])
        where, values = [*where, "parent = ?"], [*values, query["charge"]]
    forward = "ending_before" in query
    for name, sign in (("starting_after", "<"), ("ending_before", ">")):
        if name in query:
            place = books.seq(query[name])
            if place is None:
                raise Refused(400, "resource_missing", f"No such object: '{query[name]}'")
            where, values = [*where, f"seq {sign} ?"], [*values, place]  # type: ignore[list-item]
    limit = int(query.get("limit", 10))
    if not 1 <= limit <= 100:
        raise Refused(400, "parameter_invalid_integer", "limit is from 1 to 100")
    order = f" ORDER BY seq {'ASC' if forward else 'DESC'} LIMIT {limit + 1}"
    found = books.select(" AND ".join(where) + order, tuple(values))
    page = found[:limit][::-1] if forward else found[:limit]
    return {"object": "list", "data": page, "has_more": len(found) > limit, "url": f"/v1/{kind}"}


def _write(books: StripeBooks, key: str, path: str, asked: str, stored_error: bool) -> Response:
    """One refund under its key; answer and work are committed together."""
    if path != "refunds":
        raise Refused(404, "resource_missing", f"Unrecognized request URL (POST: /v1/{path})")
    if books.setting("ignore_keys", False):
        key = ""
    known = books.db.execute("SELECT asked, status, body FROM answer WHERE key = ?", (key,))
    row = known.fetchone() if key else None
    if row is not None:
        if row[0] != asked:
            words = "Keys for idempotent requests can only be used with the same parameters."
            raise Refused(400, "", words, "idempotency_error")
        if row[1] is None:
            words = "There is another in-progress request using this key."
            raise Refused(409, "idempotency_key_in_use", words, "idempotency_error")
        return JSONResponse(json.loads(row[2]), row[1], {"Idempotent-Replayed": "true"})
    with books.transaction():
        status, body = (500, _TROUBLE) if stored_error else _refund(books, asked)
        if key:
            values = (key, asked, status, json.dumps(body))
            books.db.execute("INSERT INTO answer VALUES (?, ?, ?, ?)", values)
    return JSONResponse(body, status)


async def _hold_key(books: StripeBooks, key: str, asked: str, seconds: float) -> None:
    """The request takes so long, and its key is in use meanwhile."""
    books.db.execute("INSERT INTO answer VALUES (?, ?, NULL, NULL)", (key, asked))
    await asyncio.sleep(seconds)
    books.db.execute("DELETE FROM answer WHERE key = ? AND status IS NULL", (key,))


def _refund(books: StripeBooks, asked: str) -> tuple[int, dict[str, Any]]:
    form = dict(parse_qsl(asked))
    metadata = {name[9:-1]: text for name, text in form.items() if name.startswith("metadata[")}
    try:
        charge = books.charge(form["charge"])
        amount = int(form.get("amount", charge["amount"] - charge["amount_refunded"]))
        books.check(charge, amount)
        return 200, books.refund(charge, amount, metadata)
    except Refused as refused:
        return refused.status, refused.body


def _add_switches(app: FastAPI, books: StripeBooks, sender: _Sender) -> None:
    @app.post("/_charges")
    async def post_charges(request: Request) -> dict[str, int]:
        charges = (await request.json())["charges"]
        with books.transaction():
            for charge in charges:
                books.add_charge(charge)
        return {"charges": len(charges)}

    @app.post("/_settings")
    async def post_settings(request: Request) -> dict[str, Any]:
        given: dict[str, Any] = await request.json()
        for name, value in given.items():
            books.set(name, value)
        return given

    _add_fates(app, books)
    _add_log(app, books)

    @app.post("/_webhooks/hold")
    async def post_hold() -> dict[str, bool]:
        sender.holds = True
        return {"holds": True}

    @app.post("/_webhooks/send")
    async def post_send(request: Request) -> dict[str, int]:
        given = await request.json()
        return {"sent": await sender.send(given.get("order", "as_made"), given.get("times", 1))}


def _add_fates(app: FastAPI, books: StripeBooks) -> None:
    @app.post("/_refunds/{refund_id}")
    async def post_turn(request: Request, refund_id: str) -> Any:
        given = await request.json()
        with books.transaction():
            return books.turn(refund_id, given["status"], given.get("failure_reason"))

    @app.post("/_disputes")
    async def post_dispute(request: Request) -> Any:
        given = await request.json()
        with books.transaction():
            charge = books.charge(given["charge"])
            amount = int(given.get("amount", charge["amount"]))
            return books.open_dispute(charge, amount, given.get("status", "needs_response"))

    @app.post("/_disputes/{dispute_id}")
    async def post_outcome(request: Request, dispute_id: str) -> Any:
        with books.transaction():
            return books.close_dispute(dispute_id, (await request.json())["status"])

    @app.post("/_keys/expire")
    async def post_expire() -> dict[str, str]:
        books.db.execute("DELETE FROM answer")
        return {"keys": "expired"}


def _add_log(app: FastAPI, books: StripeBooks) -> None:
    @app.get("/_events")
    async def get_events() -> list[Any]:
        return books.all("event")

    @app.get("/_log")
    async def get_log() -> dict[str, Any]:
        kinds = ("charge", "refund", "dispute", "balance_transaction", "event")
        return {
            **{f"{kind}s": books.all(kind) for kind in kinds},
            "posts": books.setting("posts", 0),
        }


class _Sender:
    """Lets happen what is due, and sends events until they are taken, repeated and out of order."""

    def __init__(self, books: StripeBooks, chance: random.Random) -> None:
        self._books, self._chance, self.holds = books, chance, False

    async def run(self) -> None:
        while True:
            with suppress(httpx.HTTPError):
                self._books.turn_due()
                if not self.holds:
                    hook = self._books.setting("webhook") or {}
                    order = "shuffled" if hook.get("shuffle") else "as_made"
                    await self.send(order, hook.get("times", 1))
            await asyncio.sleep(0.05)

    async def send(self, order: str, times: int) -> int:
        """Send what was not taken yet; returns how many were taken."""
        hook = self._books.setting("webhook")
        if not hook:
            return 0
        events = self._books.select(
            "kind = 'event' AND parent = 'unsent' ORDER BY seq LIMIT 50", ()
        )
        events = events * times
        if order == "reversed":
            events.reverse()
        if order == "shuffled":
            self._chance.shuffle(events)
        taken = {}
        async with httpx.AsyncClient(timeout=5) as http:
            for event in events:
                taken[event["id"]] = await _taken(http, hook, event)
        done = [(id_,) for id_, is_taken in taken.items() if is_taken]
        self._books.db.executemany("UPDATE object SET parent = 'sent' WHERE id = ?", done)
        return len(done)


async def _taken(http: httpx.AsyncClient, hook: dict[str, Any], event: dict[str, Any]) -> bool:
    body = json.dumps(event, indent=2).encode()
    headers = {"content-type": "application/json", **signed(body, hook.get("secret", SECRET))}
    with suppress(httpx.HTTPError):
        return (await http.post(hook["url"], content=body, headers=headers)).is_success
    return False


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8420)
    parser.add_argument("--file", default="stripe.db")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    app = create_app(given.file, given.seed)
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
