"""The marketplace's and the customers' side of the HTTP API."""

from __future__ import annotations

import time
from typing import Any

import httpx

from demo.sales import CARD, Purchase

#: What a well-behaved client repeats: somebody else was faster, or something does not answer.
_REPEATABLE = frozenset({"concurrent_change"})
_TRIES = 6


class Refused(Exception):
    """An answer that a demonstration without faults does not get."""


class Shop:
    """Calls as the marketplace's back end (API key) and as customers (client tokens)."""

    def __init__(self, about: dict[str, Any]) -> None:
        self._about = about
        transport = httpx.HTTPTransport(retries=3)
        self._http = httpx.Client(base_url=about["api"], timeout=30.0, transport=transport)

    def client_token(self, order: str) -> str:
        """A token for the browser of an order's buyer."""
        return str(self._as_shop("POST", "/v1/client-tokens", {"order": order})["token"])

    def open_case(self, token: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        """Ask for a return, under an Idempotency-Key."""
        return self._call("POST", "/v1/returns", token, body, {"Idempotency-Key": key})

    def authorizations(self, token: str, rma: str) -> list[dict[str, Any]]:
        """What is offered for signature."""
        answer = self._call("GET", f"/v1/returns/{rma}/authorization", token)
        offered: list[dict[str, Any]] = answer["authorizations"]
        return offered

    def hand_in(self, token: str, rma: str, line: str, signature: str) -> dict[str, Any]:
        """Hand in the signature of a line."""
        body = {"line": line, "signature": signature}
        return self._call("POST", f"/v1/returns/{rma}/authorization", token, body)

    def decide(self, rma: str, body: dict[str, Any]) -> dict[str, Any]:
        """Decide a review, as an agent."""
        return self._as_shop("POST", f"/v1/reviews/{rma}/decision", body)

    def case(self, rma: str) -> dict[str, Any]:
        """A case as it stands."""
        return self._as_shop("GET", f"/v1/returns/{rma}")

    def create_charges(self, purchases: list[Purchase]) -> None:
        """Tell the card processor what was charged when these were bought."""
        charges = [
            {"id": one.charge, "amount": str(one.price), "currency": one.currency}
            for one in purchases
            if one.tender == CARD
        ]
        self.processor("POST", "/v1/charges", {"charges": charges})

    def processor(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call to the card processor itself."""
        headers = {"Authorization": f"Bearer {self._about['processor_key']}"}
        url = self._about["processor"] + path
        answer = self._http.request(method, url, json=body, headers=headers)
        if answer.is_error:
            raise Refused(f"{method} {path} at the processor: {answer.status_code} {answer.text}")
        return answer.json()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def _as_shop(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        return self._call(method, path, self._about["api_key"], body)

    def _call(
        self,
        method: str,
        path: str,
        credential: str,
        body: dict[str, Any] | None = None,
        extra: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {credential}", **(extra or {})}
        answer = self._http.request(method, path, json=body, headers=headers)
        for attempt in range(_TRIES):
            if not _is_repeatable(answer):
                break
            time.sleep(0.1 * 2**attempt)
            answer = self._http.request(method, path, json=body, headers=headers)
        if answer.is_error:
            raise Refused(f"{method} {path}: {answer.status_code} {answer.text}")
        content: dict[str, Any] = answer.json()
        return content


def _is_repeatable(answer: httpx.Response) -> bool:
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return True
    conflict = answer.status_code == httpx.codes.CONFLICT
    return conflict and answer.json().get("code") in _REPEATABLE
