"""Orders and listings on the real Seaport 1.6."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from chain_market import BUYER, SELLER, STRANGER, Market, open_market, signed_by
from chain_node import Stage, person
from eth_account import Account
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain import create2
from chain.addresses import ZERO
from chain.client import ChainClient, RpcError
from chain.contracts import decode_event, encode_call, encode_signature, npm_artifact, view
from chain.listings import Lot, relisting, royalty_of, sign_order
from chain.local import ADMIN, anvil_keys
from chain.seaport import (
    CANONICAL,
    ConsiderationItem,
    ItemType,
    OfferItem,
    OrderComponents,
    OrderStatus,
    cancellation,
    coin_due,
    components,
    counter_of,
    deploy_seaport,
    digest,
    fulfilment,
    increment_counter,
    order_hash,
    order_status,
    read,
    validation,
    wallet_request,
)
from chain.signatures import verify, wrap_undeployed
from chain.typed_data import typed_data_digest
from returns.errors import (
    ChainUnavailable,
    ContractsMissing,
    ListingInvalid,
    OrderSignatureInvalid,
)

pytestmark = pytest.mark.chain

numbers = st.integers(0, 2**256 - 1)
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
words = st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex())
item: dict[str, Any] = {
    "itemType": st.sampled_from(ItemType),
    "token": addresses,
    "identifierOrCriteria": numbers,
    "startAmount": numbers,
    "endAmount": numbers,
}
orders = st.builds(
    OrderComponents,
    offerer=addresses,
    zone=addresses,
    offer=st.lists(st.builds(OfferItem, **item), max_size=3).map(tuple),
    consideration=st.lists(
        st.builds(ConsiderationItem, **item, recipient=addresses), max_size=4
    ).map(tuple),
    orderType=st.integers(0, 3),
    startTime=numbers,
    endTime=numbers,
    zoneHash=words,
    salt=numbers,
    conduitKey=words,
    counter=numbers,
)


@pytest.fixture(scope="module")
def opened(stage: Stage) -> Market:
    return open_market(stage)


@pytest.fixture
def market(opened: Market, chain: Stage) -> Market:
    """The module's market; whatever a test does to it is taken back."""
    return opened


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=orders)
def test_our_hash_is_seaports_and_our_digest_the_wallets(
    opened: Market, order: OrderComponents
) -> None:
    address = opened.seaport.address
    theirs = view(opened.client, address, "Seaport", "getOrderHash", components(order))
    assert order_hash(order) == theirs
    request = wallet_request(order, opened.seaport)
    assert digest(order, opened.seaport) == typed_data_digest(request)


def test_the_same_address_follows_from_the_same_code_and_nothing_is_deployed_twice(
    market: Market,
) -> None:
    before = market.client.block_number()
    assert deploy_seaport(market.client, person(ADMIN)) == market.seaport.address
    assert market.client.block_number() == before


def test_a_public_chains_own_seaport_is_taken(market: Market) -> None:
    market.stage.anvil.rpc("anvil_setCode", CANONICAL, "0x00")
    assert deploy_seaport(market.client, person(ADMIN)) == CANONICAL


def test_a_chain_without_the_deployer_is_named(market: Market) -> None:
    market.stage.anvil.rpc("anvil_setCode", create2.DEPLOYER, "0x")
    with pytest.raises(ContractsMissing, match="chain 31337 has no CREATE2 deployer"):
        create2.find_deployer(market.client)


def test_what_is_not_seaport_is_not_read_as_one(market: Market) -> None:
    for other in (person(ADMIN).address, market.plain):
        with pytest.raises(ContractsMissing, match="is not Seaport"):
            read(market.client, other)


def test_seaport_at_another_address_than_its_domain_says_is_refused(market: Market) -> None:
    """A signature would be asked for under a domain that no wallet could show."""
    answer = market.client.eth_call(market.seaport.address, encode_call(
        "Seaport", "information"))  # fmt: skip
    liar = "0x" + "5e" * 20
    code = b"".join(
        b"\x7f" + answer[at : at + 32] + b"\x61" + at.to_bytes(2) + b"\x52"
        for at in range(0, len(answer), 32)
    )
    code += b"\x61" + len(answer).to_bytes(2) + b"\x60\x00\xf3"
    market.stage.anvil.rpc("anvil_setCode", liar, "0x" + code.hex())
    assert market.client.eth_call(liar, b"") == answer
    with pytest.raises(ContractsMissing, match="of this chain"):
        read(market.client, liar)


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(ContractsMissing, match="nobody/nothing does not have a"):
        npm_artifact("nobody/nothing", "a.json")


