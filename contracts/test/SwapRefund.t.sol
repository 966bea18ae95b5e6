// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {HoldState, IReturnEscrow, Remedy, ReturnAuthorization} from "../src/IReturnEscrow.sol";
import {MerchantFloat} from "../src/MerchantFloat.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {GreedyRecipient, ReenteringRecipient, RefusingRecipient} from "./mocks/Accounts.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

contract SwapRefundTest is EscrowTest {
    function test_swaps_token_against_dollars() public {
        ReturnAuthorization memory auth = _swapAuth();
        bytes memory signature = _sign(auth);
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.Swapped(LINE, ACME, customer, ACME_VAULT, address(nft), 7, 1);
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.Refunded(LINE, PAYOUT, customer, address(dollar), 50e6, true);
        vm.prank(OPERATOR);
        escrow.swapRefund(auth, signature, PAYOUT);
        assertEq(nft.ownerOf(7), ACME_VAULT, "token");
        assertEq(dollar.balanceOf(customer), 50e6, "money");
        assertEq(escrow.floatOf(ACME, address(dollar)), 950e6, "float");
        assertTrue(escrow.isPaid(PAYOUT), "payout id");
        assertTrue(escrow.isUsed(escrow.digestOf(auth)), "authorization");
        _assertState(LINE, HoldState.Settled);
        assertEq(escrow.holdOf(LINE).merchant, ACME, "merchant of the line");
        assertEq(escrow.holdOf(LINE).amount, 0, "nothing was ever held");
    }

    function test_swaps_an_amount_of_erc1155_against_coin_for_another_recipient() public {
        ReturnAuthorization memory auth = _swapAuth();
        (auth.token, auth.tokenId, auth.amount) = (address(multi), 3, 25);
        (auth.asset, auth.refund, auth.recipient) = (NATIVE, 1 ether, address(0xFEED));
        _swap(auth, PAYOUT);
        assertEq(multi.balanceOf(ACME_VAULT, 3), 25, "tokens");
        assertEq(address(0xFEED).balance, 1 ether, "coin");
        assertEq(escrow.floatOf(ACME, NATIVE), 9 ether, "float");
    }

    function test_the_exact_float_is_allowed() public {
        ReturnAuthorization memory auth = _swapAuth();
        auth.refund = 1000e6;
        _swap(auth, PAYOUT);
        assertEq(escrow.floatOf(ACME, address(dollar)), 0, "empty, not negative");
    }

    function testFuzz_pays_exactly_what_was_signed_or_nothing(uint256 refund, bool native) public {
        ReturnAuthorization memory auth = _swapAuth();
        auth.asset = native ? NATIVE : address(dollar);
        uint256 float = escrow.floatOf(ACME, auth.asset);
        auth.refund = bound(refund, 1, 2 * float);
        bytes memory call = abi.encodeCall(escrow.swapRefund, (auth, _sign(auth), PAYOUT));
        vm.prank(OPERATOR);
        (bool ok,) = address(escrow).call(call);
        uint256 got = native ? customer.balance : dollar.balanceOf(customer);
        assertTrue(ok == (auth.refund <= float), "covered or refused");
        assertEq(got, ok ? auth.refund : 0, "paid");
        assertEq(escrow.floatOf(ACME, auth.asset), float - got, "debited");
        assertEq(nft.ownerOf(7), ok ? ACME_VAULT : customer, "token");
    }

    function test_refuses_a_payout_id_twice() public {
        _swap(_swapAuth(), PAYOUT);
        _mintNft(customer, 8);
        ReturnAuthorization memory auth = _swapAuth();
        (auth.line, auth.tokenId) = ("second", 8);
        bytes memory call = abi.encodeCall(escrow.swapRefund, (auth, _sign(auth), PAYOUT));
        _refused(OPERATOR, call, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowPayoutUsed.selector, PAYOUT));
        assertEq(nft.ownerOf(8), customer, "not moved");
    }

    function test_refuses_the_same_line_again_in_any_way() public {
        _swap(_swapAuth(), PAYOUT);
        vm.prank(ACME_VAULT);
        nft.transferFrom(ACME_VAULT, customer, 7);
        ReturnAuthorization memory auth = _swapAuth();
        bytes memory err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowLineUsed.selector, LINE);
        bytes32 other = "payout-2";
        _refused(OPERATOR, abi.encodeCall(escrow.swapRefund, (auth, _sign(auth), other)), err);
        auth = _depositAuth();
        _refused(OPERATOR, abi.encodeCall(escrow.deposit, (auth, _sign(auth))), err);
        _refused(OPERATOR, abi.encodeCall(escrow.release, (LINE)), _wrongState(HoldState.Settled));
        _refused(customer, abi.encodeCall(escrow.reclaim, (LINE)), _wrongState(HoldState.Settled));
    }

    function test_refuses_other_remedies() public {
        ReturnAuthorization memory auth = _swapAuth();
        uint8[3] memory wrong = [uint8(Remedy.FiatRefund), uint8(Remedy.StoreCredit), 3];
        for (uint256 i = 0; i < wrong.length; ++i) {
            auth.remedy = wrong[i];
            _swapRefused(auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowWrongRemedy.selector, LINE, wrong[i]));
        }
    }

    function test_refuses_a_refund_of_nothing() public {
        ReturnAuthorization memory auth = _swapAuth();
        auth.refund = 0;
        _swapRefused(auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowZeroRefund.selector, LINE));
    }

    function test_refuses_without_a_payout_id() public {
        ReturnAuthorization memory auth = _swapAuth();
        bytes memory call = abi.encodeCall(escrow.swapRefund, (auth, _sign(auth), bytes32(0)));
        _refused(OPERATOR, call, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowPayoutMissing.selector, LINE));
    }

    function test_refuses_the_vault_as_holder() public {
        vm.prank(ADMIN_A);
        escrow.registerMerchant("self", customer);
        ReturnAuthorization memory auth = _swapAuth();
        auth.merchant = "self";
        _swapRefused(auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowHolderIsVault.selector, customer));
    }

    function test_refuses_expired_deadline_and_bad_recipients() public {
        ReturnAuthorization memory auth = _swapAuth();
        auth.recipient = address(0);
        _swapRefused(auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowBadRecipient.selector, address(0)));
        auth = _swapAuth();
        vm.warp(auth.deadline + 1);
        _swapRefused(auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowDeadlinePassed.selector, auth.deadline));
    }

    function test_refuses_a_token_that_moved_on() public {
        vm.prank(customer);
        nft.transferFrom(customer, STRANGER, 7);
        _swapRefused(
            _swapAuth(), abi.encodeWithSelector(IReturnEscrow.ReturnEscrowNotHolder.selector, address(nft), 7, customer)
        );
    }

    function test_refuses_when_the_owner_switched_the_escrow_off() public {
        vm.prank(customer);
        nft.setEscrowApproval(false);
        bytes memory reason = abi.encodeWithSignature("ERC721InsufficientApproval(address,uint256)", address(escrow), 7);
        _swapRefused(
            _swapAuth(),
            abi.encodeWithSelector(IReturnEscrow.ReturnEscrowTransferFailed.selector, address(nft), 7, reason)
        );
    }

    function test_refuses_anybody_but_the_operator_and_while_paused() public {
        ReturnAuthorization memory auth = _swapAuth();
        bytes memory call = abi.encodeCall(escrow.swapRefund, (auth, _sign(auth), PAYOUT));
        _refused(STRANGER, call, _unauthorized(STRANGER, escrow.OPERATOR_ROLE()));
        vm.prank(GUARDIAN);
        escrow.pause();
        _refused(OPERATOR, call, abi.encodeWithSelector(Pausable.EnforcedPause.selector));
    }

    function test_refused_coin_becomes_a_claim_that_pause_does_not_block() public {
        RefusingRecipient refusing = new RefusingRecipient();
        ReturnAuthorization memory auth = _coinAuth(address(refusing));
        bytes memory signature = _sign(auth);
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.Refunded(LINE, PAYOUT, address(refusing), NATIVE, 2 ether, false);
        vm.prank(OPERATOR);
        escrow.swapRefund(auth, signature, PAYOUT);
        assertEq(escrow.claimable(NATIVE, address(refusing)), 2 ether, "reserved");
        assertEq(escrow.floatOf(ACME, NATIVE), 8 ether, "no longer the merchant's");

        vm.expectRevert(
            abi.encodeWithSelector(IReturnEscrow.ReturnEscrowPaymentFailed.selector, NATIVE, address(refusing), 2 ether)
        );
        refusing.fetch(escrow, NATIVE);
        assertEq(escrow.claimable(NATIVE, address(refusing)), 2 ether, "a failed claim keeps the claim");

        vm.prank(GUARDIAN);
        escrow.pause();
        vm.warp(START + 3650 days);
        refusing.setOpen(true);
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.Claimed(address(refusing), NATIVE, 2 ether);
        refusing.fetch(escrow, NATIVE);
        assertEq(address(refusing).balance, 2 ether, "ten years later, paused, still paid");
        assertEq(escrow.claimable(NATIVE, address(refusing)), 0, "once");
        vm.expectRevert(
            abi.encodeWithSelector(IReturnEscrow.ReturnEscrowNothingToClaim.selector, NATIVE, address(refusing))
        );
        refusing.fetch(escrow, NATIVE);
    }

    function test_claims_of_one_recipient_add_up() public {
        RefusingRecipient refusing = new RefusingRecipient();
        _swap(_coinAuth(address(refusing)), PAYOUT);
        _mintNft(customer, 8);
        ReturnAuthorization memory auth = _coinAuth(address(refusing));
        (auth.line, auth.tokenId, auth.merchant) = ("second", 8, BOLT);
        _swap(auth, "payout-2");
        assertEq(escrow.claimable(NATIVE, address(refusing)), 4 ether, "both");
        assertEq(escrow.floatOf(BOLT, NATIVE), 8 ether, "each from its own float");
    }

    function test_greedy_recipients_cost_a_bounded_amount_of_gas() public {
        for (uint256 i = 0; i < 2; ++i) {
            GreedyRecipient greedy = new GreedyRecipient(i == 0);
            _mintNft(customer, 50 + i);
            ReturnAuthorization memory auth = _coinAuth(address(greedy));
            (auth.line, auth.tokenId) = (bytes32(50 + i), 50 + i);
            bytes memory signature = _sign(auth);
            vm.prank(OPERATOR);
            uint256 before = gasleft();
            escrow.swapRefund(auth, signature, bytes32(50 + i));
            assertTrue(before - gasleft() < 350_000, "bounded");
            assertEq(escrow.claimable(NATIVE, address(greedy)), 2 ether, "reserved");
        }
    }

    function test_operator_cannot_starve_a_push_of_gas() public {
        ReturnAuthorization memory auth = _coinAuth(customer);
        bytes memory signature = _sign(auth);
        bytes memory call = abi.encodeCall(escrow.swapRefund, (auth, signature, PAYOUT));
        for (uint256 gasLimit = 80_000; gasLimit < 400_000; gasLimit += 5_000) {
            vm.prank(OPERATOR);
            (bool ok,) = address(escrow).call{gas: gasLimit}(call);
            assertEq(escrow.claimable(NATIVE, customer), 0, "never a claim for want of gas");
            if (ok) return assertEq(customer.balance, 2 ether, "pushed");
        }
        assertTrue(false, "must go through with enough gas");
    }

    function test_names_the_gas_that_a_push_needs() public {
        ReturnAuthorization memory auth = _coinAuth(customer);
        bytes memory call = abi.encodeCall(escrow.swapRefund, (auth, _sign(auth), PAYOUT));
        vm.prank(OPERATOR);
        (bool ok, bytes memory reason) = address(escrow).call{gas: 220_000}(call);
        assertFalse(ok, "too little");
        assertEq(bytes32(bytes4(reason)), IReturnEscrow.ReturnEscrowGasTooLow.selector, "and says so");
    }

    function test_claiming_recipient_that_calls_back_is_paid_once() public {
        ReenteringRecipient recipient = new ReenteringRecipient(escrow, NATIVE);
        _swap(_coinAuth(address(recipient)), PAYOUT);
        recipient.fetch();
        assertEq(address(recipient).balance, 2 ether, "once");
        assertFalse(recipient.reentryOk(), "not twice");
        bytes memory locked = abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        assertEq(recipient.reentryResult(), locked, "locked");
    }

    function test_nobody_else_claims() public {
        RefusingRecipient refusing = new RefusingRecipient();
        _swap(_coinAuth(address(refusing)), PAYOUT);
        bytes memory err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowNothingToClaim.selector, NATIVE, TREASURER);
        _refused(TREASURER, abi.encodeCall(MerchantFloat.claim, (NATIVE)), err);
    }

    function _coinAuth(address recipient) private view returns (ReturnAuthorization memory auth) {
        auth = _swapAuth();
        (auth.asset, auth.refund, auth.recipient) = (NATIVE, 2 ether, recipient);
    }
}
