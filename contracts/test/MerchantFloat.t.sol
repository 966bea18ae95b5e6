// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IReturnEscrow, ReturnAuthorization} from "../src/IReturnEscrow.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {RefusingRecipient} from "./mocks/Accounts.sol";
import {HostileERC20, SilentERC20, Vice} from "./mocks/HostileERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

contract MerchantFloatTest is EscrowTest {
    HostileERC20 private coin;

    function setUp() public override {
        super.setUp();
        coin = new HostileERC20();
        coin.mint(address(this), 1e24);
        coin.approve(address(escrow), type(uint256).max);
    }

    function test_registers_a_merchant_once_and_for_ever() public {
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.MerchantRegistered("new", address(0x77));
        vm.prank(ADMIN_B);
        escrow.registerMerchant("new", address(0x77));
        assertEq(escrow.vaultOf("new"), address(0x77), "vault");
        bytes memory err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowMerchantKnown.selector, ACME, ACME_VAULT);
        _refused(ADMIN_A, abi.encodeCall(escrow.registerMerchant, (ACME, STRANGER)), err);
        assertEq(escrow.vaultOf(ACME), ACME_VAULT, "unchanged");
    }

    function test_refuses_bad_vaults_and_strangers() public {
        address[2] memory bad = [address(0), address(escrow)];
        for (uint256 i = 0; i < bad.length; ++i) {
            bytes memory err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowBadVault.selector, bad[i]);
            _refused(ADMIN_A, abi.encodeCall(escrow.registerMerchant, ("new", bad[i])), err);
        }
        bytes memory call = abi.encodeCall(escrow.registerMerchant, ("new", STRANGER));
        _refused(OPERATOR, call, _unauthorized(OPERATOR, 0));
    }

    function testFuzz_funds_exactly(uint256 amount, bool native) public {
        amount = bound(amount, 1, 1e30);
        address asset = native ? NATIVE : address(dollar);
        dollar.mint(STRANGER, amount);
        vm.deal(STRANGER, amount);
        vm.startPrank(STRANGER);
        dollar.approve(address(escrow), amount);
        uint256 before = escrow.floatOf(ACME, asset);
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.FloatFunded(ACME, asset, amount, STRANGER);
        escrow.fundFloat{value: native ? amount : 0}(ACME, asset, amount);
        assertEq(escrow.floatOf(ACME, asset), before + amount, "credited");
        assertEq(escrow.floatOf(BOLT, asset), native ? 10 ether : 1000e6, "the other merchant's is its own");
    }

    function test_credits_what_arrives_of_a_taxed_token() public {
        coin.turn(Vice.TaxesReceiver);
        escrow.fundFloat(ACME, address(coin), 1000);
        assertEq(escrow.floatOf(ACME, address(coin)), 900, "nine tenths");
        assertEq(coin.balanceOf(address(escrow)), 900, "covered");
    }

    function test_works_with_a_token_that_returns_nothing() public {
        SilentERC20 silent = new SilentERC20();
        silent.mint(address(this), 100);
        silent.approve(address(escrow), 100);
        escrow.fundFloat(ACME, address(silent), 100);
        ReturnAuthorization memory auth = _swapAuth();
        (auth.asset, auth.refund) = (address(silent), 60);
        _swap(auth, PAYOUT);
        assertEq(silent.balanceOf(customer), 60, "paid");
        assertEq(escrow.floatOf(ACME, address(silent)), 40, "rest");
    }

    function test_refuses_to_credit_nothing() public {
        coin.turn(Vice.MovesNothing);
        bytes memory err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowWrongAmount.selector, 0);
        _refused(address(this), abi.encodeCall(escrow.fundFloat, (ACME, address(coin), 1000)), err);
        _refused(address(this), abi.encodeCall(escrow.fundFloat, (ACME, NATIVE, 0)), err);
        assertEq(escrow.floatOf(ACME, address(coin)), 0, "nothing came, nothing is credited");
    }

    function test_refuses_a_token_that_says_no_by_returning_false() public {
        coin.turn(Vice.ReturnsFalse);
        bytes memory err = abi.encodeWithSignature("SafeERC20FailedOperation(address)", address(coin));
        _refused(address(this), abi.encodeCall(escrow.fundFloat, (ACME, address(coin), 1000)), err);
    }

    function test_refuses_wrong_values() public {
        vm.deal(address(this), 3);
        vm.expectRevert(abi.encodeWithSelector(IReturnEscrow.ReturnEscrowWrongValue.selector, 3, 4));
        escrow.fundFloat{value: 3}(ACME, NATIVE, 4);
        vm.expectRevert(abi.encodeWithSelector(IReturnEscrow.ReturnEscrowWrongValue.selector, 3, 0));
        escrow.fundFloat{value: 3}(ACME, address(dollar), 4);
        (bool ok,) = address(escrow).call{value: 3}("");
        assertFalse(ok, "coin without a merchant is turned away");
    }

    function test_refuses_unknown_merchants_and_assets() public {
        bytes32 nobody = "nobody";
        bytes memory err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowMerchantUnknown.selector, nobody);
        _refused(address(this), abi.encodeCall(escrow.fundFloat, (nobody, address(dollar), 1)), err);
        address[4] memory wrong = [STRANGER, address(nft), address(multi), EURO];
        for (uint256 i = 0; i < wrong.length; ++i) {
            err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowUnsupportedAsset.selector, wrong[i]);
            _refused(address(this), abi.encodeCall(escrow.fundFloat, (ACME, wrong[i], 7)), err);
        }
    }

    function testFuzz_treasurer_withdraws_free_float_only(uint256 amount, bool native) public {
        address asset = native ? NATIVE : address(dollar);
        uint256 float = escrow.floatOf(ACME, asset);
        amount = bound(amount, 1, 2 * float);
        bytes memory call = abi.encodeCall(escrow.withdrawFloat, (ACME, asset, amount, STRANGER));
        if (amount > float) {
            _refused(TREASURER, call, abi.encodeWithSelector(FLOAT_TOO_LOW, ACME, asset, float, amount));
            return;
        }
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.FloatWithdrawn(ACME, asset, amount, STRANGER);
        vm.prank(TREASURER);
        escrow.withdrawFloat(ACME, asset, amount, STRANGER);
        assertEq(native ? STRANGER.balance : dollar.balanceOf(STRANGER), amount, "paid");
        assertEq(escrow.floatOf(ACME, asset), float - amount, "debited");
    }

    function test_withdrawal_is_refused_to_strangers_and_to_nowhere() public {
        bytes memory call = abi.encodeCall(escrow.withdrawFloat, (ACME, NATIVE, 1, ADMIN_A));
        _refused(ADMIN_A, call, _unauthorized(ADMIN_A, escrow.TREASURER_ROLE()));
        address[2] memory bad = [address(0), address(escrow)];
        for (uint256 i = 0; i < bad.length; ++i) {
            bytes memory err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowBadRecipient.selector, bad[i]);
            _refused(TREASURER, abi.encodeCall(escrow.withdrawFloat, (ACME, NATIVE, 1, bad[i])), err);
        }
        call = abi.encodeCall(escrow.withdrawFloat, (ACME, NATIVE, 0, TREASURER));
        _refused(TREASURER, call, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowWrongAmount.selector, 0));
    }

    function test_withdrawal_to_who_refuses_coin_fails() public {
        address refusing = address(new RefusingRecipient());
        bytes memory err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowPaymentFailed.selector, NATIVE, refusing, 1);
        _refused(TREASURER, abi.encodeCall(escrow.withdrawFloat, (ACME, NATIVE, 1, refusing)), err);
    }

    function test_refund_in_a_token_that_returns_false_moves_nothing() public {
        ReturnAuthorization memory auth = _hostileAuth(Vice.ReturnsFalse);
        _swapRefused(auth, abi.encodeWithSignature("SafeERC20FailedOperation(address)", address(coin)));
    }

    function test_refund_in_a_token_that_moves_nothing_moves_nothing() public {
        ReturnAuthorization memory auth = _hostileAuth(Vice.MovesNothing);
        _swapRefused(
            auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowPaymentUnproven.selector, address(coin), 0, 1000)
        );
    }

    /// @dev Such a token would take the tenth out of the other merchant's float.
    function test_refund_in_a_token_that_charges_the_sender_is_refused() public {
        escrow.fundFloat(BOLT, address(coin), 5000);
        ReturnAuthorization memory auth = _hostileAuth(Vice.TaxesSender);
        _swapRefused(
            auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowPaymentUnproven.selector, address(coin), 1100, 1000)
        );
        assertEq(coin.balanceOf(address(escrow)), 10_000, "both floats are covered");
    }

    function test_refund_token_that_calls_back_finds_the_door_locked() public {
        ReturnAuthorization memory auth = _hostileAuth(Vice.None);
        coin.aim(address(escrow), abi.encodeCall(escrow.fundFloat, (BOLT, address(coin), 1)));
        _swap(auth, PAYOUT);
        assertFalse(coin.reentryOk(), "locked");
        bytes memory locked = abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        assertEq(coin.reentryResult(), locked, "by the lock");
        assertEq(coin.balanceOf(customer), 1000, "paid once");
    }

    function test_refund_token_that_answers_with_megabytes_still_pays() public {
        _swap(_hostileAuth(Vice.ReturnsMegabytes), PAYOUT);
        assertEq(coin.balanceOf(customer), 1000, "paid");
    }

    function _hostileAuth(Vice vice) private returns (ReturnAuthorization memory auth) {
        escrow.fundFloat(ACME, address(coin), 5000);
        coin.turn(vice);
        auth = _swapAuth();
        (auth.asset, auth.refund) = (address(coin), 1000);
    }
}
