"""The payment processors that the settings name; there is none without its key."""

from __future__ import annotations

from collections.abc import Iterator

from returns.clock import Clock
from settlement.processors.base import Processor
from settlement.processors.paypal import PayPalProcessor
from settlement.processors.sandbox import SandboxProcessor
from settlement.processors.stripe import StripeProcessor
from settlement.settings import Settings


def configured(settings: Settings, clock: Clock) -> Iterator[Processor]:
    """Build each one that is set up."""
    if settings.has_sandbox:
        yield SandboxProcessor(
            settings.processor_url,
            settings.processor_key.get_secret_value(),
            settings.webhook_secret.get_secret_value(),
        )
    if settings.stripe_key.get_secret_value():
        yield StripeProcessor(
            settings.stripe_key.get_secret_value(),
            settings.webhook_secrets_of_stripe,
            settings.stripe_account,
            str(settings.stripe_url or ""),
        )
    if settings.paypal_client_id:
        yield PayPalProcessor(
            settings.paypal_client_id,
            settings.paypal_client_secret.get_secret_value(),
            settings.paypal_webhook_id,
            clock,
            str(settings.paypal_url or ""),
        )
