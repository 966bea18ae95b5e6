"""An on- or off-ramp: pays out in another currency than came in, at a quote with a limit.

What the payout may cost is the quote of ours that its leg has used. The ramp is asked for its own
price, and paid only if that is at most the limit above ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import httpx
from standardwebhooks import Webhook, WebhookVerificationError

from returns.errors import ProcessorUnavailable, UndropError, WebhookRefused
from returns.money import Money, parse_amount
from returns.tables import RateQuote
from returns.words import MovementKind, RefundStatus
from settlement.processors.base import (
    Fact,
    Movement,
    ProcessorRefund,
    RefundDeclined,
    RefundRequest,
)

_BPS = 10_000
#: A price may expire between two requests; then another one is asked for.
_TRIES = 2
_EXPIRED = "quote_expired"
#: What reading something else than the ramp's documents raises.
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError, UndropError)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Price:
    """The ramp's own quote: what it takes for exactly what is to be paid out."""

    id: str
    cost: Money
    payout: Money


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why the ramp will not do it; `detail` is a stranger's text."""

    code: str
    detail: str


class RampProcessor:
    """Implements `settlement.processors.base.Processor` over HTTP, with short time-outs."""

    name = "ramp"

    def __init__(
        self,
        url: str,
        key: str,
        webhook_secret: str,
        quote_of: Callable[[UUID], RateQuote | None],
        slippage_bps: int,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=5.0, transport=transport)
        self._webhook = Webhook(webhook_secret)
        self._quote_of = quote_of
        self._slippage = slippage_bps

    def refund(self, request: RefundRequest) -> ProcessorRefund:
        """Pay out under our key (the leg's id) at the ramp's price, if it is within the limit."""
        promised = self._promised(request)
        for _ in range(_TRIES):
            price = self._price(request, promised)
            self._check(price, promised)
            response = self._pay(request, price)
            if response.status_code != httpx.codes.UNPROCESSABLE_ENTITY:
                return self._read(_refund, response)
            told = self._read(_refusal, response, refused=True)
            if told.code != _EXPIRED:
                raise RefundDeclined(problem=told.detail)
        raise RefundDeclined(problem="the ramp's prices expire before they can be taken")

    def find(self, request: RefundRequest) -> ProcessorRefund | None:
        """Look a key up."""
        response = self._send("GET", "/v1/payouts", params={"key": str(request.key)})
        found = self._read(_refunds, response)
        return found[0] if found else None

    def refunds(self) -> Iterator[ProcessorRefund]:
        """The whole log, page by page."""
        seen = 0
        while True:
            response = self._send("GET", "/v1/payouts", params={"offset": str(seen)})
            page = self._read(_refunds, response)
            if not page:
                return
            yield from page
            seen += len(page)

    def movements(self, after: str | None = None) -> Iterator[Movement]:
        """The balance's changes, page by page."""
        while True:
            page = {} if after is None else {"after": after}
            found = self._read(_movements, self._send("GET", "/v1/movements", params=page))
            if not found:
                return
            yield from found
            after = found[-1].id

    def read_webhook(self, body: bytes, headers: dict[str, str]) -> Fact | None:
        """Check the signature (Standard Webhooks) before reading a byte of the content."""
        try:
            self._webhook.verify(body, headers)
            told = json.loads(body)
            return _refund(told["data"]) if told["type"] == "payout.updated" else None
        except (WebhookVerificationError, *_MALFORMED) as fault:
            raise WebhookRefused from fault

    def _promised(self, request: RefundRequest) -> RateQuote:
        quote = self._quote_of(request.key)
        if quote is None:
            raise RefundDeclined(problem="no quote was used for it")
        payout = Money(quote.to_amount, quote.to_currency)
        if payout != Money(request.amount, request.currency):
            asked = Money(request.amount, request.currency)
            raise RefundDeclined(problem=f"{asked} is asked for, and {payout} was quoted")
        return quote

    def _price(self, request: RefundRequest, promised: RateQuote) -> _Price:
        body = {
            "from_currency": promised.from_currency,
            "to_currency": request.currency,
            "to_amount": str(request.amount),
        }
        response = self._send("POST", "/v1/quotes", json=body)
        if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            raise RefundDeclined(problem=self._read(_refusal, response, refused=True).detail)
        return self._read(_priced, response)

    def _check(self, price: _Price, promised: RateQuote) -> None:
        cost = Money(promised.from_amount, promised.from_currency)
        payout = Money(promised.to_amount, promised.to_currency)
        if price.payout != payout or price.cost.currency != cost.currency:
            problem = f"the ramp quotes {price.payout} for {price.cost}, asked was {payout}"
            raise RefundDeclined(problem=problem)
        if price.cost.amount * _BPS > cost.amount * (_BPS + self._slippage):
            limit = f"more than {self._slippage} hundredths of a percent above"
            raise RefundDeclined(problem=f"the ramp takes {price.cost}, {limit} the {cost} quoted")

    def _pay(self, request: RefundRequest, price: _Price) -> httpx.Response:
        body = {
            "quote": price.id,
            "charge": request.charge,
            "payee": request.payee,
            "note": request.note,
        }
        headers = {"Idempotency-Key": str(request.key)}
        return self._send("POST", "/v1/payouts", json=body, headers=headers)

    def _read(
        self, reader: Callable[[Any], _T], response: httpx.Response, *, refused: bool = False
    ) -> _T:
        """An answer that cannot be read is none: what it is about stays unknown."""
        if response.is_error and not refused:
            raise ProcessorUnavailable(processor=f"{self.name} ({response.status_code})")
        try:
            return reader(response.json())
        except _MALFORMED as fault:
            raise ProcessorUnavailable(processor=f"{self.name} (unreadable)") from fault

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx.HTTPError as fault:
            raise ProcessorUnavailable(processor=self.name) from fault


def _refusal(raw: dict[str, Any]) -> _Refusal:
    detail = str(raw.get("detail", "no reason given"))[:500]
    shown = "".join(char if char.isprintable() else "?" for char in detail)
    return _Refusal(str(raw.get("code", "")), shown)


def _priced(raw: dict[str, Any]) -> _Price:
    return _Price(
        id=str(raw["id"]),
        cost=Money(parse_amount(raw["from_amount"]), str(raw["from_currency"])),
        payout=Money(parse_amount(raw["to_amount"]), str(raw["to_currency"])),
    )


def _refunds(raw: dict[str, Any]) -> list[ProcessorRefund]:
    return [_refund(one) for one in raw["payouts"]]


def _refund(raw: dict[str, Any]) -> ProcessorRefund:
    return ProcessorRefund(
        id=str(raw["id"]),
        key=str(raw["key"]),
        charge=str(raw["charge"]),
        amount=parse_amount(raw["amount"]),
        currency=str(raw["currency"]),
        status=RefundStatus(raw["status"]),
        reason=str(raw.get("reason", "")),
    )


def _movements(raw: dict[str, Any]) -> list[Movement]:
    return [
        Movement(
            id=str(one["id"]),
            kind=MovementKind(one["kind"]),
            about=str(one["about"]),
            amount=int(one["amount"]),
            currency=str(one["currency"]),
            at=datetime.fromisoformat(one["at"]),
        )
        for one in raw["movements"]
    ]
