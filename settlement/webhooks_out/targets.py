"""Where a webhook may go: public addresses over TLS, and nowhere inside anybody's network.

Server-side request forgery: the address is chosen by a merchant, the request comes from within.
What counts is the IP address that is connected to, whatever the name looks like.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx

from returns.errors import WebhookTargetRefused

#: From a name and a port to IP addresses, as the operating system finds them.
Resolver = Callable[[str, int], Sequence[str]]

_MAX_URL = 1000
#: Names as in RFC 1123, in the form in which they are asked for (IDNA), and IPv4 addresses.
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.ASCII)
_HTTPS = 443
#: Below are services of the system; above, TLS keeps a webhook from being read as something else.
_FIRST_FREE_PORT = 1024

#: IANA, "IPv6 Global Unicast Address Assignments": everything else is local, mapped or reserved.
_GLOBAL_UNICAST = ip_network("2000::/3")
#: Inside the global ranges and still not hosts of the internet (IANA's special-purpose registries).
_SPECIAL = tuple(
    ip_network(one)
    for one in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "168.63.129.16/32",  # the host of Azure's virtual machines
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",  # 6to4: carries an IPv4 address
        "3fff::/20",
    )
)
#: One sentence for what is not found and for what is inside: it tells nothing about the inside.
_NOT_PUBLIC = "its name does not lead to public addresses alone"


def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a name; none where it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public internet."""
    address = _parsed(text)
    if address is None or any(address in network for network in _SPECIAL):
        return False
    if isinstance(address, IPv6Address):
        return address in _GLOBAL_UNICAST
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_loopback(text: str) -> bool:
    """Whether an IP address is this machine's own."""
    address = _parsed(text)
    return address is not None and address.is_loopback


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


class Targets:
    """The rules of an installation. `local` admits loopback addresses, and http for them."""

    def __init__(self, *, local: bool = False, resolver: Resolver = resolve) -> None:
        self._local = local
        self._resolve = resolver

    def read(self, text: str) -> httpx.URL:
        """An address in the form in which it is stored and used; raises `WebhookTargetRefused`."""
        url = _read(text)
        if url.scheme != "https" and not (self._local and url.scheme == "http"):
            raise WebhookTargetRefused(problem="it must begin with https://")
        if url.userinfo or url.fragment:
            raise WebhookTargetRefused(problem="it must have no user, password or fragment")
        if not self._local and _port(url) != _HTTPS and _port(url) < _FIRST_FREE_PORT:
            problem = f"port {_port(url)} is not for webhooks: use 443, or one from 1024 on"
            raise WebhookTargetRefused(problem=problem)
        return url

    def check(self, text: str) -> str:
        """Read an address and look where it leads now; raises `WebhookTargetRefused`."""
        url = self.read(text)
        self.addresses(url.raw_host.decode("ascii"), _port(url))
        return str(url)

    def addresses(self, host: str, port: int) -> Sequence[str]:
        """The addresses behind a name, looked up once, if every one of them may be connected to.

        Raises `WebhookTargetRefused`: one address that is not public condemns the name.
        """
        found = self._resolve(host, port)
        if not found or not all(self._may_go_to(address) for address in found):
            raise WebhookTargetRefused(problem=_NOT_PUBLIC)
        return found

    def _may_go_to(self, address: str) -> bool:
        return is_public(address) or (self._local and is_loopback(address))


def _read(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError) as fault:
        raise WebhookTargetRefused(problem="it is not an address") from fault
    host = url.raw_host.decode("ascii", "replace")
    is_host = _HOST.fullmatch(host) or (":" in host and _parsed(host))
    if not is_host or not 0 < _port(url) < 2**16 or len(str(url)) > _MAX_URL:
        raise WebhookTargetRefused(problem="it is not an address")
    return url


def _port(url: httpx.URL) -> int:
    usual = _HTTPS if url.scheme == "https" else 80
    return usual if url.port is None else url.port
