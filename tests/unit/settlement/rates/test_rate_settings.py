"""Rates and ramps by settings: what cannot be a rate is refused at the start, by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk import Desk

from returns.errors import RateUnavailable, SettingsInvalid
from settlement.runtime import Runtime
from settlement.settings import Settings, load_settings

FEED = "0x" + "12" * 20


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("RATES_FIXED", '{"ETHUSD": "1"}', "UNDROP_RATES_FIXED (ETHUSD): "),
        ("RATES_FIXED", '{"ETH/USD": "0"}', "UNDROP_RATES_FIXED (ETH/USD): "),
        ("RATES_FIXED", '{"ETH/USD": 2000.5}', "UNDROP_RATES_FIXED (ETH/USD): "),
        ("RATES_FIXED", '{"ETH/XXZ": "1"}', "UNDROP_RATES_FIXED (ETH/XXZ): "),
        ("RATES_FEEDS", '{"ETH/USD": "0x12"}', "UNDROP_RATES_FEEDS (ETH/USD): must be"),
        ("RATES_HEARTBEAT_SECONDS", "0", "UNDROP_RATES_HEARTBEAT_SECONDS: "),
        ("QUOTE_SECONDS", "0", "UNDROP_QUOTE_SECONDS: "),
        ("QUOTE_SLIPPAGE_BPS", "10001", "UNDROP_QUOTE_SLIPPAGE_BPS: "),
        ("RAMP_URL", "ftp://x", "UNDROP_RAMP_URL: must be an address"),
    ],
)
def test_what_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    monkeypatch.setenv(f"UNDROP_{name}", value)
    with pytest.raises(SettingsInvalid) as refusal:
        load_settings()
    assert problem in str(refusal.value)


@pytest.mark.parametrize("missing", ["RAMP_KEY", "RAMP_WEBHOOK_SECRET"])
def test_a_ramp_in_production_has_secrets_of_its_own(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    secret = "5ecret-that-nobody-may-read"
    names = ("SECRET_KEY", "PROCESSOR_KEY", "WEBHOOK_SECRET", "RAMP_KEY", "RAMP_WEBHOOK_SECRET")
    given = {"ENVIRONMENT": "production", "OPERATOR_KEY": f"0x{0xB8:064x}"}
    for name, value in (given | dict.fromkeys(names, secret)).items():
        if name != missing:
            monkeypatch.setenv(f"UNDROP_{name}", value)
    load_settings()
    monkeypatch.setenv("UNDROP_RAMP_URL", "https://ramp.example")
    with pytest.raises(SettingsInvalid, match=f"UNDROP_{missing} must be set outside local use"):
        load_settings()


def test_the_file_comes_before_fixed_rates(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text(
        "pair,rate,observed_at\nETH/USD,1,2026-03-02T12:00:00Z\nEUR/USD,2,2026-03-02T12:00:00Z\n"
    )
    fixed = {"ETH/USD": "3", "EUR/USD": "3", "TUSD/USD": "1"}
    given = Settings(rates_file=tmp_path / "rates.csv", rates_fixed=fixed)
    rates = Runtime(given, desk.clock).rates
    now = desk.clock()
    found = {pair: rates.rate(pair, "USD", now, now).numerator for pair in ("ETH", "EUR", "TUSD")}
    assert found == {"ETH": 1, "EUR": 2, "TUSD": 1}


def test_processors_are_the_sandbox_the_bank_and_a_ramp_where_one_is_set(
    desk: Desk, tmp_path: Path
) -> None:
    ways = ((None, ["bank", "sandbox"]), ("https://r.example", ["bank", "ramp", "sandbox"]))
    for url, names in ways:
        runtime = Runtime(Settings(home=tmp_path, ramp_url=url), desk.clock)
        assert sorted(runtime.processors) == names
        assert all(name == processor.name for name, processor in runtime.processors.items())
        runtime.close()


def test_without_settings_there_is_no_rate(desk: Desk) -> None:
    now = desk.clock()
    with pytest.raises(RateUnavailable):
        Runtime(Settings(), desk.clock).rates.rate("ETH", "USD", now, now)
