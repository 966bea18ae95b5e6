"""A stand-in for PayPal, by its documentation: Payments v2, Orders v2, disputes, report, webhooks.

A PayPal-Request-Id answers a repeat with what became of the first request, and refuses another
body. Webhooks are signed over `id|time|webhook|crc32(body)`, and verified by the endpoint for it.

POST /_captures {"captures": [{"id", "value", "currency_code", "fee"?, "status"?}]}
POST /_refunds/{id} {"status"}, POST /_disputes {"capture"}, POST /_disputes/{id} {"outcome"}
POST /_settings {"status": of new refunds, "max_lines": of a window of the report}
POST /_keys/expire, as after 45 days; POST /_faults; GET /_log
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import zlib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from stand_ins import Book, Faults, add_faults, fault_answer, pause

CLIENT, PASSWORD, TOKEN = "client", "client-secret", "A21AAtoken"
WEBHOOK = "8PT597110X687430L"
_TROUBLE = {"name": "INTERNAL_SERVER_ERROR", "details": [{"issue": "INTERNAL_SERVER_ERROR"}]}
_WRITTEN = "%Y-%m-%dT%H:%M:%S+0000"
_BASE = "https://api-m.paypal.com"


class Refused(Exception):
    def __init__(self, status: int, issue: str) -> None:
        self.status = status
        name = {404: "RESOURCE_NOT_FOUND", 422: "UNPROCESSABLE_ENTITY"}.get(status, issue)
        self.body = {"name": name, "details": [{"issue": issue}] if issue != name else []}
        super().__init__(issue)


def signed(body: bytes, transmission: str = "69cd13f0-d67a", at: str = "") -> dict[str, str]:
    """The headers of a webhook."""
    moment = at or datetime.now(UTC).isoformat()
    return {
        "paypal-auth-algo": "SHA256withRSA",
        "paypal-cert-url": f"{_BASE}/v1/notifications/certs/CERT-360caa42",
        "paypal-transmission-id": transmission,
        "paypal-transmission-time": moment,
        "paypal-transmission-sig": _signature(transmission, moment, WEBHOOK, body),
    }


def _signature(transmission: str, moment: str, webhook: str, body: bytes) -> str:
    text = f"{transmission}|{moment}|{webhook}|{zlib.crc32(body)}".encode()
    return hmac.new(b"PayPal's own key", text, hashlib.sha256).hexdigest()


class PayPalBooks(Book):
    """One account."""

    def need(self, kind: str, id_: str) -> dict[str, Any]:
        found = self.get(kind, id_)
        if found is None:
            raise Refused(404, "INVALID_RESOURCE_ID")
        return found

    def add_capture(self, given: dict[str, Any]) -> None:
        order = f"ORDER{given['id']}"
        amount = {"currency_code": given["currency_code"], "value": given["value"]}
        self.put("capture", {
            "id": given["id"], "status": given.get("status", "COMPLETED"), "amount": amount,
            "supplementary_data": {"related_ids": {"order_id": order}},
            "links": [{"rel": "up", "href": f"{_BASE}/v2/checkout/orders/{order}"}],
        })  # fmt: skip
        self.put("order", {"id": order, "capture": given["id"]})
        self._line(given["id"], "T0006", amount, fee=given.get("fee"), at=given.get("at"))

    def refund(self, capture: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
        amount = asked["amount"]
        if amount["currency_code"] != capture["amount"]["currency_code"]:
            raise Refused(422, "REFUND_CAPTURE_CURRENCY_MISMATCH")
        if capture["status"] == "REFUNDED":
            raise Refused(422, "CAPTURE_FULLY_REFUNDED")
        left = Decimal(capture["amount"]["value"]) - self._gone(capture["id"])
        if not 0 < Decimal(amount["value"]) <= left:
            raise Refused(422, "REFUND_AMOUNT_EXCEEDED")
        refund = {
            "id": secrets.token_hex(8).upper() + "R", "amount": amount,
            "status": self.setting("status", "COMPLETED"),
            "custom_id": asked.get("custom_id"), "invoice_id": asked.get("invoice_id"),
            "links": [{"rel": "up", "href": f"{_BASE}/v2/payments/captures/{capture['id']}"}],
        }  # fmt: skip
        self.put("refund", refund, capture["id"])
        self._mark(capture)
        if refund["status"] == "COMPLETED":
            self._paid(refund, capture["id"])
        return refund

    def turn(self, refund: dict[str, Any], status: str) -> dict[str, Any]:
        before, refund["status"] = refund["status"], status
        refund["status_details"] = {"reason": "ECHECK"} if status == "FAILED" else {}
        capture = refund["links"][0]["href"].rpartition("/")[2]
        self.put("refund", refund)
        self._mark(self.need("capture", capture))
        if status == "COMPLETED" and before == "PENDING":
            self._paid(refund, capture)
        if status == "FAILED" and before == "COMPLETED":
            self._line(refund["id"], "T1107", refund["amount"], reference=capture)
        return refund

    def _paid(self, refund: dict[str, Any], capture: str) -> None:
        amount = {**refund["amount"], "value": f"-{refund['amount']['value']}"}
        self._line(refund["id"], "T1107", amount, reference=capture, custom=refund["custom_id"])

    def _gone(self, capture: str) -> Decimal:
        refunds = self.all("refund", capture)
        return sum((Decimal(one["amount"]["value"]) for one in refunds
                    if one["status"] in ("COMPLETED", "PENDING")), Decimal(0))  # fmt: skip

    def _mark(self, capture: dict[str, Any]) -> None:
        gone, whole = self._gone(capture["id"]), Decimal(capture["amount"]["value"])
        some = "PARTIALLY_REFUNDED" if gone else "COMPLETED"
        self.put("capture", {**capture, "status": "REFUNDED" if gone == whole else some})

    def _line(
        self,
        id_: str,
        code: str,
        amount: dict[str, Any],
        fee: str | None = None,
        reference: str | None = None,
        custom: str | None = None,
        at: str | None = None,
    ) -> None:
        info = {
            "transaction_id": id_, "transaction_event_code": code, "transaction_amount": amount,
            "transaction_initiation_date": at or datetime.now(UTC).strftime(_WRITTEN),
            "transaction_status": "S", "paypal_reference_id": reference, "custom_field": custom,
        }  # fmt: skip
        if fee:
            info["fee_amount"] = {**amount, "value": fee}
        self.put("line", {"id": f"{id_}:{code}:{secrets.token_hex(3)}", "info": info})


def create_app(path: str | Path, seed: int = 0) -> FastAPI:
    """The stand-in on the file `path`."""
    books, faults = PayPalBooks(path), Faults(seed)
    app = FastAPI()
    app.add_exception_handler(
        Refused, lambda _, refused: JSONResponse(refused.body, refused.status)
    )  # type: ignore[attr-defined,arg-type]
    add_faults(app, faults)
    _add_switches(app, books)

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def api(request: Request, path: str) -> Response:
        if path == "v1/oauth2/token":
            return _token(request, books.setting("token", TOKEN))
        if request.headers.get("authorization") != f"Bearer {books.setting('token', TOKEN)}":
            return JSONResponse({"name": "AUTHENTICATION_FAILURE"}, 401)
        fault = faults.next(f"{request.method} /{path}")
        await pause(fault, "slow")
        early = fault_answer(fault, _TROUBLE) if fault and "after" not in fault.kind else None
        if early is not None:
            return early
        body = await request.body()
        answer = (
            JSONResponse(_read(books, path, dict(request.query_params)))
            if request.method == "GET"
            else _write(books, request.headers.get("paypal-request-id", ""), path, body)
        )
        await pause(fault, "timeout_after")
        return (fault and fault_answer(fault, _TROUBLE)) or answer

    return app


def _token(request: Request, token: str) -> Response:
    given = request.headers.get("authorization", "")
    if given != "Basic Y2xpZW50OmNsaWVudC1zZWNyZXQ=":
        return JSONResponse({"error": "invalid_client"}, 401)
    return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": 32400})


def _read(books: PayPalBooks, path: str, query: dict[str, str]) -> dict[str, Any]:
    match path.split("/"):
        case ["v2", "payments", "captures", id_]:
            return books.need("capture", id_)
        case ["v2", "payments", "refunds", id_]:
            return books.need("refund", id_)
        case ["v2", "checkout", "orders", id_]:
            order = books.need("order", id_)
            capture = books.need("capture", order["capture"])
            payments = {"captures": [capture], "refunds": books.all("refund", capture["id"])}
            return {"id": id_, "purchase_units": [{"payments": payments}]}
        case ["v1", "customer", "disputes", id_]:
            return books.need("dispute", id_)
        case ["v1", "reporting", "transactions"]:
            return _report(books, query)
    raise Refused(404, "INVALID_RESOURCE_ID")


def _report(books: PayPalBooks, query: dict[str, str]) -> dict[str, Any]:
    start, end = (datetime.fromisoformat(query[name]) for name in ("start_date", "end_date"))
    if (end - start).days > 31:
        raise Refused(400, "INVALID_REQUEST")
    lines = [one["info"] for one in books.all("line")]
    code = query.get("transaction_type", "")
    lines = [one for one in lines
             if start <= datetime.fromisoformat(one["transaction_initiation_date"]) <= end
             and one["transaction_event_code"].startswith(code)]  # fmt: skip
    if len(lines) > books.setting("max_lines", 10_000):
        raise Refused(400, "RESULTSET_TOO_LARGE")
    size, page = int(query["page_size"]), int(query["page"])
    shown = lines[::-1][(page - 1) * size : page * size]
    pages = -(-len(lines) // size)
    details = [{"transaction_info": info} for info in shown]
    return {"transaction_details": details, "page": page, "total_pages": pages}


def _write(books: PayPalBooks, key: str, path: str, body: bytes) -> Response:
    match path.split("/"):
        case ["v1", "notifications", "verify-webhook-signature"]:
            return JSONResponse({"verification_status": _verified(body)})
        case ["v2", "payments", "captures", id_, "refund"]:
            return _refund(books, key, id_, body)
    raise Refused(404, "INVALID_RESOURCE_ID")


def _verified(body: bytes) -> str:
    """Over the bytes of the event, as they were passed on."""
    asked = json.loads(body)
    event = body.partition(b'"webhook_event": ')[2][:-1]
    names = ("transmission_id", "transmission_time", "webhook_id")
    expected = _signature(*(asked[name] for name in names), event)
    return "SUCCESS" if hmac.compare_digest(expected, asked["transmission_sig"]) else "FAILURE"


def _refund(books: PayPalBooks, key: str, capture_id: str, body: bytes) -> Response:
    known = books.db.execute("SELECT asked, body FROM answer WHERE key = ?", (key,)).fetchone()
    if known is not None:
        if known[0] != body.decode():
            raise Refused(422, "PAYPAL_REQUEST_ID_PREVIOUSLY_USED")
        return JSONResponse(books.need("refund", known[1]), 200)
    with books.transaction():
        refund = books.refund(books.need("capture", capture_id), json.loads(body))
        values = (key, body.decode(), 201, refund["id"])
        books.db.execute("INSERT INTO answer VALUES (?, ?, ?, ?)", values)
    return JSONResponse(refund, 201)


def _add_switches(app: FastAPI, books: PayPalBooks) -> None:
    @app.post("/_captures")
    async def post_captures(request: Request) -> dict[str, int]:
        captures = (await request.json())["captures"]
        with books.transaction():
            for capture in captures:
                books.add_capture(capture)
        return {"captures": len(captures)}

    @app.post("/_settings")
    async def post_settings(request: Request) -> dict[str, Any]:
        given: dict[str, Any] = await request.json()
        for name, value in given.items():
            books.set(name, value)
        return given

    _add_fates(app, books)

    @app.post("/_keys/expire")
    async def post_expire() -> dict[str, str]:
        books.db.execute("DELETE FROM answer")
        return {"keys": "expired"}

    @app.get("/_log")
    async def get_log() -> dict[str, Any]:
        return {f"{kind}s": books.all(kind) for kind in ("capture", "refund", "dispute", "line")}


def _add_fates(app: FastAPI, books: PayPalBooks) -> None:
    @app.post("/_refunds/{refund_id}")
    async def post_turn(request: Request, refund_id: str) -> Any:
        with books.transaction():
            return books.turn(books.need("refund", refund_id), (await request.json())["status"])

    @app.post("/_disputes")
    async def post_dispute(request: Request) -> Any:
        given = await request.json()
        capture = books.need("capture", given["capture"])
        id_ = f"PP-D-{secrets.token_hex(4)}"
        return books.put("dispute", {
            "id": id_, "dispute_id": id_, "dispute_amount": capture["amount"],
            "status": "UNDER_REVIEW", "dispute_life_cycle_stage": given.get("stage", "CHARGEBACK"),
            "disputed_transactions": [{"seller_transaction_id": capture["id"]}],
        })  # fmt: skip

    @app.post("/_disputes/{dispute_id}")
    async def post_outcome(request: Request, dispute_id: str) -> Any:
        outcome = {"outcome_code": (await request.json())["outcome"]}
        dispute = books.need("dispute", dispute_id)
        return books.put("dispute", {**dispute, "status": "RESOLVED", "dispute_outcome": outcome})
