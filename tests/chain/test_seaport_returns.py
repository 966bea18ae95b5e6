"""Returns by Seaport: the zone on the real Seaport 1.6, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from chain_node import CHAIN_ID, person
from chain_zone import (
    APPROVER,
    CUSTOMER,
    REFUND,
    STRANGER,
    TOKEN_ID,
    UUID,
    VAULT,
    ZONE,
    Desk,
    desk,
    key_signature,
)

from chain.addresses import NATIVE, ZERO
from chain.contracts import encode_call, encode_signature, view
from chain.local import ADMIN, GUARDIAN, OPERATOR, TREASURER
from chain.seaport import (
    NO_CONDUIT,
    ItemType,
    OfferItem,
    OrderComponents,
    OrderType,
    counter_of,
    digest,
    increment_counter,
    order_hash,
    order_status,
    parameters,
    validation,
    wallet_request,
)
from chain.seaport import cancellation as seaport_cancellation
from chain.seaport_returns import (
    OPENSEA_CONDUIT,
    cancellation,
    cancellation_request,
    conduit_key_for,
    fulfilment,
    return_order,
    signed_cancellation,
    zone_hash,
)
from chain.typed_data import typed_data_digest

pytestmark = pytest.mark.chain

SETTLED, CANCELED = 3, 8
KEY = bytes(32)


@pytest.fixture(scope="module")
def shared() -> Iterator[Desk]:
    with desk() as built:
        yield built


@pytest.fixture
def shop(shared: Desk) -> Iterator[Desk]:
    before = shared.anvil.snapshot()
    yield shared
    shared.anvil.revert(before)


def word(text: str) -> bytes:
    return bytes.fromhex(text[2:])


# -- token against refund --------------------------------------------------------------------------


def test_a_token_is_exchanged_for_dollars_without_a_transaction_of_the_customer(shop: Desk) -> None:
    nonce = shop.client.transaction_count(shop.customer)
    wanted = shop.wanted()
    receipt = shop.fulfil(wanted)
    assert shop.owner() == shop.vault
    assert shop.dollars(shop.customer) == REFUND
    assert shop.float_of(shop.dollar) == 1_000_000_000 - REFUND == shop.dollars(shop.zone)
    assert (shop.allowance(), shop.state()) == (0, SETTLED)
    assert shop.client.transaction_count(shop.customer) == nonce
    (event,) = shop.events(receipt)
    assert event.name == "Swapped"
    assert event.args == {
        "line": wanted.line,
        "vault": shop.vault,
        "holder": shop.customer,
        "token": shop.plain,
        "tokenId": TOKEN_ID,
        "amount": 1,
        "recipient": shop.customer,
        "asset": shop.dollar,
        "refund": REFUND,
    }


def test_a_token_is_exchanged_for_coin_of_another_recipient(shop: Desk) -> None:
    recipient = "0x" + "12" * 20
    shop.fulfil(shop.wanted(asset=NATIVE, refund=10**17, recipient=recipient))
    assert shop.owner() == shop.vault
    assert shop.coin(recipient) == 10**17
    assert shop.float_of(NATIVE) == 10**19 - 10**17 == shop.coin(shop.zone)


@pytest.mark.parametrize("coin", [False, True])
def test_an_amount_of_an_erc1155_is_exchanged(shop: Desk, coin: bool) -> None:
    paid = {"asset": NATIVE, "refund": 5} if coin else {}
    wanted = shop.wanted(token=shop.many, token_id=3, amount=40, kind=ItemType.ERC1155, **paid)
    before = shop.coin(shop.customer)
    shop.fulfil(wanted)
    assert (shop.count(shop.customer), shop.count(shop.vault)) == (60, 40)
    assert shop.coin(shop.customer) - before == (5 if coin else 0)
    assert shop.dollars(shop.customer) == (0 if coin else REFUND)


def test_what_the_wallet_shows_is_what_seaport_checks(shop: Desk) -> None:
    wanted = shop.wanted()
    order, signature = shop.signed(wanted)
    request = wallet_request(order, shop.seaport)
    assert typed_data_digest(request) == digest(order, shop.seaport)
    assert request["message"]["zone"] == shop.zone
    assert request["message"]["zoneHash"] == zone_hash(wanted.line, wanted.vault)
    assert signature == key_signature(CUSTOMER, typed_data_digest(request))
    assert return_order(wanted, shop.zone, order.counter) == order


def test_our_zone_hash_is_the_contracts(shop: Desk) -> None:
    line = shop.line()
    said = view(shop.client, shop.zone, ZONE, "zoneHashOf", word(line), shop.vault)
    assert "0x" + said.hex() == zone_hash(line, shop.vault)


def test_an_order_that_was_validated_needs_no_signature(shop: Desk) -> None:
    wanted = shop.wanted()
    order, signature = shop.signed(wanted)
    shop.send(STRANGER, shop.seaport.address, validation(order, signature))
    shop.send(OPERATOR, shop.zone, fulfilment(wanted, order, b""))
    assert shop.owner() == shop.vault


def test_coin_that_somebody_forced_into_seaport_stops_no_return(shop: Desk) -> None:
    shop.anvil.rpc("anvil_setBalance", shop.seaport.address, hex(77))
    shop.fulfil(shop.wanted(asset=NATIVE, refund=10**17, recipient="0x" + "12" * 20))
    assert shop.coin("0x" + "12" * 20) == 10**17
    assert shop.float_of(NATIVE) == 10**19 - 10**17
    assert shop.coin(shop.zone) == 10**19 - 10**17 + 77


# -- strangers -------------------------------------------------------------------------------------


def advanced(order: OrderComponents, signature: bytes) -> tuple[Any, ...]:
    return (parameters(order), 1, 1, signature, b"")


def fulfill_order(order: OrderComponents, signature: bytes, who: str) -> bytes:
    return encode_call("Seaport", "fulfillOrder", (parameters(order), signature), KEY)


def fulfill_advanced(order: OrderComponents, signature: bytes, who: str) -> bytes:
    args = (advanced(order, signature), [], KEY, who)
    return encode_call("Seaport", "fulfillAdvancedOrder", *args)


def fulfill_available(order: OrderComponents, signature: bytes, who: str) -> bytes:
    args = ([(parameters(order), signature)], [[(0, 0)]], [[(0, 0)]], KEY, 1)
    return encode_call("Seaport", "fulfillAvailableOrders", *args)


def fulfill_available_advanced(order: OrderComponents, signature: bytes, who: str) -> bytes:
    args = ([advanced(order, signature)], [], [[(0, 0)]], [[(0, 0)]], KEY, who, 1)
    return encode_call("Seaport", "fulfillAvailableAdvancedOrders", *args)


def mirror(order: OrderComponents, who: str) -> OrderComponents:
    """What a counterpart offers and wants; it needs no signature from who sends the call."""
    (given,), (wanted,) = order.offer, order.consideration
    offer = OfferItem(*(getattr(wanted, name) for name in OfferItem.__slots__))
    fields = {name: getattr(given, name) for name in OfferItem.__slots__}
    return replace(
        order,
        offerer=who,
        zone=ZERO,
        orderType=OrderType.FULL_OPEN,
        offer=(offer,),
        consideration=(type(wanted)(**fields, recipient=who),),
    )


MATCHES = [([(0, 0)], [(1, 0)]), ([(1, 0)], [(0, 0)])]


def match_orders(order: OrderComponents, signature: bytes, who: str) -> bytes:
    other = (parameters(mirror(order, who)), b"")
    return encode_call("Seaport", "matchOrders", [(parameters(order), signature), other], MATCHES)


def match_advanced(order: OrderComponents, signature: bytes, who: str) -> bytes:
    both = [advanced(order, signature), advanced(mirror(order, who), b"")]
    return encode_call("Seaport", "matchAdvancedOrders", both, [], MATCHES, who)


def basic(function: str, order: OrderComponents, signature: bytes) -> bytes:
    (given,), (wanted,) = order.offer, order.consideration
    #: Of the routes: ERC-20 against ERC-721.
    kind = 4 * 2 + order.orderType
    terms = (
        wanted.token,
        0,
        wanted.startAmount,
        order.offerer,
        order.zone,
        given.token,
        given.identifierOrCriteria,
        1,
        kind,
        order.startTime,
        order.endTime,
        word(order.zoneHash),
        order.salt,
        word(order.conduitKey),
        KEY,
        0,
        [],
        signature,
    )
    return encode_call("Seaport", function, terms)


def fulfill_basic(order: OrderComponents, signature: bytes, who: str) -> bytes:
    return basic("fulfillBasicOrder", order, signature)


def fulfill_basic_efficient(order: OrderComponents, signature: bytes, who: str) -> bytes:
    return basic("fulfillBasicOrder_efficient_6GL6yc", order, signature)


WAYS = [
    fulfill_order,
    fulfill_advanced,
    fulfill_available,
    fulfill_available_advanced,
    match_orders,
    match_advanced,
    fulfill_basic,
    fulfill_basic_efficient,
]


def rich(shop: Desk, who: int) -> str:
    """Somebody who has the money and has approved it: nothing but the zone is in the way."""
    address, market = person(who).address, shop.seaport.address
    shop.send(ADMIN, shop.dollar, encode_call("TestDollar", "mint", address, REFUND))
    shop.send(who, shop.dollar, encode_call("TestDollar", "approve", market, REFUND))
    return address


@pytest.mark.parametrize("who", [STRANGER, CUSTOMER, VAULT, OPERATOR])
@pytest.mark.parametrize("way", WAYS)
def test_nobody_else_can_fulfil_it(shop: Desk, way: Any, who: int) -> None:
    wanted = shop.wanted()
    order, signature = shop.signed(wanted)
    caller = rich(shop, who)
    why = shop.refused(who, shop.seaport.address, way(order, signature, caller))
    asked = f"ZoneForeignFulfiller(0x{order_hash(order).hex()}, {caller})"
    # Where several orders could be filled, Seaport skips those that a zone refuses.
    skipped = way in (fulfill_available, fulfill_available_advanced)
    assert why == ("NoSpecifiedOrdersAvailable()" if skipped else asked)
    shop.send(OPERATOR, shop.zone, fulfilment(wanted, order, signature))
    assert shop.owner() == shop.vault


@pytest.mark.parametrize("way", WAYS)
def test_the_same_calls_fulfil_an_order_without_our_zone(shop: Desk, way: Any) -> None:
    """So that the refusals above are the zone's, and not those of a malformed call."""
    order, _ = shop.signed(shop.wanted())
    order = replace(order, zone=ZERO, orderType=OrderType.FULL_OPEN)
    signature = key_signature(CUSTOMER, digest(order, shop.seaport))
    stranger = rich(shop, STRANGER)
    shop.send(STRANGER, shop.seaport.address, way(order, signature, stranger))
    assert shop.owner() == stranger
    assert shop.dollars(shop.customer) == REFUND


