// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Operated} from "../src/Operated.sol";
import {ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {State} from "../src/ReturnEscrow.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {GreedyRecipient, ReenteringRecipient, RefusingRecipient} from "./mocks/Accounts.sol";

/// @notice A wallet that writes two words for each payment it gets: close to the most that a push allows.
contract CostlyRecipient {
    mapping(uint256 word => uint256) public ledger;
    uint256 public payments = 1;

    receive() external payable {
        (ledger[payments], payments) = (msg.value, payments + 1);
    }
}

/// @notice Coin that a recipient refuses is reserved for it, for ever and for nobody else.
contract ClaimsTest is EscrowTest {
    RefusingRecipient private refusing;

    function setUp() public override {
        super.setUp();
        refusing = new RefusingRecipient();
    }

    function test_a_refused_coin_becomes_a_claim_and_is_fetched_later() public {
        MerchantFloat.Refund memory refund = _refundTo(1, address(refusing), 1e15);
        vm.expectEmit(address(escrow));
        emit MerchantFloat.ClaimReserved(refund.id, address(refusing), NATIVE, 1e15);
        vm.expectEmit(address(escrow));
        emit MerchantFloat.Refunded(refund.id, ACME, address(refusing), NATIVE, 1e15);
        _payOut(refund, "");
        _owed(address(refusing), 1e15, 10 ether - 1e15);
        refusing.setOpen(true);
        vm.warp(START + 3650 days);
        vm.expectEmit(address(escrow));
        emit MerchantFloat.Claimed(address(refusing), NATIVE, 1e15, address(refusing));
        refusing.fetch(escrow, NATIVE);
        assertEq(address(refusing).balance, 1e15, "fetched");
        _owed(address(refusing), 0, 10 ether - 1e15);
    }

    function test_a_refused_coin_of_a_swap_becomes_a_claim_too() public {
        ReturnAuthorization memory auth = _swapAuth();
        (auth.asset, auth.refund, auth.recipient) = (NATIVE, 1e15, address(refusing));
        _swap(auth);
        assertEq(nft.ownerOf(7), ACME, "the token went all the same");
        _assertState(LINE, State.Settled);
        _owed(address(refusing), 1e15, 10 ether - 1e15);
    }

    function test_a_claim_is_fetched_to_another_address_by_its_owner_only() public {
        _payOut(_refundTo(1, address(refusing), 5), "");
        bytes memory call = abi.encodeCall(escrow.claim, (NATIVE, STRANGER));
        address[5] memory others = [STRANGER, OPERATOR, TREASURER, ADMIN_A, ACME];
        for (uint256 i = 0; i < others.length; ++i) {
            _refused(others[i], call, _nothing(NATIVE, others[i]));
        }
        vm.prank(address(refusing));
        escrow.claim(NATIVE, STRANGER);
        assertEq(STRANGER.balance, 5, "where its owner wanted it");
    }

    function test_a_claim_is_fetched_once() public {
        _payOut(_refundTo(1, address(refusing), 5), "");
        _payOut(_refundTo(2, address(refusing), 6), "");
        _owed(address(refusing), 11, 10 ether - 11);
        vm.prank(address(refusing));
        escrow.claim(NATIVE, STRANGER);
        bytes memory call = abi.encodeCall(escrow.claim, (NATIVE, STRANGER));
        _refused(address(refusing), call, _nothing(NATIVE, address(refusing)));
        assertEq(STRANGER.balance, 11, "both, once");
        call = abi.encodeCall(escrow.claim, (address(dollar), STRANGER));
        _refused(address(refusing), call, _nothing(address(dollar), address(refusing)));
    }

    function test_a_claim_is_fetched_while_paused() public {
        _payOut(_refundTo(1, address(refusing), 5), "");
        vm.prank(GUARDIAN);
        escrow.pause();
        vm.prank(address(refusing));
        escrow.claim(NATIVE, STRANGER);
        assertEq(STRANGER.balance, 5, "fetched");
    }

    function test_a_claim_goes_neither_to_nobody_nor_into_the_escrow() public {
        _payOut(_refundTo(1, address(refusing), 5), "");
        address[2] memory bad = [address(0), address(escrow)];
        for (uint256 i = 0; i < bad.length; ++i) {
            bytes memory err = abi.encodeWithSelector(MerchantFloat.FloatBadRecipient.selector, bad[i]);
            _refused(address(refusing), abi.encodeCall(escrow.claim, (NATIVE, bad[i])), err);
        }
        _owed(address(refusing), 5, 10 ether - 5);
    }

    function test_a_claim_that_is_refused_again_stays() public {
        _payOut(_refundTo(1, address(refusing), 5), "");
        bytes memory reason = abi.encodeWithSignature("Error(string)", "no coin");
        bytes memory err =
            abi.encodeWithSelector(MerchantFloat.FloatPaymentFailed.selector, NATIVE, address(refusing), 5, reason);
        _refused(address(refusing), abi.encodeCall(escrow.claim, (NATIVE, address(refusing))), err);
        _owed(address(refusing), 5, 10 ether - 5);
    }

    function test_a_claim_is_no_float_and_cannot_be_withdrawn() public {
        _payOut(_refundTo(1, address(refusing), 1 ether / 2), "");
        uint256 free = 10 ether - 1 ether / 2;
        bytes memory call = abi.encodeCall(escrow.withdrawFloat, (ACME, NATIVE, free + 1));
        _refused(TREASURER, call, _floatTooLow(ACME, NATIVE, free, free + 1));
        vm.startPrank(TREASURER);
        escrow.withdrawFloat(ACME, NATIVE, free);
        escrow.withdrawFloat(BOLT, NATIVE, 10 ether);
        vm.stopPrank();
        assertEq(address(escrow).balance, 1 ether / 2, "what is owed stayed");
        vm.prank(address(refusing));
        escrow.claim(NATIVE, STRANGER);
        assertEq(STRANGER.balance, 1 ether / 2, "and was there");
    }

    function test_claims_on_two_merchants_add_up_and_cost_each_its_own() public {
        _payOut(_refundTo(1, address(refusing), 5), "");
        MerchantFloat.Refund memory refund = _refundTo(2, address(refusing), 7);
        refund.vault = BOLT;
        _payOut(refund, "");
        _owed(address(refusing), 12, 10 ether - 5);
        assertEq(escrow.floatOf(BOLT, NATIVE).balance, 10 ether - 7, "Bolt's share");
    }

    function test_recipients_that_burn_all_gas_or_answer_with_megabytes_cost_a_bounded_amount() public {
        for (uint256 i = 0; i < 2; ++i) {
            address greedy = address(new GreedyRecipient(i == 1));
            uint256 before = gasleft();
            _payOut(_refundTo(i + 1, greedy, 5), "");
            assertTrue(before - gasleft() < 250_000, "the push is bounded");
            assertEq(escrow.claimable(NATIVE, greedy), 5, "a refusal like any other");
        }
    }

    function test_a_recipient_that_claims_again_while_it_is_paid_is_paid_once() public {
        ReenteringRecipient twice = new ReenteringRecipient(escrow, NATIVE);
        _payOut(_refundTo(1, address(twice), 5), "");
        assertEq(escrow.claimable(NATIVE, address(twice)), 5, "refused the push");
        twice.fetch();
        assertFalse(twice.reentryOk(), "locked");
        assertEq(twice.reentryResult(), abi.encodeWithSelector(Operated.Reentered.selector), "by the lock");
        assertEq(address(twice).balance, 5, "paid once");
        _owed(address(twice), 0, 10 ether - 5);
    }

    function test_a_push_without_the_promised_gas_is_refused() public {
        bytes memory call = abi.encodeCall(escrow.payOut, (_refundTo(1, address(0xF00), 5), ""));
        vm.prank(OPERATOR);
        (bool ok, bytes memory reason) = address(escrow).call{gas: 100_000}(call);
        assertFalse(ok, "refused");
        assertEq(bytes32(bytes4(reason)), bytes32(MerchantFloat.FloatGasTooLow.selector), "for lack of gas");
        assertEq(reason.length, 68, "with two values");
        (uint256 left, uint256 needed) = _twoWords(reason);
        assertEq(needed, escrow.PUSH_GAS() * 64 / 63 + 40_000, "what is needed");
        assertTrue(left < needed, "what is left");
        _assertState(bytes32(uint256(1)), State.None);
    }

    /// @dev A recipient who takes coin gets it, or the payout fails as a whole, whatever gas the operator sends.
    function test_no_amount_of_gas_turns_a_push_into_a_claim() public {
        CostlyRecipient costly = new CostlyRecipient();
        uint256 paid;
        for (uint256 i = 1; i <= 250; ++i) {
            bytes memory call = abi.encodeCall(escrow.payOut, (_refundTo(i, address(costly), 5), ""));
            vm.prank(OPERATOR);
            (bool ok,) = address(escrow).call{gas: 20_000 + 1000 * i}(call);
            if (ok) ++paid;
            assertEq(escrow.claimable(NATIVE, address(costly)), 0, "never a claim");
        }
        assertTrue(paid > 50 && paid < 200, "some with enough gas, some without");
        assertEq(address(costly).balance, paid * 5, "each paid in full");
        assertEq(escrow.floatOf(ACME, NATIVE).balance, 10 ether - paid * 5, "nothing else debited");
    }

    function _refundTo(uint256 id, address to, uint256 amount) private pure returns (MerchantFloat.Refund memory) {
        return MerchantFloat.Refund(bytes32(id), ACME, NATIVE, amount, to);
    }

    function _owed(address recipient, uint256 claim, uint256 float) private view {
        assertEq(escrow.claimable(NATIVE, recipient), claim, "claim");
        assertEq(escrow.floatOf(ACME, NATIVE).balance, float, "float");
        uint256 owed = claim + float + escrow.floatOf(BOLT, NATIVE).balance;
        assertEq(address(escrow).balance, owed, "covered exactly");
    }

    function _nothing(address asset, address who) private pure returns (bytes memory) {
        return abi.encodeWithSelector(MerchantFloat.FloatNothingToClaim.selector, asset, who);
    }

    function _twoWords(bytes memory reason) private pure returns (uint256 a, uint256 b) {
        assembly ("memory-safe") {
            a := mload(add(reason, 0x24))
            b := mload(add(reason, 0x44))
        }
    }
}
