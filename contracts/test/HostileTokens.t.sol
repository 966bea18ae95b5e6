// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {HoldState, IReturnEscrow, ReturnAuthorization} from "../src/IReturnEscrow.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {ForwardingHolder} from "./mocks/Accounts.sol";
import {HostileNFT, Lying1155, Malice} from "./mocks/HostileNFT.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// @notice Tokens that revert, lie, re-enter and answer with megabytes, on the way in, on and back.
contract HostileTokensTest is EscrowTest {
    HostileNFT private evil;

    function setUp() public override {
        super.setUp();
        evil = new HostileNFT();
        evil.mint(customer, 1);
        vm.prank(customer);
        evil.setApprovalForAll(address(escrow), true);
    }

    function test_reverting_token_is_refused_with_its_reason() public {
        evil.turn(Malice.Reverts);
        bytes memory err = _transferFailed(abi.encodeWithSignature("Error(string)", "not today"));
        _depositRefused(_evilDeposit(), err);
        _swapRefused(_evilSwap(), err);
    }

    function test_lying_token_is_refused() public {
        evil.turn(Malice.Lies);
        _depositRefused(_evilDeposit(), _unproven(address(escrow)));
        _swapRefused(_evilSwap(), _unproven(ACME_VAULT));
        assertEq(dollar.balanceOf(customer), 0, "no refund for a token that did not come");
    }

    function test_megabytes_of_reasons_are_cut() public {
        evil.turn(Malice.RevertsWithMegabytes);
        _depositRefused(_evilDeposit(), _transferFailed(new bytes(256)));
    }

    function test_megabytes_of_answers_are_ignored() public {
        evil.turn(Malice.ReturnsMegabytes);
        _deposit(_evilDeposit());
        assertEq(evil.ownerOf(1), address(escrow), "in escrow");
    }

    /// @dev The token acts as an operator itself, so that only the lock stands in its way.
    function test_reentering_token_finds_the_door_locked() public {
        _mintNft(customer, 8);
        ReturnAuthorization memory inner = _swapAuth();
        (inner.line, inner.tokenId) = ("inner", 8);
        bytes32 other = "payout-2";
        bytes[4] memory calls = [
            abi.encodeCall(escrow.swapRefund, (inner, _sign(inner), other)),
            abi.encodeCall(escrow.deposit, (inner, _sign(inner))),
            abi.encodeCall(escrow.release, (LINE)),
            abi.encodeCall(escrow.claim, (NATIVE))
        ];
        _makeOperator(address(evil));
        for (uint256 i = 0; i < calls.length; ++i) {
            evil.mint(customer, 100 + i);
            evil.aim(address(escrow), calls[i]);
            ReturnAuthorization memory auth = _evilDeposit();
            (auth.line, auth.tokenId) = (bytes32(100 + i), 100 + i);
            _deposit(auth);
            assertFalse(evil.reentryOk(), "locked");
            assertEq(
                evil.reentryResult(),
                abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
                "by the lock"
            );
        }
        assertFalse(escrow.isPaid("payout-2"), "nothing else happened");
    }

    function test_token_that_reenters_on_its_way_to_the_vault_is_locked_out() public {
        _assertLockedOnTheWayOut(OPERATOR, abi.encodeCall(escrow.settle, (LINE)), ACME_VAULT);
    }

    function test_token_that_reenters_on_its_way_to_the_fire_is_locked_out() public {
        _assertLockedOnTheWayOut(OPERATOR, abi.encodeCall(escrow.burn, (LINE)), DEAD);
    }

    function test_token_that_reenters_while_it_is_released_is_locked_out() public {
        _assertLockedOnTheWayOut(OPERATOR, abi.encodeCall(escrow.release, (LINE)), customer);
    }

    function test_token_that_reenters_while_it_is_reclaimed_is_locked_out() public {
        _assertLockedOnTheWayOut(customer, abi.encodeCall(escrow.reclaim, (LINE)), customer);
    }

    function test_token_that_lies_on_its_way_out_stays_held() public {
        _commitEvil();
        evil.turn(Malice.Lies);
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (LINE)), _unproven(ACME_VAULT));
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (LINE)), _unproven(DEAD));
        _refused(OPERATOR, abi.encodeCall(escrow.release, (LINE)), _unproven(customer));
        vm.warp(START + 30 days + 1);
        _refused(customer, abi.encodeCall(escrow.reclaim, (LINE)), _unproven(customer));
        evil.turn(Malice.None);
        vm.prank(customer);
        escrow.reclaim(LINE);
        assertEq(evil.ownerOf(1), customer, "as soon as the token behaves");
    }

    function test_burn_that_burns_nothing_is_not_called_destruction() public {
        _commitEvil();
        evil.turnBurn();
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.Burned(LINE, address(evil), 1, 1, false);
        vm.prank(OPERATOR);
        escrow.burn(LINE);
        assertEq(evil.ownerOf(1), DEAD, "parked instead");
    }

    function test_receiver_hook_is_answered_during_the_own_pull_only() public {
        evil.turn(Malice.CallsBack);
        _deposit(_evilDeposit());
        assertEq(evil.ownerOf(1), address(escrow), "in escrow");
        vm.prank(address(evil));
        vm.expectRevert(abi.encodeWithSelector(IReturnEscrow.ReturnEscrowUnsolicitedToken.selector, address(evil)));
        escrow.onERC721Received(address(escrow), customer, 1, "");
    }

    function test_receiver_hook_refuses_another_operator_during_a_pull() public {
        evil.aim(address(escrow), abi.encodeCall(escrow.onERC721Received, (STRANGER, customer, 2, "")));
        _deposit(_evilDeposit());
        assertFalse(evil.reentryOk(), "not the escrow's own transfer");
    }

    function test_erc1155_that_moves_half_is_refused() public {
        Lying1155 half = new Lying1155();
        half.mint(customer, 10);
        ReturnAuthorization memory auth = _evilDeposit();
        (auth.token, auth.amount) = (address(half), 10);
        bytes memory err = abi.encodeWithSelector(
            IReturnEscrow.ReturnEscrowTransferUnproven.selector, address(half), 1, address(escrow)
        );
        _depositRefused(auth, err);
        assertEq(half.balanceOf(customer, 1), 10, "nothing moved");
        half.turnHonest();
        _deposit(auth);
        assertEq(half.balanceOf(address(escrow), 1), 10, "all of it, once it is honest");
    }

    /// @dev A depositor that passes tokens on in its hook ends with a balance of 0, and must not be locked out for it.
    function test_forwarding_depositor_gets_its_tokens_back() public {
        ForwardingHolder forwarder = new ForwardingHolder(STRANGER);
        multi.mint(address(forwarder), 3, 5);
        forwarder.approve(address(multi), address(escrow));
        ReturnAuthorization memory auth = _depositAuth();
        (auth.holder, auth.token, auth.tokenId, auth.amount) = (address(forwarder), address(multi), 3, 5);
        _deposit(auth);
        forwarder.startForwarding();
        vm.prank(OPERATOR);
        escrow.release(LINE);
        assertEq(multi.balanceOf(STRANGER, 3), 5, "passed on");
    }

    /// @dev While it leaves, the token acts as an operator and tries to leave again.
    function _assertLockedOnTheWayOut(address caller, bytes memory call, address to) private {
        _commitEvil();
        _makeOperator(address(evil));
        evil.aim(address(escrow), abi.encodeCall(escrow.release, (LINE)));
        vm.warp(START + 30 days + 1);
        vm.prank(caller);
        (bool ok,) = address(escrow).call(call);
        assertTrue(ok, "the movement itself goes through");
        assertFalse(evil.reentryOk(), "once");
        assertEq(
            evil.reentryResult(),
            abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
            "by the lock"
        );
        assertEq(evil.ownerOf(1), to, "where it was to go");
    }

    function _evilDeposit() private view returns (ReturnAuthorization memory auth) {
        auth = _depositAuth();
        (auth.token, auth.tokenId) = (address(evil), 1);
    }

    function _evilSwap() private view returns (ReturnAuthorization memory auth) {
        auth = _swapAuth();
        (auth.token, auth.tokenId) = (address(evil), 1);
    }

    function _commitEvil() private {
        _deposit(_evilDeposit());
        vm.prank(OPERATOR);
        escrow.commit(LINE);
    }

    function _makeOperator(address account) private {
        bytes32 role = escrow.OPERATOR_ROLE();
        vm.prank(ADMIN_A);
        escrow.proposeRole(role, account, true);
        vm.prank(ADMIN_B);
        escrow.confirmRole(role, account, true);
    }

    function _transferFailed(bytes memory reason) private view returns (bytes memory) {
        return abi.encodeWithSelector(IReturnEscrow.ReturnEscrowTransferFailed.selector, address(evil), 1, reason);
    }

    function _unproven(address to) private view returns (bytes memory) {
        return abi.encodeWithSelector(IReturnEscrow.ReturnEscrowTransferUnproven.selector, address(evil), 1, to);
    }
}