def test_nobody_else_can_fulfil_it_for_coin(shop: Desk) -> None:
    order, signature = shop.signed(shop.wanted(asset=NATIVE, refund=5))
    for way in (fulfill_order, fulfill_advanced):
        data = way(order, signature, person(STRANGER).address)
        why = shop.refused(STRANGER, shop.seaport.address, data, 5)
        assert why.startswith("ZoneForeignFulfiller(")


def test_a_validated_order_is_still_the_zones_alone(shop: Desk) -> None:
    order, signature = shop.signed(shop.wanted())
    shop.send(STRANGER, shop.seaport.address, validation(order, signature))
    data = fulfill_order(order, b"", rich(shop, STRANGER))
    why = shop.refused(STRANGER, shop.seaport.address, data)
    assert why.startswith("ZoneForeignFulfiller(")


@pytest.mark.parametrize("who", [STRANGER, CUSTOMER, VAULT, ADMIN])
def test_only_an_operator_asks_the_zone(shop: Desk, who: int) -> None:
    why = shop.refused(who, shop.zone, shop.call(shop.wanted()))
    assert why.startswith(f"AccessControlUnauthorizedAccount({person(who).address}")


# -- another return than the signed one ------------------------------------------------------------


def test_another_line_is_refused(shop: Desk) -> None:
    wanted = shop.wanted()
    order, signature = shop.signed(wanted)
    other = replace(wanted, line=shop.line(UUID + 1))
    why = shop.refused(OPERATOR, shop.zone, fulfilment(other, order, signature))
    expected = zone_hash(other.line, shop.vault)
    assert why == f"ZoneOtherReturn({other.line}, {order.zoneHash}, {expected})"
    foreign = replace(wanted, line=shop.line(holder=person(STRANGER).address))
    why = shop.refused(OPERATOR, shop.zone, fulfilment(foreign, order, signature))
    assert why == f"ZoneForeignLine({foreign.line}, {shop.customer})"


