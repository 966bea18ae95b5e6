"""Webhooks of processors: verified, stored once, handled later."""

from __future__ import annotations

from settlement import payouts
from settlement.runtime import Runtime


def receive(runtime: Runtime, processor: str, body: bytes, headers: dict[str, str]) -> bool:
    """Store a webhook's fact; False if it was known or is about nothing that we follow.

    Raises `WebhookRefused`, `NotFound`.
    """
    fact = runtime.processor(processor).read_webhook(body, headers)
    if fact is None:
        return False
    with runtime.database.write() as session:
        return payouts.receive(session, processor, None, fact, runtime.clock())