def test_a_sale_in_coin_pays_royalty_and_vault_to_the_wei(market: Market) -> None:
    lot = market.lot(market.royal)
    order, signature = market.listed(lot, market.terms(price=1_000_019))
    before = market.coin(market.seller), market.coin(market.artist)
    market.buy(order, signature)
    after = market.coin(market.seller), market.coin(market.artist)
    # 5 % of 1,000,019 is 50,000.95: rounded down, the vault gets the rest.
    assert (after[0] - before[0], after[1] - before[1]) == (950_019, 50_000)
    assert market.owner(lot) == market.buyer
    assert market.coin(market.seaport.address) == 0
    filled = order_status(market.client, market.seaport, order_hash(order))
    assert filled == OrderStatus(validated=True, cancelled=False, filled=1, size=1)


def test_a_sale_in_dollars_pays_royalty_and_vault_to_the_cent(market: Market) -> None:
    lot = market.lot(market.royal)
    terms = market.terms(price=4_219, currency=market.stage.dollar)
    market.give_dollars(4_219)
    order, signature = market.listed(lot, terms)
    assert coin_due(order) == 0
    market.buy(order, signature)
    paid = [market.dollars(one) for one in (market.seller, market.artist, market.buyer)]
    assert paid == [4_009, 210, 0]
    assert market.owner(lot) == market.buyer


def test_an_amount_of_an_erc1155_is_sold_as_one_lot(market: Market) -> None:
    lot = market.lots(5)
    order, signature = market.listed(replace(lot, amount=3), market.terms(price=900))
    before = market.coin(market.seller)
    market.buy(order, signature)
    assert (market.count(lot, market.buyer), market.count(lot, market.seller)) == (3, 2)
    assert market.coin(market.seller) - before == 900
    assert len(order.consideration) == 1


def test_a_listing_can_be_bought_the_cheap_way(market: Market) -> None:
    """Front ends use Seaport's basic orders: the vault's share comes first, royalties behind it."""
    order, signature = market.listed(market.lot(market.royal), market.terms(price=2_000))
    token, (share, royalty) = order.offer[0], order.consideration
    basic = (ZERO, 0, share.startAmount, order.offerer, ZERO, token.token,
             token.identifierOrCriteria, 1, 0, order.startTime, order.endTime, bytes(32),
             order.salt, bytes(32), bytes(32), 1, [(royalty.startAmount, royalty.recipient)],
             signature)  # fmt: skip
    before = market.coin(market.artist)
    data = encode_call("Seaport", "fulfillBasicOrder", basic)
    market.send(BUYER, market.seaport.address, data, value=2_000)
    assert order_status(market.client, market.seaport, order_hash(order)).filled == 1
    assert market.coin(market.artist) - before == 100


def test_what_a_buyer_sends_too_much_comes_back(market: Market) -> None:
    order, signature = market.listed(market.lot(market.plain), market.terms(price=1_000))
    before = market.coin(market.buyer)
    data = fulfilment(order, signature)
    receipt = market.send(BUYER, market.seaport.address, data, value=5_000)
    fee = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert before - market.coin(market.buyer) - fee == 1_000


def test_a_sale_for_less_is_refused(market: Market) -> None:
    lot = market.lot(market.plain)
    order, signature = market.listed(lot, market.terms(price=1_000))
    with pytest.raises(ChainUnavailable, match="InsufficientNativeTokensSupplied"):
        market.send(BUYER, market.seaport.address, fulfilment(order, signature), value=999)
    assert market.owner(lot) == market.seller


def refused(market: Market, order: OrderComponents, signature: bytes, why: str) -> None:
    """Nobody can fill the order, for that reason, and nothing changed."""
    coin = market.coin(market.seller)
    status = order_status(market.client, market.seaport, order_hash(order))
    with pytest.raises(ChainUnavailable, match=why):
        market.buy(order, signature)
    assert market.owner(Lot(order.offer[0].token, order.offer[0].identifierOrCriteria)) == (
        order.offerer
    )
    assert market.coin(market.seller) == coin
    assert order_status(market.client, market.seaport, order_hash(order)) == status


def test_an_expired_listing_is_refused(market: Market) -> None:
    terms = market.terms()
    order, signature = market.listed(market.lot(market.plain), terms)
    market.later(86_400)
    refused(market, order, signature, rf"InvalidTime\({terms.starts}, {terms.ends}\)")


def test_a_listing_that_has_not_started_is_refused(market: Market) -> None:
    terms = market.terms(starts=market.now() + 3_600)
    order, signature = market.listed(market.lot(market.plain), terms)
    refused(market, order, signature, "InvalidTime")
    market.later(3_600)
    market.buy(order, signature)


def test_a_cancelled_listing_is_refused(market: Market) -> None:
    order, signature = market.listed(market.lot(market.plain))
    market.send(SELLER, market.seaport.address, cancellation(order))
    status = order_status(market.client, market.seaport, order_hash(order))
    assert status == OrderStatus(validated=False, cancelled=True, filled=0, size=0)
    refused(market, order, signature, f"OrderIsCancelled.0x{order_hash(order).hex()}")