def test_another_vault_is_refused(shop: Desk) -> None:
    wanted = shop.wanted()
    order, signature = shop.signed(wanted)
    other = replace(wanted, vault=person(STRANGER).address)
    data = fulfilment(other, order, signature)
    assert shop.refused(OPERATOR, shop.zone, data) == f"MerchantUnknown({other.vault})"
    shop.change(encode_call(ZONE, "registerMerchant", other.vault))
    expected = zone_hash(wanted.line, other.vault)
    why = shop.refused(OPERATOR, shop.zone, data)
    assert why == f"ZoneOtherReturn({wanted.line}, {order.zoneHash}, {expected})"
    # Nor by an order whose hash is made to fit: that was not signed.
    fitting = replace(order, zoneHash=expected)
    shop.send(ADMIN, shop.dollar, encode_call("TestDollar", "approve", shop.zone, REFUND))
    shop.send(ADMIN, shop.dollar, encode_call("TestDollar", "mint", shop.admin, REFUND))
    limits = (other.vault, shop.dollar, 6, REFUND >> 6, REFUND >> 6)
    shop.change(encode_call(ZONE, "setLimits", *limits))
    fund = encode_call(ZONE, "fundFloat", other.vault, shop.dollar, REFUND)
    shop.send(ADMIN, shop.zone, fund)
    why = shop.refused(OPERATOR, shop.zone, fulfilment(other, fitting, signature))
    assert why == failed(wanted.line, "InvalidSigner()")


