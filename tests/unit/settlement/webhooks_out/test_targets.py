"""Where webhooks may go: nothing inside a network is reached, however its address is written."""

from __future__ import annotations

import pytest

from returns.errors import WebhookTargetRefused
from settlement.webhooks_out.targets import Targets, is_loopback, is_public

PUBLIC = ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]
INSIDE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.0.9",
    "192.88.99.1", "198.18.0.1", "203.0.113.5", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "168.63.129.16", "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
    "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1",
    "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
    "5f00::1", "not-an-address", "",
]  # fmt: skip


def leading_to(*addresses: str, local: bool = False) -> Targets:
    return Targets(local=local, resolver=lambda host, port: addresses)


@pytest.mark.parametrize("address", PUBLIC)
def test_admits_a_public_address(address: str) -> None:
    assert is_public(address)
    assert leading_to(address).check("https://hooks.example.com/a?b=1") == (
        "https://hooks.example.com/a?b=1"
    )


@pytest.mark.parametrize("address", INSIDE)
def test_refuses_a_name_that_leads_inside(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(WebhookTargetRefused) as refused:
        leading_to(address).check("https://hooks.example.com/")
    # Nothing of the inside is told.
    assert address == "" or address not in str(refused.value)


@pytest.mark.parametrize("order", [("8.8.8.8", "10.0.0.1"), ("10.0.0.1", "8.8.8.8")])
def test_one_address_inside_condemns_the_name(order: tuple[str, str]) -> None:
    with pytest.raises(WebhookTargetRefused):
        leading_to(*order).addresses("hooks.example.com", 443)


def test_a_name_without_an_address_says_what_one_inside_says() -> None:
    said = set()
    for found in ([], ["10.0.0.1"]):
        with pytest.raises(WebhookTargetRefused) as refused:
            leading_to(*found).check("https://hooks.example.com/")
        said.add(str(refused.value))
    assert len(said) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/", "ftp://hooks.example.com/", "gopher://hooks.example.com/",
        "file:///etc/passwd", "hooks.example.com", "https://", "https:///path", "", "https://a b/",
        "https://user@hooks.example.com/", "https://user:secret@hooks.example.com/",
        "https://hooks.example.com/#part", "https://hooks.example.com:22/",
        "https://hooks.example.com:25/", "https://hooks.example.com:1023/",
        "https://hooks.example.com:0/", "https://hooks.example.com:65536/",
        "https://hooks.example.com:-1/", "https://[::1", "https://hooks.example.com/\r\nX: y",
        "https://" + "a" * 1000 + ".example.com/", "https://\udcff/",
    ],
)  # fmt: skip
def test_refuses_what_is_no_address_for_webhooks(url: str) -> None:
    with pytest.raises(WebhookTargetRefused):
        leading_to("8.8.8.8").check(url)


@pytest.mark.parametrize("port", [443, 1024, 8443, 65535])
def test_admits_the_port_of_https_and_the_free_ones(port: int) -> None:
    leading_to("8.8.8.8").check(f"https://hooks.example.com:{port}/")


class TestLocalUse:
    @pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "https://localhost/", "http://[::1]/"])
    def test_admits_this_machine(self, url: str) -> None:
        assert is_loopback("127.0.0.1")
        leading_to("127.0.0.1", "::1", local=True).check(url)

    @pytest.mark.parametrize("address", [one for one in INSIDE if not is_loopback(one)])
    def test_admits_nothing_else_that_is_inside(self, address: str) -> None:
        with pytest.raises(WebhookTargetRefused):
            leading_to(address, local=True).check("http://hooks.example.com/")
