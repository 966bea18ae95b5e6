"""Read models of the index: who held a token when, how it came there, how far the index is.

All of it comes from the rows that the index has written; no node is asked.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from returns.errors import FieldInvalid, NotFound
from returns.ids import Token
from returns.tables import (
    Block,
    Chain,
    ChainEvent,
    IndexGap,
    IndexScan,
    OrderLine,
    Payment,
    TokenTransfer,
    WatchedContract,
)
from returns.words import ChainLevel, TokenStandard

#: Who gives what is minted and takes what is burned.
NOBODY = "0x" + "0" * 40

#: Movements of one token that are shown, the newest of them.
_SHOWN = 1_000

#: Who took the payment of an order that was paid by a transaction.
_ON_CHAIN = "chain"

#: Seaport's item types: below this one it is money, from it on tokens.
_FIRST_TOKEN_TYPE = 2

_IN_ITS_BLOCK = (
    col(Block.chain_id) == TokenTransfer.chain_id,
    col(Block.hash) == TokenTransfer.block_hash,
)
_PLACE = (TokenTransfer.block_number, TokenTransfer.log_index, TokenTransfer.position)


# -- tokens ----------------------------------------------------------------------------------------


def level_of(chain: Chain, number: int) -> ChainLevel:
    """How far a fact of this block can be relied on."""
    if number <= chain.final_number:
        return ChainLevel.FINAL
    return ChainLevel.CONFIRMED if number <= chain.confirmed_number else ChainLevel.PROVISIONAL


def token_view(
    session: Session, token: Token, block: int | None, merchant_id: UUID | None
) -> dict[str, Any]:
    """A token's holders at a block (by default the last one read) and how it came to them.

    Prices are those of sales on chain, and of the merchant's own orders. Raises `NotFound` for what
    was never seen in a watched collection, and `FieldInvalid` for a block that is not read yet.
    """
    chain = _chain(session, token.chain_id, token.collection)
    upto = chain.cursor_number if block is None else block
    if not 0 <= upto <= chain.cursor_number:
        problem = f"the index is at block {chain.cursor_number}"
        raise FieldInvalid(field="block", problem=problem)
    holders = holders_at(session, token, upto)
    moves = _moves(session, token, upto, merchant_id)
    if not moves:
        raise NotFound(what="token")
    return {
        "token": str(token),
        "as_of": _as_of(session, chain, token.collection, upto),
        "holders": [{"address": one, "amount": str(held)} for one, held in sorted(holders.items())],
        # The newest ones, where a token has moved so often.
        "truncated": len(moves) > _SHOWN,
        "provenance": [_move_view(chain, one) for one in moves[-_SHOWN:]],
    }


def holders_at(session: Session, token: Token, block: int) -> dict[str, int]:
    """Who holds how many of a token at the end of a block: of an ERC-721 nobody, or one of one."""
    query = (
        select(TokenTransfer.sender, TokenTransfer.recipient, TokenTransfer.amount)
        .join(Block, sa.and_(*_IN_ITS_BLOCK))
        .where(*_of(token), col(Block.canonical), TokenTransfer.block_number <= block)
    )
    if token.standard is TokenStandard.ERC721:
        newest = query.order_by(*(col(one).desc() for one in _PLACE)).limit(1)
        return {to: 1 for _, to, _ in session.exec(newest) if to != NOBODY}
    held: Counter[str] = Counter()
    for sender, recipient, amount in session.exec(query):
        held[sender] -= amount
        held[recipient] += amount
    # Who gave what came before the index began is short of it here, and holds nothing.
    return {address: amount for address, amount in held.items() if amount > 0 and address != NOBODY}


def _chain(session: Session, chain_id: int, address: str) -> Chain:
    chain = session.get(Chain, chain_id)
    if chain is None or session.get(WatchedContract, (chain_id, address)) is None:
        raise NotFound(what="token in a watched collection")
    return chain


def _of(token: Token) -> Sequence[sa.ColumnElement[bool]]:
    return (
        col(TokenTransfer.chain_id) == token.chain_id,
        col(TokenTransfer.token) == token.collection,
        col(TokenTransfer.token_id) == token.token_id,
        col(TokenTransfer.standard) == token.standard,
    )


@dataclass(frozen=True, slots=True)
class _Move:
    """A movement, and what was paid for it: (amount, asset or currency, who says so)."""

    transfer: TokenTransfer
    price: tuple[str, str, str] | None


def _moves(session: Session, token: Token, upto: int, merchant_id: UUID | None) -> list[_Move]:
    """Movements in the order of the chain, each with its sale where one is known: one query.

    One more than are shown, if there are more.
    """
    newest = (
        select(TokenTransfer)
        .join(Block, sa.and_(*_IN_ITS_BLOCK))
        .where(*_of(token), col(Block.canonical), TokenTransfer.block_number <= upto)
        .order_by(*(col(one).desc() for one in _PLACE))
        .limit(_SHOWN + 1)
    )
    moved = aliased(TokenTransfer, newest.subquery())
    sale = sa.and_(
        col(ChainEvent.tx_hash) == moved.tx_hash,
        col(ChainEvent.block_hash) == moved.block_hash,
        col(ChainEvent.name) == "OrderFulfilled",
    )
    paid = sa.and_(
        col(Payment.merchant_id) == merchant_id,
        col(Payment.processor) == _ON_CHAIN,
        col(Payment.reference) == moved.tx_hash,
    )
    bought = sa.and_(
        col(OrderLine.order_id) == Payment.order_id,
        col(OrderLine.collection) == moved.token,
        col(OrderLine.token_id) == moved.token_id,
    )
    query = (
        select(moved, ChainEvent.args, OrderLine.price, Payment.currency)
        .join(ChainEvent, sale, isouter=True)
        .join(Payment, paid, isouter=True)
        .join(OrderLine, bought, isouter=True)
    )
    found: dict[tuple[int, int, int], _Move] = {}
    for transfer, args, price, currency in session.exec(query):
        place = (transfer.block_number, transfer.log_index, transfer.position)
        known = found.get(place)
        if known is None or known.price is None or price is not None:
            found[place] = _Move(transfer, _price(token, transfer, args, price, currency))
    return [found[place] for place in sorted(found)]


def _price(
    token: Token, transfer: TokenTransfer, args: str | None, price: int | None, currency: str | None
) -> tuple[str, str, str] | None:
    if price is not None and currency is not None:
        return str(price), currency, "order"
    sold = None if args is None else sale_of(json.loads(args), token.collection, token.token_id)
    # One transaction may sell a token several times, and pass it on. Of matched orders Seaport
    # names one end only.
    if sold is None or (sold.seller != transfer.sender and sold.buyer != transfer.recipient):
        return None
    return str(sold.amount), sold.asset, "seaport"


@dataclass(frozen=True, slots=True)
class Sale:
    """A token against money, as Seaport fulfilled it. `asset`: the zero address for the coin."""

    seller: str
    buyer: str
    amount: int
    asset: str


def sale_of(args: dict[str, Any], collection: str, token_id: int) -> Sale | None:
    """What an OrderFulfilled sold a token for; None unless it sold one of it, for one asset.

    An offer gives the token for what it considers, a bid gives money and considers the token. What
    goes back to the buyer is no part of the price.
    """
    offer, consideration = args["offer"], args["consideration"]
    is_offer = any(_is_token(one) for one in offer)
    given, taken = (offer, consideration) if is_offer else (consideration, offer)
    ends = (args["offerer"], args["recipient"])
    seller, buyer = ends if is_offer else ends[::-1]
    tokens = [(one["token"], one["identifier"], one["amount"]) for one in given if _is_token(one)]
    money = [one for one in taken if not _is_token(one)]
    assets = {one["token"] for one in money}
    if tokens != [(collection, str(token_id), "1")] or len(money) != len(taken) or len(assets) != 1:
        return None
    paid = sum(int(one["amount"]) for one in money if one.get("recipient") != buyer)
    return Sale(seller, buyer, paid, assets.pop())


def _is_token(item: dict[str, Any]) -> bool:
    return int(item["itemType"]) >= _FIRST_TOKEN_TYPE


def _as_of(session: Session, chain: Chain, collection: str, block: int) -> dict[str, Any]:
    """`complete`: whether all blocks from `since` to here were read for it, without a gap."""
    watched = session.get_one(WatchedContract, (chain.chain_id, collection))
    scans = select(IndexScan).where(
        IndexScan.chain_id == chain.chain_id,
        col(IndexScan.done_at).is_(None),
        sa.or_(col(IndexScan.address) == collection, col(IndexScan.address).is_(None)),
    )
    is_read = all(scan.address is None for scan in session.exec(scans))
    gaps = [one for one in open_gaps(session, chain.chain_id) if one.first_number <= block]
    return {
        "block": block,
        "level": level_of(chain, block).value,
        "since": watched.since_block,
        "complete": is_read and not any(one.address in ("", collection) for one in gaps),
    }


def _move_view(chain: Chain, move: _Move) -> dict[str, Any]:
    transfer = move.transfer
    names = ("amount", "asset", "source")
    return {
        "block": transfer.block_number,
        "block_hash": transfer.block_hash,
        "level": level_of(chain, transfer.block_number).value,
        "at": transfer.at.isoformat(),
        "transaction": transfer.tx_hash,
        "from": transfer.sender,
        "to": transfer.recipient,
        "amount": str(transfer.amount),
        "price": None if move.price is None else dict(zip(names, move.price, strict=True)),
    }


# -- the index itself ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """How far the index of a chain is. Counters grow since the first day."""

    chain: Chain
    open_gaps: int
    open_scans: int

    @property
    def lag(self) -> int:
        """Blocks between the node's newest and the last one that was read."""
        return max(0, self.chain.head_number - self.chain.cursor_number)

    def looked_s(self, now: datetime) -> float | None:
        """Seconds since the node was last seen."""
        seen = self.chain.head_seen_at
        return None if seen is None else max(0.0, (now - seen).total_seconds())