@pytest.mark.parametrize(
    "change", [{"refund": REFUND - 1}, {"refund": REFUND + 1}, {"recipient": "0x" + "12" * 20}]
)
def test_a_changed_refund_is_refused(shop: Desk, change: dict[str, Any]) -> None:
    wanted = shop.wanted()
    _, signature = shop.signed(wanted)
    changed, _ = shop.signed(replace(wanted, **change))
    why = shop.refused(OPERATOR, shop.zone, fulfilment(wanted, changed, signature))
    assert why == failed(wanted.line, "InvalidSigner()")


def test_another_amount_of_the_token_is_refused(shop: Desk) -> None:
    many = {"token": shop.many, "token_id": 3, "kind": ItemType.ERC1155}
    wanted = shop.wanted(amount=40, **many)
    _, signature = shop.signed(wanted)
    changed, _ = shop.signed(replace(wanted, amount=41))
    why = shop.refused(OPERATOR, shop.zone, fulfilment(wanted, changed, signature))
    assert why == failed(wanted.line, "InvalidSigner()")


def test_a_tip_is_refused(shop: Desk) -> None:
    wanted = shop.wanted()
    order, signature = shop.signed(wanted)
    terms = list(parameters(order))
    terms[3] = terms[3] * 2
    tipped = (tuple(terms), 1, 1, signature, b"")
    data = encode_call(ZONE, "fulfil", word(wanted.line), wanted.vault, tipped, b"")
    why = shop.refused(OPERATOR, shop.zone, data)
    assert why == f"ZoneWrongItemCount({wanted.line}, 1, 2, 1)"


# -- over ------------------------------------------------------------------------------------------


def test_an_order_passes_until_its_deadline_and_not_after(shop: Desk) -> None:
    wanted = shop.wanted()
    order, signature = shop.signed(wanted)
    data = fulfilment(wanted, order, signature)
    before = shop.anvil.snapshot()
    shop.anvil.rpc("evm_setNextBlockTimestamp", wanted.deadline)
    shop.send(OPERATOR, shop.zone, data)
    assert shop.now() == wanted.deadline
    assert shop.owner() == shop.vault
    shop.anvil.revert(before)
    shop.anvil.rpc("evm_setNextBlockTimestamp", wanted.deadline + 1)
    why = shop.refused(OPERATOR, shop.zone, data)
    assert why == f"ZoneNotInTime({wanted.line}, 0, {wanted.deadline + 1})"


