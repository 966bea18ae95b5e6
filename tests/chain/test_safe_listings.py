"""A returned token is on sale again from a vault that is a Safe: two owners sign, nobody sends."""

from __future__ import annotations

import pytest
from chain_market import BUYER, Market, open_market
from chain_node import Stage
from vaults import OWNERS, PAYER, TOKEN, owner_of, vault_with_token

from chain import safe, safe_tx
from chain.listings import Lot, relisting, sign_order
from chain.safe import Safe
from chain.safe_tx import SafeTx
from chain.seaport import cancellation, digest, increment_counter
from chain.standing import Standing, open_listing
from returns.errors import ChainUnavailable, OwnerSignaturesMissing


@pytest.fixture
def market(chain: Stage) -> Market:
    """Seaport, and a buyer."""
    return open_market(chain)


@pytest.fixture
def vault(chain: Stage, market: Market) -> Safe:
    """Two of three, with the token, approved for Seaport by the Safe itself."""
    made = vault_with_token(chain)
    collection = chain.deployment.collection
    _run(market, made, safe_tx.approve_operator(made, collection, market.seaport.address, True))
    return safe.read(chain.client, made.address)


def _run(market: Market, vault: Safe, tx: SafeTx) -> None:
    signatures = safe_tx.sign(safe_tx.transaction_request(vault, tx), OWNERS[:2])
    safe_tx.execute(market.client, PAYER, vault.address, tx, signatures)


def _call(vault: Safe, to: str, data: bytes) -> SafeTx:
    return SafeTx(to, data, vault.nonce)


def test_two_owners_list_a_returned_token_and_a_buyer_pays_vault_and_royalty(
    chain: Stage, market: Market, vault: Safe
) -> None:
    lot = Lot(chain.deployment.collection, TOKEN)
    order = relisting(market.client, market.seaport, vault.address, lot, market.terms(10_000))
    with pytest.raises(OwnerSignaturesMissing):
        sign_order(
            market.client,
            market.seaport,
            order,
            lambda digest: safe_tx.sign_message(vault, digest, OWNERS[:1]),
        )
    signature = sign_order(
        market.client,
        market.seaport,
        order,
        lambda digest: safe_tx.sign_message(vault, digest, OWNERS[:2]),
    )
    assert open_listing(market.client, market.seaport, order) is Standing.OPEN
    royalty = market.coin(market.artist)
    market.buy(order, signature, BUYER)
    assert owner_of(chain) == market.buyer
    assert (market.coin(vault.address), market.coin(market.artist)) == (9_500, royalty + 500)
    assert open_listing(market.client, market.seaport, order) is Standing.FILLED


@pytest.mark.parametrize("way", ["cancel", "counter"])
def test_two_owners_take_a_listing_back(
    chain: Stage, market: Market, vault: Safe, way: str
) -> None:
    lot = Lot(chain.deployment.collection, TOKEN)
    order = relisting(market.client, market.seaport, vault.address, lot, market.terms(10_000))
    signature = safe_tx.sign_message(vault, digest(order, market.seaport), OWNERS[1:])
    data = cancellation(order) if way == "cancel" else increment_counter()
    _run(market, vault, _call(vault, market.seaport.address, data))
    assert open_listing(market.client, market.seaport, order).is_over
    with pytest.raises(ChainUnavailable):
        market.buy(order, signature, BUYER)
    assert owner_of(chain) == vault.address
