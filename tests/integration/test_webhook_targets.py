"""Addresses as the operating system itself reads them: no name server is asked for numbers."""

from __future__ import annotations

import pytest

from returns.errors import WebhookTargetRefused
from settlement.webhooks_out.targets import Targets, resolve


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1", "[::1]", "[::]", "0"]
)
def test_refuses_this_machine_in_every_spelling(host: str) -> None:
    with pytest.raises(WebhookTargetRefused):
        Targets().check(f"https://{host}/")


def test_a_number_is_its_own_address() -> None:
    assert resolve("8.8.8.8", 443) == ["8.8.8.8"]
    assert resolve("127.1", 443) == ["127.0.0.1"]
    assert Targets().check("https://8.8.8.8/") == "https://8.8.8.8/"
