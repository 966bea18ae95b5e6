"""A vault's token put on sale on Seaport again, with the collection's royalty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from chain.addresses import NATIVE, ZERO
from chain.client import ChainClient, RpcError
from chain.contracts import encode_signature, is_revert
from chain.seaport import (
    NO_CONDUIT,
    NO_ZONE_HASH,
    ConsiderationItem,
    ItemType,
    OfferItem,
    OrderComponents,
    OrderType,
    Seaport,
    counter_of,
    digest,
    order_hash,
)
from chain.signatures import is_wrapped, normalise, verify
from returns.errors import ChainUnavailable, ListingInvalid, OrderSignatureInvalid


@dataclass(frozen=True, slots=True)
class Lot:
    """What is sold: one ERC-721 token, or an amount of an ERC-1155 token, whole or not at all."""

    collection: str
    token_id: int
    amount: int = 1
    kind: ItemType = ItemType.ERC721


@dataclass(frozen=True, slots=True)
class Terms:
    """`price`: what the buyer pays for the lot, minor units of `currency` (an ERC-20, or the coin
    as `NATIVE`). Good from `starts` until just before `ends`, Unix seconds. `salt` tells listings
    with equal terms apart.
    """

    price: int
    currency: str
    starts: int
    ends: int
    salt: int


def relisting(
    client: ChainClient, seaport: Seaport, vault: str, lot: Lot, terms: Terms
) -> OrderComponents:
    """The order that puts the vault's lot on sale: to whoever comes first, for the whole price.

    The collection's royalty (ERC-2981, for the price of the whole lot) comes out of the price. It
    is the collection's own arithmetic, rounded down by those in use; the vault gets exactly the
    rest. Raises `ListingInvalid` for terms that no buyer could meet.
    """
    _check(terms, client.newest().timestamp)
    offered = OfferItem(lot.kind, lot.collection, lot.token_id, lot.amount, lot.amount)
    return OrderComponents(
        offerer=vault,
        zone=ZERO,
        offer=(offered,),
        consideration=_shares(client, vault, lot, terms),
        orderType=OrderType.FULL_OPEN,
        startTime=terms.starts,
        endTime=terms.ends,
        zoneHash=NO_ZONE_HASH,
        salt=terms.salt,
        conduitKey=NO_CONDUIT,
        counter=counter_of(client, seaport, vault),
    )


def sign_order(
    client: ChainClient,
    seaport: Seaport,
    order: OrderComponents,
    sign: Callable[[bytes], bytes],
) -> bytes:
    """The offerer's signature, as Seaport takes it: of a key, or of a contract (EIP-1271).

    `sign` gets the digest of 32 bytes. Raises `OrderSignatureInvalid` if the offerer did not sign.
    """
    hashed = digest(order, seaport)
    signature = normalise(order.offerer, hashed, sign(hashed))
    # Seaport does not know EIP-6492: a wallet has to exist before it can sell.
    if is_wrapped(signature) or not verify(client, order.offerer, hashed, signature):
        raise OrderSignatureInvalid(offerer=order.offerer, order="0x" + order_hash(order).hex())
    return signature


def royalty_of(client: ChainClient, lot: Lot, price: int) -> tuple[str, int]:
    """Receiver and amount of the royalty (ERC-2981); an amount of 0 where there is none.

    Raises `ChainUnavailable` where the node does not answer: nobody loses a royalty by that.
    """
    question = encode_signature("royaltyInfo(uint256,uint256)", lot.token_id, price)
    try:
        told = client.eth_call(lot.collection, question)
        receiver, amount = decode(["address", "uint256"], told)
    except DecodingError:
        return ZERO, 0
    except RpcError as error:
        if not is_revert(error):
            raise ChainUnavailable(problem=str(error)) from error
        return ZERO, 0
    return (receiver, amount) if receiver != ZERO else (ZERO, 0)


def _check(terms: Terms, now: int) -> None:
    if not 0 < terms.price < 2**256:
        raise ListingInvalid(problem=f"its price is {terms.price}")
    if terms.ends <= max(terms.starts, now):
        problem = f"it ends at {terms.ends}, starts at {terms.starts}, now is {now}"
        raise ListingInvalid(problem=problem)


def _shares(
    client: ChainClient, vault: str, lot: Lot, terms: Terms
) -> tuple[ConsiderationItem, ...]:
    """Who gets what of the price; one share where the vault is the royalty's receiver itself."""
    receiver, royalty = royalty_of(client, lot, terms.price)
    if royalty >= terms.price:
        raise ListingInvalid(problem=f"a royalty of {royalty} leaves nothing of {terms.price}")
    if royalty == 0 or receiver == vault:
        return (_share(terms.price, terms, vault),)
    return (
        _share(terms.price - royalty, terms, vault),
        _share(royalty, terms, receiver),
    )


def _share(amount: int, terms: Terms, recipient: str) -> ConsiderationItem:
    in_coin = terms.currency == NATIVE
    kind, token = (ItemType.NATIVE, ZERO) if in_coin else (ItemType.ERC20, terms.currency)
    return ConsiderationItem(kind, token, 0, amount, amount, recipient)
