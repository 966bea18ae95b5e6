"""Settings: what contradicts itself is refused at the start, in one sentence, without its value."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from chain.local import OPERATOR, anvil_keys
from returns.errors import SettingsInvalid
from settlement.settings import RelaySettings, Settings, load_settings

EXAMPLE = Path(__file__).parents[3] / ".env.example"
SECRET = "5ecret-that-nobody-may-read"
KEY = f"0x{0xB7:064x}"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "OPERATOR_KEY": f"0x{0xB8:064x}",
    **dict.fromkeys(("SECRET_KEY", "PROCESSOR_KEY", "WEBHOOK_SECRET"), SECRET),
}


def load(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"UNDROP_{name}", value)
    return load_settings()


def test_the_example_lists_every_setting_of_the_product_with_its_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line.startswith("UNDROP_")]
    given = dict(line.removeprefix("UNDROP_").split("=", 1) for line in lines)
    assert set(given) == {name.upper() for name in Settings.model_fields}
    assert load(monkeypatch, **given) == Settings(_env_file=None)


def test_what_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [name.upper() for name in RelaySettings.model_fields]
    assert load(monkeypatch, **dict.fromkeys(names, "")) == Settings()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"RELAY_CHAINS": SECRET}, 'field "relay_chains"'),
        ({"RELAY_CHAINS": f'{{"5": "{SECRET}"}}'}, "UNDROP_RELAY_CHAINS (5): must be an address"),
        ({"RELAY_CHAINS": '{"0": "http://a.example"}'}, "UNDROP_RELAY_CHAINS (0): "),
        ({"RELAY_CHAINS": '{"x": "http://a.example"}'}, "UNDROP_RELAY_CHAINS (x): "),
        (
            {"RELAY_CHAINS": '{"31337": "http://a.example"}'},
            "UNDROP_RELAY_CHAINS has another address for UNDROP_CHAIN_ID",
        ),
        ({**PRODUCTION, "WEBHOOK_PRIVATE_TARGETS": "true"}, "is for local use only"),
        ({"RELAY_WINDOW": "0"}, "UNDROP_RELAY_WINDOW: "),
        ({"RELAY_BATCH": "101"}, "UNDROP_RELAY_BATCH: "),
        ({"RELAY_STUCK_SECONDS": "0"}, "UNDROP_RELAY_STUCK_SECONDS: "),
        ({"RELAY_DAY_BUDGET": "-1"}, "UNDROP_RELAY_DAY_BUDGET: "),
        ({"RELAY_FLOOR": "1e18"}, "UNDROP_RELAY_FLOOR: "),
        ({"RELAY_TIP": "100", "RELAY_FEE_CAP": "112"}, "leaves no room for UNDROP_RELAY_TIP"),
        ({"RELAY_TOP_UP_BELOW": "5"}, "UNDROP_RELAY_TOP_UP_BY must be above 0"),
        (
            {"RELAY_TOP_UP_BELOW": "5", "RELAY_TOP_UP_BY": "6", "RELAY_TOP_UP_DAILY": "5"},
            "UNDROP_RELAY_TOP_UP_BY must be above 0",
        ),
        (
            {"RELAY_TOP_UP_BELOW": "5", "RELAY_TOP_UP_BY": "5", "RELAY_TOP_UP_DAILY": "5"},
            "UNDROP_TREASURY_KEY must be set",
        ),
        ({**PRODUCTION, "TREASURY_KEY": anvil_keys()[OPERATOR]}, "UNDROP_TREASURY_KEY is one of"),
        ({**PRODUCTION, "TREASURY_KEY": SECRET}, "not a private key"),
        ({"RELAY_ALONE": "perhaps"}, "UNDROP_RELAY_ALONE: "),
    ],
)
def test_what_contradicts_itself_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], problem: str
) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load(monkeypatch, **values)
    assert problem in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_least_that_fits_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        monkeypatch,
        RELAY_TIP="100",
        RELAY_FEE_CAP="113",
        RELAY_CHAINS='{"31337": "http://127.0.0.1:8545", "5": "http://a.example"}',
        RELAY_TOP_UP_BELOW="9",
        RELAY_TOP_UP_BY="5",
        RELAY_TOP_UP_DAILY="5",
        TREASURY_KEY=KEY,
        **PRODUCTION,
    )
    assert settings.relay_chains[5] == "http://a.example"
    assert settings.treasury_key == SecretStr(KEY)


def test_who_only_relays_has_no_secrets_of_a_payment_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SettingsInvalid, match="UNDROP_PROCESSOR_KEY must be set"):
        load(monkeypatch, **{**PRODUCTION, "PROCESSOR_KEY": "", "WEBHOOK_SECRET": ""})
    assert load(monkeypatch, RELAY_ALONE="true").relay_alone
    with pytest.raises(SettingsInvalid, match="UNDROP_SECRET_KEY must be set"):
        load(monkeypatch, SECRET_KEY="")
    with pytest.raises(SettingsInvalid, match="UNDROP_OPERATOR_KEY must be set"):
        load(monkeypatch, SECRET_KEY=SECRET, OPERATOR_KEY="")