def test_an_order_that_was_canceled_at_seaport_is_refused(shop: Desk) -> None:
    wanted = shop.wanted()
    order, signature = shop.signed(wanted)
    shop.send(CUSTOMER, shop.seaport.address, seaport_cancellation(order))
    assert order_status(shop.client, shop.seaport, order_hash(order)).cancelled
    why = shop.refused(OPERATOR, shop.zone, fulfilment(wanted, order, signature))
    assert why == failed(wanted.line, "OrderIsCancelled(bytes32)", order_hash(order))


def test_an_order_under_an_old_counter_is_refused(shop: Desk) -> None:
    wanted = shop.wanted()
    order, signature = shop.signed(wanted)
    shop.send(CUSTOMER, shop.seaport.address, increment_counter())
    assert counter_of(shop.client, shop.seaport, shop.customer) != order.counter
    why = shop.refused(OPERATOR, shop.zone, fulfilment(wanted, order, signature))
    assert why == failed(wanted.line, "InvalidSigner()")
    shop.fulfil(wanted)
    assert shop.owner() == shop.vault


def test_an_order_pays_once(shop: Desk) -> None:
    wanted = shop.wanted()
    order, signature = shop.signed(wanted)
    shop.send(OPERATOR, shop.zone, fulfilment(wanted, order, signature))
    back = encode_signature(
        "transferFrom(address,address,uint256)", shop.vault, shop.customer, TOKEN_ID
    )
    shop.send(VAULT, shop.plain, back)
    used = f"ZoneLineUsed({wanted.line}, {SETTLED})"
    assert shop.refused(OPERATOR, shop.zone, fulfilment(wanted, order, signature)) == used
    # Nor by another order for the same line.
    assert shop.refused(OPERATOR, shop.zone, shop.call(replace(wanted, refund=1))) == used
    assert shop.dollars(shop.customer) == REFUND


def test_a_holder_cancels_its_line_without_gas(shop: Desk) -> None:
    wanted = shop.wanted()
    request = cancellation_request(wanted.line, shop.customer, CHAIN_ID, shop.zone)
    signature = key_signature(CUSTOMER, typed_data_digest(request))
    shop.send(STRANGER, shop.zone, signed_cancellation(wanted.line, shop.customer, signature))
    why = shop.refused(OPERATOR, shop.zone, shop.call(wanted))
    assert why == f"ZoneLineUsed({wanted.line}, {CANCELED})"


def test_a_holder_cancels_its_line_and_nobody_elses_also_while_paused(shop: Desk) -> None:
    shop.send(GUARDIAN, shop.zone, encode_call(ZONE, "pause"))
    assert shop.refused(OPERATOR, shop.zone, shop.call(shop.wanted())) == "EnforcedPause()"
    why = shop.refused(STRANGER, shop.zone, cancellation(shop.line()))
    assert why == f"ZoneForeignLine({shop.line()}, {person(STRANGER).address})"
    shop.send(CUSTOMER, shop.zone, cancellation(shop.line()))
    assert shop.state() == CANCELED


# -- float and limits ------------------------------------------------------------------------------


def test_a_float_that_is_too_low_is_refused(shop: Desk) -> None:
    left = encode_call(ZONE, "withdrawFloat", shop.vault, shop.dollar, 1_000_000_001 - REFUND)
    shop.send(TREASURER, shop.zone, left)
    why = shop.refused(OPERATOR, shop.zone, shop.call(shop.wanted()))
    assert why == f"FloatTooLow({shop.vault}, {shop.dollar}, {REFUND - 1}, {REFUND})"


def test_above_the_limit_a_second_person_signs(shop: Desk) -> None:
    wanted = shop.wanted(refund=100_000_001)
    why = shop.refused(OPERATOR, shop.zone, shop.call(wanted))
    assert why == f"FloatApprovalMissing({wanted.line}, {shop.dollar}, 100000001)"
    by_operator = shop.approval(wanted, OPERATOR)
    why = shop.refused(OPERATOR, shop.zone, shop.call(wanted, by_operator))
    assert why.startswith(f"AccessControlUnauthorizedAccount({person(OPERATOR).address}")
    receipt = shop.fulfil(wanted, shop.approval(wanted))
    assert shop.dollars(shop.customer) == 100_000_001
    approved, swapped = shop.events(receipt)
    assert (approved.name, swapped.name) == ("RefundApproved", "Swapped")
    assert approved.args == {"id": wanted.line, "approver": person(APPROVER).address}


