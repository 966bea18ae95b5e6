// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DeskAccess} from "../src/DeskAccess.sol";
import {MerchantFloat} from "../src/MerchantFloat.sol";
import {ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {RefusingRecipient} from "./mocks/Accounts.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @notice Who may do what, every change by two people, and the pause.
contract RolesTest is EscrowTest {
    address private constant ADMIN_C = address(0xA3);
    bytes32 private constant ADMIN_ROLE = 0;

    bytes32 private operatorRole;
    bytes32 private approverRole;
    /// @dev Makes the stranger an operator.
    bytes private grant;
    bytes32 private change;

    function setUp() public override {
        super.setUp();
        (operatorRole, approverRole) = (escrow.OPERATOR_ROLE(), escrow.APPROVER_ROLE());
        grant = abi.encodeCall(escrow.grantRole, (operatorRole, STRANGER));
        change = keccak256(grant);
    }

    /// @dev What integrators and auditors were told; each is a promise of its own.
    function test_constants_are_the_published_ones() public view {
        assertEq(escrow.PUSH_GAS(), 50_000, "gas to take coin");
        assertEq(escrow.BURN_GAS(), 300_000, "gas to burn");
        assertEq(escrow.WALLET_GAS(), 2_000_000, "gas to deploy a wallet");
        assertEq(escrow.PROPOSAL_LIFETIME(), 7 days, "time to confirm");
        assertEq(escrow.NATIVE(), NATIVE, "coin");
        assertEq(escrow.DEAD(), DEAD, "fire");
    }

    function test_constructor_appoints_six_people_and_nobody_else() public view {
        assertTrue(escrow.hasRole(ADMIN_ROLE, ADMIN_A) && escrow.hasRole(ADMIN_ROLE, ADMIN_B), "admins");
        assertTrue(escrow.hasRole(operatorRole, OPERATOR), "operator");
        assertTrue(escrow.hasRole(approverRole, approver), "approver");
        assertTrue(escrow.hasRole(escrow.GUARDIAN_ROLE(), GUARDIAN), "guardian");
        assertTrue(escrow.hasRole(escrow.TREASURER_ROLE(), TREASURER), "treasurer");
        assertEq(escrow.getRoleMemberCount(ADMIN_ROLE), 2, "two admins");
        assertEq(escrow.getRoleMemberCount(operatorRole), 1, "one operator");
        assertFalse(escrow.hasRole(ADMIN_ROLE, address(this)), "not the deployer");
    }

    function test_constructor_refuses_one_person_for_two_and_nobody() public {
        DeskAccess.People memory people = _people();
        people.adminB = ADMIN_A;
        vm.expectRevert(abi.encodeWithSelector(DeskAccess.DeskSamePerson.selector, ADMIN_A));
        new ReturnEscrow(people);
        people = _people();
        people.approver = OPERATOR;
        vm.expectRevert(abi.encodeWithSelector(DeskAccess.DeskSamePerson.selector, OPERATOR));
        new ReturnEscrow(people);
        for (uint256 i = 0; i < 6; ++i) {
            people = _people();
            assembly ("memory-safe") {
                mstore(add(people, mul(i, 0x20)), 0)
            }
            vm.expectRevert(abi.encodeWithSelector(DeskAccess.DeskZeroAddress.selector));
            new ReturnEscrow(people);
        }
    }

    function test_two_admins_grant_and_revoke() public {
        vm.expectEmit(address(escrow));
        emit DeskAccess.ChangeProposed(change, ADMIN_A, grant, uint48(START + 7 days));
        _propose(ADMIN_A, grant);
        _assertProposal(ADMIN_A, uint48(START + 7 days));
        assertFalse(escrow.hasRole(operatorRole, STRANGER), "one is not enough");
        vm.expectEmit(address(escrow));
        emit DeskAccess.ChangeConfirmed(change, ADMIN_B);
        vm.expectEmit(address(escrow));
        emit IAccessControl.RoleGranted(operatorRole, STRANGER, address(escrow));
        _confirm(ADMIN_B, grant);
        assertTrue(escrow.hasRole(operatorRole, STRANGER), "granted");
        _assertProposal(address(0), 0);
        _propose(ADMIN_B, abi.encodeCall(escrow.revokeRole, (operatorRole, STRANGER)));
        _confirm(ADMIN_A, abi.encodeCall(escrow.revokeRole, (operatorRole, STRANGER)));
        assertFalse(escrow.hasRole(operatorRole, STRANGER), "revoked");
    }

    function test_refuses_the_same_person_twice() public {
        _propose(ADMIN_A, grant);
        _confirmRefused(ADMIN_A, grant, abi.encodeWithSelector(DeskAccess.DeskSamePerson.selector, ADMIN_A));
        _propose(ADMIN_B, grant);
        _assertProposal(ADMIN_B, uint48(START + 7 days));
        _confirmRefused(ADMIN_B, grant, abi.encodeWithSelector(DeskAccess.DeskSamePerson.selector, ADMIN_B));
        _confirm(ADMIN_A, grant);
    }

    function test_refuses_what_was_not_proposed() public {
        _propose(ADMIN_A, grant);
        bytes[3] memory others = [
            abi.encodeCall(escrow.revokeRole, (operatorRole, STRANGER)),
            abi.encodeCall(escrow.grantRole, (operatorRole, ADMIN_B)),
            abi.encodeCall(escrow.grantRole, (ADMIN_ROLE, STRANGER))
        ];
        for (uint256 i = 0; i < others.length; ++i) {
            _confirmRefused(ADMIN_B, others[i], _notProposed(keccak256(others[i])));
        }
        _confirm(ADMIN_B, grant);
        _confirmRefused(ADMIN_B, grant, _notProposed(change));
        _confirmRefused(ADMIN_B, "", _notProposed(keccak256("")));
    }

    function test_a_proposal_is_good_until_its_last_second() public {
        _propose(ADMIN_A, grant);
        vm.warp(START + 7 days + 1);
        bytes memory err =
            abi.encodeWithSelector(DeskAccess.DeskProposalExpired.selector, change, uint48(START + 7 days));
        _confirmRefused(ADMIN_B, grant, err);
        vm.warp(START + 7 days);
        _confirm(ADMIN_B, grant);
        assertTrue(escrow.hasRole(operatorRole, STRANGER), "in its last second");
    }

    function test_proposing_again_begins_a_new_week() public {
        _propose(ADMIN_A, grant);
        vm.warp(START + 8 days);
        _propose(ADMIN_A, grant);
        _assertProposal(ADMIN_A, uint48(START + 15 days));
        _confirm(ADMIN_B, grant);
    }

    function test_any_admin_takes_a_proposal_off_the_table() public {
        for (uint256 i = 0; i < 2; ++i) {
            address admin = i == 0 ? ADMIN_A : ADMIN_B;
            _propose(ADMIN_A, grant);
            vm.expectEmit(address(escrow));
            emit DeskAccess.ChangeDropped(change, admin);
            vm.prank(admin);
            escrow.drop(change);
            _confirmRefused(ADMIN_B, grant, _notProposed(change));
            _refused(admin, abi.encodeCall(escrow.drop, (change)), _notProposed(change));
        }
    }

    function test_a_removed_admin_leaves_no_proposal_behind() public {
        _change(abi.encodeCall(escrow.grantRole, (ADMIN_ROLE, ADMIN_C)));
        _propose(ADMIN_C, grant);
        _change(abi.encodeCall(escrow.revokeRole, (ADMIN_ROLE, ADMIN_C)));
        _confirmRefused(ADMIN_A, grant, _notProposed(change));
        _refused(ADMIN_C, abi.encodeCall(escrow.confirm, (grant)), _unauthorized(ADMIN_C, ADMIN_ROLE));
        _propose(ADMIN_A, grant);
        _confirm(ADMIN_B, grant);
        assertTrue(escrow.hasRole(operatorRole, STRANGER), "those who are left can still do it");
    }

    function test_refuses_to_propose_any_other_call() public {
        bytes4[6] memory wrong = [
            escrow.renounceRole.selector,
            escrow.withdrawFloat.selector,
            escrow.settle.selector,
            escrow.pause.selector,
            escrow.confirm.selector,
            bytes4(0)
        ];
        for (uint256 i = 0; i < wrong.length; ++i) {
            bytes memory err = abi.encodeWithSelector(DeskAccess.DeskUnknownChange.selector, wrong[i]);
            _refused(ADMIN_A, abi.encodeCall(escrow.propose, (abi.encodePacked(wrong[i], LINE))), err);
        }
        bytes memory nothing = abi.encodeWithSelector(DeskAccess.DeskUnknownChange.selector, bytes4(0));
        _refused(ADMIN_A, abi.encodeCall(escrow.propose, ("")), nothing);
    }

    function test_a_change_that_cannot_be_carried_out_stays_proposed() public {
        bytes memory bad = abi.encodeCall(escrow.grantRole, (operatorRole, address(0)));
        _changeRefused(bad, abi.encodeWithSelector(DeskAccess.DeskZeroAddress.selector));
        (address proposer,) = escrow.proposalOf(keccak256(bad));
        assertEq(proposer, ADMIN_A, "undone with the rest");
        bytes memory cut = abi.encodePacked(escrow.grantRole.selector, operatorRole);
        _changeRefused(cut, abi.encodeWithSignature("FailedCall()"));
    }

    function test_nobody_makes_a_change_directly() public {
        bytes memory err = abi.encodeWithSelector(DeskAccess.DeskTwoPeopleNeeded.selector);
        address[4] memory people = [ADMIN_A, OPERATOR, GUARDIAN, STRANGER];
        for (uint256 i = 0; i < people.length; ++i) {
            _refused(people[i], grant, err);
            _refused(people[i], abi.encodeCall(escrow.revokeRole, (operatorRole, OPERATOR)), err);
            _refused(people[i], abi.encodeCall(escrow.registerMerchant, (STRANGER)), err);
            _refused(people[i], abi.encodeCall(escrow.setLimits, (ACME, NATIVE, 0, 1, 1)), err);
        }
        assertTrue(escrow.hasRole(operatorRole, OPERATOR), "still the operator");
        assertFalse(escrow.isMerchant(STRANGER), "no new vault");
    }

    function test_only_admins_take_part() public {
        _propose(ADMIN_A, grant);
        address[4] memory others = [OPERATOR, approver, GUARDIAN, TREASURER];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory err = _unauthorized(others[i], ADMIN_ROLE);
            _refused(others[i], abi.encodeCall(escrow.propose, (grant)), err);
            _refused(others[i], abi.encodeCall(escrow.confirm, (grant)), err);
            _refused(others[i], abi.encodeCall(escrow.drop, (change)), err);
        }
        _assertProposal(ADMIN_A, uint48(START + 7 days));
    }

    function test_two_admins_always_remain() public {
        bytes memory err = abi.encodeWithSelector(DeskAccess.DeskTooFewAdmins.selector, 1);
        _refused(ADMIN_A, abi.encodeCall(escrow.renounceRole, (ADMIN_ROLE, ADMIN_A)), err);
        _changeRefused(abi.encodeCall(escrow.revokeRole, (ADMIN_ROLE, ADMIN_B)), err);
        _change(abi.encodeCall(escrow.grantRole, (ADMIN_ROLE, ADMIN_C)));
        vm.prank(ADMIN_A);
        escrow.renounceRole(ADMIN_ROLE, ADMIN_A);
        assertFalse(escrow.hasRole(ADMIN_ROLE, ADMIN_A), "three may become two");
        _refused(ADMIN_C, abi.encodeCall(escrow.renounceRole, (ADMIN_ROLE, ADMIN_C)), err);
    }

    function test_granting_twice_counts_an_admin_once_and_revoking_a_stranger_none() public {
        _change(abi.encodeCall(escrow.revokeRole, (ADMIN_ROLE, STRANGER)));
        assertEq(escrow.getRoleMemberCount(ADMIN_ROLE), 2, "as before");
        _change(abi.encodeCall(escrow.grantRole, (ADMIN_ROLE, ADMIN_C)));
        _change(abi.encodeCall(escrow.grantRole, (ADMIN_ROLE, ADMIN_C)));
        assertEq(escrow.getRoleMemberCount(ADMIN_ROLE), 3, "once");
        vm.prank(ADMIN_C);
        escrow.renounceRole(ADMIN_ROLE, ADMIN_C);
        bytes memory err = abi.encodeWithSelector(DeskAccess.DeskTooFewAdmins.selector, 1);
        _refused(ADMIN_B, abi.encodeCall(escrow.renounceRole, (ADMIN_ROLE, ADMIN_B)), err);
    }

    function test_nobody_moves_refunds_and_approves_them() public {
        bytes memory err = abi.encodeWithSelector(DeskAccess.DeskSamePerson.selector, OPERATOR);
        _changeRefused(abi.encodeCall(escrow.grantRole, (approverRole, OPERATOR)), err);
        err = abi.encodeWithSelector(DeskAccess.DeskSamePerson.selector, approver);
        _changeRefused(abi.encodeCall(escrow.grantRole, (operatorRole, approver)), err);
        assertFalse(escrow.hasRole(approverRole, OPERATOR) || escrow.hasRole(operatorRole, approver), "kept apart");
        _change(abi.encodeCall(escrow.revokeRole, (operatorRole, OPERATOR)));
        _change(abi.encodeCall(escrow.grantRole, (approverRole, OPERATOR)));
        assertTrue(escrow.hasRole(approverRole, OPERATOR), "one after the other is fine");
    }

    function test_anybody_renounces_its_own_other_roles() public {
        vm.prank(OPERATOR);
        escrow.renounceRole(operatorRole, OPERATOR);
        _operatorRefused(OPERATOR, _unauthorized(OPERATOR, operatorRole));
        bytes memory call = abi.encodeCall(escrow.renounceRole, (escrow.GUARDIAN_ROLE(), GUARDIAN));
        _refused(ADMIN_A, call, abi.encodeWithSelector(IAccessControl.AccessControlBadConfirmation.selector));
    }

    function test_only_the_guardian_pauses_and_unpauses() public {
        address[5] memory others = [ADMIN_A, OPERATOR, approver, TREASURER, STRANGER];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory err = _unauthorized(others[i], escrow.GUARDIAN_ROLE());
            _refused(others[i], abi.encodeCall(escrow.pause, ()), err);
            _refused(others[i], abi.encodeCall(escrow.unpause, ()), err);
        }
        _refused(GUARDIAN, abi.encodeCall(escrow.unpause, ()), abi.encodeWithSelector(Pausable.ExpectedPause.selector));
        _pause();
        _refused(GUARDIAN, abi.encodeCall(escrow.pause, ()), _paused());
        _unpause();
        assertFalse(escrow.paused(), "open again");
    }

    function test_a_pause_stops_whatever_operators_do() public {
        _held();
        _pause();
        _operatorRefused(OPERATOR, _paused());
        _operatorRefused(STRANGER, _unauthorized(STRANGER, operatorRole));
        _unpause();
        vm.prank(OPERATOR);
        escrow.commit(_depositAuth(), "");
        _assertState(LINE, State.Committed);
    }

    function test_a_pause_does_not_stop_reclaim_claim_and_cancel() public {
        address refusing = address(new RefusingRecipient());
        _payOut(MerchantFloat.Refund(bytes32(uint256(1)), ACME, NATIVE, 5, refusing), "");
        _held();
        ReturnAuthorization memory unused = _depositAuth();
        unused.line = _line(customer, 2);
        _pause();
        vm.prank(refusing);
        escrow.claim(NATIVE, STRANGER);
        assertEq(STRANGER.balance, 5, "claimed");
        vm.prank(customer);
        escrow.cancel(unused);
        _assertState(unused.line, State.Canceled);
        vm.warp(START + 7 days + 1);
        vm.prank(customer);
        escrow.reclaim(_depositAuth(), customer);
        assertEq(nft.ownerOf(7), customer, "reclaimed");
    }

    function test_an_operator_granted_during_a_pause_begins_after_it() public {
        _pause();
        _change(grant);
        _operatorRefused(STRANGER, _paused());
        _unpause();
        vm.prank(STRANGER);
        escrow.payOut(_payout(1, address(dollar), 5), "");
        assertEq(dollar.balanceOf(customer), 5, "on duty");
    }

    function test_an_operator_revoked_during_a_pause_does_not_come_back_with_its_end() public {
        _change(grant);
        _pause();
        _change(abi.encodeCall(escrow.revokeRole, (operatorRole, OPERATOR)));
        _operatorRefused(OPERATOR, _unauthorized(OPERATOR, operatorRole));
        _unpause();
        _operatorRefused(OPERATOR, _unauthorized(OPERATOR, operatorRole));
        vm.prank(STRANGER);
        escrow.payOut(_payout(1, address(dollar), 5), "");
    }

    function test_a_pause_takes_every_operator_off_duty() public {
        _change(grant);
        _change(abi.encodeCall(escrow.grantRole, (operatorRole, ADMIN_C)));
        _pause();
        address[3] memory operators = [OPERATOR, STRANGER, ADMIN_C];
        for (uint256 i = 0; i < 3; ++i) {
            _operatorRefused(operators[i], _paused());
        }
        _unpause();
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(operators[i]);
            escrow.payOut(_payout(i + 1, address(dollar), 5), "");
        }
        assertEq(dollar.balanceOf(customer), 15, "all three again");
    }

    function test_granting_an_operator_its_role_again_during_a_pause_changes_nothing() public {
        _pause();
        _change(abi.encodeCall(escrow.grantRole, (operatorRole, OPERATOR)));
        _operatorRefused(OPERATOR, _paused());
        _unpause();
        _change(abi.encodeCall(escrow.grantRole, (operatorRole, OPERATOR)));
        _payOut(_payout(1, address(dollar), 5), "");
    }

    function test_a_revoked_operator_is_off_duty_at_once() public {
        _change(abi.encodeCall(escrow.revokeRole, (operatorRole, OPERATOR)));
        _operatorRefused(OPERATOR, _unauthorized(OPERATOR, operatorRole));
    }

    /// @dev No single role, and no single admin, gets at a held token.
    function test_no_role_takes_a_held_token() public {
        _held();
        address[7] memory people = [ADMIN_A, ADMIN_B, OPERATOR, approver, GUARDIAN, TREASURER, ACME];
        for (uint256 i = 0; i < people.length; ++i) {
            vm.prank(people[i]);
            (bool ok,) = address(nft).call(abi.encodeCall(nft.transferFrom, (address(escrow), people[i], 7)));
            assertFalse(ok, "not from outside");
            vm.prank(people[i]);
            (ok,) = address(escrow).call(abi.encodeCall(escrow.settle, (_depositAuth(), "")));
            assertFalse(ok, "not without a commit");
            vm.prank(people[i]);
            (ok,) = address(escrow).call(abi.encodeCall(escrow.reclaim, (_depositAuth(), people[i])));
            assertFalse(ok, "not in the depositor's place");
        }
        assertEq(nft.ownerOf(7), address(escrow), "still held");
    }

    /// @dev Every function of an operator, and the batch.
    function _operatorRefused(address caller, bytes memory err) private {
        ReturnAuthorization memory auth = _depositAuth();
        bytes[] memory calls = new bytes[](9);
        calls[0] = abi.encodeCall(escrow.deposit, (auth, ""));
        calls[1] = abi.encodeCall(escrow.commit, (auth, ""));
        calls[2] = abi.encodeCall(escrow.settle, (auth, ""));
        calls[3] = abi.encodeCall(escrow.burn, (auth, ""));
        calls[4] = abi.encodeCall(escrow.release, (auth));
        calls[5] = abi.encodeCall(escrow.swap, (auth, "", ""));
        calls[6] = abi.encodeCall(escrow.payOut, (_payout(1, address(dollar), 5), ""));
        calls[7] = abi.encodeCall(escrow.tryPermit, (address(nft), 7, 0, ""));
        calls[8] = abi.encodeCall(escrow.batch, (new bytes[](0), 1));
        for (uint256 i = 0; i < calls.length; ++i) {
            _refused(caller, calls[i], err);
        }
    }

    function _propose(address admin, bytes memory call) private {
        vm.prank(admin);
        escrow.propose(call);
    }

    function _confirm(address admin, bytes memory call) private {
        vm.prank(admin);
        escrow.confirm(call);
    }

    function _confirmRefused(address admin, bytes memory call, bytes memory err) private {
        (bytes memory confirm, bool before) =
            (abi.encodeCall(escrow.confirm, (call)), escrow.hasRole(operatorRole, STRANGER));
        _refused(admin, confirm, err);
        assertTrue(escrow.hasRole(operatorRole, STRANGER) == before, "nobody appointed");
    }

    function _assertProposal(address proposer, uint48 expires) private view {
        (address found, uint48 until) = escrow.proposalOf(change);
        assertEq(found, proposer, "proposer");
        assertEq(until, expires, "expires");
    }

    function _unpause() private {
        vm.prank(GUARDIAN);
        escrow.unpause();
    }

    function _paused() private pure returns (bytes memory) {
        return abi.encodeWithSelector(Pausable.EnforcedPause.selector);
    }

    function _notProposed(bytes32 about) private pure returns (bytes memory) {
        return abi.encodeWithSelector(DeskAccess.DeskNotProposed.selector, about);
    }
}
