"""Requests to PayPal's REST API: access tokens, time-outs, and what its errors mean.

https://developer.paypal.com/api/rest/authentication, …/api/rest/responses
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import httpx

from returns.clock import Clock
from returns.errors import ProcessorMisconfigured, ProcessorUnavailable
from settlement.processors.base import RefundDeclined

NAME = "paypal"
LIVE = "https://api-m.paypal.com"

#: Seconds per step. A look-up and a request, three questions and an answer, end within a hold.
_TIMEOUT = httpx.Timeout(5, connect=2)
#: A token is renewed before it ends.
_EARLY = timedelta(seconds=60)

#: Issues of a refund that will pass: asked again under the same key they may be gone.
_PASSING = {
    "REFUND_FAILED_INSUFFICIENT_FUNDS": "the balance there does not cover it",
    "PREVIOUS_REQUEST_IN_PROGRESS": "the first request is still under way",
    "INTERNAL_SERVER_ERROR": "500",
}
#: Refusals in our words; another issue is told by its name.
_REFUSED = {
    "CAPTURE_FULLY_REFUNDED": "the payment was refunded in full already",
    "REFUND_AMOUNT_EXCEEDED": "the amount is above what is left of the payment",
    "REFUND_CAPTURE_CURRENCY_MISMATCH": "the payment is in another currency",
    "REFUND_TIME_LIMIT_EXCEEDED": "the payment is too old to be refunded",
    "CAPTURE_DISPUTED_PARTIAL_REFUND_NOT_ALLOWED": "the payment is disputed",
    "MAX_NUMBER_OF_REFUNDS_EXCEEDED": "the payment has as many refunds as it may have",
    "RESOURCE_NOT_FOUND": "the processor has no such payment",
}


class PayPalHttp:
    """An account at PayPal. Raises `RefundDeclined`, `ProcessorUnavailable`."""

    def __init__(self, client_id: str, client_secret: str, url: str, clock: Clock) -> None:
        self._http = httpx.Client(base_url=url or LIVE, timeout=_TIMEOUT)
        self._credentials = httpx.BasicAuth(client_id, client_secret)
        self._clock = clock
        self._lock = Lock()
        self._token, self._until = "", datetime.min.replace(tzinfo=UTC)

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Read something."""
        return self._call("GET", path, params=query)

    def post(
        self, path: str, body: dict[str, Any] | bytes, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Ask for something; bytes are sent as they are."""
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        headers = {"Content-Type": "application/json", **(headers or {})}
        return self._call("POST", path, headers=headers, **content)

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        headers = options.pop("headers", {})
        for is_last in (False, True):
            bearer = {"Authorization": f"Bearer {self._bearer()}"}
            answer = self._send(method, path, headers={**headers, **bearer}, **options)
            if answer.status_code != httpx.codes.UNAUTHORIZED or is_last:
                break
            # Nothing was done for a token that had ended.
            self._token = ""
        return _read(answer)

    def _bearer(self) -> str:
        """The access token, asked for when it is missing or about to end."""
        with self._lock:
            now = self._clock()
            if not self._token or now >= self._until:
                grant = {"grant_type": "client_credentials"}
                answer = _read(
                    self._send("POST", "/v1/oauth2/token", data=grant, auth=self._credentials)
                )
                self._token = str(answer["access_token"])
                self._until = now + timedelta(seconds=int(answer["expires_in"])) - _EARLY
            return self._token

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx.HTTPError as fault:
            raise ProcessorUnavailable(processor=f"{NAME} (no answer)") from fault


def _read(answer: httpx.Response) -> dict[str, Any]:
    body = _body(answer)
    if answer.is_success and body:
        return body
    status = answer.status_code
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        problem = f"it refuses our credentials ({status})"
        raise ProcessorMisconfigured(
            processor=NAME, problem=problem, setting="UNDROP_PAYPAL_CLIENT_ID and …_SECRET"
        )
    issue = _issue(body)
    refused = (httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND, httpx.codes.UNPROCESSABLE_ENTITY)
    if issue in _PASSING or status not in refused:
        raise ProcessorUnavailable(processor=f"{NAME} ({_PASSING.get(issue, str(status))})")
    raise RefundDeclined(problem=_REFUSED.get(issue, issue or f"refused ({status})"), reason=issue)


def _body(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object in an answer; empty where there is none, as on a page of a proxy."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _issue(body: dict[str, Any]) -> str:
    """`details[0].issue` says what, and `name` does where it is missing."""
    details = body.get("details") or [{}]
    return str(details[0].get("issue") or body.get("name") or "")[:100]