# -- batches ---------------------------------------------------------------------------------------


def test_one_bad_order_of_a_batch_fails_alone_and_says_why(shop: Desk) -> None:
    ids = range(100, 104)
    for token_id in ids:
        shop.mint(token_id)
    returns = [shop.wanted(line=shop.line(one), token_id=one, refund=1_000_000) for one in ids]
    calls = [shop.call(one) for one in returns]
    bad, _ = shop.signed(returns[2])
    shop.send(CUSTOMER, shop.seaport.address, seaport_cancellation(bad))
    receipt = shop.send(OPERATOR, shop.zone, encode_call(ZONE, "batch", calls, 400_000))
    names = [event.name for event in shop.events(receipt)]
    assert names == ["Swapped", "Swapped", "ItemFailed", "Swapped"]
    failure = shop.events(receipt)[2].args
    assert (failure["id"], failure["index"]) == (returns[2].line, 2)
    assert order_hash(bad).hex() in failure["reason"]
    assert [shop.owner(one) == shop.vault for one in ids] == [True, True, False, True]
    assert shop.dollars(shop.customer) == 3_000_000
    assert shop.float_of(shop.dollar) == 997_000_000
    assert [shop.state(one.line) for one in returns] == [SETTLED, SETTLED, 0, SETTLED]


# -- approvals -------------------------------------------------------------------------------------


def key_of(shop: Desk, token: str | None = None, *conduits: str) -> str | None:
    keys = conduits or (OPENSEA_CONDUIT,)
    token = token or shop.plain
    return conduit_key_for(shop.client, shop.seaport, shop.customer, token, TOKEN_ID, keys)


def test_an_approval_for_seaport_is_found(shop: Desk) -> None:
    assert key_of(shop) == NO_CONDUIT
    assert key_of(shop, shop.many) == NO_CONDUIT
    shop.approve_all(shop.plain, shop.seaport.address, False)
    assert key_of(shop) is None
    one = encode_signature("approve(address,uint256)", shop.seaport.address, TOKEN_ID)
    shop.send(CUSTOMER, shop.plain, one)
    assert key_of(shop) == NO_CONDUIT


def test_what_answers_nothing_has_approved_nothing(shop: Desk) -> None:
    assert key_of(shop, person(STRANGER).address) is None
    assert key_of(shop, shop.dollar) is None


def test_a_token_that_is_approved_for_a_conduit_returns_by_it(shop: Desk) -> None:
    shop.approve_all(shop.plain, shop.seaport.address, False)
    key = person(CUSTOMER).address + "00" * 12
    controller = shop.seaport.conduit_controller
    made = encode_signature("createConduit(bytes32,address)", word(key), shop.customer)
    shop.send(CUSTOMER, controller, made)
    found = shop.client.eth_call(controller, encode_signature("getConduit(bytes32)", word(key)))
    conduit = "0x" + found[12:32].hex()
    shop.approve_all(shop.plain, conduit)
    assert key_of(shop, None, OPENSEA_CONDUIT, key) is None, "Seaport may not use it yet"
    market = (conduit, shop.seaport.address, True)
    channel = encode_signature("updateChannel(address,address,bool)", *market)
    shop.send(CUSTOMER, controller, channel)
    assert key_of(shop, None, OPENSEA_CONDUIT, key) == key
    wanted = shop.wanted()
    order, signature = shop.signed(wanted, key)
    shop.send(OPERATOR, shop.zone, fulfilment(wanted, order, signature))
    assert shop.owner() == shop.vault
    assert shop.dollars(shop.customer) == REFUND


def failed(line: str, signature: str, *words: bytes) -> str:
    """The zone's refusal with Seaport's own inside."""
    reason = encode_signature(signature, *words)
    return f"ZoneFulfilmentFailed({line}, 0x{reason.hex()})"
