"""Gathers what triage may look at: the books, the index, what was told, what the chain just said.

Nothing that came after `now` takes part, so that the same request can be looked at again later.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session

from custody.eligibility import TokenState
from returns.remainder import granted
from settlement import disputes, lists, signals
from settlement.facts import history, market, token
from settlement.facts.request import Purchase, Wish
from triage.facts import Facts

__all__ = ["Purchase", "Wish", "gather"]


def gather(
    session: Session,
    bought: Purchase,
    wish: Wish,
    state: TokenState,
    now: datetime,
    besides: UUID | None = None,
) -> Facts:
    """The facts of one line at `now`. `besides` leaves out the request that is being decided.

    What our own books and the chain know goes before what was told.
    """
    merchant_id = bought.order.merchant_id
    own = {
        **_line(session, bought, wish, besides),
        **history.of(session, bought, wish.wallet, now, besides),
        **token.of(session, bought, state, now),
        **market.of(session, bought, now),
        **disputes.facts_of(session, bought.order, now),
        "requested_at": now,
        "on_lists": _lists(session, bought, wish, state),
        "lists_searched": [kind.value for kind in lists.newest_by_kind(session, merchant_id)],
    }
    known = {name: value for name, value in own.items() if value is not None}
    return Facts(**{**signals.about(session, bought.order, bought.line, wish.wallet), **known})


def _line(session: Session, bought: Purchase, wish: Wish, besides: UUID | None) -> dict[str, Any]:
    order, line = bought.order, bought.line
    return {
        "merchant": str(order.merchant_id),
        "order": order.number,
        "collection": line.collection,
        "token_id": line.token_id,
        "currency": bought.payment.currency,
        "paid": line.price,
        "already_refunded": granted(session, line.id, besides=besides),
        "requested": wish.amount,
        "remedy": wish.remedy,
        "tender": bought.payment.tender,
        "reason": wish.reason,
        "message": wish.message,
        "channel": order.channel,
        # Who may ask has shown a right to the order: a key of its merchant, or a token for it.
        "purchase_proven": True,
        "purchased_at": order.placed_at,
        "buyer_wallet": order.buyer_wallet,
        "requester_wallet": wish.wallet,
        "recipient": wish.recipient,
    }


def _lists(
    session: Session, bought: Purchase, wish: Wish, state: TokenState
) -> frozenset[str] | None:
    parties = {
        "buyer": bought.order.buyer_wallet,
        "holder": state.holder,
        "requester": wish.wallet,
        "recipient": wish.recipient,
    }
    addresses = {role: address for role, address in parties.items() if address is not None}
    customer, merchant_id = bought.order.customer, bought.order.merchant_id
    return lists.hits(session, merchant_id, addresses=addresses, customer=customer, ip=wish.ip)
