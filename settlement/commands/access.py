"""Who is calling: API keys with scopes, and short-lived client tokens bound to one order."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import jwt
from jwt.types import Options
from sqlmodel import select

from returns.errors import CredentialsInvalid, FieldInvalid, NotFound, ScopeMissing
from returns.tables import ApiKey, Merchant, Order
from settlement.runtime import Runtime

#: What a merchant's key may do; a key has some of them.
SCOPES = (
    "orders:write",
    "tokens:write",
    "returns:read",
    "returns:write",
    "decisions:write",
    "reviews:read",
    "reviews:write",
    "reconciliation:read",
    "reconciliation:write",
    "console:read",
    "relay:read",
    "relay:write",
    "policies:read",
    "policies:write",
    "webhooks:read",
    "webhooks:write",
    "events:read",
    "payees:read",
    "ledger:read",
    "credits:read",
    "credits:spend",
)
#: About lanes and queues, which belong to no merchant: only for who runs the installation, and
#: given by name.
OPERATOR_SCOPES = ("relay:admin", "work:admin")
#: To confirm approvals above the limit of one person, to issue credit that nobody returned anything
#: for, to say where a customer's money goes: only for whom they are given by name.
SENIOR_SCOPES = ("reviews:above", "credits:write", "payees:write")
#: What the holder of a client token may do, with its one order.
_CLIENT_SCOPES = frozenset({"returns:read", "returns:write"})
_CLIENT_TOKEN_LIFE = timedelta(minutes=30)
_MAX_LABEL = 90
_PREFIX = "undrop_sk_"
_ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class Caller:
    """A proven caller. `order_id` limits a client token to its order; None means all orders."""

    merchant_id: UUID
    name: str
    scopes: frozenset[str]
    order_id: UUID | None = None

    def ip_of(self, told: str | None) -> str | None:
        """Where the request came from, as far as it can be believed: no customer says it."""
        return told if self.order_id is None else None

    def require(self, scope: str) -> None:
        """Raise `ScopeMissing` unless the caller has the scope: default deny."""
        if scope not in self.scopes:
            raise ScopeMissing(scope=scope)


def create_key(
    runtime: Runtime, merchant_id: UUID, label: str, scopes: tuple[str, ...], days: int | None
) -> str:
    """Make an API key and return its secret, which is shown this once and not stored.

    Raises `FieldInvalid` for a label that could not stand in the books as a person's name.
    """
    if not label.isprintable() or not 0 < len(label) <= _MAX_LABEL:
        problem = f"write 1 to {_MAX_LABEL} printable characters"
        raise FieldInvalid(field="label", problem=problem)
    secret = _PREFIX + secrets.token_urlsafe(32)
    now = runtime.clock()
    with runtime.database.write() as session:
        session.add(
            ApiKey(
                merchant_id=merchant_id,
                label=label,
                secret_hash=_hash(secret),
                scopes=" ".join(scopes),
                created_at=now,
                expires_at=None if days is None else now + timedelta(days=days),
            )
        )
    return secret


def authenticate(runtime: Runtime, header: str | None) -> Caller:
    """Turn an Authorization header into a caller or raise `CredentialsInvalid`."""
    scheme, _, credential = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not credential or len(credential) > 2000:
        raise CredentialsInvalid
    if credential.startswith(_PREFIX):
        return _by_key(runtime, credential)
    return _by_client_token(runtime, credential)


def client_token(runtime: Runtime, caller: Caller, order_number: str) -> tuple[str, datetime]:
    """A token for the browser of the order's buyer, and when it expires."""
    with runtime.database.read() as session:
        order = session.exec(
            select(Order).where(
                Order.merchant_id == caller.merchant_id, Order.number == order_number
            )
        ).first()
    if order is None:
        raise NotFound(what="order")
    expires = runtime.clock() + _CLIENT_TOKEN_LIFE
    claims = {
        "aud": "undrop-client",
        "merchant": str(caller.merchant_id),
        "order": str(order.id),
        "exp": int(expires.timestamp()),
    }
    return jwt.encode(claims, _secret(runtime), _ALGORITHM), expires


def _by_key(runtime: Runtime, secret: str) -> Caller:
    # Looked up by the hash of a 256-bit secret: nothing to gain from the lookup's timing.
    with runtime.database.read() as session:
        key = session.exec(select(ApiKey).where(ApiKey.secret_hash == _hash(secret))).first()
    if key is None or (key.expires_at is not None and key.expires_at <= runtime.clock()):
        raise CredentialsInvalid
    return Caller(key.merchant_id, f"key:{key.label}", frozenset(key.scopes.split()))


def _by_client_token(runtime: Runtime, token: str) -> Caller:
    # The expiry is checked below, against our clock.
    required: Options = {"require": ["exp", "aud", "merchant", "order"], "verify_exp": False}
    try:
        claims = jwt.decode(
            token, _secret(runtime), [_ALGORITHM], audience="undrop-client", options=required
        )
        merchant_id, order_id = UUID(claims["merchant"]), UUID(claims["order"])
        expired = runtime.clock().timestamp() >= int(claims["exp"])
    except (jwt.InvalidTokenError, ValueError, TypeError) as fault:
        raise CredentialsInvalid from fault
    if expired:
        raise CredentialsInvalid
    return Caller(merchant_id, "customer", _CLIENT_SCOPES, order_id)


def merchant_by_slug(runtime: Runtime, slug: str) -> Merchant:
    """A merchant for the command line; raises `NotFound`."""
    with runtime.database.read() as session:
        merchant = session.exec(select(Merchant).where(Merchant.slug == slug)).first()
    if merchant is None:
        raise NotFound(what="merchant")
    return merchant


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _secret(runtime: Runtime) -> bytes:
    # Stretched to the length that HS256 asks for; the setting itself is checked at start.
    return hashlib.sha256(
        b"client-token:" + runtime.settings.secret_key.get_secret_value().encode()
    ).digest()
