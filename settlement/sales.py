"""Sales on chain become orders of the merchant whose collection was sold. No network here.

What is recorded is final. A sale that the marketplace told us of itself is recognised by its
transaction, and stays as the marketplace told it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session

from chain.addresses import ZERO
from chain.contracts import Deployment
from returns.chain_reads import Sale, sale_of
from returns.tables import Block, Merchant, WatchedContract
from returns.words import Tender
from settlement.commands.inputs import OrderIn
from settlement.commands.orders import REFUSED, store_orders

log = logging.getLogger(__name__)

#: How such orders came to us, and who took the payment: nobody but the chain.
CHANNEL, PROCESSOR = "seaport", "chain"


def record(session: Session, deployment: Deployment, event: dict[str, Any], now: datetime) -> None:
    """Store the order of an OrderFulfilled, if it sold one token of a merchant's collection.

    Our own refunds pass through our zone, and what a merchant's vault buys back is no sale.
    """
    args = event["args"]
    if args["zone"] == deployment.zone:
        return
    for collection, token_id in _tokens(args):
        watched = session.get(WatchedContract, (deployment.chain_id, collection))
        sale = sale_of(args, collection, token_id)
        if watched is None or watched.merchant_id is None or sale is None:
            continue
        if sale.buyer != session.get_one(Merchant, watched.merchant_id).vault:
            token = {"collection": collection, "token_id": str(token_id)}
            _store(session, deployment, watched.merchant_id, sale, token, event, now)


def _tokens(args: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for item in (*args["offer"], *args["consideration"]):
        yield item["token"], int(item["identifier"])


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
    block = session.get_one(Block, (deployment.chain_id, event["block_hash"]))
    amount = str(sale.amount)
    payment = {"tender": Tender.WALLET, "processor": PROCESSOR, "reference": event["tx_hash"]}
    about = {
        "number": f"{event['tx_hash']}:{event['log_index']}",
        "placed_at": block.at,
        "customer": sale.buyer,
        "buyer_wallet": sale.buyer,
        "channel": CHANNEL,
        "lines": [{**token, "price": amount}],
        "payment": {**payment, "currency": currency, "captured": amount},
    }
    order = OrderIn.model_validate(about)
    [result] = store_orders(session, deployment.chain_id, merchant_id, [order], frozenset(), now)
    if result.result == REFUSED:
        log.info("sale.known tx=%s problem=%s", event["tx_hash"], result.error)
