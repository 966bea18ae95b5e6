"""The message offered to the holder of a token, and its acceptance."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from chain.addresses import NATIVE, fiat_asset
from chain.client import ChainClient
from chain.contracts import Deployment
from chain.signatures import normalise, verify
from chain.typed_data import (
    REMEDY_NUMBER,
    Domain,
    ReturnAuthorization,
    digest,
    line_key,
    wallet_request,
)
from returns.errors import SignatureInvalid
from returns.money import iso_number
from returns.tables import Authorization, OrderLine, ReturnLine
from returns.words import Remedy

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2}){1,4096}\Z")


def offer(
    line: ReturnLine,
    order_line: OrderLine,
    holder: str,
    vault: str,
    deployment: Deployment,
    now: datetime,
    *,
    sign_within: timedelta,
    reclaim_after: timedelta,
    commit_until: timedelta,
) -> Authorization:
    """Build the authorization for a granted line. Both reclaim dates are part of what is signed."""
    swapped = line.remedy is Remedy.CRYPTO_REFUND
    message = ReturnAuthorization(
        line="0x" + line_key(line.id, holder).hex(),
        vault=vault,
        holder=holder,
        token=order_line.collection,
        tokenId=order_line.token_id,
        amount=1,
        remedy=REMEDY_NUMBER[line.remedy],
        asset=asset_address(line.currency, deployment),
        refund=line.amount,
        recipient=line.recipient or holder,
        deadline=_seconds(now + sign_within),
        # Nothing is held in a swap, and there is nothing to reclaim.
        reclaimAfter=0 if swapped else _seconds(now + sign_within + reclaim_after),
        commitUntil=0 if swapped else _seconds(now + sign_within + commit_until),
    )
    return Authorization(
        merchant_id=line.merchant_id,
        line_id=line.id,
        message=json.dumps(asdict(message)),
        digest="0x" + digest(message, domain_of(deployment)).hex(),
        holder=holder,
        deadline=datetime.fromtimestamp(message.deadline, UTC),
        created_at=now,
    )


def domain_of(deployment: Deployment) -> Domain:
    """The escrow's domain. That the contract tells the same of itself is checked at deployment."""
    return Domain(deployment.chain_id, deployment.escrow)


def message_of(row: Authorization) -> ReturnAuthorization:
    """The struct behind a stored authorization."""
    return ReturnAuthorization(**json.loads(row.message))


def prompt(row: Authorization, deployment: Deployment) -> dict[str, Any]:
    """What the wallet is asked to sign: the argument of eth_signTypedData_v4."""
    return wallet_request(message_of(row), domain_of(deployment))


def check_signature(client: ChainClient, row: Authorization, text: object) -> str:
    """Return the signature in the contract's form, or raise `SignatureInvalid`."""
    if not isinstance(text, str) or not _HEX.match(text):
        raise SignatureInvalid(holder=row.holder, problem="it is not 0x-hex of 1 to 4096 bytes")
    signature = bytes.fromhex(text[2:])
    hashed = bytes.fromhex(row.digest[2:])
    if not verify(client, row.holder, hashed, signature):
        raise SignatureInvalid(holder=row.holder, problem="another key, message or form was used")
    return "0x" + normalise(row.holder, hashed, signature).hex()


def asset_address(currency: str, deployment: Deployment) -> str:
    """How the contract names a currency."""
    if currency == "ETH":
        return NATIVE
    if currency == "TUSD":
        return deployment.dollar
    return fiat_asset(iso_number(currency))


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
