"""Sales on chain become orders of the merchant whose collection was sold. No network here.

What is recorded is final, and was sold by the merchant itself: refunds come out of its float. A
sale that the marketplace told us of is recognised by its transaction, and stays as it was told.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlmodel import Session, col, select

from chain.addresses import ZERO
from chain.contracts import Deployment
from returns.chain_reads import Sale, sale_of
from returns.tables import Block, Merchant, OrderLine, Payment, WatchedContract
from returns.words import Tender, WatchKind
from settlement.commands.inputs import OrderIn
from settlement.commands.orders import store_orders

log = logging.getLogger(__name__)

#: How such orders came to us, and who took the payment: nobody but the chain.
CHANNEL, PROCESSOR = "seaport", "chain"


def record(session: Session, deployment: Deployment, event: dict[str, Any], now: datetime) -> None:
    """Store the order of an OrderFulfilled, if the merchant sold one token of its collection.

    What others trade with each other at prices of their own is no sale of the merchant's, and
    nothing that it ever received. Our own refunds pass through our zone.
    """
    args = event["args"]
    if args["zone"] == deployment.zone:
        return
    for collection, token_id in _tokens(args):
        watched = session.get(WatchedContract, (deployment.chain_id, collection))
        sale = sale_of(args, collection, token_id)
        if watched is None or watched.merchant_id is None or sale is None:
            continue
        if _is_seller(session, deployment.chain_id, watched.merchant_id, sale):
            token = {"collection": collection, "token_id": str(token_id)}
            _store(session, deployment, watched.merchant_id, sale, token, event, now)


def _tokens(args: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for item in (*args["offer"], *args["consideration"]):
        yield item["token"], int(item["identifier"])


def _is_seller(session: Session, chain_id: int, merchant_id: UUID, sale: Sale) -> bool:
    """Whether the merchant's vault sold it, or another account that is watched as its treasury."""
    if sale.buyer == ZERO:
        # A match: who gets the token stands in another order of the same transaction.
        return False
    treasury = session.get(WatchedContract, (chain_id, sale.seller))
    if treasury is not None and treasury.kind is WatchKind.TREASURY:
        return treasury.merchant_id == merchant_id
    return sale.seller == session.get_one(Merchant, merchant_id).vault


def _store(
    session: Session,
    deployment: Deployment,
    merchant_id: UUID,
    sale: Sale,
    token: dict[str, str],
    event: dict[str, Any],
    now: datetime,
) -> None:
    currency = {ZERO: "ETH", deployment.dollar: "TUSD"}.get(sale.asset)
    if currency is None:
        log.warning("sale.asset_unknown tx=%s asset=%s", event["tx_hash"], sale.asset)
        return
    if _is_told(session, merchant_id, event["tx_hash"], token):
        log.info("sale.known tx=%s", event["tx_hash"])
        return
    block = session.get_one(Block, (deployment.chain_id, event["block_hash"]))
    try:
        order = OrderIn.model_validate(_order(sale, token, currency, block.at, event))
    except ValidationError as fault:
        log.warning("sale.no_order tx=%s problem=%s", event["tx_hash"], fault.errors()[0]["msg"])
        return
    store_orders(session, deployment.chain_id, merchant_id, [order], frozenset(), now)


def _order(
    sale: Sale, token: dict[str, str], currency: str, at: datetime, event: dict[str, Any]
) -> dict[str, Any]:
    """One order for each OrderFulfilled: a transaction can have several."""
    amount, name = str(sale.amount), f"{event['tx_hash']}:{event['log_index']}"
    payment = {"tender": Tender.WALLET, "processor": PROCESSOR, "reference": name}
    return {
        "number": name,
        "placed_at": at,
        "customer": sale.buyer,
        "buyer_wallet": sale.buyer,
        "channel": CHANNEL,
        "lines": [{**token, "price": amount}],
        "payment": {**payment, "currency": currency, "captured": amount},
    }


def _is_told(session: Session, merchant_id: UUID, tx_hash: str, token: dict[str, str]) -> bool:
    """Whether the shop told of the same purchase, by the hash of the transaction that paid it."""
    query = (
        select(Payment.id)
        .join(OrderLine, col(OrderLine.order_id) == Payment.order_id)
        .where(Payment.merchant_id == merchant_id, Payment.reference == tx_hash)
        .where(OrderLine.collection == token["collection"])
        .where(OrderLine.token_id == int(token["token_id"]))
    )
    return session.exec(query).first() is not None
