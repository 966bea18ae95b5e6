"""Whether an order on Seaport can be filled: the guard against stale listings.

A listing is a signature that lies with a marketplace, so the chain never lists the listings. It
does tell of each whether it could be filled. The stale ones are the danger: they come alive again
when the token comes back to the address that once signed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from chain.addresses import ZERO
from chain.client import ChainClient
from chain.contracts import encode_call, encode_signature
from chain.facts import Facts, Question
from chain.seaport import (
    NO_CONDUIT,
    ItemType,
    OfferItem,
    OrderComponents,
    OrderType,
    Seaport,
    order_hash,
)


class Standing(StrEnum):
    """Whether a listing can be filled as of a block; if not, why, the final reasons first."""

    OPEN = "open"
    NOT_STARTED = "not_started"
    NOT_OWNED = "not_owned"
    NOT_APPROVED = "not_approved"
    CANCELED = "canceled"
    FILLED = "filled"
    COUNTER_MOVED = "counter_moved"
    EXPIRED = "expired"

    @property
    def is_over(self) -> bool:
        """Whether it can never be filled again, wherever the token goes."""
        return self in (self.CANCELED, self.FILLED, self.COUNTER_MOVED, self.EXPIRED)


def open_listing(client: ChainClient, seaport: Seaport, order: OrderComponents) -> Standing:
    """Whether the order can be filled now; see `open_listings`."""
    return open_listings(client, seaport, [order])[0]


def open_listings(
    client: ChainClient, seaport: Seaport, orders: Sequence[OrderComponents]
) -> list[Standing]:
    """Which orders can be filled now, all as of the newest block.

    Whoever asks wants to know what may still be sold, so what the chain cannot tell counts as
    open: a signature is taken to exist, a zone to agree, and offered coins, ERC-20s and tokens by
    criteria to be there. Raises `ChainUnavailable`.
    """
    facts = Facts(client, client.newest())
    facts.learn(one for order in orders for one in _seaport_questions(seaport, order))
    operators = [_operator(seaport, order, facts) for order in orders]
    pairs = list(zip(orders, operators, strict=True))
    facts.learn(one for order, operator in pairs for one in _token_questions(order, operator))
    return [_standing(seaport, order, operator, facts) for order, operator in pairs]


def _seaport_questions(seaport: Seaport, order: OrderComponents) -> Iterator[Question]:
    yield _status_question(seaport, order)
    yield _counter_question(seaport, order)
    if order.conduitKey != NO_CONDUIT:
        yield _conduit_question(seaport, order)


def _token_questions(order: OrderComponents, operator: str) -> Iterator[Question]:
    for item in order.offer:
        if item.itemType in (ItemType.ERC721, ItemType.ERC1155):
            yield _holding_question(item, order.offerer)
            yield _operator_question(item, order.offerer, operator)
        if item.itemType == ItemType.ERC721:
            yield _approved_question(item)


def _standing(seaport: Seaport, order: OrderComponents, operator: str, facts: Facts) -> Standing:
    ended = _ended(seaport, order, facts)
    if ended is not None:
        return ended
    if order.startTime > facts.block.timestamp:
        return Standing.NOT_STARTED
    tokens = [one for one in order.offer if one.itemType in (ItemType.ERC721, ItemType.ERC1155)]
    if not all(_holds(item, order, facts) for item in tokens):
        return Standing.NOT_OWNED
    if not all(_approved(item, order.offerer, operator, facts) for item in tokens):
        return Standing.NOT_APPROVED
    return Standing.OPEN


def _ended(seaport: Seaport, order: OrderComponents, facts: Facts) -> Standing | None:
    """Why the order can never be filled again."""
    status = facts.decoded(_status_question(seaport, order), "bool", "bool", "uint256", "uint256")
    _, cancelled, filled, size = status or (False, False, 0, 0)
    if cancelled:
        return Standing.CANCELED
    if filled and filled >= size:
        return Standing.FILLED
    if facts.one(_counter_question(seaport, order), "uint256") not in (None, order.counter):
        return Standing.COUNTER_MOVED
    return Standing.EXPIRED if order.endTime <= facts.block.timestamp else None


def _holds(item: OfferItem, order: OrderComponents, facts: Facts) -> bool:
    question = _holding_question(item, order.offerer)
    if item.itemType == ItemType.ERC721:
        return bool(facts.one(question, "address") == order.offerer.lower())
    # Where parts may be sold, one token is enough for one more sale.
    in_parts = order.orderType in (OrderType.PARTIAL_OPEN, OrderType.PARTIAL_RESTRICTED)
    needed = 1 if in_parts else min(item.startAmount, item.endAmount)
    return (facts.one(question, "uint256") or 0) >= needed


def _approved(item: OfferItem, offerer: str, operator: str, facts: Facts) -> bool:
    if facts.one(_operator_question(item, offerer, operator), "bool"):
        return True
    if item.itemType != ItemType.ERC721:
        return False
    return bool(facts.one(_approved_question(item), "address") == operator)


def _operator(seaport: Seaport, order: OrderComponents, facts: Facts) -> str:
    """Who moves the offered tokens: Seaport itself, or the conduit that the order names."""
    if order.conduitKey == NO_CONDUIT:
        return seaport.address
    return str(facts.one(_conduit_question(seaport, order), "address") or ZERO)


def _status_question(seaport: Seaport, order: OrderComponents) -> Question:
    return seaport.address, encode_call("Seaport", "getOrderStatus", order_hash(order))


def _counter_question(seaport: Seaport, order: OrderComponents) -> Question:
    return seaport.address, encode_call("Seaport", "getCounter", order.offerer)


def _conduit_question(seaport: Seaport, order: OrderComponents) -> Question:
    key = bytes.fromhex(order.conduitKey[2:])
    return seaport.conduit_controller, encode_signature("getConduit(bytes32)", key)


def _holding_question(item: OfferItem, offerer: str) -> Question:
    if item.itemType == ItemType.ERC721:
        return item.token, encode_signature("ownerOf(uint256)", item.identifierOrCriteria)
    call = "balanceOf(address,uint256)"
    return item.token, encode_signature(call, offerer, item.identifierOrCriteria)


def _operator_question(item: OfferItem, offerer: str, operator: str) -> Question:
    return item.token, encode_signature("isApprovedForAll(address,address)", offerer, operator)


def _approved_question(item: OfferItem) -> Question:
    return item.token, encode_signature("getApproved(uint256)", item.identifierOrCriteria)
