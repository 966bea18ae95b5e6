"""Webhooks of processors: verified, stored once, handled later."""

from __future__ import annotations

from settlement import payouts
from settlement.runtime import Runtime


def receive(runtime: Runtime, processor: str, body: bytes, headers: dict[str, str]) -> bool:
    """Store a webhook's fact; False if it was known. Raises `WebhookRefused`, `NotFound`."""
    refund = runtime.processor(processor).read_webhook(body, headers)
    with runtime.database.write() as session:
        return payouts.receive(session, processor, None, refund, runtime.clock())
