// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Operated} from "../src/Operated.sol";
import {ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {State} from "../src/ReturnEscrow.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {RefusingRecipient} from "./mocks/Accounts.sol";
import {HostileERC20, SilentERC20, Vice} from "./mocks/HostileERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @notice Burns what the receiver has whenever it is sent more, and on demand no longer says who has what.
contract ShrinkingERC20 is ERC20("Shrinking coin", "SHR") {
    bool public shrinking;
    bool public mute;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function turn(bool shrinking_, bool mute_) external {
        (shrinking, mute) = (shrinking_, mute_);
    }

    function balanceOf(address account) public view override returns (uint256) {
        require(!mute, "mute");
        return super.balanceOf(account);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (shrinking) _burn(to, super.balanceOf(to));
        return shrinking || super.transferFrom(from, to, amount);
    }
}

/// @notice Merchants, what may be an asset, and how floats grow, shrink and pay; see Claims.t.sol for refused coin.
contract MerchantFloatTest is EscrowTest {
    HostileERC20 private coin;
    ShrinkingERC20 private shrinking;

    function setUp() public override {
        super.setUp();
        (coin, shrinking) = (new HostileERC20(), new ShrinkingERC20());
        coin.mint(address(this), 1e30);
        coin.approve(address(escrow), type(uint256).max);
        shrinking.mint(address(this), 1e30);
        shrinking.approve(address(escrow), type(uint256).max);
        for (uint256 i = 0; i < 2; ++i) {
            _limit(i == 0 ? ACME : BOLT, address(coin), 0, 1e12, 1e12);
        }
        _limit(ACME, address(shrinking), 0, 1e12, 1e12);
    }

    function test_registers_a_merchant_once_and_for_ever() public {
        assertFalse(escrow.isMerchant(address(0x77)), "not yet");
        bytes memory call = abi.encodeCall(escrow.registerMerchant, (address(0x77)));
        vm.prank(ADMIN_A);
        escrow.propose(call);
        assertFalse(escrow.isMerchant(address(0x77)), "one person is not enough");
        vm.expectEmit(address(escrow));
        emit MerchantFloat.MerchantRegistered(address(0x77));
        vm.prank(ADMIN_B);
        escrow.confirm(call);
        assertTrue(escrow.isMerchant(address(0x77)), "registered");
        _changeRefused(call, abi.encodeWithSelector(MerchantFloat.MerchantKnown.selector, address(0x77)));
    }

    function test_refuses_bad_vaults() public {
        address[2] memory bad = [address(0), address(escrow)];
        for (uint256 i = 0; i < bad.length; ++i) {
            bytes memory err = abi.encodeWithSelector(MerchantFloat.MerchantBadVault.selector, bad[i]);
            _changeRefused(abi.encodeCall(escrow.registerMerchant, (bad[i])), err);
            assertFalse(escrow.isMerchant(bad[i]), "not registered");
        }
    }

    function test_sets_limits_and_keeps_the_float() public {
        vm.warp(START + 3 days);
        bytes memory call = abi.encodeCall(escrow.setLimits, (ACME, address(dollar), 56, 7, 9));
        vm.prank(ADMIN_A);
        escrow.propose(call);
        vm.expectEmit(address(escrow));
        emit MerchantFloat.LimitsSet(ACME, address(dollar), 56, 7, 9);
        vm.prank(ADMIN_B);
        escrow.confirm(call);
        MerchantFloat.Float memory want = MerchantFloat.Float(1000e6, 56, 7, 9, 9, uint32(START + 4 days));
        assertEq(abi.encode(escrow.floatOf(ACME, address(dollar))), abi.encode(want), "all six fields");
    }

    function test_refuses_limits_that_make_no_sense() public {
        bytes memory err = abi.encodeWithSelector(MerchantFloat.FloatBadLimits.selector, 57, 1, 1);
        _changeRefused(abi.encodeCall(escrow.setLimits, (ACME, address(dollar), 57, 1, 1)), err);
        err = abi.encodeWithSelector(MerchantFloat.FloatBadLimits.selector, 6, 10, 9);
        _changeRefused(abi.encodeCall(escrow.setLimits, (ACME, address(dollar), 6, 10, 9)), err);
        err = abi.encodeWithSelector(MerchantFloat.MerchantUnknown.selector, STRANGER);
        _changeRefused(abi.encodeCall(escrow.setLimits, (STRANGER, address(dollar), 6, 1, 1)), err);
    }

    /// @dev A collection as an asset would let a payment of `amount` move a held token of that id.
    function test_refuses_collections_and_what_is_no_contract_as_assets() public {
        address[5] memory wrong =
            [vm.addr(0xBAD), address(nft), address(multi), address(1000), address(type(uint160).max)];
        for (uint256 i = 0; i < wrong.length; ++i) {
            bytes memory err = abi.encodeWithSelector(MerchantFloat.FloatUnsupportedAsset.selector, wrong[i]);
            _changeRefused(abi.encodeCall(escrow.setLimits, (ACME, wrong[i], 0, 1, 1)), err);
            assertEq(escrow.floatOf(ACME, wrong[i]).dayEnds, 0, "not listed");
        }
    }

    /// @dev ISO 4217 numbers have three digits.
    function test_lists_every_currency_number_and_none_beyond() public {
        address[3] memory currencies = [address(8), EURO, address(999)];
        for (uint256 i = 0; i < currencies.length; ++i) {
            _limit(ACME, currencies[i], 0, 5, 5);
            assertEq(escrow.floatOf(ACME, currencies[i]).single, 5, "listed");
        }
    }

    function testFuzz_funds_exactly(uint256 amount, bool native) public {
        amount = bound(amount, 1, 1e27);
        address asset = native ? NATIVE : address(dollar);
        dollar.mint(STRANGER, amount);
        vm.deal(STRANGER, amount);
        vm.startPrank(STRANGER);
        dollar.approve(address(escrow), amount);
        uint256 before = escrow.floatOf(ACME, asset).balance;
        vm.expectEmit(address(escrow));
        emit MerchantFloat.FloatFunded(ACME, asset, amount, STRANGER);
        escrow.fundFloat{value: native ? amount : 0}(ACME, asset, amount);
        assertEq(escrow.floatOf(ACME, asset).balance, before + amount, "credited");
        assertEq(escrow.floatOf(BOLT, asset).balance, native ? 10 ether : 1000e6, "the other merchant's is its own");
    }

    function test_credits_what_arrives_of_a_taxed_token() public {
        coin.turn(Vice.TaxesReceiver);
        vm.expectEmit(address(escrow));
        emit MerchantFloat.FloatFunded(ACME, address(coin), 900, address(this));
        escrow.fundFloat(ACME, address(coin), 1000);
        assertEq(escrow.floatOf(ACME, address(coin)).balance, 900, "nine tenths");
        assertEq(coin.balanceOf(address(escrow)), 900, "covered");
    }

    function test_works_with_a_token_that_returns_nothing() public {
        SilentERC20 silent = new SilentERC20();
        silent.mint(address(this), 100);
        silent.approve(address(escrow), 100);
        _limit(ACME, address(silent), 0, 100, 100);
        escrow.fundFloat(ACME, address(silent), 100);
        _payOut(_payout(1, address(silent), 60), "");
        assertEq(silent.balanceOf(customer), 60, "paid");
        assertEq(escrow.floatOf(ACME, address(silent)).balance, 40, "rest");
    }

    function test_refuses_to_credit_nothing() public {
        bytes memory err = abi.encodeWithSelector(MerchantFloat.FloatZeroAmount.selector);
        _refused(address(this), abi.encodeCall(escrow.fundFloat, (ACME, NATIVE, 0)), err);
        _refused(address(this), abi.encodeCall(escrow.fundFloat, (ACME, address(dollar), 0)), err);
        coin.turn(Vice.MovesNothing);
        _refused(address(this), abi.encodeCall(escrow.fundFloat, (ACME, address(coin), 1000)), err);
        assertEq(escrow.floatOf(ACME, address(coin)).balance, 0, "nothing came, nothing is credited");
    }

    function test_refuses_a_token_that_takes_while_it_says_it_gives() public {
        escrow.fundFloat(ACME, address(shrinking), 1000);
        shrinking.turn(true, false);
        bytes memory err = abi.encodeWithSelector(MerchantFloat.FloatZeroAmount.selector);
        _refused(address(this), abi.encodeCall(escrow.fundFloat, (ACME, address(shrinking), 50)), err);
        assertEq(shrinking.balanceOf(address(escrow)), 1000, "undone");
    }

    function test_refuses_a_token_that_says_no_by_returning_false() public {
        coin.turn(Vice.ReturnsFalse);
        bytes memory err = abi.encodeWithSignature("SafeERC20FailedOperation(address)", address(coin));
        _refused(address(this), abi.encodeCall(escrow.fundFloat, (ACME, address(coin), 1000)), err);
    }

    function test_refuses_wrong_values() public {
        vm.deal(address(this), 5);
        vm.expectRevert(abi.encodeWithSelector(MerchantFloat.FloatWrongValue.selector, 3, 4));
        escrow.fundFloat{value: 3}(ACME, NATIVE, 4);
        vm.expectRevert(abi.encodeWithSelector(MerchantFloat.FloatWrongValue.selector, 5, 4));
        escrow.fundFloat{value: 5}(ACME, NATIVE, 4);
        vm.expectRevert(abi.encodeWithSelector(MerchantFloat.FloatWrongValue.selector, 3, 0));
        escrow.fundFloat{value: 3}(ACME, address(dollar), 4);
        (bool ok,) = address(escrow).call{value: 3}("");
        assertFalse(ok, "coin without a merchant is turned away");
        assertEq(escrow.floatOf(ACME, NATIVE).balance, 10 ether, "unchanged");
        assertEq(address(escrow).balance, 20 ether, "nothing stayed");
    }

    function test_refuses_unknown_merchants_and_unlisted_assets() public {
        bytes memory err = abi.encodeWithSelector(MerchantFloat.MerchantUnknown.selector, STRANGER);
        _refused(address(this), abi.encodeCall(escrow.fundFloat, (STRANGER, address(dollar), 1)), err);
        address[5] memory wrong = [STRANGER, address(nft), address(multi), EURO, address(shrinking)];
        for (uint256 i = 0; i < wrong.length; ++i) {
            err = abi.encodeWithSelector(MerchantFloat.FloatUnlistedAsset.selector, BOLT, wrong[i]);
            _refused(address(this), abi.encodeCall(escrow.fundFloat, (BOLT, wrong[i], 7)), err);
        }
    }

    function test_a_float_holds_ninety_six_bits_and_not_one_more() public {
        escrow.fundFloat(ACME, address(coin), type(uint96).max - 1);
        escrow.fundFloat(ACME, address(coin), 1);
        assertEq(escrow.floatOf(ACME, address(coin)).balance, type(uint96).max, "full");
        bytes memory err =
            abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 96, uint256(type(uint96).max) + 1);
        _refused(address(this), abi.encodeCall(escrow.fundFloat, (ACME, address(coin), 1)), err);
        MerchantFloat.Float memory full = escrow.floatOf(ACME, address(coin));
        assertEq(full.single, 1e12, "the neighbour in the slot is untouched");
    }

    /// @dev Otherwise the inner call's amount would be credited twice: by itself and as part of what arrived outside.
    function test_funding_is_not_credited_twice_by_a_token_that_funds_meanwhile() public {
        coin.mint(address(coin), 500);
        vm.prank(address(coin));
        coin.approve(address(escrow), 500);
        coin.aim(address(escrow), abi.encodeCall(escrow.fundFloat, (ACME, address(coin), 500)));
        escrow.fundFloat(ACME, address(coin), 1000);
        assertFalse(coin.reentryOk(), "locked");
        assertEq(coin.reentryResult(), abi.encodeWithSelector(Operated.Reentered.selector), "by the lock");
        assertEq(escrow.floatOf(ACME, address(coin)).balance, 1000, "once");
    }

    function testFuzz_treasurer_withdraws_no_more_than_the_float_and_to_the_vault_only(uint256 amount, bool native)
        public
    {
        address asset = native ? NATIVE : address(dollar);
        uint256 float = escrow.floatOf(ACME, asset).balance;
        amount = bound(amount, 1, 2 * float);
        bytes memory call = abi.encodeCall(escrow.withdrawFloat, (ACME, asset, amount));
        if (amount > float) return _refused(TREASURER, call, _floatTooLow(ACME, asset, float, amount));
        vm.expectEmit(address(escrow));
        emit MerchantFloat.FloatWithdrawn(ACME, asset, amount);
        vm.prank(TREASURER);
        escrow.withdrawFloat(ACME, asset, amount);
        assertEq(native ? ACME.balance : dollar.balanceOf(ACME), amount, "to the vault");
        assertEq(escrow.floatOf(ACME, asset).balance, float - amount, "debited");
        assertEq(escrow.floatOf(BOLT, asset).balance, float, "the other merchant's stays");
    }

    function test_withdrawal_needs_the_treasurer_and_an_amount() public {
        bytes memory call = abi.encodeCall(escrow.withdrawFloat, (ACME, NATIVE, 1));
        address[4] memory others = [ADMIN_A, OPERATOR, GUARDIAN, ACME];
        for (uint256 i = 0; i < others.length; ++i) {
            _refused(others[i], call, _unauthorized(others[i], escrow.TREASURER_ROLE()));
        }
        call = abi.encodeCall(escrow.withdrawFloat, (ACME, NATIVE, 0));
        _refused(TREASURER, call, abi.encodeWithSelector(MerchantFloat.FloatZeroAmount.selector));
        _refused(
            TREASURER, abi.encodeCall(escrow.withdrawFloat, (STRANGER, NATIVE, 1)), _floatTooLow(STRANGER, NATIVE, 0, 1)
        );
    }

    function test_withdrawal_works_while_paused() public {
        vm.prank(GUARDIAN);
        escrow.pause();
        vm.prank(TREASURER);
        escrow.withdrawFloat(ACME, NATIVE, 10 ether);
        assertEq(ACME.balance, 10 ether, "all of it");
    }

    function test_withdrawal_to_a_vault_that_refuses_coin_fails_and_says_why() public {
        address vault = address(new RefusingRecipient());
        _change(abi.encodeCall(escrow.registerMerchant, (vault)));
        _limit(vault, NATIVE, 0, 1, 1);
        vm.deal(address(this), 5);
        escrow.fundFloat{value: 5}(vault, NATIVE, 5);
        bytes memory reason = abi.encodeWithSignature("Error(string)", "no coin");
        bytes memory err = abi.encodeWithSelector(MerchantFloat.FloatPaymentFailed.selector, NATIVE, vault, 5, reason);
        _refused(TREASURER, abi.encodeCall(escrow.withdrawFloat, (vault, NATIVE, 5)), err);
        assertEq(escrow.floatOf(vault, NATIVE).balance, 5, "still there");
    }

    function test_withdrawal_of_a_token_that_charges_the_sender_is_refused() public {
        escrow.fundFloat(ACME, address(coin), 1100);
        coin.turn(Vice.TaxesSender);
        bytes memory err =
            abi.encodeWithSelector(MerchantFloat.FloatPaymentUnproven.selector, address(coin), 1100, 1000);
        _refused(TREASURER, abi.encodeCall(escrow.withdrawFloat, (ACME, address(coin), 1000)), err);
        assertEq(coin.balanceOf(address(escrow)), 1100, "undone");
    }

    function test_one_merchants_float_never_pays_anothers_refund() public {
        vm.prank(TREASURER);
        escrow.withdrawFloat(ACME, address(dollar), 960e6);
        _payOutRefused(_payout(1, address(dollar), 40e6 + 1), "", _floatTooLow(ACME, address(dollar), 40e6, 40e6 + 1));
        _swapRefused(_swapAuth(), _floatTooLow(ACME, address(dollar), 40e6, 50e6));
        _payOut(_payout(1, address(dollar), 40e6), "");
        assertEq(escrow.floatOf(ACME, address(dollar)).balance, 0, "to the last one");
        assertEq(escrow.floatOf(BOLT, address(dollar)).balance, 1000e6, "untouched");
        MerchantFloat.Refund memory refund = _payout(2, address(dollar), 1);
        refund.vault = STRANGER;
        _payOutRefused(refund, "", _floatTooLow(STRANGER, address(dollar), 0, 1));
    }

    function test_an_approval_does_not_stretch_a_float() public {
        MerchantFloat.Refund memory refund = _payout(1, address(dollar), 1000e6 + 1);
        _payOutRefused(
            refund, _approveAs(APPROVER_KEY, refund), _floatTooLow(ACME, address(dollar), 1000e6, 1000e6 + 1)
        );
    }

    function test_refund_in_a_token_that_returns_false_moves_nothing() public {
        ReturnAuthorization memory auth = _hostileAuth(Vice.ReturnsFalse);
        bytes memory err = abi.encodeWithSelector(
            MerchantFloat.FloatPaymentFailed.selector, address(coin), customer, 1000, abi.encode(false)
        );
        _swapRefused(auth, err);
        _payOutRefused(_payout(1, address(coin), 1000), "", err);
        _nothingPaid(5000);
    }

    function test_refund_in_a_token_that_moves_nothing_moves_nothing() public {
        ReturnAuthorization memory auth = _hostileAuth(Vice.MovesNothing);
        bytes memory err = abi.encodeWithSelector(MerchantFloat.FloatPaymentUnproven.selector, address(coin), 0, 1000);
        _swapRefused(auth, err);
        _payOutRefused(_payout(1, address(coin), 1000), "", err);
        _nothingPaid(5000);
    }

    /// @dev Such a token would take the tenth out of the other merchant's float.
    function test_refund_in_a_token_that_charges_the_sender_is_refused() public {
        escrow.fundFloat(BOLT, address(coin), 5000);
        bytes memory err =
            abi.encodeWithSelector(MerchantFloat.FloatPaymentUnproven.selector, address(coin), 1100, 1000);
        _swapRefused(_hostileAuth(Vice.TaxesSender), err);
        _payOutRefused(_payout(1, address(coin), 1000), "", err);
        _nothingPaid(10_000);
    }

    function test_refund_in_a_token_that_does_not_say_who_has_what_is_refused() public {
        escrow.fundFloat(ACME, address(shrinking), 1000);
        shrinking.turn(false, true);
        bytes memory err =
            abi.encodeWithSelector(MerchantFloat.FloatPaymentUnproven.selector, address(shrinking), 0, 1000);
        _payOutRefused(_payout(1, address(shrinking), 1000), "", err);
    }

    function test_refund_in_a_token_that_reverts_says_why() public {
        _hostileAuth(Vice.None);
        MerchantFloat.Refund memory refund = _payout(1, address(coin), 1000);
        vm.prank(address(escrow));
        coin.transfer(STRANGER, 5000); // a balance that vanished behind the escrow's back
        bytes memory reason =
            abi.encodeWithSignature("ERC20InsufficientBalance(address,uint256,uint256)", address(escrow), 0, 1000);
        bytes memory err =
            abi.encodeWithSelector(MerchantFloat.FloatPaymentFailed.selector, address(coin), customer, 1000, reason);
        _payOutRefused(refund, "", err);
    }

    /// @dev What such a token takes on the receiver's side is the recipient's to see in what it signed.
    function test_refund_in_a_token_that_charges_the_receiver_is_paid() public {
        _swap(_hostileAuth(Vice.TaxesReceiver));
        assertEq(coin.balanceOf(customer), 900, "less the tax");
        assertEq(escrow.floatOf(ACME, address(coin)).balance, 4000, "debited in full");
    }

    function test_refund_token_that_calls_back_finds_the_door_locked() public {
        ReturnAuthorization memory auth = _hostileAuth(Vice.None);
        coin.aim(address(escrow), abi.encodeCall(escrow.fundFloat, (BOLT, address(coin), 1)));
        _swap(auth);
        assertFalse(coin.reentryOk(), "locked");
        assertEq(coin.reentryResult(), abi.encodeWithSelector(Operated.Reentered.selector), "by the lock");
        assertEq(coin.balanceOf(customer), 1000, "paid once");
    }

    function test_refund_token_that_answers_with_megabytes_still_pays() public {
        _swap(_hostileAuth(Vice.ReturnsMegabytes));
        assertEq(coin.balanceOf(customer), 1000, "paid");
        assertEq(escrow.floatOf(ACME, address(coin)).balance, 4000, "once");
    }

    function _hostileAuth(Vice vice) private returns (ReturnAuthorization memory auth) {
        escrow.fundFloat(ACME, address(coin), 5000);
        coin.turn(vice);
        auth = _swapAuth();
        (auth.asset, auth.refund) = (address(coin), 1000);
    }

    function _nothingPaid(uint256 has) private view {
        assertEq(escrow.floatOf(ACME, address(coin)).balance, 5000, "not debited");
        assertEq(coin.balanceOf(address(escrow)), has, "still covered");
        assertEq(coin.balanceOf(customer), 0, "not paid");
        _assertState(bytes32(uint256(1)), State.None);
    }
}
