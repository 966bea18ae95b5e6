// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {HoldState, IReturnEscrow, ReturnAuthorization} from "../src/IReturnEscrow.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {DeadBurnNFT, PlainNFT} from "./mocks/HonestTokens.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @notice From a hold to its end: commit, settle, burn, release, reclaim.
contract CustodyTest is EscrowTest {
    function test_commit_moves_the_reclaim_date_once() public {
        _held();
        vm.warp(START + 7 days);
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.Committed(LINE, uint48(START + 30 days));
        vm.prank(OPERATOR);
        escrow.commit(LINE);
        _assertState(LINE, HoldState.Committed);
        assertEq(escrow.holdOf(LINE).reclaimAfter, START + 30 days, "the second signed date is in force");
        _refused(OPERATOR, abi.encodeCall(escrow.commit, (LINE)), _wrongState(HoldState.Committed));
    }

    function test_commit_is_refused_once_the_depositor_may_reclaim() public {
        _held();
        vm.warp(START + 7 days + 1);
        bytes memory err =
            abi.encodeWithSelector(IReturnEscrow.ReturnEscrowReclaimOpen.selector, uint48(START + 7 days));
        _refused(OPERATOR, abi.encodeCall(escrow.commit, (LINE)), err);
    }

    function test_settle_sends_the_token_to_the_vault() public {
        _committed();
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.Settled(LINE, ACME_VAULT, address(nft), 7, 1);
        vm.prank(OPERATOR);
        escrow.settle(LINE);
        assertEq(nft.ownerOf(7), ACME_VAULT, "in the vault");
        _assertState(LINE, HoldState.Settled);
    }

    function test_settle_sends_an_amount_of_erc1155() public {
        _committedMulti(40);
        vm.prank(OPERATOR);
        escrow.settle(LINE);
        assertEq(multi.balanceOf(ACME_VAULT, 3), 40, "in the vault");
    }

    function test_burn_destroys_where_the_collection_can() public {
        _committed();
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.Burned(LINE, address(nft), 7, 1, true);
        vm.prank(OPERATOR);
        escrow.burn(LINE);
        assertEq(_ownerOf(address(nft), 7), address(0), "gone");
        _assertState(LINE, HoldState.Burned);
    }

    function test_burn_parks_at_the_dead_address_otherwise() public {
        PlainNFT plain = new PlainNFT();
        plain.mint(customer, 1);
        _committedToken(address(plain), 1);
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.Burned(LINE, address(plain), 1, 1, false);
        vm.prank(OPERATOR);
        escrow.burn(LINE);
        assertEq(plain.ownerOf(1), DEAD, "parked");
    }

    function test_burn_does_not_call_a_transfer_destruction() public {
        DeadBurnNFT dead = new DeadBurnNFT();
        dead.mint(customer, 1);
        _committedToken(address(dead), 1);
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.Burned(LINE, address(dead), 1, 1, false);
        vm.prank(OPERATOR);
        escrow.burn(LINE);
        assertEq(dead.ownerOf(1), DEAD, "parked by its own contract");
    }

    function test_burn_parks_erc1155() public {
        _committedMulti(40);
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.Burned(LINE, address(multi), 3, 40, false);
        vm.prank(OPERATOR);
        escrow.burn(LINE);
        assertEq(multi.balanceOf(DEAD, 3), 40, "parked");
    }

    function test_release_gives_back_to_the_depositor() public {
        _held();
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.Released(LINE, customer, address(nft), 7, 1);
        vm.prank(OPERATOR);
        escrow.release(LINE);
        assertEq(nft.ownerOf(7), customer, "back");
        _assertState(LINE, HoldState.Released);
    }

    function test_release_works_when_committed_and_paused() public {
        _committed();
        vm.prank(GUARDIAN);
        escrow.pause();
        vm.prank(OPERATOR);
        escrow.release(LINE);
        assertEq(nft.ownerOf(7), customer, "back");
    }

    function test_reclaim_works_after_the_date_also_while_paused() public {
        _held();
        vm.prank(GUARDIAN);
        escrow.pause();
        vm.warp(START + 7 days);
        _refused(customer, abi.encodeCall(escrow.reclaim, (LINE)), _tooEarly(uint48(START + 7 days)));
        vm.warp(START + 7 days + 1);
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.Reclaimed(LINE, customer, address(nft), 7, 1);
        vm.prank(customer);
        escrow.reclaim(LINE);
        assertEq(nft.ownerOf(7), customer, "back");
        _assertState(LINE, HoldState.Reclaimed);
    }

    function test_reclaim_waits_for_the_second_date_once_committed() public {
        _committed();
        vm.warp(START + 30 days);
        _refused(customer, abi.encodeCall(escrow.reclaim, (LINE)), _tooEarly(uint48(START + 30 days)));
        vm.warp(START + 30 days + 1);
        vm.prank(customer);
        escrow.reclaim(LINE);
        assertEq(nft.ownerOf(7), customer, "back");
    }

    function testFuzz_reclaim_opens_exactly_after_the_date_in_force(uint256 delay, bool commits) public {
        if (commits) _committed();
        else _held();
        uint256 opens = START + (commits ? 30 days : 7 days);
        uint256 time = bound(delay, opens - 2, opens + 2);
        vm.warp(time);
        vm.prank(customer);
        (bool ok,) = address(escrow).call(abi.encodeCall(escrow.reclaim, (LINE)));
        assertTrue(ok == (time > opens), "date");
    }

    function test_reclaim_is_the_depositors_alone() public {
        _held();
        vm.warp(START + 7 days + 1);
        address[5] memory others = [OPERATOR, ADMIN_A, GUARDIAN, TREASURER, ACME_VAULT];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowNotDepositor.selector, LINE, others[i]);
            _refused(others[i], abi.encodeCall(escrow.reclaim, (LINE)), err);
        }
    }

    function test_reclaim_of_an_unknown_line_is_refused() public {
        bytes memory err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowNotDepositor.selector, LINE, customer);
        _refused(customer, abi.encodeCall(escrow.reclaim, (LINE)), err);
    }

    function test_nothing_but_a_deposit_works_on_an_unknown_line() public {
        _assertOnlyFrom(HoldState.None);
    }

    function test_held_lines_are_neither_settled_nor_burned() public {
        _held();
        _assertOnlyFrom(HoldState.Held);
    }

    function test_settled_is_final() public {
        _assertFinal(HoldState.Settled);
    }

    function test_burned_is_final() public {
        _assertFinal(HoldState.Burned);
    }

    function test_released_is_final() public {
        _assertFinal(HoldState.Released);
    }

    function test_reclaimed_is_final() public {
        _assertFinal(HoldState.Reclaimed);
    }

    function test_roles_are_needed() public {
        _held();
        bytes32 role = escrow.OPERATOR_ROLE();
        bytes memory err = _unauthorized(ADMIN_A, role);
        _refused(ADMIN_A, abi.encodeCall(escrow.commit, (LINE)), err);
        _refused(ADMIN_A, abi.encodeCall(escrow.settle, (LINE)), err);
        _refused(ADMIN_A, abi.encodeCall(escrow.burn, (LINE)), err);
        _refused(ADMIN_A, abi.encodeCall(escrow.release, (LINE)), err);
        role = escrow.GUARDIAN_ROLE();
        _refused(OPERATOR, abi.encodeCall(escrow.pause, ()), _unauthorized(OPERATOR, role));
        _refused(OPERATOR, abi.encodeCall(escrow.unpause, ()), _unauthorized(OPERATOR, role));
    }

    function test_pause_stops_commit_settle_and_burn() public {
        _committed();
        vm.prank(GUARDIAN);
        escrow.pause();
        bytes memory err = abi.encodeWithSelector(Pausable.EnforcedPause.selector);
        _refused(OPERATOR, abi.encodeCall(escrow.commit, (LINE)), err);
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (LINE)), err);
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (LINE)), err);
    }

    /// @dev Two lines of the same ERC-1155 token lie in one balance and stay apart.
    function test_lines_of_one_erc1155_token_stay_apart() public {
        ReturnAuthorization memory auth = _multiAuth(40);
        _deposit(auth);
        (auth.line, auth.amount) = ("second", 60);
        _deposit(auth);
        vm.prank(OPERATOR);
        escrow.release(LINE);
        assertEq(multi.balanceOf(customer, 3), 40, "only the first came back");
        assertEq(multi.balanceOf(address(escrow), 3), 60, "the second is still held");
        assertEq(escrow.holdOf("second").amount, 60, "and known");
    }

    function test_unsolicited_safe_transfers_are_turned_away() public {
        bytes memory err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowUnsolicitedToken.selector, address(nft));
        vm.prank(customer);
        vm.expectRevert(err);
        nft.safeTransferFrom(customer, address(escrow), 7);
        err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowUnsolicitedToken.selector, address(multi));
        vm.prank(customer);
        vm.expectRevert(err);
        multi.safeTransferFrom(customer, address(escrow), 3, 1, "");
        (uint256[] memory ids, uint256[] memory amounts) = (new uint256[](2), new uint256[](2));
        (ids[0], ids[1], amounts[0], amounts[1]) = (3, 3, 1, 1);
        vm.prank(customer);
        vm.expectRevert(err);
        multi.safeBatchTransferFrom(customer, address(escrow), ids, amounts, "");
        assertEq(nft.ownerOf(7), customer, "still the customer's");
        assertEq(multi.balanceOf(customer, 3), 100, "all of them");
    }

    function test_declares_its_interfaces() public view {
        assertTrue(escrow.supportsInterface(0x4e2312e0), "ERC-1155 receiver");
        assertTrue(escrow.supportsInterface(0x01ffc9a7), "ERC-165");
        assertTrue(escrow.supportsInterface(0x7965db0b), "access control");
        assertFalse(escrow.supportsInterface(0x80ac58cd), "not a token itself");
    }

    /// @dev Every function that does not serve the state.
    function _assertFinal(HoldState state) private {
        _committed();
        vm.warp(START + 30 days + 1);
        vm.prank(state == HoldState.Reclaimed ? customer : OPERATOR);
        if (state == HoldState.Settled) escrow.settle(LINE);
        if (state == HoldState.Burned) escrow.burn(LINE);
        if (state == HoldState.Released) escrow.release(LINE);
        if (state == HoldState.Reclaimed) escrow.reclaim(LINE);
        _assertOnlyFrom(state);
        _refused(customer, abi.encodeCall(escrow.reclaim, (LINE)), _wrongState(state));
    }

    function _assertOnlyFrom(HoldState state) private {
        bytes memory err = _wrongState(state);
        if (state != HoldState.Held) _refused(OPERATOR, abi.encodeCall(escrow.commit, (LINE)), err);
        _refused(OPERATOR, abi.encodeCall(escrow.settle, (LINE)), err);
        _refused(OPERATOR, abi.encodeCall(escrow.burn, (LINE)), err);
        if (state != HoldState.Held) _refused(OPERATOR, abi.encodeCall(escrow.release, (LINE)), err);
    }

    function _multiAuth(uint256 amount) private view returns (ReturnAuthorization memory auth) {
        auth = _depositAuth();
        (auth.token, auth.tokenId, auth.amount) = (address(multi), 3, amount);
    }

    function _committedMulti(uint256 amount) private {
        _deposit(_multiAuth(amount));
        vm.prank(OPERATOR);
        escrow.commit(LINE);
    }

    function _committedToken(address token, uint256 tokenId) private {
        vm.prank(customer);
        PlainNFT(token).setApprovalForAll(address(escrow), true);
        ReturnAuthorization memory auth = _depositAuth();
        (auth.token, auth.tokenId) = (token, tokenId);
        _deposit(auth);
        vm.prank(OPERATOR);
        escrow.commit(LINE);
    }
}
