// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IReturnEscrow} from "../src/IReturnEscrow.sol";
import {ReturnEscrow} from "../src/ReturnEscrow.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

contract RolesTest is EscrowTest {
    bytes32 private role;

    function setUp() public override {
        super.setUp();
        role = escrow.OPERATOR_ROLE();
    }

    function test_constructor_appoints_everybody() public view {
        assertTrue(escrow.hasRole(0, ADMIN_A) && escrow.hasRole(0, ADMIN_B), "admins");
        assertTrue(escrow.hasRole(role, OPERATOR), "operator");
        assertTrue(escrow.hasRole(escrow.GUARDIAN_ROLE(), GUARDIAN), "guardian");
        assertTrue(escrow.hasRole(escrow.TREASURER_ROLE(), TREASURER), "treasurer");
        assertFalse(escrow.hasRole(0, address(this)), "not the deployer");
    }

    function test_constructor_refuses_one_admin_and_nobody() public {
        vm.expectRevert(abi.encodeWithSelector(IReturnEscrow.ReturnEscrowSamePerson.selector, ADMIN_A));
        new ReturnEscrow(ADMIN_A, ADMIN_A, OPERATOR, GUARDIAN, TREASURER);
        address[5] memory people = [ADMIN_A, ADMIN_B, OPERATOR, GUARDIAN, TREASURER];
        for (uint256 i = 0; i < 5; ++i) {
            address[5] memory some = people;
            some[i] = address(0);
            vm.expectRevert(abi.encodeWithSelector(IReturnEscrow.ReturnEscrowZeroAddress.selector));
            new ReturnEscrow(some[0], some[1], some[2], some[3], some[4]);
            people = [ADMIN_A, ADMIN_B, OPERATOR, GUARDIAN, TREASURER];
        }
    }

    function test_two_admins_grant_and_revoke() public {
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.RoleProposed(role, STRANGER, true, ADMIN_A);
        _propose(ADMIN_A, role, STRANGER, true);
        assertEq(escrow.proposerOf(role, STRANGER, true), ADMIN_A, "proposed");
        assertFalse(escrow.hasRole(role, STRANGER), "one is not enough");
        vm.expectEmit(address(escrow));
        emit IAccessControl.RoleGranted(role, STRANGER, ADMIN_B);
        _confirm(ADMIN_B, role, STRANGER, true);
        assertTrue(escrow.hasRole(role, STRANGER), "granted");
        assertEq(escrow.proposerOf(role, STRANGER, true), address(0), "a proposal is used up");
        _propose(ADMIN_B, role, STRANGER, false);
        _confirm(ADMIN_A, role, STRANGER, false);
        assertFalse(escrow.hasRole(role, STRANGER), "revoked");
    }

    function test_refuses_the_same_person_twice() public {
        _propose(ADMIN_A, role, STRANGER, true);
        bytes memory call = abi.encodeCall(escrow.confirmRole, (role, STRANGER, true));
        _refused(ADMIN_A, call, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowSamePerson.selector, ADMIN_A));
    }

    function test_refuses_what_was_not_proposed() public {
        _propose(ADMIN_A, role, STRANGER, true);
        _refused(ADMIN_B, abi.encodeCall(escrow.confirmRole, (role, STRANGER, false)), _notProposed(STRANGER, false));
        _refused(ADMIN_B, abi.encodeCall(escrow.confirmRole, (role, OPERATOR, true)), _notProposed(OPERATOR, true));
        _confirm(ADMIN_B, role, STRANGER, true);
        _refused(ADMIN_B, abi.encodeCall(escrow.confirmRole, (role, STRANGER, true)), _notProposed(STRANGER, true));
        vm.prank(ADMIN_A);
        vm.expectRevert(abi.encodeWithSelector(IReturnEscrow.ReturnEscrowZeroAddress.selector));
        escrow.proposeRole(role, address(0), true);
    }

    function test_a_removed_admin_leaves_no_proposal_behind() public {
        _appoint(0, address(0xA3));
        _propose(address(0xA3), role, STRANGER, true);
        _propose(ADMIN_A, 0, address(0xA3), false);
        _confirm(ADMIN_B, 0, address(0xA3), false);
        _refused(ADMIN_A, abi.encodeCall(escrow.confirmRole, (role, STRANGER, true)), _notProposed(STRANGER, true));
    }

    function test_a_proposal_can_be_taken_back() public {
        _propose(ADMIN_A, role, STRANGER, true);
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.RoleProposalCanceled(role, STRANGER, true, ADMIN_B);
        vm.prank(ADMIN_B);
        escrow.cancelRoleProposal(role, STRANGER, true);
        _refused(ADMIN_B, abi.encodeCall(escrow.confirmRole, (role, STRANGER, true)), _notProposed(STRANGER, true));
        bytes memory call = abi.encodeCall(escrow.cancelRoleProposal, (role, STRANGER, true));
        _refused(ADMIN_B, call, _notProposed(STRANGER, true));
    }

    function test_direct_changes_are_refused() public {
        bytes memory err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowTwoPeopleNeeded.selector);
        _refused(ADMIN_A, abi.encodeCall(escrow.grantRole, (role, STRANGER)), err);
        _refused(ADMIN_A, abi.encodeCall(escrow.revokeRole, (role, OPERATOR)), err);
        assertTrue(escrow.hasRole(role, OPERATOR), "still the operator");
    }

    function test_only_admins_take_part() public {
        bytes memory err = _unauthorized(OPERATOR, 0);
        _refused(OPERATOR, abi.encodeCall(escrow.proposeRole, (role, STRANGER, true)), err);
        _refused(OPERATOR, abi.encodeCall(escrow.confirmRole, (role, STRANGER, true)), err);
        _refused(OPERATOR, abi.encodeCall(escrow.cancelRoleProposal, (role, STRANGER, true)), err);
    }

    function test_two_admins_always_remain() public {
        bytes memory err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowTooFewAdmins.selector, 1);
        _refused(ADMIN_A, abi.encodeCall(escrow.renounceRole, (bytes32(0), ADMIN_A)), err);
        _propose(ADMIN_A, 0, ADMIN_B, false);
        _refused(ADMIN_B, abi.encodeCall(escrow.confirmRole, (bytes32(0), ADMIN_B, false)), err);
        _appoint(0, STRANGER);
        vm.prank(ADMIN_A);
        escrow.renounceRole(0, ADMIN_A);
        assertFalse(escrow.hasRole(0, ADMIN_A), "three may become two");
        _refused(STRANGER, abi.encodeCall(escrow.renounceRole, (bytes32(0), STRANGER)), err);
    }

    function test_granting_twice_counts_an_admin_once() public {
        _appoint(0, STRANGER);
        _appoint(0, STRANGER);
        vm.prank(ADMIN_A);
        escrow.renounceRole(0, ADMIN_A);
        bytes memory err = abi.encodeWithSelector(IReturnEscrow.ReturnEscrowTooFewAdmins.selector, 1);
        _refused(ADMIN_B, abi.encodeCall(escrow.renounceRole, (bytes32(0), ADMIN_B)), err);
    }

    function test_anybody_renounces_its_own_other_roles() public {
        vm.prank(OPERATOR);
        escrow.renounceRole(role, OPERATOR);
        assertFalse(escrow.hasRole(role, OPERATOR), "renounced");
        bytes memory call = abi.encodeCall(escrow.renounceRole, (escrow.GUARDIAN_ROLE(), GUARDIAN));
        _refused(ADMIN_A, call, abi.encodeWithSelector(IAccessControl.AccessControlBadConfirmation.selector));
    }

    /// @dev No single role, and no single admin, gets at a held token.
    function test_no_role_takes_a_held_token() public {
        _held();
        address[5] memory people = [ADMIN_A, OPERATOR, GUARDIAN, TREASURER, ACME_VAULT];
        for (uint256 i = 0; i < people.length; ++i) {
            vm.prank(people[i]);
            (bool ok,) = address(nft).call(abi.encodeCall(nft.transferFrom, (address(escrow), people[i], 7)));
            assertFalse(ok, "not from outside");
            vm.prank(people[i]);
            (ok,) = address(escrow).call(abi.encodeCall(escrow.settle, (LINE)));
            assertFalse(ok, "not without a commit");
        }
        assertEq(nft.ownerOf(7), address(escrow), "still held");
    }

    function _appoint(bytes32 newRole, address account) private {
        _propose(ADMIN_A, newRole, account, true);
        _confirm(ADMIN_B, newRole, account, true);
    }

    function _propose(address admin, bytes32 newRole, address account, bool grant) private {
        vm.prank(admin);
        escrow.proposeRole(newRole, account, grant);
    }

    function _confirm(address admin, bytes32 newRole, address account, bool grant) private {
        vm.prank(admin);
        escrow.confirmRole(newRole, account, grant);
    }

    function _notProposed(address account, bool grant) private view returns (bytes memory) {
        return abi.encodeWithSelector(IReturnEscrow.ReturnEscrowNotProposed.selector, role, account, grant);
    }
}
