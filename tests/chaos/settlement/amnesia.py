"""Makes a processor that forgets: it honours no idempotency key, and finds nothing by one.

Only the run has it: every request gets a key of its own, which nobody but the processor sees.
"""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

#: Between what was asked under and what makes it another one.
MARK = "#"


class Amnesia:
    """`secret`: of the webhooks, which are signed anew once their keys are as they were."""

    def __init__(self, secret: str) -> None:
        self._numbers = itertools.count(1)
        self._webhook = Webhook(secret)

    def forget(self, body: bytes) -> bytes:
        """A request under a key that was never seen."""
        told = json.loads(body)
        return json.dumps(told | {"key": f"{told['key']}{MARK}{next(self._numbers)}"}).encode()

    def finds_nothing(self, method: str, path: str) -> bool:
        """Whether it is asked what became of a key."""
        return method == "GET" and path.startswith("/v1/refunds?key=")

    def hide(self, body: bytes) -> bytes:
        """An answer, with the keys as they were asked for."""
        return json.dumps(_original(json.loads(body))).encode()

    def retell(self, body: bytes) -> tuple[dict[str, str], bytes]:
        """A webhook with the key as it was asked for, and the headers that fit it."""
        told, now = json.loads(body), datetime.now(UTC)
        text = json.dumps(told | {"data": _original(told["data"])})
        name = f"msg_{told['data']['id']}_{told['data']['status']}"
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(name, now, text),
        }
        return headers, text.encode()


def _original(told: Any) -> Any:
    if isinstance(told, list):
        return [_original(one) for one in told]
    if not isinstance(told, dict):
        return told
    hidden = {name: _original(value) for name, value in told.items()}
    if isinstance(hidden.get("key"), str):
        hidden["key"] = hidden["key"].split(MARK)[0]
    return hidden
