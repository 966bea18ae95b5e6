"""Settings of payment processors. A processor is there only where its key is set."""

from __future__ import annotations

from typing import Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

#: Keys that move real money; a restricted key is enough for refunds.
_LIVE = ("sk_live_", "rk_live_")
_SHORTEST = 16
_PAYPAL = ("paypal_client_id", "paypal_client_secret", "paypal_webhook_id")


class ProcessorSettings(BaseSettings):
    """Stripe and PayPal."""

    stripe_key: SecretStr = SecretStr("")
    stripe_webhook_secrets: SecretStr = Field(
        default=SecretStr(""), description="whsec_…, a comma between while one replaces another"
    )
    stripe_account: str = Field(
        default="", max_length=64, description="acct_…: the connected account that the key acts for"
    )
    stripe_url: AnyHttpUrl | None = Field(default=None, description="empty: Stripe itself")

    paypal_client_id: str = Field(default="", max_length=200)
    paypal_client_secret: SecretStr = SecretStr("")
    paypal_webhook_id: str = Field(default="", max_length=64)
    paypal_url: AnyHttpUrl | None = Field(default=None, description="empty: PayPal itself, live")

    @property
    def webhook_secrets_of_stripe(self) -> list[str]:
        """Any of them signs."""
        return [one.strip() for one in _of(self.stripe_webhook_secrets).split(",") if one.strip()]

    @property
    def has_real_processors(self) -> bool:
        """Whether somebody else than the sandbox can pay."""
        return bool(_of(self.stripe_key) or self.paypal_client_id)

    @model_validator(mode="after")
    def _knows_its_processors(self) -> Self:
        """A processor whose webhooks cannot be checked would never tell what became of a refund."""
        if _of(self.stripe_key) and not self.webhook_secrets_of_stripe:
            raise ValueError("UNDROP_STRIPE_WEBHOOK_SECRETS must be set with UNDROP_STRIPE_KEY")
        given = {name: bool(_text(getattr(self, name))) for name in _PAYPAL}
        if any(given.values()) and not all(given.values()):
            missing = next(name for name in _PAYPAL if not given[name])
            raise ValueError(f"UNDROP_{missing.upper()} must be set with the others of PayPal")
        return self

    def refuse_trials(self) -> None:
        """Outside local use: no test keys, nothing short, nothing in the clear."""
        if _of(self.stripe_key) and not _of(self.stripe_key).startswith(_LIVE):
            raise ValueError("UNDROP_STRIPE_KEY is a test key: it pays nobody")
        for name, secrets in (
            ("STRIPE_KEY", [_of(self.stripe_key)]),
            ("STRIPE_WEBHOOK_SECRETS", self.webhook_secrets_of_stripe),
            ("PAYPAL_CLIENT_SECRET", [_of(self.paypal_client_secret)]),
        ):
            if any(0 < len(secret) < _SHORTEST for secret in secrets):
                raise ValueError(f"UNDROP_{name} is too short to be a real one")
        for name in ("stripe_url", "paypal_url"):
            url: AnyHttpUrl | None = getattr(self, name)
            if url is not None and (url.scheme != "https" or "sandbox" in (url.host or "")):
                raise ValueError(f"UNDROP_{name.upper()} must be https, and no sandbox")


def _of(secret: SecretStr) -> str:
    return secret.get_secret_value()


def _text(value: str | SecretStr) -> str:
    return value if isinstance(value, str) else value.get_secret_value()
