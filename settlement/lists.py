"""What a merchant's lists say of a request: addresses, customer and network in one query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from returns.bulk import among
from returns.errors import FieldInvalid
from returns.tables import ListEntry, ListImport
from returns.words import ListKind, ListSubject

#: Widest networks of a list, by version of IP: half a continent is no anonymiser.
WIDEST = {4: 8, 6: 16}

_Key = tuple[ListSubject, str]


def hits(
    session: Session,
    merchant_id: UUID,
    *,
    addresses: Mapping[str, str],
    customer: str | None,
    ip: str | None,
) -> frozenset[str] | None:
    """Which lists know which part of a request: `sanctions/holder`, `anonymiser/connection`.

    `addresses` by role, in lower case. None where no list was ever imported: what nobody looked up
    is not clean. Raises `FieldInvalid` for an `ip` that is none.
    """
    roles = _roles(addresses, customer, ip)
    values = {value for _, value in roles}
    found = session.exec(
        select(ListEntry.kind, ListEntry.subject, ListEntry.value)
        .where(ListEntry.merchant_id == merchant_id, among(session, col(ListEntry.value), values))
        .distinct()
    )
    known = {
        f"{ListKind(kind).value}/{role}"
        for kind, subject, value in found
        for role in roles.get((ListSubject(subject), value), ())
    }
    return frozenset(known) if known or _has_lists(session, merchant_id) else None


def standing(session: Session, merchant_id: UUID) -> list[dict[str, Any]]:
    """The versions of lists that `hits` looks into, so that a decision can name them."""
    return [
        {
            "kind": one.kind.value,
            "source": one.source,
            "sha256": one.sha256,
            "at": one.at.isoformat(),
        }
        for one in session.exec(
            select(ListImport)
            .where(ListImport.merchant_id == merchant_id, col(ListImport.replaced_at).is_(None))
            .order_by(col(ListImport.kind), col(ListImport.source), col(ListImport.at))
        )
    ]


def newest_by_kind(session: Session, merchant_id: UUID) -> dict[ListKind, datetime]:
    """When each kind of list was last brought in."""
    query = select(ListImport).where(ListImport.merchant_id == merchant_id)
    rows = session.exec(query.order_by(col(ListImport.at)))
    return {one.kind: one.at for one in rows}


def network(text: str) -> str:
    """A network, or one IP as its narrowest one, in the one spelling that is stored.

    Bits below the prefix are dropped; IPv4 within IPv6 is IPv4 (RFC 4291, 2.5.5.2). Raises
    `ValueError` for anything else, and for networks wider than `WIDEST`.
    """
    found: IPv4Network | IPv6Network = ip_network(text, strict=False)
    if isinstance(found, IPv6Network):
        inner = found.network_address.ipv4_mapped
        if inner is not None and found.prefixlen >= 96:
            found = IPv4Network((int(inner), found.prefixlen - 96))
    if found.prefixlen < WIDEST[found.version]:
        raise ValueError(f"it is wider than /{WIDEST[found.version]}")
    return str(found)


def networks_around(ip: str) -> Iterator[str]:
    """Every network, in the spelling of `network`, that holds an IP; the widest first.

    Raises `FieldInvalid`.
    """
    try:
        address: IPv4Address | IPv6Address = ip_address(ip)
    except ValueError:
        raise FieldInvalid(field="ip", problem="it is not an IP address") from None
    inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    address = inner or address
    kind, bits = type(address), address.max_prefixlen
    for prefix in range(WIDEST[address.version], bits + 1):
        below = bits - prefix
        yield f"{kind(int(address) >> below << below)}/{prefix}"


def _roles(
    addresses: Mapping[str, str], customer: str | None, ip: str | None
) -> dict[_Key, list[str]]:
    """Which part of the request each value is; one address can have several roles."""
    roles: dict[_Key, list[str]] = {}
    for role, address in addresses.items():
        roles.setdefault((ListSubject.ADDRESS, address), []).append(role)
    if customer is not None:
        roles[ListSubject.CUSTOMER, customer] = ["customer"]
    if ip is not None:
        roles |= {(ListSubject.NETWORK, one): ["connection"] for one in networks_around(ip)}
    return roles


def _has_lists(session: Session, merchant_id: UUID) -> bool:
    query = select(ListImport.id).where(ListImport.merchant_id == merchant_id).limit(1)
    return session.exec(query).first() is not None
