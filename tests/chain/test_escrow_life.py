"""Every function of the escrow as it is used from Python: real signatures, real transactions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import vaults
from chain_life import (
    COIN,
    DAY,
    DEAD,
    DOLLARS,
    EURO,
    HOLDER,
    MERCHANT,
    PARTIAL_REFUND,
    PAYER,
    PROMISED,
    REPLACEMENT,
    STORE_CREDIT,
    TOKEN,
    Life,
    changing_functions,
    exercises,
    fund_dollars,
    mint_token,
    names,
    struct,
    told,
    used_as,
)
from chain_node import VAULT, create, person

from chain import safe, safe_tx
from chain.addresses import NATIVE, ZERO
from chain.contracts import encode_call, item_reason
from chain.local import ADMIN, APPROVER, CUSTOMERS, GUARDIAN, OPERATOR, TREASURER
from chain.typed_data import RefundApproval, ReturnAuthorization

pytestmark = pytest.mark.chain

GUARD, TREASURY, OTHER_ADMIN = person(GUARDIAN), person(TREASURER), person(ADMIN + 1)
STRANGER = person(CUSTOMERS[3])
PAYOUT = UUID(int=99).int.to_bytes(32, "big")
GAS_EACH = 400_000


def test_every_function_that_changes_something_is_promised_by_a_test() -> None:
    here = [used for name, used in PROMISED.items() if name in globals()]
    assert set().union(*here) == changing_functions()


# -- custody ---------------------------------------------------------------------------------------


@exercises("deposit", "commit", "settle")
def test_a_fiat_refund_is_deposited_committed_and_settled(life: Life) -> None:
    auth = life.authorization()
    assert told(life.deposit(auth), "Deposited") == {
        "line": auth.line,
        "vault": VAULT,
        "depositor": HOLDER.address,
        "authorization": struct(auth),
    }
    assert (life.state(auth), life.owner()) == ("held", life.escrow)
    events = life.run("commit", auth.as_tuple(), b"")
    assert told(events, "Committed") == {"line": auth.line, "reclaimAfter": auth.commitUntil}
    assert life.state(auth) == "committed"
    events = life.run("settle", auth.as_tuple(), b"")
    moved = {"line": auth.line, "vault": VAULT, "token": life.collection}
    assert told(events, "Settled") == {**moved, "tokenId": TOKEN, "amount": 1}
    assert names(events) == ["Settled"]
    assert (life.state(auth), life.owner()) == ("settled", VAULT)
    assert life.ask("isUsed", auth.as_tuple())


@exercises("deposit", "commit", "burn")
def test_our_collection_really_burns_what_is_returned(life: Life) -> None:
    auth = life.authorization()
    life.deposit(auth)
    assert life.refused("burn", auth.as_tuple(), b"").startswith("ReturnEscrowWrongState(")
    life.run("commit", auth.as_tuple(), b"")
    burned = told(life.run("burn", auth.as_tuple(), b""), "Burned")
    assert burned == {
        "line": auth.line,
        "token": life.collection,
        "tokenId": TOKEN,
        "amount": 1,
        "destroyed": True,
    }
    assert (life.state(auth), life.owner()) == ("burned", None)


@exercises("deposit", "burn")
def test_a_collection_that_cannot_burn_gives_its_token_to_the_dead_address(life: Life) -> None:
    auth = life.crypto(token=life.plain)
    life.deposit(auth)
    events = life.run("burn", auth.as_tuple(), b"")
    assert names(events) == ["Burned", "Refunded"]
    assert told(events, "Burned")["destroyed"] is False
    assert (life.state(auth), life.owner(life.plain)) == ("burned", DEAD)


@exercises("deposit", "release")
def test_a_released_token_is_back_with_its_depositor(life: Life) -> None:
    auth = life.authorization()
    life.deposit(auth)
    released = told(life.run("release", auth.as_tuple()), "Released")
    assert released == {
        "line": auth.line,
        "depositor": HOLDER.address,
        "token": life.collection,
        "tokenId": TOKEN,
        "amount": 1,
    }
    assert (life.state(auth), life.owner()) == ("released", HOLDER.address)
    again = life.refused("deposit", auth.as_tuple(), life.sign(auth))
    assert again == f"ReturnEscrowIdUsed({auth.line}, 5)"


@exercises("deposit", "pause", "reclaim", "unpause")
def test_a_depositor_reclaims_after_the_date_also_while_paused(life: Life) -> None:
    auth, to = life.authorization(), PAYER.address
    life.deposit(auth)
    early = life.refused("reclaim", auth.as_tuple(), to, by=HOLDER)
    assert early == f"ReturnEscrowReclaimTooEarly({auth.line}, {auth.reclaimAfter})"
    life.later(7 * DAY + 2)
    foreign = life.refused("reclaim", auth.as_tuple(), to, by=STRANGER)
    assert foreign == f"ReturnEscrowNotDepositor({auth.line}, {STRANGER.address})"
    assert told(life.run("pause", by=GUARD), "Paused") == {"account": GUARD.address}
    assert life.refused("release", auth.as_tuple()) == "EnforcedPause()"
    events = life.run("reclaim", auth.as_tuple(), to, by=HOLDER)
    token = {"token": life.collection, "tokenId": TOKEN, "amount": 1}
    who = {"depositor": HOLDER.address, "to": to}
    assert told(events, "Reclaimed") == {"line": auth.line, **who, **token}
    assert (life.state(auth), life.owner()) == ("reclaimed", to)
    assert told(life.run("unpause", by=GUARD), "Unpaused") == {"account": GUARD.address}


@exercises("deposit", "commit", "reclaim")
def test_a_committed_token_is_reclaimed_after_the_second_date_only(life: Life) -> None:
    auth = life.authorization()
    life.deposit(auth)
    life.run("commit", auth.as_tuple(), b"")
    life.later(8 * DAY)
    early = life.refused("reclaim", auth.as_tuple(), HOLDER.address, by=HOLDER)
    assert early == f"ReturnEscrowReclaimTooEarly({auth.line}, {auth.commitUntil})"
    life.later(23 * DAY)
    life.run("reclaim", auth.as_tuple(), HOLDER.address, by=HOLDER)
    assert life.owner() == HOLDER.address


@exercises("deposit", "commit")
def test_a_card_refund_above_the_limit_needs_the_second_person(life: Life) -> None:
    auth = life.authorization(refund=10_001)
    life.deposit(auth)
    alone = life.refused("commit", auth.as_tuple(), b"")
    assert alone == f"FloatApprovalMissing({auth.line}, {EURO}, 10001)"
    assert life.state(auth) == "held"
    events = life.run("commit", auth.as_tuple(), life.approve(auth))
    assert names(events) == ["RefundApproved", "Committed"]
    approved = {"id": auth.line, "approver": person(APPROVER).address}
    assert told(events, "RefundApproved") == approved


@exercises("deposit", "commit", "settle")
def test_store_credit_goes_the_way_of_a_fiat_refund(life: Life) -> None:
    auth = life.authorization(remedy=STORE_CREDIT)
    life.deposit(auth)
    assert life.refused("swap", auth.as_tuple(), life.sign(auth), b"").startswith(
        "ReturnEscrowWrongRemedy("
    )
    life.run("commit", auth.as_tuple(), b"")
    life.run("settle", auth.as_tuple(), b"")
    assert life.owner() == VAULT
    assert life.float_of(NATIVE) == COIN


# -- money -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("asset", ["coin", "dollars"])
@exercises("deposit", "settle")
def test_a_deposit_with_a_crypto_refund_is_settled_against_it(life: Life, asset: str) -> None:
    auth, before = in_asset(life, asset), had(life, asset)
    life.deposit(auth)
    events = life.run("settle", auth.as_tuple(), b"")
    assert names(events) == ["Settled", "Refunded"]
    assert told(events, "Refunded") == refunded(auth)
    assert (life.state(auth), life.owner()) == ("settled", VAULT)
    assert had(life, asset) == (before[0] + auth.refund, before[1] - auth.refund)


@pytest.mark.parametrize("asset", ["coin", "dollars"])
@exercises("swap")
def test_token_and_refund_change_places_in_one_transaction(life: Life, asset: str) -> None:
    auth, before = in_asset(life, asset), had(life, asset)
    events = life.run("swap", auth.as_tuple(), life.sign(auth), b"")
    assert told(events, "Swapped") == {
        "line": auth.line,
        "vault": VAULT,
        "holder": HOLDER.address,
        "token": life.collection,
        "tokenId": TOKEN,
        "amount": 1,
        "recipient": PAYER.address,
        "asset": auth.asset,
        "refund": auth.refund,
    }
    assert names(events) == ["Swapped"]
    assert (life.state(auth), life.owner()) == ("settled", VAULT)
    assert had(life, asset) == (before[0] + auth.refund, before[1] - auth.refund)


@exercises("setLimits", "swap")
def test_above_the_limit_a_swap_needs_a_second_person(life: Life) -> None:
    limits = told(life.by_two("setLimits", VAULT, NATIVE, 40, 1, 2), "LimitsSet")
    assert limits == {"vault": VAULT, "asset": NATIVE, "unit": 40, "single": 1, "daily": 2}
    auth = life.crypto(refund=2**40 + 1)
    signature = life.sign(auth)
    alone = life.refused("swap", auth.as_tuple(), signature, b"")
    assert alone == f"FloatApprovalMissing({auth.line}, {NATIVE}, {auth.refund})"
    for useless in (
        life.approve(auth, amount=auth.refund + 1),
        life.approve(auth, recipient=STRANGER.address),
        life.approve(auth, person(OPERATOR)),
        life.approve(auth, deadline=life.now() - 1),
    ):
        life.refused("swap", auth.as_tuple(), signature, useless)
    events = life.run("swap", auth.as_tuple(), signature, life.approve(auth))
    assert names(events) == ["RefundApproved", "Swapped"]
    assert life.owner() == VAULT


@exercises("swap")
def test_a_partial_refund_leaves_the_token_with_its_holder(life: Life) -> None:
    auth = life.crypto(recipient=PAYER.address, number=2)
    auth = life.authorization(**{**struct(auth), "remedy": PARTIAL_REFUND})
    before = had(life, "coin")
    refusal = life.refused("deposit", auth.as_tuple(), life.sign(auth))
    assert refusal == f"ReturnEscrowWrongRemedy({auth.line}, {PARTIAL_REFUND})"
    events = life.run("swap", auth.as_tuple(), life.sign(auth), b"")
    assert names(events) == ["Kept", "Refunded"]
    kept = {"vault": VAULT, "holder": HOLDER.address, "token": life.collection, "tokenId": TOKEN}
    assert told(events, "Kept") == {"line": auth.line, **kept}
    assert told(events, "Refunded") == refunded(auth)
    assert life.owner() == HOLDER.address
    assert had(life, "coin") == (before[0] + auth.refund, before[1] - auth.refund)


@exercises("payOut")
def test_a_payout_pays_once(life: Life) -> None:
    refund = (PAYOUT, VAULT, life.dollar, 25 * 10**6, PAYER.address)
    assert told(life.run("payOut", refund, b""), "Refunded") == {
        "id": "0x" + PAYOUT.hex(),
        "vault": VAULT,
        "recipient": PAYER.address,
        "asset": life.dollar,
        "amount": 25 * 10**6,
    }
    assert (life.state(PAYOUT), life.dollars(PAYER.address)) == ("paid", 25 * 10**6)
    again = life.refused("payOut", refund, b"")
    assert again == f"ReturnEscrowIdUsed(0x{PAYOUT.hex()}, 7)"
    other = life.refused("payOut", (*refund[:3], 1, STRANGER.address), b"")
    assert other == again


@exercises("payOut", "setLimits")
def test_a_payout_above_the_limit_needs_a_second_person(life: Life) -> None:
    life.by_two("setLimits", VAULT, life.dollar, 0, 100, 100)
    approval = RefundApproval(
        "0x" + PAYOUT.hex(), VAULT, life.dollar, 101, PAYER.address, life.now() + DAY
    )
    refund = (PAYOUT, VAULT, life.dollar, 101, PAYER.address)
    alone = life.refused("payOut", refund, b"")
    assert alone == f"FloatApprovalMissing(0x{PAYOUT.hex()}, {life.dollar}, 101)"
    events = life.run("payOut", refund, life.approve_refund(approval))
    assert names(events) == ["RefundApproved", "Refunded"]
    assert life.dollars(PAYER.address) == 101


@exercises("payOut", "claim")
def test_who_refused_a_push_fetches_the_claim(life: Life) -> None:
    client = life.stage.client
    shy = create(client, "RefusingRecipient", file="Accounts")
    events = life.run("payOut", (PAYOUT, VAULT, NATIVE, 10**18, shy), b"")
    assert names(events) == ["ClaimReserved", "Refunded"]
    assert told(events, "ClaimReserved") == {
        "id": "0x" + PAYOUT.hex(),
        "recipient": shy,
        "asset": NATIVE,
        "amount": 10**18,
    }
    assert (life.ask("claimable", NATIVE, shy), life.coin(shy)) == (10**18, 0)
    nothing = life.refused("claim", NATIVE, STRANGER.address, by=STRANGER)
    assert nothing == f"FloatNothingToClaim({NATIVE}, {STRANGER.address})"
    life.send(STRANGER, shy, "setOpen(bool)", True)
    life.send(STRANGER, shy, "fetch(address,address)", life.escrow, NATIVE)
    assert (life.ask("claimable", NATIVE, shy), life.coin(shy)) == (0, 10**18)
    assert life.coin(life.escrow) == life.float_of(NATIVE) == COIN - 10**18
    # A wallet that runs any call sends its claim to somebody who can take coin.
    wallet = create(client, "ContractWallet", HOLDER.address, file="Accounts")
    number = (100).to_bytes(32, "big")
    life.run("payOut", (number, VAULT, NATIVE, 5, wallet), b"")
    call = encode_call("ReturnEscrow", "claim", NATIVE, ZERO[:-2] + "77")
    life.send(STRANGER, wallet, "run(address,bytes)", life.escrow, call)
    # Only a contract can refuse a push, so only a contract claims.
    life.done.add("claim")
    assert life.coin(ZERO[:-2] + "77") == 5


@exercises("fundFloat", "withdrawFloat")
def test_floats_grow_by_what_arrives_and_leave_for_the_vault_only(life: Life) -> None:
    funded = told(fund_dollars(life), "FloatFunded")
    source = {"vault": VAULT, "asset": life.dollar, "from": TREASURY.address}
    assert funded == {**source, "amount": DOLLARS}
    assert life.float_of(life.dollar) == 2 * DOLLARS
    short = life.refused("fundFloat", VAULT, NATIVE, 5, by=PAYER, value=4)
    assert short == "FloatWrongValue(4, 5)"
    events = life.run("fundFloat", VAULT, NATIVE, 5, by=PAYER, value=5)
    assert told(events, "FloatFunded")["from"] == PAYER.address
    assert life.refused("withdrawFloat", VAULT, NATIVE, 5).startswith("AccessControlUnauth")
    above = life.refused("withdrawFloat", VAULT, NATIVE, COIN + 6, by=TREASURY)
    assert above == f"FloatTooLow({VAULT}, {NATIVE}, {COIN + 5}, {COIN + 6})"
    for asset, amount in ((NATIVE, COIN + 5), (life.dollar, 2 * DOLLARS)):
        events = life.run("withdrawFloat", VAULT, asset, amount, by=TREASURY)
        gone = {"vault": VAULT, "asset": asset, "amount": amount}
        assert told(events, "FloatWithdrawn") == gone
        assert life.float_of(asset) == 0
    assert (life.coin(VAULT), life.dollars(VAULT)) == (COIN + 5, 2 * DOLLARS)


# -- replacement -----------------------------------------------------------------------------------


@exercises("swap")
def test_a_vault_that_is_an_account_gives_a_replacement(life: Life) -> None:
    offered = 8
    life.send(MERCHANT, life.plain, "mint(address,uint256)", MERCHANT.address, offered)
    auth = replacement(life, MERCHANT.address, life.plain, offered)
    signature, approval = life.sign(auth), life.approve(auth)
    assert life.refused("swap", auth.as_tuple(), signature, b"").startswith("FloatApprovalMissing(")
    closed = life.refused("swap", auth.as_tuple(), signature, approval)
    assert closed.startswith(f"TokenTransferFailed({life.plain}, {offered}, ")
    life.send(MERCHANT, life.plain, "setApprovalForAll(address,bool)", life.escrow, True)
    events = life.run("swap", auth.as_tuple(), signature, approval)
    assert names(events) == ["RefundApproved", "Swapped"]
    assert told(events, "Swapped")["refund"] == offered
    assert life.owner(life.plain, offered) == HOLDER.address
    assert life.owner() == MERCHANT.address


@exercises("registerMerchant", "deposit", "settle")
def test_a_vault_that_is_a_safe_gives_a_replacement_for_a_held_token(life: Life) -> None:
    client, offered = life.stage.client, 9
    vault = safe.deploy_vault(client, PAYER, vaults.ADDRESSES, 2)
    registered = told(life.by_two("registerMerchant", vault.address), "MerchantRegistered")
    assert registered == {"vault": vault.address}
    life.send(PAYER, life.plain, "mint(address,uint256)", vault.address, offered)
    vaults.run(life.stage, vault, safe_tx.approve_operator(vault, life.plain, life.escrow, True))
    auth = replacement(life, vault.address, life.plain, offered)
    life.deposit(auth)
    assert life.refused("settle", auth.as_tuple(), b"").startswith("FloatApprovalMissing(")
    events = life.run("settle", auth.as_tuple(), life.approve(auth))
    assert names(events) == ["RefundApproved", "Settled", "Replaced"]
    given = {"recipient": HOLDER.address, "token": life.plain, "tokenId": offered}
    assert told(events, "Replaced") == {"line": auth.line, **given}
    assert life.owner(life.plain, offered) == HOLDER.address
    assert life.owner() == vault.address


# -- many at once ----------------------------------------------------------------------------------


@exercises("batch", "deposit", "swap", "payOut", "tryPermit")
def test_a_batch_does_what_it_can_and_says_what_it_could_not(life: Life) -> None:
    for token in (21, 22, 23):
        mint_token(life, HOLDER.address, token)
    kept = life.authorization(number=21, tokenId=21)
    swapped = life.crypto(number=22, tokenId=22, recipient=PAYER.address)
    bad = life.authorization(number=23, tokenId=23, deadline=life.now() - 1)
    calls = [
        encode_call("ReturnEscrow", "deposit", kept.as_tuple(), life.sign(kept)),
        encode_call("ReturnEscrow", "deposit", bad.as_tuple(), life.sign(bad)),
        encode_call("ReturnEscrow", "swap", swapped.as_tuple(), life.sign(swapped), b""),
        encode_call("ReturnEscrow", "payOut", (PAYOUT, VAULT, NATIVE, 5, STRANGER.address), b""),
        encode_call("ReturnEscrow", "tryPermit", life.plain, TOKEN, 0, b""),
        encode_call("ReturnEscrow", "release", bad.as_tuple()),
    ]
    before = life.coin(STRANGER.address)
    events = life.run("batch", calls, GAS_EACH)
    # As items; the events below say so.
    life.done |= {"deposit", "swap", "payOut", "tryPermit"}
    order = ["Deposited", "ItemFailed", "Swapped", "Refunded", "ItemFailed"]
    assert names(events) == order
    late, absent = (event for event in events if event.name == "ItemFailed")
    assert late.args["id"] == absent.args["id"] == bad.line
    assert (late.args["index"], absent.args["index"]) == (1, 5)
    assert late.args["selector"] == "0x" + calls[1][:4].hex()
    assert item_reason(late) == f"ReturnEscrowDeadlinePassed({bad.line}, {bad.deadline})"
    assert item_reason(absent) == f"ReturnEscrowWrongState({bad.line}, 0)"
    assert [life.owner(token=one) for one in (21, 22, 23)] == [life.escrow, VAULT, HOLDER.address]
    assert life.coin(STRANGER.address) == before + 5
    assert life.state(bad) == "none"
    assert life.refused("batch", [], GAS_EACH) == "BatchEmpty()"


@exercises("batch")
def test_an_item_that_runs_out_of_gas_leaves_the_others_alone(life: Life) -> None:
    mint_token(life, HOLDER.address, 21)
    first, second = life.authorization(), life.authorization(number=21, tokenId=21)
    greedy = life.crypto(token=life.plain, number=22)
    calls = [
        encode_call("ReturnEscrow", "deposit", one.as_tuple(), life.sign(one))
        for one in (first, greedy, second)
    ]
    code = life.stage.anvil.rpc("eth_getCode", life.plain, "latest")
    life.stage.anvil.rpc("anvil_setCode", life.plain, "0x5b600056")
    events = life.run("batch", calls, GAS_EACH)
    life.stage.anvil.rpc("anvil_setCode", life.plain, code)
    assert names(events) == ["Deposited", "ItemFailed", "Deposited"]
    assert item_reason(events[1]) == "out of gas, or no reason"
    assert life.owner(life.plain) == HOLDER.address


@exercises("tryPermit", "deposit")
def test_a_permit_that_fails_stops_nothing(life: Life) -> None:
    assert life.run("tryPermit", life.collection, TOKEN, life.now() + DAY, b"\x01" * 65) == []
    foreign = life.refused("tryPermit", life.collection, TOKEN, 0, b"", by=STRANGER)
    assert foreign.startswith(f"AccessControlUnauthorizedAccount({STRANGER.address}")
    life.deposit(life.authorization())
    assert life.owner() == life.escrow


# -- taking it back --------------------------------------------------------------------------------


@exercises("cancel")
def test_a_holder_takes_an_authorization_back(life: Life) -> None:
    auth = life.authorization()
    foreign = life.refused("cancel", auth.as_tuple(), by=STRANGER)
    assert foreign == f"ReturnEscrowNotHolder({auth.line}, {STRANGER.address})"
    events = life.run("cancel", auth.as_tuple(), by=HOLDER)
    taken = {"line": auth.line, "holder": HOLDER.address, "authorization": used_as(auth)}
    assert told(events, "AuthorizationCanceled") == taken
    assert life.state(auth) == "canceled"
    late = life.refused("deposit", auth.as_tuple(), life.sign(auth))
    assert late == f"ReturnEscrowIdUsed({auth.line}, 8)"
    assert life.owner() == HOLDER.address


@exercises("cancelBySignature", "pause")
def test_somebody_else_pays_the_gas_of_a_cancellation_also_while_paused(life: Life) -> None:
    auth = life.authorization()
    wrong = life.sign_cancellation(auth, STRANGER)
    for useless in (wrong, life.sign(auth), b""):
        refusal = life.refused("cancelBySignature", auth.as_tuple(), useless, by=PAYER)
        assert refusal.startswith(f"SignatureInvalid({HOLDER.address}")
    life.run("pause", by=GUARD)
    before = life.stage.client.transaction_count(HOLDER.address), life.coin(HOLDER.address)
    events = life.run("cancelBySignature", auth.as_tuple(), life.sign_cancellation(auth), by=PAYER)
    assert told(events, "AuthorizationCanceled")["authorization"] == used_as(auth)
    after = life.stage.client.transaction_count(HOLDER.address), life.coin(HOLDER.address)
    assert after == before
    assert life.state(auth) == "canceled"


# -- people ----------------------------------------------------------------------------------------


@exercises("propose", "confirm", "grantRole", "revokeRole")
def test_roles_change_by_two_people_only(life: Life) -> None:
    role = life.ask("OPERATOR_ROLE")
    call = encode_call("ReturnEscrow", "grantRole", role, STRANGER.address)
    direct = life.refused("grantRole", role, STRANGER.address, by=person(ADMIN))
    assert direct == "DeskTwoPeopleNeeded()"
    events = life.run("propose", call, by=person(ADMIN))
    proposed = told(events, "ChangeProposed")
    assert (proposed["call"], proposed["proposer"]) == ("0x" + call.hex(), person(ADMIN).address)
    assert proposed["expires"] == life.now() + 7 * DAY
    assert life.refused("confirm", call, by=person(ADMIN)).startswith("DeskSamePerson(")
    assert not life.ask("hasRole", role, STRANGER.address)
    events = life.run("confirm", call, by=OTHER_ADMIN)
    assert names(events) == ["ChangeConfirmed", "RoleGranted"]
    confirmed = {"change": proposed["change"], "confirmer": OTHER_ADMIN.address}
    assert told(events, "ChangeConfirmed") == confirmed
    assert life.ask("hasRole", role, STRANGER.address)
    events = life.by_two("revokeRole", role, STRANGER.address)
    assert told(events, "RoleRevoked")["account"] == STRANGER.address
    assert not life.ask("hasRole", role, STRANGER.address)
    life.done.add("grantRole")


@exercises("propose", "drop")
def test_a_dropped_or_stale_proposal_cannot_be_confirmed(life: Life) -> None:
    call = encode_call("ReturnEscrow", "registerMerchant", STRANGER.address)
    change = told(life.run("propose", call, by=person(ADMIN)), "ChangeProposed")["change"]
    raw = bytes.fromhex(change[2:])
    dropped = told(life.run("drop", raw, by=OTHER_ADMIN), "ChangeDropped")
    assert dropped == {"change": change, "dropper": OTHER_ADMIN.address}
    assert life.refused("confirm", call, by=OTHER_ADMIN) == f"DeskNotProposed({change})"
    life.run("propose", call, by=person(ADMIN))
    expires = life.ask("proposalOf", raw)[1]
    life.later(7 * DAY + 2)
    stale = life.refused("confirm", call, by=OTHER_ADMIN)
    assert stale == f"DeskProposalExpired({change}, {expires})"
    assert not life.ask("isMerchant", STRANGER.address)


@exercises("renounceRole")
def test_a_guardian_may_leave_and_the_last_two_admins_may_not(life: Life) -> None:
    role = life.ask("GUARDIAN_ROLE")
    events = life.run("renounceRole", role, GUARD.address, by=GUARD)
    assert told(events, "RoleRevoked")["account"] == GUARD.address
    last = life.refused("renounceRole", bytes(32), OTHER_ADMIN.address, by=OTHER_ADMIN)
    assert last == "DeskTooFewAdmins(1)"


# -- small things ----------------------------------------------------------------------------------


def in_asset(life: Life, asset: str) -> ReturnAuthorization:
    """A crypto refund to somebody who pays no gas in these tests."""
    if asset == "coin":
        return life.crypto(NATIVE, 10**18, recipient=PAYER.address)
    return life.crypto(life.dollar, 50 * 10**6, recipient=PAYER.address)


def had(life: Life, asset: str) -> tuple[int, int]:
    """What the recipient and the merchant's float have."""
    if asset == "coin":
        return life.coin(PAYER.address), life.float_of(NATIVE)
    return life.dollars(PAYER.address), life.float_of(life.dollar)


def refunded(auth: ReturnAuthorization) -> dict[str, Any]:
    """The arguments of a Refunded event."""
    return {
        "id": auth.line,
        "vault": auth.vault,
        "recipient": auth.recipient,
        "asset": auth.asset,
        "amount": auth.refund,
    }


def replacement(life: Life, vault: str, collection: str, token: int) -> ReturnAuthorization:
    """Token 7 against another one of the vault."""
    terms = {"vault": vault, "asset": collection, "refund": token}
    return life.authorization(remedy=REPLACEMENT, **terms)