def test_only_the_offerer_cancels(market: Market) -> None:
    order, signature = market.listed(market.lot(market.plain))
    with pytest.raises(ChainUnavailable, match="CannotCancelOrder"):
        market.send(STRANGER, market.seaport.address, cancellation(order))
    assert not order_status(market.client, market.seaport, order_hash(order)).cancelled
    market.buy(order, signature)


def test_a_raised_counter_voids_every_listing_signed_before(market: Market) -> None:
    both = [market.listed(market.lot(market.plain, token_id=one)) for one in (1, 2)]
    before = counter_of(market.client, market.seaport, market.seller)
    market.send(SELLER, market.seaport.address, increment_counter())
    assert counter_of(market.client, market.seaport, market.seller) > before == 0
    for order, signature in both:
        refused(market, order, signature, "InvalidSigner")


def test_a_validated_listing_needs_no_signature(market: Market) -> None:
    lot = market.lot(market.plain)
    order, signature = market.listed(lot)
    market.send(STRANGER, market.seaport.address, validation(order, signature))
    assert order_status(market.client, market.seaport, order_hash(order)).validated
    market.buy(order, b"")
    assert market.owner(lot) == market.buyer


def test_a_third_partys_signature_is_refused_here_and_on_chain(market: Market) -> None:
    lot = market.lot(market.plain)
    order = relisting(market.client, market.seaport, market.seller, lot, market.terms())
    with pytest.raises(OrderSignatureInvalid) as caught:
        sign_order(market.client, market.seaport, order, signed_by(STRANGER))
    assert caught.value.values["order"] == "0x" + order_hash(order).hex()
    theirs = signed_by(STRANGER)(digest(order, market.seaport))
    refused(market, order, theirs, "InvalidSigner")


def test_a_cheaper_order_than_the_signed_one_is_refused(market: Market) -> None:
    order, signature = market.listed(market.lot(market.plain))
    cheap = replace(order.consideration[0], startAmount=1, endAmount=1)
    refused(market, replace(order, consideration=(cheap,)), signature, "InvalidSigner")


def test_a_wallets_signature_over_the_request_sells(market: Market) -> None:
    lot = market.lot(market.plain)
    order = relisting(market.client, market.seaport, market.seller, lot, market.terms())
    request = wallet_request(order, market.seaport)
    signature = Account.sign_typed_data(anvil_keys()[SELLER], full_message=request).signature
    market.buy(order, bytes(signature))
    assert market.owner(lot) == market.buyer


def test_a_vault_that_is_a_contract_sells_by_eip1271(market: Market) -> None:
    lot = market.lot(market.royal, owner=market.wallet)
    market.give_dollars(10_000)
    terms = market.terms(price=10_000, currency=market.stage.dollar)
    order, signature = market.listed(lot, terms, vault=market.wallet)
    receipt = market.buy(order, signature)
    assert market.owner(lot) == market.buyer
    assert (market.dollars(market.wallet), market.dollars(market.artist)) == (9_500, 500)
    events = (decode_event("Seaport", log) for log in receipt["logs"])
    sold = [one.args for one in events if one and one.name == "OrderFulfilled"]
    assert [one["orderHash"] for one in sold] == ["0x" + order_hash(order).hex()]


def test_a_contract_vault_refuses_a_strangers_signature_and_cancels_by_itself(
    market: Market,
) -> None:
    lot = market.lot(market.plain, owner=market.wallet)
    terms = market.terms(currency=market.stage.dollar)
    order, signature = market.listed(lot, terms, vault=market.wallet)
    with pytest.raises(OrderSignatureInvalid):
        sign_order(market.client, market.seaport, order, signed_by(STRANGER))
    theirs = signed_by(STRANGER)(digest(order, market.seaport))
    refused(market, order, theirs, "BadContractSignature|InvalidSigner")
    market.run(market.seaport.address, cancellation(order))
    refused(market, order, signature, "OrderIsCancelled")


def test_a_wrapped_signature_cannot_sell_although_the_wallet_agrees(market: Market) -> None:
    """Our escrow understands EIP-6492, Seaport does not: it would refuse every buyer."""
    lot = market.lot(market.plain, owner=market.wallet)
    order, signature = market.listed(lot, vault=market.wallet)
    wrapped = wrap_undeployed(ZERO, b"", signature)
    assert verify(market.client, market.wallet, digest(order, market.seaport), wrapped)
    with pytest.raises(OrderSignatureInvalid):
        sign_order(market.client, market.seaport, order, lambda _: wrapped)
    refused(market, order, wrapped, "BadContractSignature|InvalidSigner")


