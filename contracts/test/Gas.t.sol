// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Remedy, ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {State} from "../src/ReturnEscrow.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {PlainNFT} from "./mocks/HonestTokens.sol";

/// @notice What whole transactions cost, calldata included: each top-level call runs as a transaction of its own.
/// forge-config: default.isolate = true
contract GasTest is EscrowTest {
    PlainNFT private _plain;
    uint256 private constant KEYS = 0x5000;

    function setUp() public override {
        super.setUp();
        _plain = new PlainNFT();
        for (uint256 i = 0; i < 52; ++i) {
            address holder = vm.addr(KEYS + i);
            _plain.mint(holder, 1000 + i);
            vm.prank(holder);
            _plain.setApprovalForAll(address(escrow), true);
        }
        // Escrow and vault have tokens already, as in daily use.
        _plain.mint(ACME, 1);
        _deposit(_authOf(51, Remedy.FiatRefund), 51);
        _limit(ACME, address(dollar), 20, 1e12, 1e13);
        _fund(ACME, 1e12, 1);
        ReturnAuthorization memory auth = _authOf(50, Remedy.CryptoRefund);
        bytes memory signature = _signWith(KEYS + 50, auth);
        vm.prank(OPERATOR);
        escrow.swap(auth, signature, "");
        vm.warp(START + 100);
    }

    function _authOf(uint256 i, Remedy remedy) private view returns (ReturnAuthorization memory auth) {
        auth = _depositAuth();
        (auth.holder, auth.recipient) = (vm.addr(KEYS + i), vm.addr(KEYS + i));
        auth.line = _line(auth.holder, uint256(keccak256(abi.encode(i))) >> 128);
        (auth.token, auth.tokenId, auth.remedy) = (address(_plain), 1000 + i, uint8(remedy));
        if (remedy == Remedy.CryptoRefund) (auth.asset, auth.refund) = (address(dollar), 50_123456);
    }

    function _deposit(ReturnAuthorization memory auth, uint256 i) private {
        bytes memory signature = _signWith(KEYS + i, auth);
        vm.prank(OPERATOR);
        escrow.deposit(auth, signature);
    }

    /// forge-config: default.isolate = true
    function test_deposit_commit_settle() public {
        ReturnAuthorization memory auth = _authOf(0, Remedy.FiatRefund);
        _deposit(auth, 0);
        emit log_named_uint("deposit", vm.lastCallGas().gasTotalUsed);
        vm.prank(OPERATOR);
        escrow.commit(auth, "");
        emit log_named_uint("commit", vm.lastCallGas().gasTotalUsed);
        vm.prank(OPERATOR);
        escrow.settle(auth, "");
        emit log_named_uint("settle_fiat", vm.lastCallGas().gasTotalUsed);
        auth = _authOf(1, Remedy.CryptoRefund);
        _deposit(auth, 1);
        vm.prank(OPERATOR);
        escrow.settle(auth, "");
        emit log_named_uint("settle", vm.lastCallGas().gasTotalUsed);
        auth = _authOf(2, Remedy.CryptoRefund);
        (auth.reclaimAfter, auth.commitUntil) = (0, 0);
        bytes memory signature = _signWith(KEYS + 2, auth);
        vm.prank(OPERATOR);
        escrow.swap(auth, signature, "");
        emit log_named_uint("swap_refund", vm.lastCallGas().gasTotalUsed);
    }

    /// forge-config: default.isolate = true
    function test_batch_deposit() public {
        bytes[] memory calls = new bytes[](50);
        for (uint256 i = 0; i < 50; ++i) {
            ReturnAuthorization memory auth = _authOf(i, Remedy.FiatRefund);
            calls[i] = abi.encodeCall(escrow.deposit, (auth, _signWith(KEYS + i, auth)));
        }
        vm.prank(OPERATOR);
        escrow.batch(calls, 300_000);
        emit log_named_uint("batch50_deposit", vm.lastCallGas().gasTotalUsed / 50);
        _assertState(_authOf(49, Remedy.FiatRefund).line, State.Held);
    }

    /// forge-config: default.isolate = true
    function test_batch_swap() public {
        bytes[] memory calls = new bytes[](50);
        for (uint256 i = 0; i < 50; ++i) {
            ReturnAuthorization memory auth = _authOf(i, Remedy.CryptoRefund);
            (auth.reclaimAfter, auth.commitUntil) = (0, 0);
            calls[i] = abi.encodeCall(escrow.swap, (auth, _signWith(KEYS + i, auth), ""));
        }
        vm.prank(OPERATOR);
        escrow.batch(calls, 300_000);
        emit log_named_uint("batch50_swap_refund", vm.lastCallGas().gasTotalUsed / 50);
        _assertState(_authOf(49, Remedy.CryptoRefund).line, State.Settled);
    }
}
