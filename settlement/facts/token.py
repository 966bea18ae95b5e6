"""What became of the token since it was bought: from the index, and from the chain just now."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from custody.eligibility import TokenState
from returns.tables import Block, Chain, TokenTransfer
from settlement.facts.request import Purchase

#: A purchase is often written down a little after the transfer that it is about.
_SLACK = timedelta(hours=1)
#: Movements that are looked at; a token that moves more often is unusual enough by then.
_MOST = 200


def of(session: Session, bought: Purchase, state: TokenState, now: datetime) -> dict[str, Any]:
    """Holder and hindrances as the chain says, dates, blocks and moves as the index has them."""
    chain = session.get(Chain, bought.line.chain_id)
    return {
        "holder": state.holder,
        "transferable": state.transferable,
        "rented": state.rented,
        "requested_block": None
        if chain is None or chain.cursor_number < 0
        else chain.cursor_number,
        **_moves(session, bought, now),
    }


def _moves(session: Session, bought: Purchase, now: datetime) -> dict[str, Any]:
    wallet = bought.order.buyer_wallet
    moved = _transfers(session, bought, now)
    arrivals = [n for n, one in enumerate(moved) if one.recipient == wallet]
    if wallet is None or not arrivals:
        return {}
    delivery, later = moved[arrivals[0]], moved[arrivals[0] + 1 :]
    holders = [delivery.recipient, *(one.recipient for one in later)]
    return {
        "delivered_at": max(delivery.at, bought.order.placed_at),
        "purchased_block": delivery.block_number,
        "moves_since_purchase": len(later),
        "round_trips": len(holders) - len(set(holders)),
    }


def _transfers(session: Session, bought: Purchase, now: datetime) -> list[TokenTransfer]:
    """The token's movements from its purchase until now, in the order of the chain."""
    in_its_block = sa.and_(
        col(Block.chain_id) == TokenTransfer.chain_id, col(Block.hash) == TokenTransfer.block_hash
    )
    query = (
        select(TokenTransfer)
        .join(Block, in_its_block)
        .where(TokenTransfer.token == bought.line.collection)
        .where(TokenTransfer.token_id == bought.line.token_id)
        .where(TokenTransfer.chain_id == bought.line.chain_id, col(Block.canonical))
        .where(TokenTransfer.at >= bought.order.placed_at - _SLACK, TokenTransfer.at <= now)
        .order_by(col(TokenTransfer.block_number), col(TokenTransfer.log_index))
        .limit(_MOST)
    )
    return list(session.exec(query))
