"""PayPal's report of transactions, in windows of time.

https://developer.paypal.com/docs/transaction-search: at most 31 days at once, three years back; an
executed transaction may take three hours to appear.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from returns.clock import Clock
from settlement.processors import paypal_objects as objects
from settlement.processors.base import Movement, ProcessorRefund, RefundDeclined
from settlement.processors.paypal_http import PayPalHttp

_PATH = "/v1/reporting/transactions"
_WINDOW = timedelta(days=31)
_HISTORY = timedelta(days=3 * 365 - 1)
#: What was executed is sure to be listed after that: nothing can appear behind a place any more.
_SETTLED = timedelta(hours=3)
_PAGE = 500
_TOO_LARGE = "RESULTSET_TOO_LARGE"


class PayPalReport:
    """Lines of the report, oldest first."""

    def __init__(self, http: PayPalHttp, clock: Clock) -> None:
        self._http = http
        self._clock = clock

    def movements(self, after: str | None) -> Iterator[Movement]:
        """What follows a place, up to three hours ago: so much later nothing is listed late."""
        now = self._clock()
        start = now - _HISTORY if after is None else _moment(after)
        for info in self._lines(start, now - _SETTLED):
            for movement in objects.movements(info):
                if after is None or movement.id > after:
                    yield movement

    def refunds(self) -> Iterator[ProcessorRefund]:
        """The refunds in the report. One of the last three hours may be missing."""
        now = self._clock()
        for info in self._lines(now - _HISTORY, now, transaction_type=objects.REFUND_CODE):
            money = objects.from_paypal(info["transaction_amount"])
            yield ProcessorRefund(
                id=str(info["transaction_id"]),
                key=objects.key_of(info.get("custom_field"), info.get("invoice_id")),
                charge=str(info.get("paypal_reference_id", "")),
                amount=abs(money.amount),
                currency=money.currency,
                status=objects.reported_status(info),
            )

    def _lines(self, start: datetime, end: datetime, **query: str) -> Iterator[dict[str, Any]]:
        """Window by window; both ends of a window belong to it, so that a line may come twice."""
        width, told = _WINDOW, ""
        while start < end:
            until = min(start + width, end)
            try:
                lines = self._window(start, until, query)
            except RefundDeclined as refused:
                if refused.values.get("reason") != _TOO_LARGE or width < timedelta(minutes=1):
                    raise
                width /= 2
                continue
            for info in lines:
                if objects.place(info) > told:
                    told = objects.place(info)
                    yield info
            start = until

    def _window(
        self, start: datetime, end: datetime, query: dict[str, str]
    ) -> list[dict[str, Any]]:
        """All lines of a window, sorted: PayPal promises no order."""
        lines: list[dict[str, Any]] = []
        page, pages = 0, 1
        while page < pages:
            page += 1
            answer = self._http.get(
                _PATH,
                start_date=_written(start),
                end_date=_written(end),
                page=str(page),
                page_size=str(_PAGE),
                fields="transaction_info",
                **query,
            )
            pages = int(answer.get("total_pages", 1))
            lines += [detail["transaction_info"] for detail in answer["transaction_details"]]
        return sorted(lines, key=objects.place)


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(place: str) -> datetime:
    """The time at the beginning of a place."""
    return datetime.fromisoformat(place.partition("/")[0])
