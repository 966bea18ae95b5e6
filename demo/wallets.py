"""The chain before the returns: tokens are minted to their buyers and follow the file's resales."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from chain.client import ChainClient
from chain.contracts import encode_call, view
from chain.local import ADMIN, anvil_keys
from chain.signers import LocalSigner
from demo.book import Book
from demo.keys import signer_of, wallet_of
from demo.requests import Request
from demo.sales import CARD, Purchase
from demo.sending import Call, send_all

#: EIP-7528: the chain's own coin.
NATIVE = "0x" + "ee" * 20

_MINTS_PER_CALL = 100
_GAS_PER_MINT = 110_000
_ALLOWANCE_WEI = 10**18


def mint(client: ChainClient, collection: str, purchases: Sequence[tuple[Purchase, str]]) -> None:
    """Mint each purchase's token to an address; a card purchase has no price in coin."""
    minter = LocalSigner(anvil_keys()[ADMIN])
    batches = [
        purchases[start : start + _MINTS_PER_CALL]
        for start in range(0, len(purchases), _MINTS_PER_CALL)
    ]
    send_all(client, [_mint_call(minter, collection, batch) for batch in batches])


def _mint_call(minter: LocalSigner, collection: str, batch: Sequence[tuple[Purchase, str]]) -> Call:
    data = encode_call(
        "ReturnableNFT",
        "mintBatch",
        [address for _, address in batch],
        [purchase.token_id for purchase, _ in batch],
        [0 if purchase.tender == CARD else purchase.price for purchase, _ in batch],
    )
    return Call(minter, collection, data, gas=100_000 + _GAS_PER_MINT * len(batch))


def follow_resales(
    client: ChainClient, collection: str, book: Book, requests: Sequence[Request]
) -> int:
    """Move the tokens of the requests as the file moves them; returns the number of transfers.

    The first resale of every token goes out together, then the second one, and so on: each is
    signed by whoever has the token then.
    """
    hops = {request.purchase.token_id: _hops(book, request.purchase) for request in requests}
    transfers = 0
    for turn in range(max(map(len, hops.values()), default=0)):
        moves = [(token, path[turn]) for token, path in hops.items() if turn < len(path)]
        give_coin(client, [wallet_of(sender) for _, (sender, _) in moves], _ALLOWANCE_WEI)
        send_all(client, [_transfer(collection, token, *move) for token, move in moves])
        transfers += len(moves)
    return transfers


def _hops(book: Book, purchase: Purchase) -> list[tuple[str, str]]:
    names = [purchase.customer, *book.receivers_after(purchase)]
    return [pair for pair in pairwise(names) if pair[0] != pair[1]]


def _transfer(collection: str, token_id: int, sender: str, receiver: str) -> Call:
    parties = (wallet_of(sender), wallet_of(receiver))
    data = encode_call("ReturnableNFT", "transferFrom", *parties, token_id)
    return Call(signer_of(sender), collection, data)


def give_coin(client: ChainClient, addresses: Sequence[str], wei: int) -> None:
    """Set balances on the local chain."""
    client.batch([("anvil_setBalance", (address, hex(wei))) for address in addresses])


def top_up_float(client: ChainClient, about: dict[str, Any], needed_wei: int) -> None:
    """The marketplace adds what its float lacks for the refunds to come."""
    escrow = about["deployment"]["escrow"]
    there = int(view(client, escrow, "ReturnEscrow", "floatOf", about["vault"], NATIVE)[0])
    if there >= needed_wei:
        return
    missing = needed_wei - there
    payer = signer_of("marketplace")
    give_coin(client, [payer.address], missing + _ALLOWANCE_WEI)
    data = encode_call("ReturnEscrow", "fundFloat", about["vault"], NATIVE, missing)
    send_all(client, [Call(payer, escrow, data, value=missing)])
