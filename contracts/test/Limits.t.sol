// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Remedy, ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {EscrowTest} from "./EscrowTest.sol";

/// @notice What an operator may pay alone: 100 dollars in one refund and 400 in a day, counted in units of 64 millionths.
contract LimitsTest is EscrowTest {
    uint256 private constant SINGLE = 100e6;
    uint256 private _ids;

    function testFuzz_single_limit_is_a_boundary(uint256 amount) public {
        amount = bound(amount, 1, 2 * SINGLE);
        MerchantFloat.Refund memory refund = _next(amount);
        if (amount > SINGLE) return _payOutRefused(refund, "", _approvalMissing(refund));
        _payOut(refund, "");
        assertEq(dollar.balanceOf(customer), amount, "paid");
    }

    function test_single_limit_to_the_last_unit() public {
        MerchantFloat.Refund memory above = _next(SINGLE + 1);
        _payOutRefused(above, "", _approvalMissing(above));
        _payOut(_next(SINGLE), "");
        _left(300e6 / 64);
    }

    function test_swap_and_settle_have_the_same_single_limit() public {
        ReturnAuthorization memory auth = _swapAuth();
        auth.refund = SINGLE + 1;
        bytes memory err = _approvalMissing(MerchantFloat.Refund(LINE, ACME, auth.asset, auth.refund, customer));
        _swapRefused(auth, err);
        _deposit(auth);
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (auth, "")), err);
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (auth, "")), err);
        bytes memory approval = _approve(auth);
        vm.prank(OPERATOR);
        escrow.settle(auth, approval);
        assertEq(dollar.balanceOf(customer), SINGLE + 1, "approved and paid");
    }

    /// @dev Otherwise many refunds of a part of a unit would cost nothing of the day.
    function test_refunds_count_rounded_up() public {
        _payOut(_next(1), "");
        _left(400e6 / 64 - 1);
        _payOut(_next(64), "");
        _left(400e6 / 64 - 2);
        _payOut(_next(65), "");
        _left(400e6 / 64 - 4);
        MerchantFloat.Refund memory coins = _payout(99, NATIVE, (uint256(1 ether) >> 40 << 40) + 1);
        _payOutRefused(coins, "", _approvalMissing(coins));
        --coins.amount;
        _payOut(coins, "");
    }

    function test_a_unit_of_one_counts_exactly() public {
        _limit(ACME, address(dollar), 0, 10, 15);
        _payOut(_next(10), "");
        _left(5);
        _payOut(_next(5), "");
        _left(0);
    }

    /// @dev The sum of rounding may not wrap around: 2**256 - 1 counts as above every limit.
    function test_the_largest_amounts_are_above_every_limit() public {
        MerchantFloat.Refund memory refund = _payout(1, EURO, type(uint256).max);
        _payOutRefused(refund, "", _floatTooLow(ACME, EURO, 0, type(uint256).max));
        ReturnAuthorization memory auth = _depositAuth();
        auth.refund = type(uint256).max;
        _deposit(auth);
        refund = MerchantFloat.Refund(LINE, ACME, EURO, auth.refund, customer);
        _refused(OPERATOR, abi.encodeCall(escrow.commit, (auth, "")), _approvalMissing(refund));
    }

    function test_daily_limit_is_a_boundary() public {
        for (uint256 i = 0; i < 3; ++i) {
            _payOut(_next(SINGLE), "");
        }
        _payOut(_next(SINGLE - 64), "");
        _left(1);
        MerchantFloat.Refund memory refund = _next(65);
        _payOutRefused(refund, "", _approvalMissing(refund));
        _payOut(_next(64), "");
        _left(0);
        refund = _next(1);
        _payOutRefused(refund, "", _approvalMissing(refund));
        assertEq(dollar.balanceOf(customer), 400e6, "the day's money");
    }

    function test_the_day_begins_with_its_first_refund_and_lasts_24_hours() public {
        uint256 first = START + 5 days + 7 hours;
        vm.warp(first);
        _payOut(_next(SINGLE), "");
        assertEq(escrow.floatOf(ACME, address(dollar)).dayEnds, first + 1 days, "begun");
        vm.warp(first + 1 days - 1);
        _payOut(_next(SINGLE), "");
        _left(200e6 / 64);
        assertEq(escrow.floatOf(ACME, address(dollar)).dayEnds, first + 1 days, "still the same day");
        vm.warp(first + 1 days);
        _payOut(_next(SINGLE), "");
        _left(300e6 / 64);
        assertEq(escrow.floatOf(ACME, address(dollar)).dayEnds, first + 2 days, "the next one");
    }

    /// @dev The bound of twice the daily limit is reached, at the seam of two days.
    function test_twice_the_daily_limit_within_two_seconds_and_no_more() public {
        vm.warp(START + 2 days);
        _payOut(_next(1), "");
        vm.warp(START + 3 days - 1);
        _payOut(_next(SINGLE - 64), "");
        _payMany(3);
        vm.warp(START + 3 days);
        _payMany(4);
        MerchantFloat.Refund memory refund = _next(1);
        _payOutRefused(refund, "", _approvalMissing(refund));
        vm.warp(START + 4 days - 1);
        _payOutRefused(refund, "", _approvalMissing(refund));
        assertEq(dollar.balanceOf(customer), 800e6 - 63, "two days' money, less what was rounded up");
    }

    /// @dev Whatever is asked for at whatever times: the sum over the last 24 hours is at most twice the daily limit.
    function testFuzz_no_24_hours_pay_more_than_twice_the_daily_limit(uint256 seed) public {
        _fund(ACME, 1e12, 1);
        uint256[40] memory times;
        uint256[40] memory amounts;
        uint256 time = START;
        for (uint256 i = 0; i < 40; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            time += seed % 3 == 0 ? (seed >> 8) % 30 hours : (seed >> 8) % 2 hours;
            vm.warp(time);
            MerchantFloat.Refund memory refund = _next(bound(seed >> 64, SINGLE / 4, SINGLE));
            vm.prank(OPERATOR);
            (bool ok,) = address(escrow).call(abi.encodeCall(escrow.payOut, (refund, "")));
            (times[i], amounts[i]) = (time, ok ? refund.amount : 0);
            uint256 sum;
            for (uint256 j = 0; j <= i; ++j) {
                if (times[j] + 1 days > time) sum += amounts[j];
            }
            assertTrue(sum <= 800e6, "twice the daily limit");
        }
    }

    function test_new_limits_are_in_force_at_once_and_begin_a_new_day() public {
        _payMany(4);
        _limit(ACME, address(dollar), 6, 20e6, 30e6 + 32);
        MerchantFloat.Refund memory refund = _next(20e6 + 1);
        _payOutRefused(refund, "", _approvalMissing(refund));
        _payOut(_next(20e6), "");
        refund = _next(10e6 + 1);
        _payOutRefused(refund, "", _approvalMissing(refund));
        _payOut(_next(10e6), "");
        _left(0);
    }

    function test_limits_of_zero_leave_nothing_to_one_person() public {
        _limit(ACME, address(dollar), 0, 0, 0);
        MerchantFloat.Refund memory refund = _next(1);
        _payOutRefused(refund, "", _approvalMissing(refund));
        _payOut(refund, _approveAs(APPROVER_KEY, refund));
        assertEq(dollar.balanceOf(customer), 1, "by two people");
    }

    function test_limits_of_one_merchant_and_asset_do_not_touch_another() public {
        bytes memory others = abi.encode(escrow.floatOf(BOLT, address(dollar)), escrow.floatOf(ACME, NATIVE));
        _payMany(4);
        _limit(ACME, address(dollar), 0, 0, 0);
        bytes memory now_ = abi.encode(escrow.floatOf(BOLT, address(dollar)), escrow.floatOf(ACME, NATIVE));
        assertEq(now_, others, "unchanged");
        MerchantFloat.Refund memory refund = _next(SINGLE);
        refund.vault = BOLT;
        _payOut(refund, "");
        _payOut(_payout(99, NATIVE, 0.9 ether), "");
    }

    function test_approved_refunds_use_up_nothing_of_the_operators_day() public {
        MerchantFloat.Refund memory refund = _next(500e6);
        _payOut(refund, _approveAs(APPROVER_KEY, refund));
        _left(400e6 / 64);
        _payMany(4);
        _left(0);
        refund = _next(SINGLE);
        _payOut(refund, _approveAs(APPROVER_KEY, refund));
        _left(0);
        assertEq(dollar.balanceOf(customer), 1000e6, "five by two people, five by one");
    }

    function test_withdrawals_use_up_nothing_of_the_operators_day() public {
        vm.prank(TREASURER);
        escrow.withdrawFloat(ACME, address(dollar), 600e6);
        _left(400e6 / 64);
        _payMany(4);
    }

    function test_commit_of_a_refund_above_its_currencys_single_limit_needs_the_second_person() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.refund = 100_01;
        _deposit(auth);
        bytes memory err = _approvalMissing(MerchantFloat.Refund(LINE, ACME, EURO, 100_01, customer));
        _refused(OPERATOR, abi.encodeCall(escrow.commit, (auth, "")), err);
        bytes memory approval = _approve(auth);
        vm.expectEmit(address(escrow));
        emit MerchantFloat.RefundApproved(LINE, approver);
        vm.prank(OPERATOR);
        escrow.commit(auth, approval);
        _assertState(LINE, State.Committed);
    }

    function test_commit_up_to_the_single_limit_needs_one_person_however_often() public {
        for (uint256 i = 0; i < 3; ++i) {
            ReturnAuthorization memory auth = _depositAuth();
            (auth.line, auth.tokenId, auth.refund) = (_line(customer, 100 + i), 100 + i, 100_00);
            if (i == 1) auth.remedy = uint8(Remedy.StoreCredit);
            _mintNft(customer, auth.tokenId);
            _deposit(auth);
            vm.prank(OPERATOR);
            escrow.commit(auth, "");
            _assertState(auth.line, State.Committed);
        }
        assertEq(escrow.floatOf(ACME, EURO).left, 100_00, "the daily limit means nothing here");
    }

    function test_commit_in_a_currency_without_limits_needs_the_second_person() public {
        ReturnAuthorization memory auth = _depositAuth();
        (auth.asset, auth.refund) = (address(840), 1);
        _deposit(auth);
        bytes memory err = _approvalMissing(MerchantFloat.Refund(LINE, ACME, address(840), 1, customer));
        _refused(OPERATOR, abi.encodeCall(escrow.commit, (auth, "")), err);
    }

    function test_payout_ids_have_one_to_sixteen_bytes() public {
        uint256[3] memory bad = [0, uint256(1) << 128, uint256(LINE)];
        for (uint256 i = 0; i < bad.length; ++i) {
            bytes memory err = abi.encodeWithSelector(ReturnEscrow.ReturnEscrowBadPayoutId.selector, bad[i]);
            _payOutRefused(_payout(bad[i], address(dollar), 5), "", err);
        }
        vm.expectEmit(address(escrow));
        emit MerchantFloat.Refunded(bytes32(uint256(type(uint128).max)), ACME, customer, address(dollar), 5);
        _payOut(_payout(type(uint128).max, address(dollar), 5), "");
        _payOut(_payout(1, address(dollar), 5), "");
        _assertState(bytes32(uint256(1)), State.Paid);
        assertEq(dollar.balanceOf(customer), 10, "both");
    }

    function test_a_payout_id_pays_once_whatever_it_is_said_to_be_about() public {
        _payOut(_payout(1, address(dollar), 5), "");
        bytes memory err = abi.encodeWithSelector(ReturnEscrow.ReturnEscrowIdUsed.selector, uint256(1), State.Paid);
        _payOutRefused(_payout(1, address(dollar), 5), "", err);
        _payOutRefused(_payout(1, NATIVE, 6), "", err);
        MerchantFloat.Refund memory other = MerchantFloat.Refund(bytes32(uint256(1)), BOLT, NATIVE, 7, STRANGER);
        _payOutRefused(other, "", err);
        _payOutRefused(other, _approveAs(APPROVER_KEY, other), err);
        assertEq(dollar.balanceOf(customer), 5, "once");
    }

    function test_a_payout_of_nothing_or_to_nobody_is_refused() public {
        bytes memory err = abi.encodeWithSelector(MerchantFloat.FloatZeroAmount.selector);
        _payOutRefused(_payout(1, address(dollar), 0), "", err);
        address[2] memory bad = [address(0), address(escrow)];
        for (uint256 i = 0; i < bad.length; ++i) {
            MerchantFloat.Refund memory refund = _payout(1, address(dollar), 5);
            refund.recipient = bad[i];
            _payOutRefused(refund, "", abi.encodeWithSelector(MerchantFloat.FloatBadRecipient.selector, bad[i]));
        }
        bytes memory call = abi.encodeCall(escrow.payOut, (_payout(1, address(dollar), 5), ""));
        _refused(STRANGER, call, _unauthorized(STRANGER, escrow.OPERATOR_ROLE()));
    }

    function _next(uint256 amount) private returns (MerchantFloat.Refund memory) {
        return _payout(++_ids, address(dollar), amount);
    }

    function _payMany(uint256 times) private {
        for (uint256 i = 0; i < times; ++i) {
            _payOut(_next(SINGLE), "");
        }
    }

    function _left(uint256 units) private view {
        assertEq(escrow.floatOf(ACME, address(dollar)).left, units, "left of the day");
    }
}