@pytest.mark.parametrize("owners", [1, 2, 3, 5])
def test_signatures_of_many_owners_are_not_taken_for_a_bulk_order(
    market: Market, owners: int
) -> None:
    """Three signatures have the length of a bulk order's proof: Seaport must still ask for ours."""
    # Agrees (EIP-1271) to the one digest in its first slot of storage, whatever is the signature.
    vault, code = "0x" + "5a" * 20, "600435600054146316 26ba7e60e01b0260005260206000f3"
    rpc = market.stage.anvil.rpc
    rpc("anvil_setCode", vault, "0x" + code.replace(" ", ""))
    rpc("anvil_setBalance", vault, hex(10**18))
    rpc("anvil_impersonateAccount", vault)
    mint = encode_signature("mint(address,uint256)", vault, 7)
    market.send(ADMIN, market.plain, mint)
    approve = encode_signature("approve(address,uint256)", market.seaport.address, 7)
    market.stage.send(approve, to=market.plain, sender=vault)
    lot = Lot(market.plain, 7)
    terms = market.terms(currency=market.stage.dollar, price=5)
    market.give_dollars(5)
    order = relisting(market.client, market.seaport, vault, lot, terms)
    rpc("anvil_setStorageAt", vault, "0x0", "0x" + digest(order, market.seaport).hex())
    signature = sign_order(market.client, market.seaport, order, lambda _: b"\x11" * 65 * owners)
    market.buy(order, signature)
    assert market.owner(lot) == market.buyer


def test_a_royalty_to_the_vault_itself_is_one_share(market: Market) -> None:
    order = relisting(
        market.client, market.seaport, market.artist, Lot(market.royal, 1), market.terms(price=100)
    )
    assert [(one.recipient, one.startAmount) for one in order.consideration] == [
        (market.artist, 100)
    ]


def test_a_price_too_small_for_a_royalty_has_none(market: Market) -> None:
    terms = market.terms(price=19)
    order = relisting(market.client, market.seaport, market.seller, Lot(market.royal, 1), terms)
    assert [one.startAmount for one in order.consideration] == [19]
    terms = market.terms(price=20)
    order = relisting(market.client, market.seaport, market.seller, Lot(market.royal, 1), terms)
    assert [one.startAmount for one in order.consideration] == [19, 1]


#: Hand-written code of collections that answer royaltyInfo in their own way.
NO_ROYALTY = {
    "no code": "",
    "a revert": "60006000fd",
    "an invalid opcode": "fe",
    "nothing": "00",
    "one word": "600160005260206000f3",
    "no address": "60001960005260406000f3",
    "the zero address": "600560205260406000f3",
}


@pytest.mark.parametrize("name", NO_ROYALTY)
def test_a_collection_that_names_no_receiver_takes_no_royalty(market: Market, name: str) -> None:
    token = "0x" + "c1" * 20
    market.stage.anvil.rpc("anvil_setCode", token, "0x" + NO_ROYALTY[name])
    assert royalty_of(market.client, Lot(token, 1), 1_000) == (ZERO, 0)


@pytest.mark.parametrize("royalty", ["03e8", "03e9", "ffff"])
def test_a_royalty_that_leaves_nothing_is_refused(market: Market, royalty: str) -> None:
    token = "0x" + "c1" * 20
    code = f"0x60aa60005261{royalty}60205260406000f3"
    market.stage.anvil.rpc("anvil_setCode", token, code)
    with pytest.raises(ListingInvalid, match="leaves nothing of 1000"):
        relisting(
            market.client, market.seaport, market.seller, Lot(token, 1), market.terms(price=1_000)
        )


def test_a_node_that_is_away_costs_nobody_a_royalty() -> None:
    away = ChainClient("http://127.0.0.1:1", timeout=0.5)
    with pytest.raises(ChainUnavailable):
        royalty_of(away, Lot("0x" + "c1" * 20, 1), 1_000)


def test_a_node_that_is_overloaded_costs_nobody_a_royalty(market: Market) -> None:
    class Busy(ChainClient):
        def eth_call(self, to: str, data: bytes) -> bytes:
            raise RpcError("limit exceeded", -32005)

    with pytest.raises(ChainUnavailable, match="limit exceeded"):
        royalty_of(Busy(market.stage.url), Lot(market.royal, 1), 1_000)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"price": 0}, "price is 0"),
        ({"price": -1}, "price is -1"),
        ({"price": 2**256}, "price is 1157"),
        ({"ends": 5, "starts": 4}, "it ends at 5, starts at 4"),
        ({"starts": 2**40, "ends": 2**40}, "it ends at 1099511627776"),
    ],
)
def test_terms_that_no_buyer_could_meet_are_refused(
    market: Market, changed: dict[str, int], why: str
) -> None:
    terms = replace(market.terms(), **changed)  # type: ignore[arg-type]
    with pytest.raises(ListingInvalid, match=why):
        relisting(market.client, market.seaport, market.seller, Lot(market.plain, 1), terms)
