"""Settings of payment processors: none without its key, no trial outside local use."""

from __future__ import annotations

import pytest

from returns.errors import SettingsInvalid
from settlement.processors.configured import configured
from settlement.settings import Settings, load_settings

SECRET = "5ecret-that-nobody-may-read"
STRIPE = {"STRIPE_KEY": f"sk_live_{SECRET}", "STRIPE_WEBHOOK_SECRETS": f"whsec_{SECRET}"}
PAYPAL = {
    "PAYPAL_CLIENT_ID": "client",
    "PAYPAL_CLIENT_SECRET": SECRET,
    "PAYPAL_WEBHOOK_ID": "8PT597110X687430L",
}
PRODUCTION = {
    "ENVIRONMENT": "production",
    "OPERATOR_KEY": f"0x{0xB8:064x}",
    "SECRET_KEY": SECRET,
}
SANDBOX = {"PROCESSOR_KEY": SECRET, "WEBHOOK_SECRET": "whsec_bG9uZyBlbm91Z2ggdG8gYmUgcmVhbA=="}


def load(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"UNDROP_{name}", value)
    return load_settings()


def names(settings: Settings) -> list[str]:
    return [one.name for one in configured(settings, lambda: pytest.fail("no clock is needed"))]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, ["sandbox"]),
        (STRIPE, ["sandbox", "stripe"]),
        (PAYPAL, ["sandbox", "paypal"]),
        ({**PRODUCTION, **SANDBOX}, ["sandbox"]),
        ({**PRODUCTION, **STRIPE}, ["stripe"]),
        ({**PRODUCTION, **PAYPAL}, ["paypal"]),
        ({**PRODUCTION, **STRIPE, **PAYPAL, **SANDBOX}, ["sandbox", "stripe", "paypal"]),
    ],
)
def test_a_processor_is_there_where_its_key_is(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], wanted: list[str]
) -> None:
    assert names(load(monkeypatch, **values)) == wanted


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"STRIPE_KEY": SECRET}, "UNDROP_STRIPE_WEBHOOK_SECRETS must be set"),
        ({**STRIPE, "STRIPE_WEBHOOK_SECRETS": " , "}, "UNDROP_STRIPE_WEBHOOK_SECRETS must be set"),
        ({**PAYPAL, "PAYPAL_CLIENT_SECRET": ""}, "UNDROP_PAYPAL_CLIENT_SECRET must be set"),
        ({**PAYPAL, "PAYPAL_WEBHOOK_ID": ""}, "UNDROP_PAYPAL_WEBHOOK_ID must be set"),
        ({**PAYPAL, "PAYPAL_CLIENT_ID": ""}, "UNDROP_PAYPAL_CLIENT_ID must be set"),
        ({**STRIPE, "STRIPE_URL": "stripe.example"}, "UNDROP_STRIPE_URL: "),
        (PRODUCTION, "UNDROP_PROCESSOR_KEY must be set"),
        ({**PRODUCTION, **STRIPE, "STRIPE_KEY": f"sk_test_{SECRET}"}, "is a test key"),
        ({**PRODUCTION, **STRIPE, "STRIPE_KEY": "sk_live_x"}, "UNDROP_STRIPE_KEY is too short"),
        (
            {**PRODUCTION, **STRIPE, "STRIPE_WEBHOOK_SECRETS": f"whsec_{SECRET},whsec_x"},
            "UNDROP_STRIPE_WEBHOOK_SECRETS is too short",
        ),
        (
            {**PRODUCTION, **PAYPAL, "PAYPAL_CLIENT_SECRET": "short"},
            "UNDROP_PAYPAL_CLIENT_SECRET is too short",
        ),
        ({**PRODUCTION, **STRIPE, "STRIPE_URL": "http://a.example"}, "UNDROP_STRIPE_URL must be"),
        (
            {**PRODUCTION, **PAYPAL, "PAYPAL_URL": "https://api-m.sandbox.paypal.com"},
            "UNDROP_PAYPAL_URL must be https, and no sandbox",
        ),
    ],
)
def test_what_cannot_pay_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], problem: str
) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load(monkeypatch, **values)
    assert problem in str(caught.value)
    assert SECRET not in str(caught.value)


def test_secrets_are_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, **{**STRIPE, "STRIPE_WEBHOOK_SECRETS": "whsec_a, whsec_b,"})
    assert settings.webhook_secrets_of_stripe == ["whsec_a", "whsec_b"]
    assert "whsec_a" not in repr(settings)
