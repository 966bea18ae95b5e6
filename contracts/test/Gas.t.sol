// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReturnAuthorization} from "../src/IReturnEscrow.sol";
import {EscrowTest} from "./EscrowTest.sol";

/// @notice What whole transactions cost, calldata included: each top-level call runs as a transaction of its own.
/// forge-config: default.isolate = true
contract GasTest is EscrowTest {
    /// @dev Escrow and vault have tokens already, as in daily use; the holder keeps another one.
    function setUp() public override {
        super.setUp();
        for (uint256 id = 20; id < 26; ++id) {
            _mintNft(id < 22 ? ACME_VAULT : customer, id);
        }
        ReturnAuthorization memory auth = _depositAuth();
        (auth.line, auth.tokenId) = ("earlier", 22);
        _deposit(auth);
    }

    /// forge-config: default.isolate = true
    function test_deposit_commit_settle() public {
        _deposit(_depositAuth());
        emit log_named_uint("deposit", vm.lastCallGas().gasTotalUsed);
        vm.prank(OPERATOR);
        escrow.commit(LINE);
        emit log_named_uint("commit", vm.lastCallGas().gasTotalUsed);
        vm.prank(OPERATOR);
        escrow.settle(LINE);
        emit log_named_uint("settle", vm.lastCallGas().gasTotalUsed);
    }

    /// forge-config: default.isolate = true
    function test_swap_refund_in_dollars() public {
        _swap(_swapAuth(), PAYOUT);
        emit log_named_uint("swap_refund", vm.lastCallGas().gasTotalUsed);
    }

    /// forge-config: default.isolate = true
    function test_swap_refund_in_coin() public {
        ReturnAuthorization memory auth = _swapAuth();
        (auth.asset, auth.refund) = (NATIVE, 1 ether);
        _swap(auth, PAYOUT);
        emit log_named_uint("swap_refund_coin", vm.lastCallGas().gasTotalUsed);
    }

    /// forge-config: default.isolate = true
    function test_release() public {
        _deposit(_depositAuth());
        vm.prank(OPERATOR);
        escrow.release(LINE);
        emit log_named_uint("release", vm.lastCallGas().gasTotalUsed);
    }
}