def index_status(session: Session) -> list[IndexStatus]:
    """Every chain that is followed."""
    gaps = _by_chain(session, IndexGap, col(IndexGap.resolved_at).is_(None))
    scans = _by_chain(session, IndexScan, col(IndexScan.done_at).is_(None))
    chains: Iterable[Chain] = session.exec(select(Chain).order_by(col(Chain.chain_id)))
    return [
        IndexStatus(one, gaps.get(one.chain_id, 0), scans.get(one.chain_id, 0)) for one in chains
    ]


def _by_chain(
    session: Session, table: type[IndexGap | IndexScan], condition: sa.ColumnElement[bool]
) -> dict[int, int]:
    chain_id = col(table.chain_id)
    query = select(chain_id, sa.func.count()).where(condition).group_by(chain_id)
    return dict(session.exec(query).all())


def open_gaps(session: Session, chain_id: int) -> list[IndexGap]:
    """Blocks of which something is missing or odd, the lowest first."""
    query = select(IndexGap).where(
        IndexGap.chain_id == chain_id, col(IndexGap.resolved_at).is_(None)
    )
    return list(session.exec(query.order_by(col(IndexGap.first_number))))


def newest_gaps(session: Session, chain_id: int, limit: int = 50) -> list[IndexGap]:
    """Those that were seen last, mended ones among them."""
    query = select(IndexGap).where(IndexGap.chain_id == chain_id)
    return list(session.exec(query.order_by(col(IndexGap.last_seen).desc()).limit(limit)))
